/**
 * One HTTP request to one endpoint. What matters to the caller is not only whether an
 * answer came, but whether the request can have been read: a request that was never sent
 * may go elsewhere, one that was sent may have been carried out.
 */
import { Effect } from "effect"
import * as Http from "node:http"
import type { Endpoint } from "./Endpoint.ts"

export type Exchange =
  | {
      readonly _tag: "Answered"
      readonly status: number
      readonly body: string
      readonly headers: Http.IncomingHttpHeaders
    }
  /** No connection stood, so nobody can have read the request. */
  | { readonly _tag: "NotSent"; readonly reason: string }
  /** The connection ended, or time ran out, between the request and its answer. */
  | { readonly _tag: "Unanswered"; readonly reason: string; readonly timedOut: boolean }

export interface HttpRequest {
  readonly endpoint: Endpoint
  readonly method: "GET" | "POST"
  readonly path: string
  readonly body: string
  /** Beside those that every request has. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Keeps connections for later requests. Without one the connection ends with the answer, and so the process may. */
  readonly agent?: Http.Agent | undefined
  /** For the connection to stand. */
  readonly connectMillis: number
  /** For everything, connecting included. */
  readonly totalMillis: number
}

/** A whole answer is held in memory, as bytes and then as text. */
const maxAnswerBytes = 256 * 1024 * 1024

const seconds = (millis: number): string => `${Number((millis / 1000).toFixed(1))} s`

const cause = (error: NodeJS.ErrnoException): string => error.code ?? error.message

export const exchange = (request: HttpRequest): Effect.Effect<Exchange> =>
  Effect.callback<Exchange>((resume) => {
    let connected = false
    const { endpoint, method, path, body } = request
    const outgoing = Http.request({
      host: endpoint.host,
      port: endpoint.port,
      method,
      path,
      agent: request.agent ?? false,
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        ...(request.agent === undefined ? { connection: "close" } : {}),
        ...request.headers
      }
    })
    const end = (result: Exchange) => {
      clearTimeout(connecting)
      clearTimeout(waiting)
      resume(Effect.succeed(result))
      // A connection that has given its whole answer may be kept; any other would give the rest of it to the next request.
      if (result._tag !== "Answered" || request.agent === undefined) outgoing.destroy()
    }
    const connecting = setTimeout(() => {
      if (!connected)
        end({
          _tag: "NotSent",
          reason: `no connection within ${seconds(Math.min(request.connectMillis, request.totalMillis))}`
        })
    }, request.connectMillis)
    const waiting = setTimeout(() => {
      const reason = `no ${connected ? "answer" : "connection"} within ${seconds(request.totalMillis)}`
      end(connected ? { _tag: "Unanswered", reason, timedOut: true } : { _tag: "NotSent", reason })
    }, request.totalMillis)
    const fail = (error: NodeJS.ErrnoException) =>
      end(
        connected
          ? { _tag: "Unanswered", reason: cause(error), timedOut: false }
          : { _tag: "NotSent", reason: cause(error) }
      )
    outgoing.on("socket", (socket) => {
      connected = !socket.connecting
      if (!connected) {
        socket.once("connect", () => {
          connected = true
        })
      }
    })
    outgoing.on("error", fail)
    outgoing.on("response", (incoming) => {
      const chunks: Array<Buffer> = []
      let length = 0
      incoming.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > maxAnswerBytes) {
          end({
            _tag: "Unanswered",
            reason: `more than ${maxAnswerBytes} bytes; ask for less at once`,
            timedOut: false
          })
        }
      })
      incoming.on("error", fail)
      incoming.on("end", () =>
        end({
          _tag: "Answered",
          status: incoming.statusCode ?? 0,
          body: Buffer.concat(chunks).toString("utf8"),
          headers: incoming.headers
        })
      )
    })
    outgoing.end(body)
    return Effect.sync(() => {
      clearTimeout(connecting)
      clearTimeout(waiting)
      outgoing.destroy()
    })
  })
