/**
 * A disk in memory for tests: a value that outlives the replicas started on it, so that a test
 * can end one at any moment and start another. It waits only through Effect's clock. Told to,
 * it fails, is slow or full, forgets what was being written, or breaks its promises.
 */
import { Duration, Effect, Layer, type Scope } from "effect"
import type { Persist } from "../raft/RaftEffect.ts"
import * as MemorySnapshots from "./MemorySnapshots.ts"
import * as Replay from "./Replay.ts"
import { type DiskStatus, type Recovered, type SnapshotStore, Storage, StorageError } from "./Storage.ts"

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
  /** While false, what is to be persisted waits, and the status shows a full disk. Snapshots are not kept from it. */
  readonly room: (room: boolean) => void
  /** What is stored in them outlives a crash; for tests to damage. */
  readonly snapshots: MemorySnapshots.MemorySnapshots
}

const retryMillis = 500
const reserveBytes = 64 * 1024 * 1024
const freeBytesWithRoom = 1024 * 1024 * 1024

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
  let hasRoom = true
  let waiting = 0
  const snapshots = MemorySnapshots.make()

  /** An honest write takes along what was only pretended before. */
  const write = (change: Persist<Uint8Array>): void => {
    const changes = [...unsynced, change]
    unsynced = []
    for (const one of changes) Replay.apply(written, one)
    if (changes.some(({ base }) => base !== undefined)) snapshots.prune(written.outline.base)
  }

  const crash = (fate: InFlight): void => {
    if (inFlight !== undefined && fate === "Kept" && !lying) write(inFlight)
    if (inFlight !== undefined && fate === "Torn" && !lying)
      write({ ...inFlight, admitted: undefined, base: undefined, log: undefined })
    inFlight = undefined
    unsynced = []
    failure = undefined
    running = false
    told = Replay.copy(written)
    snapshots.crash()
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
      const problem = Replay.objection(told, change)
      if (problem !== undefined) return yield* Effect.die(new Error(`A log has no holes: ${problem}`))
      yield* untilThereIsRoom
      inFlight = change
      if (Duration.toMillis(duration) > 0) yield* Effect.sleep(duration)
      const after = refusal(start)
      if (after !== undefined) return yield* after
      confirm(change)
    })

  const untilThereIsRoom: Effect.Effect<void> = Effect.suspend(() => {
    if (hasRoom) return Effect.void
    waiting++
    const wait: Effect.Effect<void> = Effect.andThen(
      Effect.sleep(retryMillis),
      Effect.suspend(() => (hasRoom || !running ? Effect.void : wait))
    )
    return Effect.ensuring(
      wait,
      Effect.sync(() => void waiting--)
    )
  })

  const found = (): Recovered => {
    const { hardState, admitted, base } = told.outline
    const vouched = snapshots.found().filter(({ last }) => told.outline.holds(last) === true)
    return { hardState, admitted, base, entries: [...Replay.entriesOf(told)], incarnation, snapshots: vouched }
  }

  const status = Effect.sync((): DiskStatus => {
    const freeBytes = hasRoom ? freeBytesWithRoom : 0
    return { freeBytes, reserveBytes, waitsForRoom: waiting > 0, logBytes: bytesOf(told) }
  })

  /** What a process that has ended asks of the snapshots fails too. */
  const storeIn = (start: number): SnapshotStore => {
    const living = Effect.suspend(() => (running && start === incarnation ? Effect.void : Effect.fail(ended)))
    const { store } = snapshots
    return {
      write: (last, pieces) => Effect.andThen(living, store.write(last, pieces)),
      read: (snapshot, offset, length) => Effect.andThen(living, store.read(snapshot, offset, length)),
      receive: (snapshot, offset, bytes) => Effect.andThen(living, store.receive(snapshot, offset, bytes)),
      finish: (snapshot) => Effect.andThen(living, store.finish(snapshot)),
      putAside: (snapshot) => Effect.andThen(living, store.putAside(snapshot))
    }
  }

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
    const recovered = found()
    for (const snapshot of snapshots.found()) {
      if (!recovered.snapshots.includes(snapshot)) yield* snapshots.store.putAside(snapshot)
    }
    return {
      recovered,
      persist: persistIn(start),
      snapshots: storeIn(start),
      setAside: Effect.succeed("nowhere"),
      status
    }
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
    },
    room: (room) => {
      hasRoom = room
    },
    snapshots
  }
}

/** About as many as in a file. */
const bytesOf = (replay: Replay.Replay): number =>
  Replay.entriesOf(replay).reduce(
    (sum, { payload }) => sum + 64 + (payload._tag === "Command" ? payload.command.length : 0),
    0
  )

const ended = new StorageError({ reason: "WriteFailed", message: "The process of this replica has ended." })
