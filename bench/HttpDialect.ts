/** etcd's JSON gateway over HTTP/1.1: a keep-alive connection for each client, one request at a time. */
import type { Dialect, Done } from "./Dialect.ts"
import * as HttpConnection from "./HttpConnection.ts"
import { keysInRange } from "./Workload.ts"

export const HttpDialect: Dialect = {
  request: (operation, { key, value, until = "", lastValue = "" }) => {
    const name = base64(key)
    const text = base64(value)
    switch (operation) {
      case "put":
        return {
          bytes: HttpConnection.post("/v3/kv/put", { key: name, value: text }),
          expected: Buffer.from(`"revision":`)
        }
      case "get":
      case "serializable":
        return {
          bytes: HttpConnection.post("/v3/kv/range", {
            key: name,
            ...(operation === "serializable" ? { serializable: true } : {})
          }),
          expected: Buffer.from(`"value":"${text}"`)
        }
      case "range":
        return {
          bytes: HttpConnection.post("/v3/kv/range", { key: name, range_end: base64(until) }),
          expected: Buffer.from(`"value":"${base64(lastValue)}"}],"count":"${keysInRange}"`)
        }
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

const base64 = (text: string | Buffer): string => Buffer.from(text).toString("base64")
