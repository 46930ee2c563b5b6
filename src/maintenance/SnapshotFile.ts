/**
 * A snapshot as a file that people keep: read whole and decoded, so every checksum in it is compared.
 * It takes about as much memory as the store itself, for that is what comes out.
 */
import * as fs from "node:fs/promises"
import { crc32 } from "node:zlib"
import { Data, Effect } from "effect"
import * as Epoch from "../codec/Epoch.ts"
import { formatVersion } from "../codec/SnapshotChunks.ts"
import * as SnapshotCodec from "../codec/SnapshotCodec.ts"
import { BackupStateCodec } from "../codec/StoreCodec.ts"
import type { KvState } from "../kv/KvState.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import type { Image } from "../raft/Snapshot.ts"

export interface SnapshotFile {
  readonly file: string
  readonly bytes: number
  /** Of all its bytes. */
  readonly checksum: number
  readonly format: number
  readonly keys: number
  readonly image: Image<KvState>
}

export class SnapshotFileError extends Data.TaggedError("SnapshotFileError")<{
  readonly kind: "Unreadable" | "Corrupt" | "UnknownFormat"
  readonly file: string
  /** In bytes; undefined where the file cannot be read at all. */
  readonly offset: number | undefined
  /** As in "the checksum of a chunk does not match". */
  readonly reason: string
}> {}

/** Told after each slice how many bytes of how many have been read. */
export type OnHeadway = (read: number, total: number) => Effect.Effect<void>

/** Decoded in a few milliseconds. */
const sliceBytes = 256 * 1024

export const load = (
  file: string,
  onHeadway: OnHeadway = () => Effect.void
): Effect.Effect<SnapshotFile, SnapshotFileError> =>
  Effect.acquireUseRelease(
    io(file, () => fs.open(file, "r")),
    (handle) => decode(file, handle, onHeadway),
    (handle) => Effect.ignore(Effect.tryPromise(() => handle.close()))
  )

const io = <A>(file: string, steps: () => Promise<A>): Effect.Effect<A, SnapshotFileError> =>
  Effect.tryPromise({
    try: steps,
    catch: (error) => {
      const reason = error instanceof Error ? error.message : String(error)
      return new SnapshotFileError({ kind: "Unreadable", file, offset: undefined, reason })
    }
  })

const decode = Effect.fnUntraced(function* (
  file: string,
  handle: fs.FileHandle,
  onHeadway: OnHeadway
): Effect.fn.Return<SnapshotFile, SnapshotFileError> {
  const { size } = yield* io(file, () => handle.stat())
  const decoder = SnapshotCodec.decoder(BackupStateCodec)
  let bytes = 0
  let checksum = 0
  while (true) {
    // The decoder keeps it for a while, so each slice is a new one.
    const { bytesRead, buffer } = yield* io(file, () =>
      handle.read(Buffer.allocUnsafe(sliceBytes), 0, sliceBytes, bytes)
    )
    if (bytesRead === 0) break
    const slice = buffer.subarray(0, bytesRead)
    const problem = decoder.push(slice)
    if (problem !== undefined) return yield* damaged(file, problem)
    bytes += bytesRead
    checksum = crc32(slice, checksum)
    yield* onHeadway(bytes, size)
    yield* Effect.yieldNow
  }
  const image = decoder.finish()
  if ("_tag" in image) return yield* damaged(file, image)
  return { file, bytes, checksum, format: formatVersion, keys: OrderedMap.size(image.value.keys), image }
})

const damaged = (file: string, { kind, offset, message }: SnapshotCodec.Problem): SnapshotFileError =>
  new SnapshotFileError({ kind, file, offset, reason: message })

/** How many times the cluster had been restored. */
export const epochOf = ({ epoch }: Image<KvState>): number => Epoch.count(epoch)

/** Makes the names in a directory last, as a backup's must. */
export { syncDirectory } from "../storage/DurableFile.ts"
