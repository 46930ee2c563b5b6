/** What a base leaves of a log, on the disk and in memory alike, and after every restart. */
import * as fs from "node:fs"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { expect, test } from "vitest"
import { Index, type LogEntry, type LogPosition, origin, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Persist } from "../../src/raft/RaftEffect.ts"
import * as MemoryStorage from "../../src/storage/MemoryStorage.ts"
import { Storage } from "../../src/storage/Storage.ts"
import { append, base, command, found, image, newDirectory, noOp, persist, position, start } from "./Fixture.ts"

const five = [noOp(1, 1), noOp(2, 1), command(3, 2, Buffer.from("three")), noOp(4, 2), noOp(5, 4)]

const after = async (...changes: ReadonlyArray<Persist<Uint8Array>>) => {
  const directory = newDirectory()
  const storage = await start(directory)
  for (const change of [append(...five), ...changes]) await storage.persist(change)
  const killed = await found(image(directory))
  await storage.close()
  const { incarnation: _, ...stopped } = await found(directory)
  expect(killed).toMatchObject(stopped)
  return stopped
}

test("a log that holds the base keeps what follows", async () => {
  expect(await after(base(3, 2))).toMatchObject({ base: position(3, 2), entries: five.slice(3) })
  expect(await after(base(5, 4))).toMatchObject({ base: position(5, 4), entries: [] })
  expect(await after(base(3, 2), base(3, 2))).toMatchObject({ base: position(3, 2), entries: five.slice(3) })
})

test("a log that does not is dropped whole", async () => {
  expect(await after(base(3, 1))).toMatchObject({ base: position(3, 1), entries: [] })
  expect(await after(base(9, 4))).toMatchObject({ base: position(9, 4), entries: [] })
  expect(await after(base(3, 2), base(3, 3))).toMatchObject({ base: position(3, 3), entries: [] })
  expect(await after(base(3, 2), base(2, 1))).toMatchObject({ base: position(2, 1), entries: [] })
})

test("the log goes on after its base, in the same change or a later one", async () => {
  const next = [noOp(10, 5), noOp(11, 5)]
  expect(await after({ ...base(9, 4), log: append(...next).log })).toMatchObject({
    base: position(9, 4),
    entries: next
  })
  expect(await after(base(9, 4), append(...next))).toMatchObject({ base: position(9, 4), entries: next })
  const other = noOp(5, 6)
  expect(await after({ ...base(3, 2), log: append(other).log })).toMatchObject({
    base: position(3, 2),
    entries: [five[3], other]
  })
})

test("to be admitted is kept, and a total reset takes it back and leaves the hard state", async () => {
  const hardState = { currentTerm: Term(7), votedFor: ReplicaId("B") }
  expect(await after(persist({ admitted: true, hardState }))).toMatchObject({ admitted: true, entries: five })
  const reset = persist({ base: origin, admitted: false })
  expect(await after(persist({ admitted: true, hardState }), base(4, 2), reset)).toEqual({
    hardState,
    admitted: false,
    base: origin,
    entries: [],
    snapshots: []
  })
  expect(await after(base(4, 2), reset, append(noOp(1, 8)))).toMatchObject({ base: origin, entries: [noOp(1, 8)] })
})

test("what is before the base is settled, and a change to it is a defect that is not written", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(...five))
  await storage.persist(base(3, 2))
  await expect(storage.persist(append(noOp(3, 4)))).rejects.toThrow(
    "a change from index 3 to a log that begins after index 3"
  )
  await expect(storage.persist({ ...base(9, 4), log: append(noOp(6, 4)).log })).rejects.toThrow("A log has no holes")
  expect((await found(image(directory))).entries).toEqual(five.slice(3))
})

