/**
 * Directories that each version of the format wrote, recorded: they must load for ever, and go on. Those
 * of all formats have segments of 512 bytes.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Segment from "../../src/storage/Segment.ts"
import {
  append,
  base,
  bend,
  command,
  empty,
  image,
  newDirectory,
  noOp,
  position,
  start,
  startFailing,
  vote
} from "./Fixture.ts"
import { amended } from "./Entries.ts"

const options = { voters: ["A", "B", "C"].map(ReplicaId), segmentBytes: 512 }

/** A copy of a recorded directory. */
const recorded = (name: string): string => image(path.join(import.meta.dirname, "fixtures", name))

const found = async (directory: string) => {
  const { recovered, close } = await start(directory, options)
  await close()
  return recovered
}

const formatsIn = (directory: string): ReadonlyArray<number> =>
  fs
    .readdirSync(directory)
    .filter((name) => Segment.numberOf(name) !== undefined)
    .toSorted()
    .map((name) => fs.readFileSync(path.join(directory, name)).readUInt32LE(8))

const filler = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => command(from + i, 1, Buffer.alloc(100, from + i)))

/** The last three replaced two others. */
const entries = [
  noOp(1, 1),
  ...filler(2, 4),
  noOp(5, 3),
  command(6, 3, Buffer.alloc(10, 0xff)),
  command(7, 3, Buffer.alloc(0))
]
const hardState = vote(3, "ü").hardState

const format1 = { hardState, admitted: true, base: position(0, 0), entries, incarnation: 2, snapshots: [] }
const format2 = { ...format1, admitted: false, base: position(3, 1), entries: entries.slice(3) }
const format3 = { ...format2, entries: [...format2.entries, ...amended] }
const fresh = { ...empty, hardState: vote(0).hardState, entries: [], incarnation: 2 }

test.each([
  ["format-1-killed", format1],
  ["format-1-stopped", format1],
  ["format-1-new", { ...format1, hardState: vote(0).hardState, entries: [] }],
  ["format-2-killed", format2],
  ["format-2-stopped", format2],
  ["format-2-new", fresh],
  ["format-3-killed", format3],
  ["format-3-stopped", format3],
  ["format-3-new", fresh]
])("%s", async (name, expected) => {
  const directory = recorded(name)
  const version = Number(name.split("-")[1])
  expect(new Set(formatsIn(directory))).toEqual(new Set([version]))
  const first = await start(directory, options)
  expect(first.recovered).toEqual(expected)
  expect(first.warnings).toEqual([])
  // It goes on in the present format, so that an older version refuses it in the right words.
  const next = noOp(expected.base.index + expected.entries.length + 1, 4)
  await first.persist(append(next))
  await first.close()
  expect(formatsIn(directory).at(-1)).toBe(Segment.formatVersion)
  const { incarnation: _, ...kept } = await found(directory)
  expect({ ...kept, incarnation: 2 }).toEqual({ ...expected, entries: [...expected.entries, next] })
})

test("segments of format 1 go when later ones say what was in them", async () => {
  const directory = recorded("format-1-stopped")
  const first = await start(directory, options)
  await first.persist(base(4, 1))
  await first.close()
  // None of format 1 can be the first but number 1.
  expect(formatsIn(directory)).toEqual([1, 1, 1, 3])
  expect(await found(directory)).toMatchObject({ admitted: true, base: position(4, 1), entries: entries.slice(4) })
  const second = await start(directory, options)
  await second.persist(append(...filler(8, 9).map((entry) => ({ ...entry, term: hardState!.currentTerm }))))
  await second.persist(base(7, 3))
  await second.close()
  expect(formatsIn(directory)).toEqual([3])
  expect(await found(directory)).toMatchObject({ hardState, admitted: true, base: position(7, 3) })
})

test("a format that is not known is refused, and nothing is changed", async () => {
  for (const version of [0, 4, 0xffff_ffff]) {
    const directory = newDirectory()
    await (await start(directory)).close()
    const file = path.join(directory, Segment.nameOf(1))
    bend(file, (bytes) => {
      const header = { number: 1, firstSequence: 1, mark: 1, owner: 1, beginning: undefined }
      Segment.encodeHeader(header, 0, version).copy(bytes)
      return bytes
    })
    const before = fs.readFileSync(file)
    const error = await startFailing(directory)
    expect([error.reason, error.message]).toEqual([
      "UnknownFormat",
      `${file} has format ${version}, and this version of Balsa knows formats up to 3. Start a newer version on it; nothing was changed.`
    ])
    expect(fs.readFileSync(file).equals(before)).toBe(true)
  }
})
