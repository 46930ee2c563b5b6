/** Segments that a base has made useless go away, none that is needed does, and a crash on the way is harmless. */
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, test } from "vitest"
import { origin } from "../../src/raft/LogEntry.ts"
import type { Persist } from "../../src/raft/RaftEffect.ts"
import { realNames } from "../../src/storage/DurableFile.ts"
import * as Segment from "../../src/storage/Segment.ts"
import type { Recovered } from "../../src/storage/Storage.ts"
import {
  append,
  base,
  command,
  found,
  image,
  newDirectory,
  noOp,
  persist,
  position,
  segmentPath,
  start,
  startFailing,
  vote
} from "./Fixture.ts"
import { PowerCut } from "./PowerCut.ts"

const entries = Array.from({ length: 13 }, (_, i) => command(i + 1, 1, Buffer.alloc(1000, i + 1)))

const segmentsIn = (directory: string): ReadonlyArray<number> =>
  fs
    .readdirSync(directory)
    .flatMap((name) => Segment.numberOf(name) ?? [])
    .toSorted((a, b) => a - b)

/** Entries 1 to 3 are in segment 1, 4 to 6 in segment 2, and so on; 13 is alone in segment 5. */
const filled = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist({ ...vote(1, "A"), admitted: true })
  for (const entry of entries) await storage.persist(append(entry))
  return image(directory)
}

test.each([
  [1, [1, 2, 3, 4, 5]],
  [2, [1, 2, 3, 4, 5]],
  [3, [2, 3, 4, 5]],
  [4, [2, 3, 4, 5]],
  [5, [2, 3, 4, 5]],
  [6, [3, 4, 5]],
  [12, [5]],
  [13, [5]],
  [99, [5]]
])("a base at index %i leaves segments %j", async (index, left) => {
  const directory = await filled()
  const storage = await start(directory)
  await storage.persist(base(index, 1))
  const killed = image(directory)
  await storage.close()
  expect(segmentsIn(directory)).toEqual(left)
  const expected = { base: position(index, 1), entries: entries.slice(index) }
  for (const one of [directory, killed]) {
    const { recovered, persist: write, close } = await start(one)
    expect(recovered).toMatchObject({ admitted: true, base: expected.base, entries: expected.entries })
    expect(recovered.hardState).toEqual({ currentTerm: 1, votedFor: "A" })
    // What a crash left over is removed by the next start.
    expect(segmentsIn(one)).toEqual(left)
    await write(append(noOp(Math.max(13, index) + 1, 2)))
    await close()
  }
  expect(await found(directory)).toMatchObject({
    ...expected,
    entries: [...expected.entries, noOp(Math.max(13, index) + 1, 2)]
  })
})

test("entries that replaced others are needed where they were written last", async () => {
  const directory = await filled()
  const storage = await start(directory)
  const replaced = [5, 6, 7].map((index) => command(index, 2, Buffer.alloc(900, index)))
  for (const entry of replaced) await storage.persist(append(entry))
  await storage.persist(base(4, 1))
  await storage.close()
  // Entry 5 was written to segment 2, and again to segment 5.
  expect(segmentsIn(directory)).toEqual([5, 6])
  expect(await found(directory)).toMatchObject({ base: position(4, 1), entries: replaced })
})

test("the log goes on from segments whose first ones are gone, through many restarts", async () => {
  const directory = newDirectory()
  for (let round = 0; round < 12; round++) {
    const storage = await start(directory)
    const { length } = storage.recovered.entries
    const last = storage.recovered.base.index + length
    expect(last).toBe(round * 5)
    for (let i = 1; i <= 5; i++) await storage.persist(append(command(last + i, 1, Buffer.alloc(1000, i))))
    await storage.persist(base(last + 2, 1))
    await storage.close()
    const bytes = segmentsIn(directory).reduce((sum, n) => sum + fs.statSync(segmentPath(directory, n)).size, 0)
    // Three entries are live; two segments may be useful in part.
    expect(bytes).toBeLessThanOrEqual(3 * 1064 + 2 * 4096)
  }
})

test("a total reset frees all but the last segment, and the log may be shorter than before for ever after", async () => {
  const directory = await filled()
  const storage = await start(directory)
  await storage.persist(base(9, 1))
  await storage.persist(persist({ base: origin, admitted: false }))
  for (let i = 1; i <= 6; i++) await storage.persist(append(command(i, 3, Buffer.alloc(1000, i))))
  await storage.persist(base(4, 3))
  await storage.close()
  expect(segmentsIn(directory).length).toBeLessThanOrEqual(2)
  expect(await found(directory)).toMatchObject({ admitted: false, base: position(4, 3) })
})

