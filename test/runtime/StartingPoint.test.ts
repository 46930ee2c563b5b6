/** From what a replica starts, by what its disk holds: snapshots that can be read, damaged ones, and none. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { Index, origin, Term } from "../../src/raft/LogEntry.ts"
import type { Persist } from "../../src/raft/RaftEffect.ts"
import { sliceBytes } from "../../src/runtime/SnapshotLoading.ts"
import * as StartingPoint from "../../src/runtime/StartingPoint.ts"
import * as MemoryStorage from "../../src/storage/MemoryStorage.ts"
import { type SnapshotStore, Storage, StorageError } from "../../src/storage/Storage.ts"
import { imageOf, type Lines, linesCodec, position } from "./LinesState.ts"

/** Entries 1 to 9, snapshots at 4 and 7, and a log that begins after 4. */
const makeDisk = Effect.fnUntraced(function* (lines: Lines = ["a", "b"], base = 4) {
  const disk = MemoryStorage.make()
  const noOp = (index: number) => ({ index: Index(index), term: Term(1), payload: { _tag: "NoOp" } as const })
  const unchanged: Persist<Uint8Array> = {
    _tag: "Persist",
    hardState: undefined,
    admitted: undefined,
    base: undefined,
    log: undefined
  }
  yield* inside(disk, ({ persist, snapshots }) =>
    Effect.gen(function* () {
      const entries = Array.from({ length: 9 }, (_, at) => noOp(at + 1))
      const hardState = { currentTerm: Term(3), votedFor: undefined }
      yield* persist({ ...unchanged, hardState, admitted: true, log: { from: Index(1), entries } })
      for (const index of [4, 7]) {
        yield* snapshots.write(
          position(index),
          SnapshotCodec.encode(imageOf(position(index), [...lines, `${index}`]), linesCodec())
        )
      }
      if (base > 0) yield* persist({ ...unchanged, base: position(base) })
    })
  )
  return disk
})

const inside = <B, E>(
  disk: MemoryStorage.MemoryDisk,
  use: (storage: Storage["Service"]) => Effect.Effect<B, E>
): Effect.Effect<B, E | StorageError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const context = yield* Layer.build(disk.layer)
      return yield* Effect.flatMap(Storage, use).pipe(Effect.provideContext(context))
    })
  )

interface Settings {
  readonly alone?: boolean
  readonly version?: number
  readonly store?: (store: SnapshotStore) => SnapshotStore
}

const find = (
  disk: MemoryStorage.MemoryDisk,
  { alone = false, version = 1, store = (same) => same }: Settings = {}
): Effect.Effect<StartingPoint.StartingPoint<Lines>, StorageError> =>
  inside(disk, (storage) =>
    StartingPoint.find({
      storage: { ...storage, snapshots: store(storage.snapshots) },
      codec: linesCodec(version),
      alone,
      understood: 1
    })
  )

const failure = <B>(exit: Exit.Exit<B, StorageError>): StorageError | undefined =>
  Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined

