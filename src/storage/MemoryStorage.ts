/**
 * A disk in memory for tests: a value that outlives the replicas started on it, so that a test
 * can end one at any moment and start another. It waits only through Effect's clock. Told to,
 * it fails, is slow, forgets what was being written, or breaks its promises.
 */
import { Duration, Effect, Layer, type Scope } from "effect"
import type { Persist } from "../raft/RaftEffect.ts"
import * as Replay from "./Replay.ts"
import { type Recovered, Storage, StorageError } from "./Storage.ts"

/** What becomes of a `Persist` that was under way at a crash. */
export type InFlight =
  /** Nothing of it was written. */
  | "Lost"
  /** All of it was written; only the confirmation was missing. */
  | "Kept"
  /** The hard state was written and the log was not: no storage may do this. For tests of tests. */
  | "Torn"

export interface MemoryDisk {
  /** Starts a replica on this disk; one at a time. Closing the scope is a crash. */
  readonly layer: Layer.Layer<Storage, StorageError>
  /** What the replica has been told is on disk; after a crash, what is. The incarnation is of the latest start. */
  readonly contents: () => Recovered
  /** How many `Persist`s have been confirmed, by all starts together. */
  readonly confirmed: () => number
  /** The running replica's process ends now: what it still asks of the disk fails. */
  readonly crash: (inFlight: InFlight) => void
  /** The next `Persist` fails and changes nothing; so does every later one until the next start. */
  readonly failNext: (reason: StorageError["reason"]) => void
  /** Every `Persist` from now on takes this long. */
  readonly slow: (by: Duration.Input) => void
  /** While true, what is confirmed is not written, and a crash forgets it: no storage may do this. */
  readonly lie: (lying: boolean) => void
}

export const make = (): MemoryDisk => {
  /** What a crash leaves. */
  const written = Replay.make()
  /** What the running replica has been told, which a lying disk has not written yet. */
  let told = Replay.make()
  let unsynced: Array<Persist<Uint8Array>> = []
  let inFlight: Persist<Uint8Array> | undefined
  let incarnation = 0
  let confirmed = 0
  let running = false
  let lying = false
  let duration = Duration.zero
  let failure: StorageError | undefined

  /** An honest write takes along what was only pretended before. */
  const write = (change: Persist<Uint8Array>): void => {
    for (const earlier of unsynced) Replay.apply(written, earlier)
    unsynced = []
    Replay.apply(written, change)
  }

  const crash = (fate: InFlight): void => {
    if (inFlight !== undefined && fate === "Kept" && !lying) write(inFlight)
    if (inFlight !== undefined && fate === "Torn" && !lying) write({ ...inFlight, log: undefined })
    inFlight = undefined
    unsynced = []
    failure = undefined
    running = false
    told = { hardState: written.hardState, entries: [...written.entries] }
  }

  const confirm = (change: Persist<Uint8Array>): void => {
    inFlight = undefined
    confirmed++
    Replay.apply(told, change)
    if (lying) unsynced.push(change)
    else write(change)
  }

  const refusal = (start: number): StorageError | undefined => (running && start === incarnation ? failure : ended)

  const persistIn = (start: number) =>
    Effect.fnUntraced(function* (change: Persist<Uint8Array>): Effect.fn.Return<void, StorageError> {
      const before = refusal(start)
      if (before !== undefined) return yield* before
      const problem = change.log && Replay.objection(told.entries.length, change.log)
      if (problem !== undefined) return yield* Effect.die(new Error(`A log has no holes: ${problem}`))
      inFlight = change
      if (Duration.toMillis(duration) > 0) yield* Effect.sleep(duration)
      const after = refusal(start)
      if (after !== undefined) return yield* after
      confirm(change)
    })

  const found = (): Recovered => ({ hardState: told.hardState, entries: [...told.entries], incarnation })

  const open: Effect.Effect<Storage["Service"], StorageError, Scope.Scope> = Effect.gen(function* () {
    if (running) {
      return yield* new StorageError({ reason: "InUse", message: "Another replica is using this disk in memory." })
    }
    const start = incarnation + 1
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        running = true
        incarnation = start
      }),
      () => Effect.sync(() => (start === incarnation && running ? crash("Lost") : undefined))
    )
    return { recovered: found(), persist: persistIn(start) }
  })

  return {
    layer: Layer.fresh(Layer.effect(Storage, open)),
    contents: found,
    confirmed: () => confirmed,
    crash,
    failNext: (reason) => {
      failure = new StorageError({ reason, message: "The disk in memory was told to fail." })
    },
    slow: (by) => {
      duration = Duration.fromInputUnsafe(by)
    },
    lie: (value) => {
      lying = value
    }
  }
}

const ended = new StorageError({ reason: "WriteFailed", message: "The process of this replica has ended." })
