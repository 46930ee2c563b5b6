/** A write that a crash interrupted is cut, and what is left of it never comes back. */
import * as fs from "node:fs"
import { expect, test } from "vitest"
import {
  append,
  bend,
  command,
  flip,
  found,
  image,
  newDirectory,
  noOp,
  recordsOf,
  segmentPath,
  start,
  vote
} from "./Fixture.ts"

const three = [command(1, 1, Buffer.from("one")), noOp(2, 1), command(3, 2, Buffer.alloc(40, 0xff))]

/** A replica killed after three records: a vote with an entry, then an entry, then the last one. */
const killed = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist({ ...vote(2, "B"), log: append(three[0]!).log })
  await storage.persist(append(three[1]!))
  await storage.persist(append(three[2]!))
  return image(directory)
}

const zeroFrom = (file: string, offset: number): void => bend(file, (bytes) => bytes.fill(0, offset))

/** What a block held before may show where a write did not come. */
const garbleFrom = (file: string, offset: number): void => {
  const { end } = recordsOf(file).at(-1)!
  bend(file, (bytes) => bytes.fill("\xaa\x55", offset, end, "latin1"))
}

/** Zeros at a record's end need not be written to be there. */
const endOfData = (file: string, { end }: { readonly end: number }): number => {
  const bytes = fs.readFileSync(file)
  let last = end
  while (bytes[last - 1] === 0) last--
  return last
}

const hardState = { currentTerm: 2, votedFor: "B" }

test.each([
  ["zeros follow", zeroFrom],
  ["other bytes follow", garbleFrom]
])("the last record cut at every offset: %s", async (_, cutAt) => {
  const whole = await killed()
  const last = recordsOf(segmentPath(whole)).at(-1)!
  for (let at = last.start; at < last.end; at++) {
    const directory = image(whole)
    cutAt(segmentPath(directory), at)
    const first = await start(directory)
    expect(first.recovered.entries).toEqual(three.slice(0, 2))
    expect(first.recovered.hardState).toEqual(hardState)
    expect(first.warnings.length).toBe(at === last.start && cutAt === zeroFrom ? 0 : 1)
    const other = noOp(3, 3)
    await first.persist(append(other))
    const again = image(directory)
    await first.close()
    expect((await found(again)).entries).toEqual([...three.slice(0, 2), other])
    expect((await found(directory)).entries).toEqual([...three.slice(0, 2), other])
  }
})

test("the warning names the file, the offset and how much was cut", async () => {
  const directory = await killed()
  const last = recordsOf(segmentPath(directory)).at(-1)!
  bend(segmentPath(directory), (bytes) => bytes.fill(0xee, last.start, last.end + 3))
  const { warnings } = await start(directory)
  expect(warnings).toEqual([
    `${segmentPath(directory)}: cut ${last.end + 3 - last.start} bytes at offset ${last.start}, the rest of a write that a crash interrupted`
  ])
})

/** It cannot be told from an interrupted write; see Recovery. */
test("damage to the very last record of a crashed replica is cut", async () => {
  const whole = await killed()
  const last = recordsOf(segmentPath(whole)).at(-1)!
  for (let byte = last.start; byte < last.end; byte++) {
    const directory = image(whole)
    flip(segmentPath(directory), byte * 8 + (byte % 8))
    expect((await found(directory)).entries).toEqual(three.slice(0, 2))
  }
})

test("any sectors of the last write may be missing, the first ones too", async () => {
  const directory = newDirectory()
  const storage = await start(directory, { segmentBytes: 65_536 })
  await storage.persist(append(three[0]!))
  await storage.persist(append(command(2, 1, Buffer.alloc(6000, 0xee))))
  const { start: from, end } = recordsOf(segmentPath(directory)).at(-1)!
  for (let missing = 0; missing * 512 < end - from; missing++) {
    const copy = image(directory)
    const at = from + missing * 512
    bend(segmentPath(copy), (bytes) => bytes.fill(0, at, Math.min(end, at + 512)))
    expect((await found(copy)).entries).toEqual(three.slice(0, 1))
  }
})

test("bytes left of a cut write are zeroed before anything is written after them", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(three[0]!))
  await storage.persist(append(command(2, 1, Buffer.alloc(2000, 0xee))))
  const crashed = image(directory)
  const cut = recordsOf(segmentPath(crashed)).at(-1)!
  flip(segmentPath(crashed), cut.start * 8)
  const second = await start(crashed)
  expect(second.recovered.entries.length).toBe(1)
  expect(
    fs
      .readFileSync(segmentPath(crashed))
      .subarray(cut.start)
      .every((byte) => byte === 0)
  ).toBe(true)
  await second.persist(append(noOp(2, 7)))
  const third = await start(image(crashed))
  expect(third.recovered.entries).toEqual([three[0], noOp(2, 7)])
  expect(third.warnings).toEqual([])
})

test("a crash at any byte of the file leaves a prefix, and what was confirmed before is in it", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  const entries = Array.from({ length: 12 }, (_, i) => command(i + 1, 1, Buffer.alloc(i * 7, 0xf0 + i)))
  for (const entry of entries) await storage.persist(append(entry))
  const records = recordsOf(segmentPath(directory))
  const end = records.at(-1)!.end
  for (let at = records[0]!.start; at <= end; at += 7) {
    const copy = image(directory)
    zeroFrom(segmentPath(copy), at)
    const kept = records.filter((record) => endOfData(segmentPath(directory), record) <= at).length
    expect((await found(copy)).entries).toEqual(entries.slice(0, kept))
  }
})

test("a change that cuts the log and appends is one record: all of it or nothing", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(three[0]!, three[1]!))
  await storage.persist({ ...vote(5, "C"), log: { from: three[1]!.index, entries: [noOp(2, 5), noOp(3, 5)] } })
  const { start: from, end } = recordsOf(segmentPath(directory)).at(-1)!
  for (let at = from; at <= end; at++) {
    const copy = image(directory)
    zeroFrom(segmentPath(copy), at)
    const { hardState: kept, entries } = await found(copy)
    if (at < endOfData(segmentPath(directory), { end }))
      expect([kept.currentTerm, entries]).toEqual([0, three.slice(0, 2)])
    else expect([kept.currentTerm, entries]).toEqual([5, [three[0], noOp(2, 5), noOp(3, 5)]])
  }
})
