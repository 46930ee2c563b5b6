/** Configurations and amendments come back as they were; equal ones give equal bytes, and no bytes make reading fail badly. */
import { expect, test } from "vitest"
import { Reader, Writer } from "../../src/codec/Bytes.ts"
import {
  readAmendment,
  readConfiguration,
  writeAmendment,
  writeConfiguration
} from "../../src/codec/ConfigurationCodec.ts"
import { readEntry, writeEntry } from "../../src/codec/LogEntryCodec.ts"
import type { Configuration } from "../../src/raft/Configuration.ts"
import { ClusterTime, Index, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import { configuration, randomAmendment, randomConfiguration, randomPayload, seeded } from "./MessageSamples.ts"

const bytesOf = <A>(write: (to: Writer, value: A) => void, value: A): Buffer => {
  const writer = new Writer(1)
  write(writer, value)
  return writer.finish()
}
const back = <A>(read: (from: Reader) => A, bytes: Uint8Array): A | undefined => {
  const reader = new Reader(bytes)
  const value = read(reader)
  return reader.done ? value : undefined
}

test("there and back, with no byte less or more", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const chance = seeded(seed)
    const one = randomConfiguration(chance)
    const bytes = bytesOf(writeConfiguration, one)
    expect(back(readConfiguration, bytes)).toEqual(one)
    for (let length = 0; length < bytes.length; length++) {
      expect(back(readConfiguration, bytes.subarray(0, length))).toBe(undefined)
    }
    expect(back(readConfiguration, Buffer.concat([bytes, Buffer.alloc(1)]))).toBe(undefined)
    const amendment = randomAmendment(chance)
    const asked = bytesOf(writeAmendment, amendment)
    expect(back(readAmendment, asked)).toEqual(amendment)
    for (let length = 0; length < asked.length; length++) {
      expect(back(readAmendment, asked.subarray(0, length))).toBe(undefined)
    }
  }
})

test("what it is called in another order is the same", () => {
  const reversed: Configuration = {
    ...configuration,
    voters: configuration.voters.toReversed(),
    outgoing: configuration.outgoing.toReversed()
  }
  expect(bytesOf(writeConfiguration, reversed)).toEqual(bytesOf(writeConfiguration, configuration))
})

test("who is named twice, and names out of order, are refused", () => {
  const [a, b] = ["A", "B"].map((id) => Buffer.from([1, 0, 0, 0, id.charCodeAt(0)]))
  const count = Buffer.from([2, 0, 0, 0])
  const rest = Buffer.alloc(13)
  expect(back(readConfiguration, Buffer.concat([count, a!, b!, rest]))).toMatchObject({ voters: ["A", "B"] })
  expect(back(readConfiguration, Buffer.concat([count, a!, a!, rest]))).toBe(undefined)
  expect(back(readConfiguration, Buffer.concat([count, b!, a!, rest]))).toBe(undefined)
})

test("every flipped bit gives another one or none, never an exception", () => {
  const bytes = bytesOf(writeConfiguration, configuration)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const bent = Buffer.from(bytes)
    bent[bit >> 3]! ^= 1 << (bit & 7)
    expect(back(readConfiguration, bent)).not.toEqual(configuration)
  }
})

test("a kind of amendment or change that there is not is refused", () => {
  for (const kind of [0, 3, 255]) expect(back(readAmendment, Buffer.from([kind, 0]))).toBe(undefined)
  const one = (kind: number) => Buffer.from([1, 0, 0, 1, 0, 0, 0, kind, 1, 0, 0, 0, 65])
  expect(back(readAmendment, one(4))).toMatchObject({ changes: [{ _tag: "Remove", id: "A" }] })
  for (const kind of [0, 7, 255]) expect(back(readAmendment, one(kind))).toBe(undefined)
})

test("entries of every kind come back", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const entry = { index: Index(seed), term: Term(3), payload: randomPayload(seeded(seed)) }
    expect(back(readEntry, bytesOf(writeEntry, entry))).toEqual(entry)
  }
})

test("a command of before there was a time has none: it is 0", () => {
  const request = { replica: ReplicaId("A"), incarnation: 1, sequence: 2 }
  const stamped = { _tag: "Command", request, time: ClusterTime(7), command: Buffer.from("x") } as const
  const bytes = bytesOf(writeEntry, { index: Index(1), term: Term(1), payload: stamped })
  const older = Buffer.concat([bytes.subarray(0, 16), Buffer.from([1]), bytes.subarray(25)])
  expect(back(readEntry, older)?.payload).toEqual({ ...stamped, time: 0 })
})

test("a kind of entry that there is not is refused", () => {
  for (const kind of [5, 255]) {
    expect(back(readEntry, Buffer.concat([Buffer.alloc(16, 1), Buffer.from([kind])]))).toBe(undefined)
  }
})
