/**
 * A backup of the whole store, `/v3/maintenance/snapshot`, as etcd's gateway streams it: a line of
 * JSON for each piece, and each says how many bytes are still to come. The pieces together are a
 * snapshot file (see SnapshotCodec). It is of one moment, as new as a linearizable read; the
 * store's state is immutable, so writes go on meanwhile.
 *
 * The state is encoded twice, the first time only to know its length: holding all of it encoded
 * would take as much memory again as the store itself.
 */
import { Clock, Effect, Exit, Stream } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { Writer } from "../codec/Bytes.ts"
import { BackupStateCodec } from "../codec/StoreCodec.ts"
import * as Pieces from "../codec/Pieces.ts"
import * as SnapshotCodec from "../codec/SnapshotCodec.ts"
import type { KvState } from "../kv/KvState.ts"
import type { Image } from "../raft/Snapshot.ts"
import type { RequestError } from "../runtime/RequestError.ts"
import { encodeBytes } from "./Base64.ts"
import * as GatewayError from "./GatewayError.ts"
import type { Header } from "./GatewayJson.ts"
import * as GatewayJson from "./GatewayJson.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import { smallestQuery } from "./Health.ts"
import type { KvReplica } from "./KvReplica.ts"

export interface SnapshotRouteOptions {
  readonly replica: KvReplica
  /** What the replica has applied and carried out; without it there are no backups. */
  readonly image: (() => Image<KvState>) | undefined
  readonly headerAt: (revision: number) => Header
  /** Balsa's own version. */
  readonly version: string | undefined
}

type Response = HttpServerResponse.HttpServerResponse

/** The bytes of one line, before base64 makes them a third longer. */
export const blobBytes = 256 * 1024

/** Each keeps an old state in memory, for as long as its client reads. */
export const maxAtOnce = 2

/** A client that takes nothing for so long gives its place to the next one that comes. */
export const stallMillis = 60_000

/** One answer that is being prepared or sent. */
interface Sending {
  /** When it was begun, or a line of it was taken last. */
  takenAt: number
  /** `undefined` once it is over. */
  lines: Iterator<Uint8Array> | undefined
}

export const make = ({ replica, image, headerAt, version }: SnapshotRouteOptions): (() => Effect.Effect<Response>) => {
  const sendings = new Set<Sending>()
  const now = Clock.currentTimeMillis

  const end = (sending: Sending): void => {
    sending.lines = undefined
    sendings.delete(sending)
  }

  /** Looked at when somebody else wants the place: no timer, and never more than so many states kept. */
  const endStalled = (at: number): void => {
    for (const sending of sendings) if (at >= sending.takenAt + stallMillis) end(sending)
  }

  const next = Effect.fnUntraced(function* (sending: Sending) {
    // Others get their turn after each line, even while the client takes them as fast as they come.
    yield* Effect.yieldNow
    sending.takenAt = yield* now
    const line = sending.lines?.next()
    if (line === undefined) return yield* Effect.die(new Error("the client read nothing for too long"))
    return line.done === true ? undefined : ([line.value, sending] as const)
  })

  const stream = (image: Image<KvState>, sending: Sending): Stream.Stream<Uint8Array> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const open = `{"result":${GatewayJson.openWithHeader(headerAt(image.value.revision))}`
        const close = version === undefined ? "}}\n" : `,"version":${JSON.stringify(version)}}}\n`
        const bytes = yield* lengthOf(image)
        if (sendings.has(sending)) sending.lines = linesOf(image, bytes, open, close)
        return Stream.unfold(sending, next)
      })
    ).pipe(Stream.ensuring(Effect.sync(() => end(sending))))

  return () =>
    Effect.gen(function* () {
      if (image === undefined) return GatewayResponse.ofError(GatewayError.unsupported("snapshot"))
      const at = yield* now
      endStalled(at)
      if (sendings.size >= maxAtOnce) {
        return GatewayResponse.ofError(GatewayError.tooManyRequests(`${sendings.size} snapshots are being sent`))
      }
      // It has its place from here on: many may ask in the same moment.
      const sending: Sending = { takenAt: at, lines: undefined }
      sendings.add(sending)
      const newest = yield* newestImage(replica, image).pipe(
        Effect.onExit((exit) => Effect.sync(() => (Exit.isSuccess(exit) ? undefined : end(sending))))
      )
      return HttpServerResponse.stream(stream(newest, sending), { contentType: "application/json" })
    }).pipe(Effect.catch((error) => Effect.succeed(GatewayResponse.ofError(GatewayError.ofRequestError(error)))))
}

const waitMillis = 5

/** The answer to a read may be known a little before what it rests on counts as carried out. */
const newestImage = Effect.fnUntraced(function* (
  replica: KvReplica,
  image: () => Image<KvState>
): Effect.fn.Return<Image<KvState>, RequestError> {
  const { revision } = yield* replica.query(smallestQuery)
  while (image().value.revision < revision) yield* Effect.sleep(waitMillis)
  return image()
})

const lengthOf = Effect.fnUntraced(function* (image: Image<KvState>) {
  let bytes = 0
  for (const piece of SnapshotCodec.encode(image, BackupStateCodec, new Writer(blobBytes))) {
    bytes += piece.length
    yield* Effect.yieldNow
  }
  return bytes
})

function* linesOf(image: Image<KvState>, bytes: number, open: string, close: string): Generator<Uint8Array, void> {
  let remaining = bytes
  for (const blob of Pieces.slices(SnapshotCodec.encode(image, BackupStateCodec, new Writer(blobBytes)), blobBytes)) {
    remaining -= blob.length
    const left = GatewayJson.int64Field("remaining_bytes", remaining)
    yield Buffer.from(`${open}${left},"blob":"${encodeBytes(blob)}"${close}`)
  }
}
