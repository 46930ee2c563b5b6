/** Messages of the core in datagrams, which have a largest size. */
import { describe, expect, test } from "vitest"
import { commandCodec } from "../../src/course/CourseMachine.ts"
import * as PeerPayload from "../../src/course/PeerPayload.ts"
import { raftOptions } from "../../src/course/CourseOptions.ts"
import { maxDatagramBytes } from "../../src/course/CourseMessage.ts"
import * as Wire from "../../src/course/Wire.ts"
import { ClusterTime, Index, origin, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Message } from "../../src/raft/Message.ts"

const request = { replica: ReplicaId("0000"), incarnation: 1, sequence: 1 }
const append = (values: ReadonlyArray<string>): Message<Uint8Array> => ({
  _tag: "AppendEntries",
  term: Term(1),
  prev: origin,
  entries: values.map((value, at) => ({
    index: Index(at + 1),
    term: Term(1),
    payload: {
      _tag: "Command",
      request,
      time: ClusterTime(0),
      command: commandCodec.encode({ client: "0010", mid: "m", key: "", value }, 1)!
    }
  })),
  leaderCommit: Index(0),
  round: 0
})
const bytesOf = (payload: string): number =>
  Buffer.byteLength(JSON.stringify(Wire.peer({ id: "0000", leader: "0000" }, "0001", payload, 2 ** 50)))

describe("messages", () => {
  test("come back as they were", () => {
    const messages = [append(["a", "b"]), append([])]
    const [payload, ...others] = PeerPayload.encode(messages)
    expect(others).toEqual([])
    const decoded = PeerPayload.decode(payload!)
    expect(decoded.map(({ _tag }) => _tag)).toEqual(["AppendEntries", "AppendEntries"])
    expect(PeerPayload.encode(decoded)).toEqual([payload])
  })

  test("that do not fit into one datagram go in several, none of them too large", () => {
    const large = append(Array.from({ length: 6 }, () => "v".repeat(4000)))
    const payloads = PeerPayload.encode(Array.from({ length: 5 }, () => large))
    expect(payloads.length).toBeGreaterThan(1)
    expect(payloads.flatMap(PeerPayload.decode).length).toBe(5)
    for (const payload of payloads) expect(bytesOf(payload)).toBeLessThanOrEqual(maxDatagramBytes)
  })

  test("the largest append that the options allow fits into one", () => {
    const worst = "\u0001".repeat(Wire.maxPutLength)
    const bytes = commandCodec.encode({ client: "0010", mid: "m".repeat(16), key: "", value: worst }, 1)!.length
    expect(bytes).toBeLessThan(raftOptions.maxAppendBytes!)
    const most = append(Array.from({ length: raftOptions.maxAppendEntries! }, () => "v".repeat(400)))
    expect(PeerPayload.encode([most]).length).toBe(1)
    expect(PeerPayload.encode([append([worst])]).length).toBe(1)
  })

  test("of clients' commands are not forwarded: clients are sent to the leader themselves", () => {
    expect(PeerPayload.encode([{ _tag: "Forward", term: Term(1), requests: [] }])).toEqual([])
  })

  test.each(["", "!", "AAAA", "AwEA"])("%j says none", (payload) => {
    expect(PeerPayload.decode(payload)).toEqual([])
  })
})
