/** The bytes of format 1, recorded: a change to them needs a new version that still reads these. */
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as LogRecord from "../../src/storage/LogRecord.ts"
import * as Segment from "../../src/storage/Segment.ts"
import { append, command, vote } from "./Fixture.ts"

const mark = 0x0403_0201
const change = { ...vote(3, "B"), log: append(command(1, 3, Buffer.from("hi"))).log }

test("a record", () => {
  const record = LogRecord.encode(change, 5)
  LogRecord.seal(record, mark)
  expect(record.toString("hex")).toBe(
    "01020304f9050fea4700000005000000000000000303000000000000000101000000420100000000000000010000000100000000000000030000000000000001010000004101000000000000000100000000000000020000006869"
  )
  expect([LogRecord.lengthOf(record, mark), LogRecord.isWhole(record, mark), LogRecord.sequenceOf(record)]).toEqual([
    record.length,
    true,
    5
  ])
  expect(LogRecord.decode(record)).toEqual(change)
})

test("a segment's header", () => {
  const header = { number: 2, firstSequence: 5, mark, owner: Segment.ownerOf("harbour", ReplicaId("A")) }
  expect(Segment.encodeHeader(header).toString("hex")).toBe(
    "42414c53414c4f47010000000102030402000000000000000500000000000000e5762ca40000000000000000000000000000000000000000000000003906d48b"
  )
  expect(Segment.decodeHeader(Segment.encodeHeader(header))).toEqual(header)
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
