/**
 * A stored snapshot back as an image: read and decoded slice by slice, and between two slices
 * everything else gets its turn, for a large one takes seconds.
 */
import { Clock, Effect } from "effect"
import * as SnapshotCodec from "../codec/SnapshotCodec.ts"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { Image, Snapshot } from "../raft/Snapshot.ts"
import type { SnapshotStore, StorageError } from "../storage/Storage.ts"
import { Headway, percent } from "./Headway.ts"

/** Decoded in a few milliseconds. */
export const sliceBytes = 256 * 1024

export interface Loading<S> {
  readonly store: Pick<SnapshotStore, "read">
  readonly codec: StateCodec<S>
  readonly snapshot: Snapshot
  /** Asked between slices: false ends it early. */
  readonly isWanted: () => boolean
}

/** What it holds, or what is wrong with it; `undefined` where it was not wanted to the end. */
export const load = Effect.fnUntraced(function* <S>({
  store,
  codec,
  snapshot,
  isWanted
}: Loading<S>): Effect.fn.Return<Loaded<S> | SnapshotCodec.Problem | undefined, StorageError> {
  const decoder = SnapshotCodec.decoder(codec)
  const { bytes: total, last } = snapshot
  const headway = new Headway(yield* Clock.currentTimeMillis)
  for (let offset = 0; offset < total; ) {
    if (!isWanted()) return undefined
    const slice = yield* store.read(snapshot, offset, sliceBytes)
    if (slice.length === 0) return corrupt(offset, `it ends here, and should have ${total} bytes`)
    const problem = decoder.push(slice)
    if (problem !== undefined) return problem
    offset += slice.length
    if (headway.isDue(yield* Clock.currentTimeMillis)) {
      yield* Effect.logInfo(`loading snapshot at index ${last.index}: ${percent(offset, total)} %`)
    }
    yield* Effect.yieldNow
  }
  const image = decoder.finish()
  if ("_tag" in image) return image
  if (image.last.index === last.index && image.last.term === last.term) return { _tag: "Loaded", image }
  return corrupt(0, `it holds entry ${image.last.index} of term ${image.last.term}, and its name says another`)
})

export interface Loaded<S> {
  readonly _tag: "Loaded"
  readonly image: Image<S>
}

const corrupt = (offset: number, message: string): SnapshotCodec.Problem => ({
  _tag: "Problem",
  kind: "Corrupt",
  offset,
  message
})

/** `snapshot at index 7 of term 2 (1000 bytes)`: how logs name one. */
export const describe = ({ last, bytes }: Snapshot): string =>
  `snapshot at index ${last.index} of term ${last.term} (${bytes} bytes)`