describe("a replica starts from", () => {
  it.effect("the latest snapshot, and keeps the one before it in mind", () =>
    Effect.gen(function* () {
      const from = yield* find(yield* makeDisk())
      assert.deepStrictEqual(from.image, imageOf(position(7), ["a", "b", "7"]))
      assert.deepStrictEqual(
        from.snapshots.map(({ last }) => last.index),
        [7, 4]
      )
      assert.deepStrictEqual([from.base, from.entries[0]?.index, from.admitted], [position(4), 5, true])
    })
  )

  it.effect("the one before it where the latest is damaged, which is put aside", () =>
    Effect.gen(function* () {
      const disk = yield* makeDisk()
      const [latest, older] = disk.snapshots.found()
      disk.snapshots.damage(latest!)
      const from = yield* find(disk)
      assert.deepStrictEqual(from.image, imageOf(position(4), ["a", "b", "4"]))
      assert.deepStrictEqual(from.snapshots, [older!])
      assert.strictEqual(from.entries.length, 5, "and all of the log")
      assert.deepStrictEqual(disk.snapshots.found(), [older!])
    })
  )

  it.effect("the log alone where all are damaged and it goes back to the beginning", () =>
    Effect.gen(function* () {
      const disk = yield* makeDisk(["a"], 0)
      for (const snapshot of disk.snapshots.found()) disk.snapshots.damage(snapshot)
      const from = yield* find(disk, { alone: true })
      assert.deepStrictEqual([from.image, from.snapshots, from.base, from.admitted], [undefined, [], origin, true])
      assert.strictEqual(from.entries.length, 9)
    })
  )

  it.effect("nothing where the log begins later than what can be read: not admitted, and its term kept", () =>
    Effect.gen(function* () {
      const disk = yield* makeDisk()
      for (const snapshot of disk.snapshots.found()) disk.snapshots.damage(snapshot)
      const from = yield* find(disk)
      assert.deepStrictEqual(from, { admitted: false, base: origin, entries: [], image: undefined, snapshots: [] })
      const { admitted, base, entries, hardState } = disk.contents()
      assert.deepStrictEqual([admitted, base, entries, hardState.currentTerm], [false, origin, [], 3])
    })
  )
})

describe("a replica refuses to start", () => {
  it.effect("as the only voter without what stood before its log, and leaves all as it is", () =>
    Effect.gen(function* () {
      const disk = yield* makeDisk()
      for (const snapshot of disk.snapshots.found()) disk.snapshots.damage(snapshot)
      const error = failure(yield* Effect.exit(find(disk, { alone: true })))
      assert.strictEqual(error?.reason, "Corrupt")
      assert.match(error!.message, /begins after entry 4; .*balsa storage inspect.*balsa restore/)
      assert.deepStrictEqual(disk.contents().base, position(4))
    })
  )

  it.effect("on a snapshot of a version that it does not know, which stays where it is", () =>
    Effect.gen(function* () {
      const disk = yield* makeDisk()
      const found = disk.snapshots.found()
      const error = failure(yield* Effect.exit(find(disk, { version: 2 })))
      assert.strictEqual(error?.reason, "UnknownFormat")
      assert.match(error!.message, /written by a newer version of Balsa/)
      assert.deepStrictEqual(disk.snapshots.found(), found)
    })
  )

  it.effect("on a disk that cannot be read, for that says nothing about what is on it", () =>
    Effect.gen(function* () {
      const disk = yield* makeDisk()
      const found = disk.snapshots.found()
      const unreadable = new StorageError({ reason: "Unreadable", message: "EIO" })
      const store = (same: SnapshotStore): SnapshotStore => ({ ...same, read: () => Effect.fail(unreadable) })
      assert.strictEqual(failure(yield* Effect.exit(find(disk, { store })))?.reason, "Unreadable")
      assert.deepStrictEqual(disk.snapshots.found(), found)
    })
  )
})

describe("loading a snapshot", () => {
  it.effect("tells once a second how far it is when it takes longer than that", () =>
    Effect.gen(function* () {
      const lines = Array.from({ length: 10 }, (_, n) => `${n}`.repeat(sliceBytes))
      const disk = yield* makeDisk(lines)
      const told: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void told.push(String(message)))])
      const store = (same: SnapshotStore): SnapshotStore => ({
        ...same,
        read: (snapshot, offset, length) => Effect.andThen(Effect.sleep(400), same.read(snapshot, offset, length))
      })
      const fiber = yield* Effect.forkScoped(find(disk, { store }).pipe(Effect.provide(logger)))
      yield* TestClock.adjust(100_000)
      const exit = fiber.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
      assert.deepStrictEqual(
        told,
        ["29", "59", "89"].map((done) => `loading snapshot at index 7: ${done} %`)
      )
    })
  )
})
