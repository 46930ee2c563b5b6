/** The bytes of the formats, recorded: a change to them needs a new version that still reads these. */
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as LogRecord from "../../src/storage/LogRecord.ts"
import * as Segment from "../../src/storage/Segment.ts"
import { append, command, position, vote } from "./Fixture.ts"

const mark = 0x0403_0201

const decoded = (bytes: Buffer) => Segment.decodeHeader((offset, length) => bytes.subarray(offset, offset + length))
const change = { ...vote(3, "B"), keeps: false, log: append(command(1, 3, Buffer.from("hi"))).log }

test("a record", () => {
  const record = new LogRecord.RecordWriter().encode(change, 5)
  LogRecord.seal(record, mark)
  expect(record.toString("hex")).toBe(
    "01020304e1a9b50c4f000000050000000000000003030000000000000001010000004201000000000000000100000001000000000000000300000000000000020000000000000000010000004101000000000000000100000000000000020000006869"
  )
  // As formats 1 and 2 had it: a command without its time.
  expect(
    LogRecord.decode(
      Buffer.from(
        "01020304f9050fea4700000005000000000000000303000000000000000101000000420100000000000000010000000100000000000000030000000000000001010000004101000000000000000100000000000000020000006869",
        "hex"
      )
    )
  ).toEqual(change)
  expect([LogRecord.lengthOf(record, mark), LogRecord.isWhole(record, mark), LogRecord.sequenceOf(record)]).toEqual([
    record.length,
    true,
    5
  ])
  expect(LogRecord.decode(record)).toEqual(change)
})

test("records are made in memory of their own, however large the pool is that Node cuts small buffers from", () => {
  const { poolSize } = Buffer
  Buffer.poolSize = 1024 * 1024
  try {
    const records = new LogRecord.RecordWriter()
    const encode = (bytes: number): Buffer =>
      records.encode({ ...change, log: append(command(1, 3, Buffer.alloc(bytes, 1))).log }, 5)
    encode(21_000)
    const others = Array.from({ length: 40 }, (_, at) => Buffer.from("x".repeat(at + 1)))
    for (const bytes of [28_000, 63_000, 100_000, 200_000, 400_000]) encode(bytes)
    expect(others.map(String)).toEqual(others.map((_, at) => "x".repeat(at + 1)))
    expect(encode(1000).buffer).toBe(encode(1000).buffer)
  } finally {
    Buffer.poolSize = poolSize
  }
})

test("a segment's header", () => {
  const header = { number: 2, firstSequence: 5, mark, owner: Segment.ownerOf("harbour", ReplicaId("A")) }
  const first = { ...header, beginning: undefined }
  expect(Segment.encodeHeader(first).toString("hex")).toBe(
    "42414c53414c4f47010000000102030402000000000000000500000000000000e5762ca40000000000000000000000000000000000000000000000003906d48b"
  )
  expect(decoded(Segment.encodeHeader(first))).toEqual({ ...first, version: 1, bytes: 64, capacity: 0 })
  const { hardState } = vote(3, "B")
  const beginning = { hardState: hardState!, admitted: true, base: position(7, 2), last: position(9, 3) }
  const bytes = Segment.encodeHeader({ ...header, beginning }, 4096)
  const known = { ...header, beginning, bytes: bytes.length, capacity: 4096 }
  expect(bytes.toString("hex")).toBe(
    "42414c53414c4f47030000000102030402000000000000000500000000000000e5762ca430000000c8e4feac001000000000000000000000000000002e68ac390d0300000000000000010100000042010700000000000000020000000000000009000000000000000300000000000000"
  )
  expect(decoded(bytes)).toEqual({ ...known, version: 3 })
  const format2 = Buffer.from(
    "42414c53414c4f47020000000102030402000000000000000500000000000000e5762ca430000000c8e4feac0010000000000000000000000000000023946050" +
      "0d0300000000000000010100000042010700000000000000020000000000000009000000000000000300000000000000",
    "hex"
  )
  expect(decoded(format2)).toEqual({ ...known, version: 2 })
})

test("a header of which a byte is missing or wrong", () => {
  const beginning = { hardState: vote(3, "B").hardState!, admitted: true, base: position(7, 2), last: position(9, 3) }
  const bytes = Segment.encodeHeader({ number: 2, firstSequence: 5, mark, owner: 1, beginning })
  for (let length = 0; length < bytes.length; length++) {
    expect(decoded(bytes.subarray(0, length))).toEqual({ _tag: "Damaged" })
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const bent = Buffer.from(bytes)
    bent[bit >> 3]! ^= 1 << (bit & 7)
    expect(decoded(bent)).toEqual({ _tag: "Damaged" })
  }
})

test("segments have names that sort", () => {
  expect(Segment.nameOf(1)).toBe("log-0000000001.wal")
  expect(Segment.numberOf(Segment.nameOf(12_345))).toBe(12_345)
  for (const name of ["log-1.wal", "log-0000000001.wal.tmp", "log-000000000x.wal", "identity"]) {
    expect(Segment.numberOf(name)).toBe(undefined)
  }
})

test("no byte of a mark is zero", () => {
  for (let i = 0; i < 1000; i++) {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(LogRecord.newMark())
    expect(bytes.includes(0)).toBe(false)
  }
})
