/** What a directory holds is told, damaged or not, and looking at it changes nothing. */
import * as fs from "node:fs"
import * as path from "node:path"
import { Effect } from "effect"
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Inspection from "../../src/storage/Inspection.ts"
import * as Salvage from "../../src/storage/Salvage.ts"
import * as Segment from "../../src/storage/Segment.ts"
import {
  append,
  base,
  bend,
  command,
  flip,
  image,
  newDirectory,
  noOp,
  position,
  recordsOf,
  segmentPath,
  start,
  vote
} from "./Fixture.ts"

/** Segments 2 to 4 of a log that begins after index 4; there are three entries to a segment. */
const filled = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist({ ...vote(3, "B"), admitted: true })
  for (let i = 1; i <= 10; i++) await storage.persist(append(command(i, 3, Buffer.alloc(1000, i))))
  await Effect.runPromise(storage.snapshots.write(position(4, 3), [Buffer.from("four")]))
  await storage.persist(base(4, 3))
  await storage.persist(vote(5, "A"))
  await storage.close()
  return image(directory)
}

const contentsOf = (directory: string): unknown =>
  fs.readdirSync(directory).map((name) => [name, fs.readFileSync(path.join(directory, name)).toString("hex")])

const inspect = async (directory: string): Promise<Inspection.Inspection> => {
  const before = contentsOf(directory)
  const inspection = await Inspection.inspect(directory)
  expect(contentsOf(directory)).toEqual(before)
  return inspection
}

test("an undamaged directory", async () => {
  const directory = await filled()
  const report = (number: number, first: number, last: number, lowest: number, highest: number) => ({
    file: segmentPath(directory, number),
    bytes: 4096,
    number,
    format: Segment.formatVersion,
    sequences: { first, last },
    indexes: { lowest, highest },
    problem: undefined
  })
  const inspection = await inspect(directory)
  expect(inspection).toEqual({
    identity: { cluster: "harbour", replica: "A", voters: ["A", "B"], incarnation: 1 },
    segments: [report(2, 5, 7, 4, 6), report(3, 8, 10, 7, 9), report(4, 11, 14, 10, 10)],
    hardState: { currentTerm: 5, votedFor: "A" },
    admitted: true,
    base: position(4, 3),
    lastIndex: 10,
    lastTerm: 3,
    snapshots: [{ file: expect.stringContaining(directory), snapshot: expect.objectContaining({ bytes: 4 }) }],
    interruptedBytes: 0,
    problems: []
  })
})

test("an interrupted write is no problem", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(noOp(1, 1)))
  await storage.persist(append(command(2, 1, Buffer.from([255]))))
  const crashed = image(directory)
  const last = recordsOf(segmentPath(crashed)).at(-1)!
  flip(segmentPath(crashed), last.start * 8)
  expect(await inspect(crashed)).toMatchObject({ interruptedBytes: last.end - last.start, lastIndex: 1, problems: [] })
})

test("damage in the middle, in a header, and a segment that is missing: all of it is told at once", async () => {
  const directory = await filled()
  const [record] = recordsOf(segmentPath(directory, 2))
  flip(segmentPath(directory, 2), record!.start * 8)
  flip(segmentPath(directory, 4), 300)
  const { problems, segments, hardState } = await inspect(directory)
  expect(problems).toEqual([
    {
      file: segmentPath(directory, 2),
      offset: record!.start,
      found: expect.stringContaining("record 5 was expected")
    },
    { file: segmentPath(directory, 4), offset: 0, found: expect.stringContaining("a segment header was expected") }
  ])
  expect(segments.map(({ problem }) => problem?.offset)).toEqual([record!.start, undefined, 0])
  expect(segments[2]).toMatchObject({ bytes: 4096, number: undefined, format: undefined, sequences: undefined })
  // As of before the damage.
  expect(hardState).toEqual({ currentTerm: 3, votedFor: "B" })
  fs.rmSync(segmentPath(directory, 3))
  expect((await inspect(directory)).problems.map(({ file }) => file)).toContain(segmentPath(directory, 3))
})

test("what is not the log's", async () => {
  const directory = await filled()
  const without = image(directory)
  fs.rmSync(path.join(without, "identity"))
  expect((await inspect(without)).problems).toEqual([
    { file: path.join(without, "identity"), offset: 0, found: "the file is missing, while there is a log" }
  ])
  bend(path.join(directory, "identity"), (bytes) => bytes.subarray(1))
  const bent = await inspect(directory)
  expect([bent.identity, bent.problems[0]?.file, bent.lastIndex]).toEqual([
    undefined,
    path.join(directory, "identity"),
    10
  ])
  const empty = newDirectory()
  expect(await inspect(empty)).toMatchObject({
    identity: undefined,
    segments: [],
    problems: [{ offset: 0 }],
    lastIndex: 0
  })
  await expect(Inspection.inspect(path.join(empty, "no"))).rejects.toMatchObject({ reason: "Unreadable" })
})

const owner = Segment.ownerOf("harbour", ReplicaId("A"))

test("the highest term and the vote in it are found behind damage, and before it", async () => {
  const directory = await filled()
  const salvaged = (place: string) => Salvage.hardStateIn(place, owner)
  expect(salvaged(directory)).toEqual({ currentTerm: 5, votedFor: "A" })
  const records = recordsOf(segmentPath(directory, 4))
  for (const { start: at } of records.slice(0, 2)) {
    const bent = image(directory)
    flip(segmentPath(bent, 4), at * 8 + 40)
    expect(salvaged(bent)).toEqual({ currentTerm: 5, votedFor: "A" })
  }
  const header = image(directory)
  flip(segmentPath(header, 4), 8 * 40)
  expect(salvaged(header)).toEqual({ currentTerm: 5, votedFor: "A" })
  const voteless = image(directory)
  flip(segmentPath(voteless, 4), records[2]!.end * 8 - 1)
  expect(salvaged(voteless)).toEqual({ currentTerm: 3, votedFor: "B" })
  // Those of another replica are no promises of this one.
  expect(Salvage.hardStateIn(directory, owner + 1)).toEqual({ currentTerm: 0, votedFor: undefined })
})
