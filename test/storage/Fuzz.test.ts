/**
 * Bytes that nobody wrote: cut, bent and random ones. What a damaged directory may load to is told exactly:
 *
 *   - damage to the last record of the last segment loses that record, which looks like an interrupted write;
 *   - damage to bytes that hold nothing (the zeros behind the last record of a segment) loses nothing;
 *   - any other flipped bit, and any file shorter than it was made, is refused.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, test } from "vitest"
import { Reader } from "../../src/codec/Bytes.ts"
import { readRecord } from "../../src/codec/LogRecordCodec.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import { Damage } from "../../src/storage/DiskError.ts"
import * as LogRecord from "../../src/storage/LogRecord.ts"
import * as Recovery from "../../src/storage/Recovery.ts"
import * as Replay from "../../src/storage/Replay.ts"
import * as Segment from "../../src/storage/Segment.ts"
import { StorageError } from "../../src/storage/Storage.ts"
import { append, base, command, image, newDirectory, noOp, recordsOf, segmentPath, start, vote } from "./Fixture.ts"

const owner = Segment.ownerOf("harbour", ReplicaId("A"))

/** What the log in a directory amounts to, or that it is refused with words of ours. */
const load = (directory: string): unknown => {
  const loading = Recovery.begin()
  try {
    for (const _ of Recovery.read(loading, Recovery.segmentsIn(directory), owner));
  } catch (error) {
    if (error instanceof Damage || error instanceof StorageError) return "refused"
    throw error
  }
  const { hardState, admitted, base: before } = loading.replay.outline
  return { hardState, admitted, base: before, entries: Replay.entriesOf(loading.replay) }
}

/** Segments 2 to 4 of a log with everything in it, as a kill leaves them; and the same without its last record. */
const sample = async (): Promise<{
  readonly directory: string
  readonly whole: unknown
  readonly without: unknown
}> => {
  const directory = newDirectory()
  const storage = await start(directory, { segmentBytes: 360 })
  await storage.persist({ ...vote(2, "B"), admitted: true })
  for (let i = 1; i <= 8; i++) await storage.persist(append(command(i, 2, Buffer.alloc(30, 0x80 + i))))
  await storage.persist({ ...base(3, 2), ...vote(3), log: append(noOp(8, 3), noOp(9, 3)).log, base: base(3, 2).base })
  const without = load(directory)
  await storage.persist(append(command(10, 3, Buffer.from([255]))))
  const killed = image(directory)
  // The base makes the first segment useless; a restart removes it.
  const again = await start(killed, { segmentBytes: 360 })
  const stopped = image(killed)
  await again.close()
  return { directory: stopped, whole: load(stopped), without }
}

test("every flipped bit of every segment", async () => {
  const { directory, whole, without } = await sample()
  expect(whole).not.toEqual(without)
  const files = fs.readdirSync(directory).filter((name) => Segment.numberOf(name) !== undefined)
  expect(files.length).toBeGreaterThanOrEqual(3)
  expect(files).not.toContain(Segment.nameOf(1))
  const wholeText = JSON.stringify(whole)
  const withoutText = JSON.stringify(without)
  const tally = { refused: 0, without: 0, whole: 0 }
  for (const name of files) {
    const file = path.join(directory, name)
    const bytes = fs.readFileSync(file)
    const records = recordsOf(file)
    const last = name === files.at(-1) ? records.at(-1)! : { start: bytes.length, end: bytes.length }
    const written = records.at(-1)!.end
    const fd = fs.openSync(file, "r+")
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const at = bit >> 3
      fs.writeSync(fd, Buffer.from([bytes[at]! ^ (1 << (bit & 7))]), 0, 1, at)
      const found = JSON.stringify(load(directory))
      const expected = at >= written ? "whole" : at >= last.start ? "without" : "refused"
      const texts = { whole: wholeText, without: withoutText, refused: '"refused"' }
      if (found !== texts[expected]) expect([name, bit, found]).toEqual([name, bit, texts[expected]])
      tally[expected]++
      fs.writeSync(fd, bytes, at, 1, at)
    }
    fs.closeSync(fd)
  }
  expect(load(directory)).toEqual(whole)
  expect(Math.min(tally.refused, tally.without, tally.whole)).toBeGreaterThan(100)
})

