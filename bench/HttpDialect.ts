/** etcd's JSON gateway over HTTP/1.1: a keep-alive connection for each client, one request at a time. */
import type { Dialect, Done } from "./Dialect.ts"
import * as HttpConnection from "./HttpConnection.ts"

export const HttpDialect: Dialect = {
  request: (operation, { key, value }) => {
    const name = Buffer.from(key).toString("base64")
    const text = value.toString("base64")
    return operation === "put"
      ? {
          bytes: HttpConnection.post("/v3/kv/put", { key: name, value: text }),
          expected: Buffer.from(`"revision":`)
        }
      : {
          bytes: HttpConnection.post("/v3/kv/range", {
            key: name,
            ...(operation === "serializable" ? { serializable: true } : {})
          }),
          expected: Buffer.from(`"value":"${text}"`)
        }
  },

  open: (port, ends) => {
    let underWay: { readonly expected: string; readonly done: Done } | undefined
    const settle = (problem: (expected: string) => string | undefined): void => {
      const asked = underWay
      underWay = undefined
      asked?.done(problem(asked.expected))
    }
    const connection = HttpConnection.open(port, {
      onOpen: ends.onOpen,
      onAnswer: (status, body) =>
        settle((expected) =>
          status === 200 && body.includes(expected) ? undefined : `status ${status}: ${body.trim().slice(0, 120)}`
        ),
      onLost: (reason) => {
        ends.onLost(reason)
        settle(() => reason)
      }
    })
    return {
      send: ({ bytes, expected }, done) => {
        underWay = { expected: expected.toString("latin1"), done }
        connection.send(bytes)
      },
      close: connection.close
    }
  },

  speaks: ({ pipeline }) => pipeline === 1,
  // A connection has one request under way.
  connections: (clients) => clients
}
