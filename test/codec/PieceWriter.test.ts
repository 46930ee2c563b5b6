/** Frames in pieces say byte for byte what a frame of one piece says, and copy nothing that is large. */
import { assert, describe, it } from "@effect/vitest"
import * as Frame from "../../src/codec/Frame.ts"
import * as MessageCodec from "../../src/codec/MessageCodec.ts"
import * as MessageSize from "../../src/codec/MessageSize.ts"
import { PieceWriter, worthSharing } from "../../src/codec/PieceWriter.ts"
import { ClusterTime, Index, type LogEntry, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { AppendEntries, Message } from "../../src/raft/Message.ts"
import * as LogRecord from "../../src/storage/LogRecord.ts"

const entry = (index: number, command: Uint8Array): LogEntry<Uint8Array> => {
  const request = { replica: ReplicaId("A"), incarnation: 1, sequence: index }
  return { index: Index(index), term: Term(1), payload: { _tag: "Command", request, time: ClusterTime(7), command } }
}

const filled = (bytes: number, index: number): Uint8Array => Buffer.alloc(bytes, index)

const entriesOf = (...bytes: ReadonlyArray<number>): ReadonlyArray<LogEntry<Uint8Array>> =>
  bytes.map((length, i) => entry(i + 1, filled(length, i + 1)))

const appending = (entries: ReadonlyArray<LogEntry<Uint8Array>>, round = 1): AppendEntries<Uint8Array> => ({
  _tag: "AppendEntries",
  term: Term(1),
  prev: { index: Index(0), term: Term(0) },
  leaderCommit: Index(0),
  round,
  entries
})

const piecesOf = (messages: ReadonlyArray<Message<Uint8Array>>): ReadonlyArray<Uint8Array> => {
  const writer = Frame.openPieces(16)
  MessageCodec.write(writer, messages)
  const { length } = writer
  const pieces = Frame.sealPieces(writer)
  assert.strictEqual(Buffer.concat(pieces).length, length)
  return pieces
}

const read = (frame: Uint8Array): ReadonlyArray<Message<Uint8Array>> => {
  const decoder = new Frame.FrameDecoder(1 << 24)
  decoder.push(frame)
  const payload = decoder.next()
  if (!Buffer.isBuffer(payload)) return assert.fail(`no frame: ${JSON.stringify(payload)}`)
  const decoded = MessageCodec.decode(payload)
  return decoded._tag === "Decoded" ? decoded.messages : assert.fail(decoded._tag)
}

const large = worthSharing
const sizes: ReadonlyArray<ReadonlyArray<number>> = [
  [],
  [10],
  [10, large - 1, 10],
  [large],
  [large, large],
  [1, 2 * large, 3, 4, 5 * large],
  Array.from({ length: 50 }, () => 1000),
  [...Array.from({ length: 20 }, () => 700), 100 * large, 5]
]

describe("frames in pieces", () => {
  it("are read as what was written, first or again, alone or beside others", () => {
    for (const lengths of sizes) {
      const entries = entriesOf(...lengths)
      const message = appending(entries)
      for (const messages of [
        [message],
        [message, appending(entriesOf(3), 2), message, appending(entriesOf(large, 3), 3)]
      ]) {
        const frame = Buffer.concat(piecesOf(messages))
        assert.deepStrictEqual(plain(read(frame)), plain(messages), `${lengths}`)
        const whole = Frame.open(0)
        MessageCodec.write(whole, messages)
        assert.isTrue(Frame.seal(whole).equals(frame), `${lengths}`)
      }
    }
  })

  it("hold large commands themselves, and for each follower the same bytes of many small ones", () => {
    const command = filled(large, 1)
    assert.include([...piecesOf([appending([entry(1, filled(5, 1)), entry(2, command)])])], command)
    const many = entriesOf(...Array.from({ length: 50 }, () => 1000))
    const [, first] = piecesOf([appending(many, 1)])
    const [, second] = piecesOf([appending(many, 2)])
    assert.isTrue(first!.length > 50_000)
    assert.strictEqual(first, second)
  })

  it("hold large commands of forwarded requests themselves", () => {
    const command = filled(large, 1)
    const request = { replica: ReplicaId("A"), incarnation: 1, sequence: 1 }
    assert.include([...piecesOf([{ _tag: "Forward", term: Term(1), requests: [{ request, command }] }])], command)
  })

  it("need about as much room of their own as was guessed", () => {
    for (const lengths of sizes) {
      const message = appending(entriesOf(...lengths))
      const writer = new PieceWriter()
      MessageCodec.write(writer, [message])
      const bytes = MessageSize.of(message)
      assert.isTrue(bytes >= writer.length && bytes < writer.length + 100 + 30 * lengths.length, `${lengths}`)
      assert.isTrue(
        MessageSize.ownOf(message, bytes) <= Math.min(bytes, large + 64 * (lengths.length + 1)),
        `${lengths}`
      )
    }
  })

  it("do not change with the records that come after", () => {
    for (const lengths of sizes.slice(1)) {
      const entries = entriesOf(...lengths)
      const records = new LogRecord.RecordWriter()
      const none = {
        _tag: "Persist",
        hardState: undefined,
        admitted: undefined,
        base: undefined,
        keeps: false
      } as const
      const recordOf = (some: ReadonlyArray<LogEntry<Uint8Array>>) =>
        records.encode({ ...none, log: { from: Index(1), entries: some } }, 1)
      assert.deepStrictEqual(plain(LogRecord.decode(recordOf(entries))?.log?.entries), plain(entries), `${lengths}`)
      recordOf(entriesOf(...lengths.map(() => 9000)).map((one) => ({ ...one, term: Term(9) })))
      assert.deepStrictEqual(plain(read(Buffer.concat(piecesOf([appending(entries)])))), plain([appending(entries)]))
    }
  })
})

/** Whether bytes are a view or not does not matter. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, part) => (part?.type === "Buffer" ? Buffer.from(part.data).toString("hex") : part))
  )
