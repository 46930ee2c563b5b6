/** A full segment is followed by a new one, and a crash at any step of that loses nothing. */
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Identity from "../../src/storage/Identity.ts"
import { blank } from "../../src/storage/Outline.ts"
import * as Segment from "../../src/storage/Segment.ts"
import {
  optionsFor,
  append,
  bend,
  command,
  found,
  image,
  newDirectory,
  noOp,
  recordsOf,
  segmentPath,
  start,
  startFailing
} from "./Fixture.ts"

const entries = Array.from({ length: 7 }, (_, i) => command(i + 1, 1, Buffer.alloc(1000, i)))

/** Two full segments, and a third with one record; all as a kill leaves it. */
const killed = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  for (const entry of entries) await storage.persist(append(entry))
  return image(directory)
}

const expectGoesOn = async (directory: string, expected: ReadonlyArray<unknown>): Promise<void> => {
  const storage = await start(directory)
  expect(storage.recovered.entries).toEqual(expected)
  expect(storage.warnings).toEqual([])
  const next = noOp(expected.length + 1, 2)
  await storage.persist(append(next))
  await storage.close()
  expect((await found(directory)).entries).toEqual([...expected, next])
}

test("records never span segments", async () => {
  const directory = await killed()
  expect([1, 2, 3].map((n) => recordsOf(segmentPath(directory, n)).length)).toEqual([3, 3, 1])
  expect(fs.statSync(segmentPath(directory, 3)).size).toBe(4096)
  await expectGoesOn(directory, entries)
})

test("a crash while the next segment is being made", async () => {
  const directory = await killed()
  const third = fs.readFileSync(segmentPath(directory, 3))
  fs.rmSync(segmentPath(directory, 3))
  for (const length of [0, 1, 63, 64, 65, 4095, 4096]) {
    const copy = image(directory)
    fs.writeFileSync(`${segmentPath(copy, 3)}.tmp`, third.subarray(0, length))
    await expectGoesOn(copy, entries.slice(0, 6))
    expect(fs.readdirSync(copy).filter((name) => name.endsWith(".tmp"))).toEqual([])
  }
})

test("a crash after the next segment was made, before or while its first record was written", async () => {
  const directory = await killed()
  const [first] = recordsOf(segmentPath(directory, 3))
  for (const length of [first!.start, first!.start + 1, first!.start + 36, first!.end - 1]) {
    const copy = image(directory)
    bend(segmentPath(copy, 3), (bytes) => bytes.fill(0, length))
    const storage = await start(copy)
    expect(storage.recovered.entries).toEqual(entries.slice(0, 6))
    await storage.persist(append(entries[6]!))
    expect((await found(image(copy))).entries).toEqual(entries)
  }
})

test("a segment that appeared with a broken header is refused, not skipped", async () => {
  const directory = await killed()
  bend(segmentPath(directory, 3), () => Buffer.alloc(4096))
  expect((await startFailing(directory)).message).toContain(`${segmentPath(directory, 3)} is damaged at offset 0`)
})

test("a crash while the identity was being replaced", async () => {
  const directory = await killed()
  fs.writeFileSync(path.join(directory, "identity.tmp"), '{"format":1,"clus')
  await expectGoesOn(directory, entries)
})

test("a crash at any step of the first start", async () => {
  const directory = newDirectory()
  fs.writeFileSync(path.join(directory, "identity.tmp"), "{")
  await expectGoesOn(image(directory), [])
  const { cluster, replica, voters } = optionsFor(directory)
  await Identity.write(directory, { cluster, replica, voters: voters.toSorted(), incarnation: 0 })
  await expectGoesOn(image(directory), [])
  const owner = Segment.ownerOf("harbour", ReplicaId("A"))
  const header = { number: 1, firstSequence: 1, mark: 1, owner, beginning: blank }
  fs.writeFileSync(`${segmentPath(directory)}.tmp`, Segment.encodeHeader(header).subarray(0, 10))
  await expectGoesOn(image(directory), [])
  await (await Segment.create(directory, header, 4096)).file.close()
  await expectGoesOn(directory, [])
})

test("a record larger than a segment gets one of its own size", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  const large = command(2, 1, Buffer.alloc(3_000_000, 7))
  await storage.persist(append(noOp(1, 1)))
  await storage.persist(append(large))
  await storage.persist(append(noOp(3, 1)))
  const crashed = image(directory)
  expect(fs.statSync(segmentPath(crashed, 2)).size).toBe(recordsOf(segmentPath(crashed, 2))[0]!.end)
  const { entries: kept } = await found(crashed)
  expect(kept.length).toBe(3)
  expect(kept[1]).toEqual(large)
})

test("a first record that is too large for the first segment leaves that one empty", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  const large = command(1, 1, Buffer.alloc(10_000, 7))
  await storage.persist(append(large))
  await expectGoesOn(image(directory), [large])
})

test("a smaller or larger segment size may be chosen later", async () => {
  const directory = await killed()
  for (const segmentBytes of [64 * 1024, 512, 8192]) {
    const storage = await start(directory, { segmentBytes })
    const { length } = storage.recovered.entries
    for (let i = 1; i <= 5; i++) await storage.persist(append(command(length + i, 1, Buffer.alloc(300, i))))
    await storage.close()
  }
  expect((await found(directory)).entries.length).toBe(entries.length + 15)
})
