/**
 * A request whose answer is a stream of lines, read as fast as they are taken: what nobody takes stays in the
 * connection, which makes the server wait. A line that the connection's end cut off is none.
 */
import { Effect, type Scope } from "effect"
import * as Http from "node:http"
import type { Endpoint } from "./Endpoint.ts"
import type { Exchange } from "./HttpExchange.ts"

export interface LinesRequest {
  readonly endpoint: Endpoint
  readonly path: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** For the answer to begin. */
  readonly timeoutMillis: number
  /** How long a connection may be silent in the midst of the answer; without one for ever. */
  readonly pauseMillis?: number | undefined
}

export interface Opened {
  readonly _tag: "Opened"
  /** At least one line, or `undefined` at a proper end. To be called again only when it is done. */
  readonly next: Effect.Effect<ReadonlyArray<string> | undefined, Broken>
}

export interface Broken {
  readonly reason: string
  /** Another try would come to the same. */
  readonly isTooLong: boolean
}

/** No line is longer; a watch that may have larger ones asks for fragments. */
export const maxLineBytes = 64 * 1024 * 1024

/** A dead host is noticed within this time and ten seconds, for its kernel answers no probes. */
const probeMillis = 10_000

/** What is no stream of lines is read to its end. The connection is closed with the scope. */
export const open = (request: LinesRequest): Effect.Effect<Opened | Exchange, never, Scope.Scope> =>
  Effect.map(Effect.acquireRelease(begin(request), close, { interruptible: true }), (begun): Opened | Exchange =>
    begun._tag === "Begun" ? { _tag: "Opened", next: nextOf(begun.incoming, request.pauseMillis) } : begun
  )

interface Begun {
  readonly _tag: "Begun"
  readonly incoming: Http.IncomingMessage
}

const close = (begun: Begun | Exchange): Effect.Effect<void> =>
  Effect.sync(() => {
    if (begun._tag === "Begun") begun.incoming.destroy()
  })

const begin = ({ endpoint, path, body, headers, timeoutMillis }: LinesRequest): Effect.Effect<Begun | Exchange> =>
  Effect.callback((resume) => {
    let connected = false
    const outgoing = Http.request({
      host: endpoint.host,
      port: endpoint.port,
      method: "POST",
      path,
      agent: false,
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        connection: "close",
        ...headers
      }
    })
    const end = (result: Begun | Exchange): void => {
      clearTimeout(waiting)
      resume(Effect.succeed(result))
      if (result._tag !== "Begun") outgoing.destroy()
    }
    const fail = (reason: string, timedOut: boolean): void =>
      end(connected ? { _tag: "Unanswered", reason, timedOut } : { _tag: "NotSent", reason })
    const waiting = setTimeout(() => fail(`no byte within ${timeoutMillis / 1000} s`, true), timeoutMillis)
    outgoing.on("socket", (socket) => {
      socket.setKeepAlive(true, probeMillis)
      socket.once("connect", () => {
        connected = true
      })
    })
    outgoing.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, false))
    outgoing.on("response", (incoming) => {
      // Whoever reads learns of an error by itself; between two reads nobody listens.
      incoming.on("error", () => {})
      const status = incoming.statusCode ?? 0
      if (status === 200) return end({ _tag: "Begun", incoming })
      const chunks: Array<Buffer> = []
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("error", (error) => fail(error.message, false))
      incoming.on("end", () =>
        end({ _tag: "Answered", status, body: Buffer.concat(chunks).toString(), headers: incoming.headers })
      )
    })
    outgoing.end(body)
    return Effect.sync(() => {
      clearTimeout(waiting)
      outgoing.destroy()
    })
  })

const nextOf = (incoming: Http.IncomingMessage, pauseMillis: number | undefined): Opened["next"] => {
  const split = splitter()
  const chunk = readChunk(incoming, pauseMillis)
  return Effect.gen(function* () {
    while (true) {
      const bytes = yield* chunk
      if (bytes === undefined) return split.isBetweenLines() ? undefined : yield* broken("it ended within a line")
      const lines = split.take(bytes)
      if (lines === undefined) {
        return yield* Effect.fail({ reason: `a line of it is longer than ${maxLineBytes} bytes`, isTooLong: true })
      }
      if (lines.length > 0) return lines
    }
  })
}

/** What has come, once anything has; `undefined` at the end. */
const readChunk = (
  incoming: Http.IncomingMessage,
  pauseMillis: number | undefined
): Effect.Effect<Buffer | undefined, Broken> =>
  Effect.callback((resume) => {
    const stop = (): void => {
      if (timer !== undefined) clearTimeout(timer)
      incoming.off("readable", look).off("end", look).off("error", look).off("close", look)
    }
    const done = (result: Effect.Effect<Buffer | undefined, Broken>): void => {
      stop()
      resume(result)
    }
    const look = (): void => {
      const bytes: unknown = incoming.read()
      if (bytes instanceof Buffer) return done(Effect.succeed(bytes))
      if (incoming.readableEnded) return done(incoming.complete ? Effect.undefined : broken(cutOff))
      const { errored } = incoming as { readonly errored: NodeJS.ErrnoException | null }
      if (errored !== null) return done(broken(errored.code ?? errored.message))
      if (incoming.destroyed) done(broken(cutOff))
    }
    const timer =
      pauseMillis === undefined
        ? undefined
        : setTimeout(() => done(broken(`no byte within ${pauseMillis / 1000} s`)), pauseMillis)
    incoming.on("readable", look).on("end", look).on("error", look).on("close", look)
    look()
    return Effect.sync(stop)
  })

const cutOff = "the connection ended"

const broken = (reason: string): Effect.Effect<never, Broken> => Effect.fail({ reason, isTooLong: false })

interface Splitter {
  /** The lines that are whole now, without those that are blank; `undefined` when one is too long. */
  readonly take: (bytes: Buffer) => ReadonlyArray<string> | undefined
  readonly isBetweenLines: () => boolean
}

export const splitter = (maxBytes = maxLineBytes): Splitter => {
  let parts: Array<Buffer> = []
  let length = 0
  return {
    take: (bytes) => {
      const lines: Array<string> = []
      let rest = bytes
      for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
        const line = Buffer.concat([...parts, rest.subarray(0, at)]).toString()
        parts = []
        length = 0
        rest = rest.subarray(at + 1)
        if (line.trim() !== "") lines.push(line)
      }
      if (rest.length > 0) parts.push(rest)
      length += rest.length
      return length > maxBytes ? undefined : lines
    },
    isBetweenLines: () => length === 0
  }
}
