/** Records come back as they were written, and no bytes at all make reading them fail badly. */
import { expect, test } from "vitest"
import { Reader, Writer } from "../../src/codec/Bytes.ts"
import { readRecord, type StoredChange, writeRecord } from "../../src/codec/LogRecordCodec.ts"
import { configuration } from "./MessageSamples.ts"
import { ClusterTime, Index, type LogEntry, ReplicaId, Term } from "../../src/raft/LogEntry.ts"

const noOp: LogEntry<Uint8Array> = { index: Index(7), term: Term(3), payload: { _tag: "NoOp" } }
const command = {
  index: Index(8),
  term: Term(2 ** 53 - 1),
  payload: {
    _tag: "Command",
    request: { replica: ReplicaId("ünïcode"), incarnation: 2, sequence: 9 },
    time: ClusterTime(2 ** 41),
    command: Buffer.from([0, 1, 255])
  }
} as const satisfies LogEntry<Uint8Array>
const request = { replica: ReplicaId("B"), incarnation: 3, sequence: 4 }
const members: LogEntry<Uint8Array> = {
  index: Index(9),
  term: Term(2 ** 53 - 1),
  payload: { _tag: "Configuration", configuration, request }
}
const version: LogEntry<Uint8Array> = {
  index: Index(10),
  term: Term(2 ** 53 - 1),
  payload: { _tag: "Version", version: 2, ceiling: 7, request: undefined }
}
const hardState = { currentTerm: Term(2 ** 40), votedFor: ReplicaId("B") }

const base = { index: Index(2 ** 33), term: Term(2) }

const change = (parts: Partial<StoredChange>): StoredChange => ({
  _tag: "Persist",
  hardState: undefined,
  admitted: undefined,
  base: undefined,
  keeps: false,
  log: undefined,
  ...parts
})

const samples: ReadonlyArray<StoredChange> = [
  change({}),
  change({ hardState }),
  change({ hardState: { currentTerm: Term(1), votedFor: undefined } }),
  change({ log: { from: Index(5), entries: [] } }),
  change({ hardState, log: { from: Index(7), entries: [noOp, command] } }),
  change({ admitted: false }),
  change({ admitted: true, base, keeps: true }),
  change({ base }),
  change({ hardState, admitted: true, base, keeps: true, log: { from: Index(7), entries: [noOp, command] } }),
  change({ log: { from: Index(7), entries: [noOp, command, members, version] } })
]

const encode = (record: StoredChange): Buffer => {
  const writer = new Writer(1)
  writeRecord(writer, record)
  return writer.finish()
}

const decode = (bytes: Uint8Array): StoredChange | undefined => {
  const reader = new Reader(bytes)
  const record = readRecord(reader)
  return reader.done ? record : undefined
}

test.each(samples)("sample %#: there and back", (sample) => {
  expect(decode(encode(sample))).toEqual(sample)
})

/** Commands had no time before format 3. */
const unstamped = (record: StoredChange): StoredChange =>
  change({
    ...record,
    log: record.log && {
      ...record.log,
      entries: [noOp, { ...command, payload: { ...command.payload, time: ClusterTime(0) } }]
    }
  })

test("a recorded sample of format 1", () => {
  expect(
    decode(
      Buffer.from(
        "03000000000001000001010000004207000000000000000200000007000000000000000300000000000000000800000000000000ffffffffffff1f00010900" +
          "0000c3bc6ec3af636f6465020000000000000009000000000000000300000000" +
          "01ff",
        "hex"
      )
    )
  ).toEqual(unstamped(samples[4]!))
})

test("a recorded sample of format 2", () => {
  expect(
    decode(
      Buffer.from(
        "1f00000000000100000101000000420100000000020000000200000000000000070000000000000002000000070000000000000003000000000000000008" +
          "00000000000000ffffffffffff1f000109000000c3bc6ec3af636f646502000000000000000900000000000000030000000001ff",
        "hex"
      )
    )
  ).toEqual(unstamped(samples[8]!))
})

test("a recorded sample of format 3", () => {
  expect(encode(samples[9]!).toString("hex")).toBe(
    "0207000000000000000400000007000000000000000300000000000000000800000000000000ffffffffffff1f00020000000000020000" +
      "09000000c3bc6ec3af636f646502000000000000000900000000000000030000000001ff0900000000000000ffffffffffff1f00030101" +
      "00000042030000000000000004000000000000000200000001000000410100000042020000000100000042010000004301010000000100" +
      "0000440101000000010000004206000000623a373030300a00000000000000ffffffffffff1f0004000200000000000000010700000000" +
      "000000"
  )
})

test("the log cannot hold a base that there is not", () => {
  expect(decode(Buffer.from([16]))).toBe(undefined)
  expect(decode(Buffer.from([32]))).toBe(undefined)
  expect(decode(Buffer.from([4, 2]))).toBe(undefined)
})

test("every truncation is no record, and neither is anything longer", () => {
  for (const sample of samples) {
    const bytes = encode(sample)
    for (let length = 0; length < bytes.length; length++) expect(decode(bytes.subarray(0, length))).toBe(undefined)
    expect(decode(Buffer.concat([bytes, Buffer.from([0])]))).toBe(undefined)
  }
})

test("every flipped bit gives another record or none, never an exception", () => {
  for (const sample of samples) {
    const bytes = encode(sample)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const bent = Buffer.from(bytes)
      bent[bit >> 3]! ^= 1 << (bit & 7)
      const record = decode(bent)
      expect(record !== undefined && encode(record).equals(bytes)).toBe(false)
    }
  }
})

test("a count that promises more than there is reads nothing", () => {
  const bytes = encode(samples[3]!)
  bytes.writeUInt32LE(0xffff_ffff, bytes.length - 4)
  expect(decode(bytes)).toBe(undefined)
})
