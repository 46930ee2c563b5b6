/**
 * A backup from a running cluster: the snapshot that `/v3/maintenance/snapshot` streams, piece by
 * piece, as fast as whoever takes the pieces. Endpoints are tried in their order until one begins to
 * send; what breaks off then is an error, since another endpoint would send another snapshot.
 */
import { Data, Effect } from "effect"
import { type Attempt, type ClientError, UnexpectedAnswer } from "./ClientError.ts"
import type { Endpoint } from "./Endpoint.ts"
import { exhausted } from "./Failover.ts"
import type { Cluster } from "./Gateway.ts"
import * as Json from "./GatewayJson.ts"
import type { Exchange } from "./HttpExchange.ts"
import { type Opened, open } from "./HttpLines.ts"
import { judge } from "./Verdict.ts"

/** A snapshot began to come, and did not come to its end. */
export class TransferBroken extends Data.TaggedError("TransferBroken")<{
  readonly endpoint: Endpoint
  readonly reason: string
}> {}

/** Told of each piece; the next one is read when it is done with this. `total` is of the whole snapshot. */
export type TakePiece<E> = (bytes: Uint8Array, total: number) => Effect.Effect<void, E>

/** Here the timeout is for the first bytes, and for any pause after them; the whole may take as long as it takes. */
export const download = Effect.fnUntraced(function* <E>(
  cluster: Cluster,
  take: TakePiece<E>
): Effect.fn.Return<Endpoint, ClientError | TransferBroken | E> {
  const attempts: Array<Attempt> = []
  for (const endpoint of cluster.endpoints) {
    const { headers, timeoutMillis } = cluster
    const request = { endpoint, path: "/v3/maintenance/snapshot", body: "{}", headers, timeoutMillis }
    const attempt = yield* Effect.scoped(
      Effect.flatMap(
        open({ ...request, pauseMillis: timeoutMillis }),
        (opened): Effect.Effect<Attempt | undefined, ClientError | TransferBroken | E> =>
          opened._tag === "Opened" ? receive(endpoint, opened, take) : goOn(endpoint, opened)
      )
    )
    if (attempt === undefined) return endpoint
    attempts.push(attempt)
  }
  return yield* exhausted(attempts, false)
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

/** To the last piece. The server says how many bytes are to come, so a stream that ends early is noticed. */
const receive = Effect.fnUntraced(function* <E>(
  endpoint: Endpoint,
  { next }: Opened,
  take: TakePiece<E>
): Effect.fn.Return<undefined, TransferBroken | E> {
  const broken = (reason: string) => new TransferBroken({ endpoint, reason })
  let received = 0
  let total: number | undefined
  while (true) {
    const lines = yield* Effect.mapError(next, ({ reason }) => broken(reason))
    if (lines === undefined) break
    for (const line of lines) {
      const piece = pieceIn(line)
      if (typeof piece === "string") return yield* broken(piece)
      received += piece.blob.length
      total ??= received + piece.remaining
      if (received + piece.remaining !== total) return yield* broken("its pieces do not add up")
      yield* take(piece.blob, total)
    }
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
