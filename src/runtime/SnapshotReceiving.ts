/**
 * Receives a leader's snapshot in the background: stores its chunks in order, and when all have come
 * checks it, makes it durable and decodes it. The log's own writes do not wait for that.
 */
import { Clock, Effect, Latch } from "effect"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import { type Image, type Snapshot, same } from "../raft/Snapshot.ts"
import type { SnapshotStore, StorageError } from "../storage/Storage.ts"
import { Headway, percent } from "./Headway.ts"
import { describe, load } from "./SnapshotLoading.ts"

export type StoreChunk = Extract<RaftEffect<never, never, never>, { readonly _tag: "StoreChunk" }>

export type ReceivingNews<S> =
  | { readonly _tag: "SnapshotReceived"; readonly snapshot: Snapshot; readonly image: Image<S> }
  | { readonly _tag: "SnapshotSpoiled"; readonly snapshot: Snapshot }

export interface SnapshotReceiving {
  /**
   * Takes a chunk. Beyond a limit it waits until some are stored, which a leader that waits for
   * acknowledgements never comes to.
   */
  readonly store: (chunk: StoreChunk) => Effect.Effect<void>
  /** When all chunks that were taken are stored, or at once: so that a leader sends no faster than this disk writes. */
  readonly afterStored: (action: () => void) => void
  /** Runs until interrupted. What is wrong with the disk or the snapshot is reported; anything else ends it. */
  readonly run: Effect.Effect<never>
}

/** With so many bytes waiting to be stored, no further chunk is taken. */
export const maxWaitingChunkBytes = 16 * 1024 * 1024

/** What is arriving. */
interface Arrival {
  readonly snapshot: Snapshot
  readonly headway: Headway
  held: number
}

export const make = <S>(
  store: Pick<SnapshotStore, "receive" | "finish" | "read" | "putAside">,
  codec: StateCodec<S>,
  report: (news: ReceivingNews<S>) => void
): SnapshotReceiving => {
  const chunks: Array<StoreChunk> = []
  /** What to do when so many chunks are stored; `storedCount` are. */
  const actions: Array<{ readonly after: number; readonly action: () => void }> = []
  let takenCount = 0
  let storedCount = 0
  let waitingBytes = 0
  const filled = Latch.makeUnsafe(false)
  const room = Latch.makeUnsafe(true)
  let arrival: Arrival | undefined

  /** The chunk that begins another one makes this one pointless. */
  const isWanted = (): boolean => !chunks.some(({ offset }) => offset === 0)

  const take = Effect.gen(function* () {
    if (chunks.length === 0) yield* filled.await
    // Opening the latch resumes this fiber at once, inside the `store` that opened it.
    yield* Effect.yieldNow
    const chunk = chunks.shift()!
    if (chunks.length === 0) filled.closeUnsafe()
    return chunk
  })

  /** However that went: what is acknowledged is that it has come. */
  const stored = (chunk: StoreChunk): void => {
    storedCount++
    while (actions.length > 0 && actions[0]!.after <= storedCount) actions.shift()!.action()
    waitingBytes -= chunk.bytes.length
    if (waitingBytes < maxWaitingChunkBytes) room.openUnsafe()
  }

  const spoil = Effect.fnUntraced(function* (snapshot: Snapshot, why: string) {
    arrival = undefined
    yield* Effect.logWarning(`the leader's ${describe(snapshot)} is not used, and asked for again: ${why}`)
    report({ _tag: "SnapshotSpoiled", snapshot })
  })

  const storeOne = Effect.fnUntraced(function* (chunk: StoreChunk) {
    const { snapshot, offset, bytes } = chunk
    const at = yield* Clock.currentTimeMillis
    if (offset === 0) arrival = { snapshot, headway: new Headway(at), held: 0 }
    // The rest of one that is spoiled already: it has been reported.
    if (arrival === undefined || !same(arrival.snapshot, snapshot)) return stored(chunk)
    if (offset !== arrival.held) {
      stored(chunk)
      return yield* spoil(snapshot, `a piece at byte ${offset} came after ${arrival.held} bytes`)
    }
    yield* store.receive(snapshot, offset, bytes).pipe(Effect.ensuring(Effect.sync(() => stored(chunk))))
    const { headway } = arrival
    arrival.held += bytes.length
    if (arrival.held === snapshot.bytes) {
      arrival = undefined
      return yield* complete(snapshot, headway)
    }
    if (headway.isDue(at)) {
      yield* Effect.logInfo(`receiving the leader's ${describe(snapshot)}: ${percent(arrival.held, snapshot.bytes)} %`)
    }
  })

  const complete = Effect.fnUntraced(function* (
    snapshot: Snapshot,
    headway: Headway
  ): Effect.fn.Return<void, StorageError> {
    yield* store.finish(snapshot)
    const loaded = yield* load({ store, codec, snapshot, isWanted })
    if (loaded === undefined) return
    if (loaded._tag === "Problem") {
      // Kept for people; where it cannot be moved away, the next one takes its place.
      yield* store.putAside(snapshot).pipe(Effect.catch(({ message }) => Effect.logWarning(message)))
      const remedy = loaded.kind === "UnknownFormat" ? " Run the leader's version of Balsa here too." : ""
      return yield* spoil(snapshot, `at byte ${loaded.offset}: ${loaded.message}.${remedy}`)
    }
    const millis = headway.millis(yield* Clock.currentTimeMillis)
    yield* Effect.logInfo(`received the leader's ${describe(snapshot)} in ${millis} ms`)
    report({ _tag: "SnapshotReceived", snapshot, image: loaded.image })
  })

  const next = Effect.gen(function* () {
    const chunk = yield* take
    yield* storeOne(chunk).pipe(Effect.catch(({ message }) => spoil(chunk.snapshot, message)))
  })

  return {
    store: (chunk) => {
      const put = (): void => {
        chunks.push(chunk)
        takenCount++
        waitingBytes += chunk.bytes.length
        if (waitingBytes >= maxWaitingChunkBytes) room.closeUnsafe()
        filled.openUnsafe()
      }
      return waitingBytes < maxWaitingChunkBytes ? Effect.sync(put) : Effect.andThen(room.await, Effect.sync(put))
    },
    afterStored: (action) => {
      if (storedCount === takenCount) action()
      else actions.push({ after: takenCount, action })
    },
    run: Effect.forever(next)
  }
}
