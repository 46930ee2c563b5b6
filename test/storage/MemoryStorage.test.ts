/** The disk in memory keeps a disk's promises, and breaks exactly those that it is told to. */
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { expect, test } from "vitest"
import type { Persist } from "../../src/raft/RaftEffect.ts"
import * as MemoryStorage from "../../src/storage/MemoryStorage.ts"
import { Storage } from "../../src/storage/Storage.ts"
import { append, base, empty, noOp, persist, position, vote } from "./Fixture.ts"

const boot = Effect.fnUntraced(function* (disk: MemoryStorage.MemoryDisk) {
  const scope = yield* Scope.make()
  const storage = Context.get(yield* Layer.buildWithScope(disk.layer, scope), Storage)
  return { ...storage, stop: Scope.close(scope, Exit.void) }
})

const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, TestClock.layer()))

const both: Persist<Uint8Array> = { ...vote(4, "B"), log: append(noOp(1, 4)).log }

test("what is confirmed outlives its process, and every start is counted", () =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const first = yield* boot(disk)
      expect(first.recovered).toEqual({
        hardState: { currentTerm: 0, votedFor: undefined },
        entries: [],
        incarnation: 1,
        ...empty
      })
      yield* first.persist(both)
      expect((yield* Effect.flip(boot(disk))).reason).toBe("InUse")
      yield* first.stop
      const second = yield* boot(disk)
      expect(second.recovered).toEqual({
        hardState: { currentTerm: 4, votedFor: "B" },
        entries: [noOp(1, 4)],
        incarnation: 2,
        ...empty
      })
      expect((yield* Effect.flip(first.persist(vote(9)))).message).toContain("has ended")
      expect(disk.contents()).toEqual(second.recovered)
      expect(disk.confirmed()).toBe(1)
    })
  ))

test.each([
  ["Lost", 0, 0],
  ["Kept", 4, 1],
  ["Torn", 4, 0]
] as const)("a change under way at a crash: %s", (fate, term, length) =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const first = yield* boot(disk)
      disk.slow("5 millis")
      const fiber = yield* Effect.forkChild(Effect.flip(first.persist(both)), { startImmediately: true })
      yield* TestClock.adjust("4 millis")
      disk.crash(fate)
      yield* TestClock.adjust("1 millis")
      expect((yield* Fiber.join(fiber)).message).toContain("has ended")
      const { recovered } = yield* boot(disk)
      expect([recovered.hardState.currentTerm, recovered.entries.length]).toEqual([term, length])
    })
  )
)

test("a slow disk confirms when the clock says so", () =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const { persist } = yield* boot(disk)
      disk.slow("5 millis")
      const fiber = yield* Effect.forkChild(persist(both), { startImmediately: true })
      yield* TestClock.adjust("4 millis")
      expect(disk.confirmed()).toBe(0)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
      expect(disk.confirmed()).toBe(1)
    })
  ))

test("after a failure nothing is written until the next start", () =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const first = yield* boot(disk)
      disk.failNext("NoSpace")
      expect((yield* Effect.flip(first.persist(both))).reason).toBe("NoSpace")
      expect((yield* Effect.flip(first.persist(both))).reason).toBe("NoSpace")
      yield* first.stop
      const second = yield* boot(disk)
      expect(second.recovered.entries).toEqual([])
      yield* second.persist(both)
      expect(disk.contents().entries).toEqual([noOp(1, 4)])
    })
  ))

test("a lying disk forgets at a crash what it confirmed since it was honest", () =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const first = yield* boot(disk)
      yield* first.persist(append(noOp(1, 1)))
      disk.lie(true)
      yield* first.persist(append(noOp(2, 1)))
      expect(disk.contents().entries.length).toBe(2)
      disk.crash("Kept")
      expect(disk.contents().entries.length).toBe(1)
      const second = yield* boot(disk)
      yield* second.persist(append(noOp(2, 2)))
      disk.lie(false)
      yield* second.persist(append(noOp(3, 2)))
      disk.crash("Lost")
      expect(disk.contents().entries).toEqual([noOp(1, 1), noOp(2, 2), noOp(3, 2)])
    })
  ))

