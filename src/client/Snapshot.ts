/**
 * A backup from a running cluster: the snapshot that `/v3/maintenance/snapshot` streams, piece by
 * piece, as fast as whoever takes the pieces. Endpoints are tried in their order until one begins to
 * send; what breaks off then is an error, since another endpoint would send another snapshot.
 */
import { Data, Effect } from "effect"
import * as Http from "node:http"
import { type Attempt, type ClientError, UnexpectedAnswer } from "./ClientError.ts"
import type { Endpoint } from "./Endpoint.ts"
import { type Cluster, exhausted, judge } from "./Gateway.ts"
import * as Json from "./GatewayJson.ts"
import type { Exchange } from "./HttpExchange.ts"

/** A snapshot began to come, and did not come to its end. */
export class TransferBroken extends Data.TaggedError("TransferBroken")<{
  readonly endpoint: Endpoint
  readonly reason: string
}> {}

/** Told of each piece; the next one is read when it is done with this. `total` is of the whole snapshot. */
export type TakePiece<E> = (bytes: Uint8Array, total: number) => Effect.Effect<void, E>

/** No answer is longer; a line of the server's is about a third of a mebibyte. */
const maxLineBytes = 16 * 1024 * 1024

/** Here the timeout is for the first bytes, and for any pause after them; the whole may take as long as it takes. */
export const download = Effect.fnUntraced(function* <E>(
  cluster: Cluster,
  take: TakePiece<E>
): Effect.fn.Return<Endpoint, ClientError | TransferBroken | E> {
  const attempts: Array<Attempt> = []
  for (const endpoint of cluster.endpoints) {
    const attempt = yield* Effect.scoped(
      Effect.flatMap(
        Effect.acquireRelease(open(endpoint, cluster.timeoutMillis), close, { interruptible: true }),
        (opened): Effect.Effect<Attempt | undefined, ClientError | TransferBroken | E> =>
          opened._tag === "Opened" ? receive(endpoint, opened.incoming, take) : goOn(endpoint, opened)
      )
    )
    if (attempt === undefined) return endpoint
    attempts.push(attempt)
  }
  return yield* exhausted(attempts, false)
})

const close = (opened: Opened | Exchange): Effect.Effect<void> =>
  Effect.sync(() => {
    if (opened._tag === "Opened") opened.incoming.destroy()
  })

const goOn = (endpoint: Endpoint, answer: Exchange): Effect.Effect<Attempt, ClientError> => {
  const verdict = judge(endpoint, answer, false)
  switch (verdict._tag) {
    case "GoOn":
      return Effect.succeed(verdict.attempt)
    case "Stop":
      return Effect.fail(verdict.error)
    case "Done":
      return Effect.fail(new UnexpectedAnswer({ endpoint, reason: "a snapshot was asked for" }))
  }
}

interface Opened {
  readonly _tag: "Opened"
  readonly incoming: Http.IncomingMessage
}

const body = "{}"

/** Until the answer begins; one that is no snapshot is read to its end. */
const open = ({ host, port }: Endpoint, timeoutMillis: number): Effect.Effect<Opened | Exchange> =>
  Effect.callback((resume) => {
    let connected = false
    let opened: Http.IncomingMessage | undefined
    const outgoing = Http.request({
      host,
      port,
      method: "POST",
      path: "/v3/maintenance/snapshot",
      agent: false,
      headers: { "content-type": "application/json", "content-length": body.length, connection: "close" }
    })
    const end = (result: Opened | Exchange): void => {
      resume(Effect.succeed(result))
      if (result._tag !== "Opened") outgoing.destroy()
    }
    const fail = (reason: string, timedOut: boolean): void => {
      if (opened === undefined) end(connected ? { _tag: "Unanswered", reason, timedOut } : { _tag: "NotSent", reason })
    }
    outgoing.setTimeout(timeoutMillis, () => {
      const reason = `no byte within ${timeoutMillis / 1000} s`
      fail(reason, true)
      opened?.destroy(new Error(reason))
    })
    outgoing.on("socket", (socket) => {
      socket.once("connect", () => {
        connected = true
      })
    })
    outgoing.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, false))
    outgoing.on("response", (incoming) => {
      const status = incoming.statusCode ?? 0
      if (status === 200) {
        opened = incoming
        return end({ _tag: "Opened", incoming })
      }
      const chunks: Array<Buffer> = []
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("error", (error) => fail(error.message, false))
      incoming.on("end", () =>
        end({ _tag: "Answered", status, body: Buffer.concat(chunks).toString(), headers: incoming.headers })
      )
    })
    outgoing.end(body)
    return Effect.sync(() => outgoing.destroy())
  })

/** To the last piece. The server says how many bytes are to come, so a stream that ends early is noticed. */
const receive = Effect.fnUntraced(function* <E>(
  endpoint: Endpoint,
  incoming: Http.IncomingMessage,
  take: TakePiece<E>
): Effect.fn.Return<undefined, TransferBroken | E> {
  const broken = (reason: string) => new TransferBroken({ endpoint, reason })
  const lines = linesOf(incoming)
  let received = 0
  let total: number | undefined
  while (true) {
    const next = yield* Effect.tryPromise({
      try: () => lines.next(),
      catch: (error) => broken(error instanceof Error ? error.message : String(error))
    })
    if (next.done === true) break
    const piece = pieceIn(next.value)
    if (typeof piece === "string") return yield* broken(piece)
    received += piece.blob.length
    total ??= received + piece.remaining
    if (received + piece.remaining !== total) return yield* broken("its pieces do not add up")
    yield* take(piece.blob, total)
  }
  if (total === undefined) return yield* broken("it ended before it began")
  if (received < total) return yield* broken(`it ended after ${received} of ${total} bytes`)
  return undefined
})

/** Or why it is none. */
const pieceIn = (line: string): { readonly blob: Uint8Array; readonly remaining: number } | string => {
  const message = Json.parse(line)
  const { error, result } = message ?? {}
  if (Json.isJson(error)) return Json.text(error["message"], "the server broke it off")
  if (!Json.isJson(result)) return "a line of it is no piece of a snapshot"
  const remaining = Json.integer(result["remaining_bytes"])
  const blob = Json.fromBase64(result["blob"])
  return Number.isSafeInteger(remaining) && remaining >= 0 ? { blob, remaining } : "a line of it has no sensible length"
}

async function* linesOf(incoming: Http.IncomingMessage): AsyncGenerator<string, void> {
  let parts: Array<Buffer> = []
  let length = 0
  for await (const data of incoming) {
    let rest = data as Buffer
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      const line = Buffer.concat([...parts, rest.subarray(0, at)]).toString()
      parts = []
      length = 0
      rest = rest.subarray(at + 1)
      if (line.trim() !== "") yield line
    }
    parts.push(rest)
    length += rest.length
    if (length > maxLineBytes) throw new Error(`a line of it is longer than ${maxLineBytes} bytes`)
  }
  if (length > 0) yield Buffer.concat(parts).toString()
}