test("a segment that is needed and gone is missed, whatever is there instead", async () => {
  const directory = await filled()
  const storage = await start(directory)
  await storage.persist(base(4, 1))
  await storage.close()
  const first = image(directory)
  fs.rmSync(segmentPath(first, 2))
  const error = await startFailing(first)
  expect([error.reason, error.message]).toEqual([
    "Corrupt",
    expect.stringContaining(
      `${segmentPath(first, 2)} is damaged at offset 0: this segment is missing, and the log needs entries 5 to 6 from it`
    )
  ])
  const middle = image(directory)
  fs.rmSync(segmentPath(middle, 3))
  expect((await startFailing(middle)).message).toContain(`${segmentPath(middle, 3)} is damaged at offset 0`)
  const misnamed = image(directory)
  fs.renameSync(segmentPath(misnamed, 2), path.join(misnamed, "log-00000000002.wal"))
  expect((await startFailing(misnamed)).message).toContain("log-00000000002.wal is damaged at offset 0")
  const twice = image(directory)
  fs.copyFileSync(segmentPath(twice, 2), path.join(twice, "log-00000000002.wal"))
  expect((await startFailing(twice)).message).toContain("log-00000000002.wal is damaged at offset 0")
})

test("a removed segment that comes back is removed again if it fits, and refused if it does not", async () => {
  const whole = await filled()
  const directory = image(whole)
  const storage = await start(directory)
  await storage.persist(base(9, 1))
  await storage.close()
  expect(segmentsIn(directory)).toEqual([4, 5])
  const fits = image(directory)
  fs.copyFileSync(segmentPath(whole, 3), segmentPath(fits, 3))
  expect((await found(fits)).entries).toEqual(entries.slice(9))
  expect(segmentsIn(fits)).toEqual([4, 5])
  const gap = image(directory)
  fs.copyFileSync(segmentPath(whole, 2), segmentPath(gap, 2))
  expect((await startFailing(gap)).message).toContain(`${segmentPath(gap, 3)} is damaged at offset 0: this segment is`)
  // Of the same number and place, and from another life of the directory.
  const other = image(directory)
  const foreign = await filled()
  fs.copyFileSync(segmentPath(foreign, 3), segmentPath(other, 3))
  const foreignStorage = await start(foreign)
  await foreignStorage.persist(vote(5))
  await foreignStorage.close()
  fs.copyFileSync(segmentPath(foreign, 5), segmentPath(other, 3))
  expect((await startFailing(other)).reason).toBe("Corrupt")
})

test("a segment of the same number that does not go on from the one before it is refused", async () => {
  const whole = await filled()
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist({ ...vote(1, "B"), admitted: true })
  for (const entry of entries) await storage.persist(append(entry))
  const other = image(directory)
  fs.copyFileSync(segmentPath(other, 3), segmentPath(whole, 3))
  const error = await startFailing(whole)
  expect(error.message).toContain(`${segmentPath(whole, 3)} is damaged at offset 0: what it says of the log before it`)
})

test("what cannot be removed stays, and the replica goes on", async () => {
  const directory = await filled()
  let failing = true
  const names = {
    ...realNames,
    unlink: (file: string) =>
      failing ? Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })) : realNames.unlink(file)
  }
  const storage = await start(directory, { names })
  await storage.persist(base(6, 1))
  await storage.persist(append(noOp(14, 2)))
  await storage.close()
  expect(segmentsIn(directory)).toEqual([1, 2, 3, 4, 5])
  failing = false
  const again = await start(directory, { names })
  expect(again.recovered.entries.length).toBe(8)
  expect(segmentsIn(directory)).toEqual([3, 4, 5])
})

/** What has been confirmed so far, as a start finds it, and what is under way. */
const meaning = ({ hardState, admitted, base: before, entries: log }: Recovered) => ({
  hardState,
  admitted,
  base: before,
  entries: log.map(({ index, term }) => [index, term])
})

test("the power may be cut at any step of making and removing segments", async () => {
  const directory = newDirectory()
  await (await start(directory)).close()
  const allowed: Array<unknown> = [meaning(await found(directory))]
  const power = new PowerCut(directory, async (cut) => {
    const recovered = meaning(await found(cut))
    expect(allowed).toContainEqual(recovered)
    // And it goes on from there.
    expect(meaning(await found(cut))).toEqual(recovered)
  })
  const model = newDirectory()
  const changes: ReadonlyArray<Persist<Uint8Array>> = [
    { ...vote(1, "A"), admitted: true },
    ...entries.slice(0, 7).map((entry) => append(entry)),
    { ...base(6, 1), log: undefined },
    ...entries.slice(7, 12).map((entry) => append(entry)),
    { ...base(11, 1), ...vote(2, "B"), base: position(11, 1) },
    base(40, 2),
    append(noOp(41, 2))
  ]
  for (const change of changes) {
    const storage = await start(directory, { names: power.names, segmentBytes: 2200 })
    const shadow = await start(model)
    await shadow.persist(change)
    await shadow.close()
    const next = meaning(await found(model))
    allowed.push(next)
    await storage.persist(change)
    // Confirmed: what was before is no longer allowed.
    allowed.splice(0, allowed.length - 1)
    await power.cut()
    await storage.close()
    await power.cut()
  }
  expect(segmentsIn(directory).length).toBe(1)
  expect(power.cuts).toBeGreaterThan(100)
})
