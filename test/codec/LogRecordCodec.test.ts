/** Records come back as they were written, and no bytes at all make reading them fail badly. */
import { expect, test } from "vitest"
import { Reader, Writer } from "../../src/codec/Bytes.ts"
import { readRecord, writeRecord } from "../../src/codec/LogRecordCodec.ts"
import { Index, type LogEntry, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Persist } from "../../src/raft/RaftEffect.ts"

const noOp: LogEntry<Uint8Array> = { index: Index(7), term: Term(3), payload: { _tag: "NoOp" } }
const command: LogEntry<Uint8Array> = {
  index: Index(8),
  term: Term(2 ** 53 - 1),
  payload: {
    _tag: "Command",
    request: { replica: ReplicaId("ünïcode"), incarnation: 2, sequence: 9 },
    command: Buffer.from([0, 1, 255])
  }
}
const hardState = { currentTerm: Term(2 ** 40), votedFor: ReplicaId("B") }

const samples: ReadonlyArray<Persist<Uint8Array>> = [
  { _tag: "Persist", hardState: undefined, log: undefined },
  { _tag: "Persist", hardState, log: undefined },
  { _tag: "Persist", hardState: { currentTerm: Term(1), votedFor: undefined }, log: undefined },
  { _tag: "Persist", hardState: undefined, log: { from: Index(5), entries: [] } },
  { _tag: "Persist", hardState, log: { from: Index(7), entries: [noOp, command] } }
]

const encode = (record: Persist<Uint8Array>): Buffer => {
  const writer = new Writer(1)
  writeRecord(writer, record)
  return writer.finish()
}

const decode = (bytes: Uint8Array): Persist<Uint8Array> | undefined => {
  const reader = new Reader(bytes)
  const record = readRecord(reader)
  return reader.done ? record : undefined
}

test.each(samples)("sample %#: there and back", (sample) => {
  expect(decode(encode(sample))).toEqual(sample)
})

test("a recorded sample of format 1", () => {
  expect(encode(samples[4]!).toString("hex")).toBe(
    "03000000000001000001010000004207000000000000000200000007000000000000000300000000000000000800000000000000ffffffffffff1f00010900" +
      "0000c3bc6ec3af636f6465020000000000000009000000000000000300000000" +
      "01ff"
  )
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
