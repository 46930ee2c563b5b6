/**
 * Takes snapshots in the background: encodes an image that the core keeps and has it stored. The log
 * goes on meanwhile; the state machine's value is immutable, so nobody waits for it.
 */
import { Clock, Effect, Queue } from "effect"
import { Writer } from "../codec/Bytes.ts"
import * as Pieces from "../codec/Pieces.ts"
import * as SnapshotCodec from "../codec/SnapshotCodec.ts"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { LogPosition } from "../raft/LogEntry.ts"
import type { Image, Snapshot } from "../raft/Snapshot.ts"
import type { SnapshotStore } from "../storage/Storage.ts"
import { describe } from "./SnapshotLoading.ts"

export type TakingNews =
  | { readonly _tag: "SnapshotStored"; readonly snapshot: Snapshot }
  | { readonly _tag: "SnapshotFailed"; readonly last: LogPosition }

export interface SnapshotTaking<S> {
  readonly take: (image: Image<S>) => void
  /** Runs until interrupted. What is wrong with the disk is reported; anything else ends it. */
  readonly run: Effect.Effect<never>
}

export const make = Effect.fnUntraced(function* <S>(
  store: Pick<SnapshotStore, "write">,
  codec: StateCodec<S>,
  report: (news: TakingNews) => void
) {
  // The core has one taken at a time.
  const images = yield* Queue.unbounded<Image<S>>()

  const takeOne = Effect.fnUntraced(function* (image: Image<S>) {
    const { last } = image
    const began = yield* Clock.currentTimeMillis
    yield* Effect.logInfo(`taking a snapshot at index ${last.index} of term ${last.term}`)
    yield* store.write(last, slicesOf(image, codec)).pipe(
      Effect.matchEffect({
        onSuccess: (snapshot) =>
          Effect.gen(function* () {
            const millis = (yield* Clock.currentTimeMillis) - began
            yield* Effect.logInfo(`took ${describe(snapshot)} in ${millis} ms`)
            report({ _tag: "SnapshotStored", snapshot })
          }),
        onFailure: ({ message }) =>
          Effect.gen(function* () {
            yield* Effect.logWarning(
              `no snapshot at index ${last.index}: ${message} The log is kept instead, and a later one is tried`
            )
            report({ _tag: "SnapshotFailed", last })
          })
      })
    )
  })

  const taking: SnapshotTaking<S> = {
    take: (image) => void Queue.offerUnsafe(images, image),
    run: Effect.forever(Effect.flatMap(Queue.take(images), takeOne))
  }
  return taking
})

/** Made and written in one go: a few milliseconds of work. A turn for each small piece would take for ever on a busy replica. */
const sliceBytes = 256 * 1024

/** However large the state, what is made of it stands in two buffers, again and again. */
const slicesOf = <S>(image: Image<S>, codec: StateCodec<S>): Iterable<Uint8Array> =>
  Pieces.slices(SnapshotCodec.encode(image, codec, new Writer(sliceBytes)), sliceBytes)