test("a hole in the log is a defect", () =>
  run(
    Effect.gen(function* () {
      const { persist } = yield* boot(MemoryStorage.make())
      expect(Exit.hasDies(yield* Effect.exit(persist(append(noOp(2, 1)))))).toBe(true)
    })
  ))

test("a base drops what is before it, and the snapshots of that", () =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const first = yield* boot(disk)
      yield* first.persist({ ...append(noOp(1, 1), noOp(2, 1), noOp(3, 2)), admitted: true })
      const write = (index: number, term: number) =>
        first.snapshots.write(position(index, term), [Buffer.from(`${index}`)])
      const one = yield* write(1, 1)
      const two = yield* write(2, 1)
      const beyond = yield* write(9, 2)
      expect(disk.contents().snapshots).toEqual([two, one])
      yield* first.persist(base(2, 1))
      expect(disk.contents()).toMatchObject({ admitted: true, base: position(2, 1), entries: [noOp(3, 2)] })
      expect(disk.contents().snapshots).toEqual([two])
      expect(disk.snapshots.found()).toEqual([beyond, two])
      yield* first.stop
      // The log knows nothing of the one beyond it.
      const second = yield* boot(disk)
      expect(second.recovered).toMatchObject({ base: position(2, 1), entries: [noOp(3, 2)], snapshots: [two] })
      expect(disk.snapshots.found()).toEqual([two])
      expect((yield* Effect.flip(first.snapshots.read(two, 0, 1))).message).toContain("has ended")
      expect(yield* second.snapshots.read(two, 0, 9)).toEqual(Uint8Array.from(Buffer.from("2")))
      expect(Exit.hasDies(yield* Effect.exit(second.persist(append(noOp(2, 9)))))).toBe(true)
      yield* second.persist(persist({ base: position(0, 0), admitted: false }))
      expect(disk.contents()).toMatchObject({ admitted: false, base: position(0, 0), entries: [] })
    })
  ))

test("a crash takes back the base that a lying disk confirmed, and no snapshot is missed then", () =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const first = yield* boot(disk)
      yield* first.persist(append(noOp(1, 1), noOp(2, 1)))
      const one = yield* first.snapshots.write(position(1, 1), [Buffer.from("1")])
      const two = yield* first.snapshots.write(position(2, 1), [Buffer.from("2")])
      disk.lie(true)
      yield* first.persist(base(2, 1))
      expect(disk.contents().base).toEqual(position(2, 1))
      disk.crash("Lost")
      expect(disk.contents()).toMatchObject({ base: position(0, 0), snapshots: [two, one] })
      expect(disk.contents().entries.length).toBe(2)
    })
  ))

test("a full disk makes a change wait, and shows in the status", () =>
  run(
    Effect.gen(function* () {
      const disk = MemoryStorage.make()
      const { persist: write, status, stop } = yield* boot(disk)
      expect(yield* status).toMatchObject({ waitsForRoom: false, logBytes: 0 })
      disk.room(false)
      const fiber = yield* Effect.forkChild(write(both), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      expect(yield* status).toMatchObject({ waitsForRoom: true, freeBytes: 0 })
      expect(disk.confirmed()).toBe(0)
      disk.room(true)
      yield* TestClock.adjust("500 millis")
      yield* Fiber.join(fiber)
      const after = yield* status
      expect([after.waitsForRoom, after.freeBytes! > after.reserveBytes, after.logBytes > 0]).toEqual([
        false,
        true,
        true
      ])
      disk.room(false)
      const interrupted = yield* Effect.forkChild(write(vote(9)), { startImmediately: true })
      yield* Fiber.interrupt(interrupted)
      expect((yield* status).waitsForRoom).toBe(false)
      const killed = yield* Effect.forkChild(Effect.flip(write(vote(9))), { startImmediately: true })
      disk.crash("Kept")
      yield* TestClock.adjust("500 millis")
      expect((yield* Fiber.join(killed)).message).toContain("has ended")
      expect(disk.contents().hardState.currentTerm).toBe(4)
      yield* stop
    })
  ))