/** The snapshots of which the log tells are told, newest first; others are cleared away. */
test("snapshots that go with the log", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(...five))
  const write = (index: number, term: number) =>
    Effect.runPromise(storage.snapshots.write(position(index, term), [Buffer.from(`snapshot ${index}`)]))
  const [second, third, wrong, fifth, beyond] = [
    await write(2, 1),
    await write(3, 2),
    await write(4, 3),
    await write(5, 4),
    await write(9, 4)
  ]
  expect((await found(image(directory))).snapshots).toEqual([fifth, third, second])
  await storage.persist(base(3, 2))
  const crashed = image(directory)
  const { snapshots } = await found(crashed)
  expect(snapshots).toEqual([fifth, third])
  expect(fs.readdirSync(crashed).filter((name) => name.startsWith("snapshot-")).length).toBe(2)
  expect([wrong, beyond].some((one) => snapshots.includes(one))).toBe(false)
  await storage.persist(base(9, 4))
  await storage.close()
  expect((await found(directory)).snapshots).toEqual([beyond])
})

test("a base of which no snapshot is left is told as it is", async () => {
  expect(await after(base(3, 2))).toMatchObject({ base: position(3, 2), snapshots: [] })
})

/** Small numbers with the same sequence for the same seed (mulberry32). */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

interface Model {
  readonly term: number
  readonly admitted: boolean | undefined
  readonly base: LogPosition
  readonly entries: ReadonlyArray<LogEntry<Uint8Array>>
}

const blank: Model = { term: 1, admitted: undefined, base: origin, entries: [] }

/** A base within the log, at its ends, beyond it, or of another term; and sometimes a total reset. */
const randomBase = ({ term, base: { index }, entries }: Model, next: (below: number) => number): LogPosition => {
  if (next(12) === 0) return origin
  const at = index + next(entries.length + 3)
  const found = entries[at - index - 1]
  return position(at, found !== undefined && next(4) > 0 ? found.term : term + next(2))
}

const step = (model: Model, next: (below: number) => number): readonly [Persist<Uint8Array>, Model] => {
  let { term, admitted, base: before, entries } = model
  const change: { -readonly [Key in keyof Persist<Uint8Array>]: Persist<Uint8Array>[Key] } = persist({})
  if (next(4) === 0) {
    term += 1
    change.hardState = { currentTerm: Term(term), votedFor: undefined }
  }
  if (next(8) === 0) {
    admitted = !admitted
    change.admitted = admitted
  }
  if (next(4) === 0) {
    const to = randomBase({ term, admitted, base: before, entries }, next)
    const inLog = entries.some((entry) => entry.index === to.index && entry.term === to.term)
    const kept = inLog || (to.index === before.index && to.term === before.term)
    entries = kept ? entries.filter((entry) => entry.index > to.index) : []
    before = to
    change.base = to
  }
  if (next(3) > 0) {
    const length = next(4) === 0 ? next(entries.length + 1) : entries.length
    const from = before.index + length + 1
    const added = Array.from({ length: next(4) }, (_, i) => command(from + i, term, Buffer.alloc(next(500), 1)))
    entries = [...entries.slice(0, length), ...added]
    change.log = { from: Index(from), entries: added }
  }
  return [change, { term, admitted, base: before, entries }]
}

test.each(Array.from({ length: 12 }, (_, i) => i + 1))("random changes and restarts, seed %i", async (seed) => {
  const next = random(seed)
  let directory = newDirectory()
  const disk = MemoryStorage.make()
  let model = blank
  for (let starts = 0; starts < 8; starts++) {
    const storage = await start(directory, { segmentBytes: 1024 })
    const scope = Scope.makeUnsafe()
    const built = Layer.buildWithScope(disk.layer, scope).pipe(Effect.provide(TestClock.layer()))
    const memory = Context.get(await Effect.runPromise(built), Storage)
    const expected = { admitted: model.admitted, base: model.base, entries: model.entries, snapshots: [] }
    expect(storage.recovered).toMatchObject(expected)
    expect(memory.recovered).toMatchObject(expected)
    expect(storage.warnings).toEqual([])
    for (let steps = next(25); steps > 0; steps--) {
      const [change, result] = step(model, next)
      model = result
      await storage.persist(change)
      await Effect.runPromise(memory.persist(change))
    }
    const killed = image(directory)
    await storage.close()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    if (next(2) === 0) directory = killed
  }
})