test("every truncation of every segment, and every segment missing", async () => {
  const { directory, whole } = await sample()
  const files = fs.readdirSync(directory).filter((name) => Segment.numberOf(name) !== undefined)
  for (const name of files) {
    const file = path.join(directory, name)
    const bytes = fs.readFileSync(file)
    for (let length = 0; length < bytes.length; length++) {
      fs.writeFileSync(file, bytes.subarray(0, length))
      expect([name, length, load(directory)]).toEqual([name, length, "refused"])
    }
    fs.rmSync(file)
    // The last one is the exception: nothing tells that there was another one.
    if (name === files.at(-1)) expect(load(directory)).not.toEqual(whole)
    else expect(load(directory)).toBe("refused")
    fs.writeFileSync(file, bytes)
  }
  expect(load(directory)).toEqual(whole)
})

/** Numbers with the same sequence for the same seed (mulberry32). */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const inputs = 500_000

test("random bytes, and records with random changes, give a record or none, and nothing that was not there", () => {
  const next = random(4)
  const samples = [
    { ...vote(3, "B"), keeps: false, log: append(command(1, 3, Buffer.from("hi")), noOp(2, 3)).log },
    { ...base(9, 3), keeps: true, admitted: true, log: append(noOp(10, 3)).log }
  ].map((change) => new LogRecord.RecordWriter().encode(change, 5))
  const most = 128
  const buffer = Buffer.alloc(most)
  let decoded = 0
  for (let i = 0; i < 2 * inputs; i++) {
    const isRandom = i % 2 === 0
    const from = samples[(i >> 1) % samples.length]!
    const length = isRandom ? LogRecord.headerBytes + next(24) : from.length - (next(4) === 0 ? next(from.length) : 0)
    if (isRandom) for (let at = 0; at < length; at += 4) buffer.writeUInt32LE(next(0x1_0000_0000), at)
    else from.copy(buffer)
    // Flags that are known lead further into the decoder.
    if (isRandom) buffer[LogRecord.headerBytes] = next(40)
    for (let changes = isRandom ? 0 : 1 + next(3); changes > 0; changes--) {
      buffer[LogRecord.headerBytes + next(from.length - LogRecord.headerBytes)] = next(256)
    }
    const bytes = buffer.subarray(0, length)
    const change = LogRecord.decode(bytes)
    if (change === undefined) continue
    decoded++
    const { votedFor } = change.hardState ?? {}
    let held = votedFor === undefined ? 0 : votedFor.length
    for (const { payload } of change.log?.entries ?? [])
      held += 17 + (payload._tag === "Command" ? payload.command.length : 0)
    if (held > length) expect(held).toBeLessThanOrEqual(length)
  }
  // Both outcomes were seen often.
  expect(decoded).toBeGreaterThan(inputs / 100)
  expect(decoded).toBeLessThan(2 * inputs)
})

test("a length that the input does not have allocates nothing", () => {
  const bytes = new LogRecord.RecordWriter().encode({ ...append(noOp(1, 1), noOp(2, 1)), keeps: false }, 1)
  const countAt = LogRecord.headerBytes + 1 + 8
  bytes.writeUInt32LE(0xffff_ffff, countAt)
  const reader = new Reader(bytes, LogRecord.headerBytes)
  expect(readRecord(reader).log?.entries).toEqual([])
  expect(reader.failed).toBe(true)
  const text = new LogRecord.RecordWriter().encode({ ...vote(1, "B"), keeps: false }, 1)
  text.writeUInt32LE(0xffff_ffff, text.length - 5)
  const other = new Reader(text, LogRecord.headerBytes)
  expect([readRecord(other).hardState?.votedFor, other.failed]).toEqual(["", true])
})

test("random bytes as a segment are refused in words of ours", async () => {
  const { directory } = await sample()
  const next = random(7)
  const file = segmentPath(directory, 3)
  for (let i = 0; i < 300; i++) {
    const bytes = fs.readFileSync(file)
    const length = next(400)
    const junk = Buffer.from(Array.from({ length }, () => next(256)))
    if (next(2) === 0) bytes.copy(junk, 0, 0, Math.min(length, 64))
    fs.writeFileSync(file, junk)
    expect(load(directory)).toBe("refused")
    fs.writeFileSync(file, bytes)
  }
})
