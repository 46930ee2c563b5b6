import { assert, describe, it } from "@effect/vitest"
import * as Frame from "../../src/codec/Frame.ts"
import * as MessageCodec from "../../src/codec/MessageCodec.ts"
import { Index, Term } from "../../src/raft/LogEntry.ts"
import type { AppendEntries, Message } from "../../src/raft/Message.ts"
import { type Chance, kinds, randomMessage, samples, seeded } from "./MessageSamples.ts"

const decoded = (bytes: Uint8Array): unknown => {
  const result = MessageCodec.decode(bytes)
  return result._tag === "Decoded" ? result.messages : result
}

const frameOf = (payload: Uint8Array): Buffer => {
  const writer = Frame.open(payload.length)
  writer.raw(payload)
  return Frame.seal(writer)
}

/** All that comes of the chunks: payloads, and the error if there was one. */
const readFrames = (chunks: ReadonlyArray<Uint8Array>, maxFrameBytes = 1 << 20) => {
  const decoder = new Frame.FrameDecoder(maxFrameBytes)
  const payloads: Array<Buffer> = []
  for (const chunk of chunks) {
    decoder.push(chunk)
    for (;;) {
      const next = decoder.next()
      if (next === undefined) break
      if (!Buffer.isBuffer(next)) return { payloads, error: next, buffered: decoder.buffered }
      payloads.push(next)
    }
  }
  return { payloads, error: undefined, buffered: decoder.buffered }
}

const flipped = (bytes: Uint8Array, bit: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

/** Cuts bytes into random chunks, some of them empty. */
const chunked = (bytes: Buffer, chance: Chance, most: number): ReadonlyArray<Buffer> => {
  const chunks: Array<Buffer> = []
  for (let at = 0; at < bytes.length; ) {
    const length = Math.floor(chance() * (most + 1))
    chunks.push(bytes.subarray(at, at + length))
    at += length
  }
  return chunks
}

describe("messages", () => {
  it("every kind comes back as it was, alone and in batches", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const chance = seeded(seed)
      const batch = kinds.map((kind) => randomMessage(kind, chance))
      for (const message of batch) {
        assert.deepStrictEqual(decoded(MessageCodec.encode([message])), [message], `seed ${seed}`)
      }
      assert.deepStrictEqual(decoded(MessageCodec.encode(batch)), batch, `seed ${seed}`)
    }
  })

  it("the bytes are those of version 3", () => {
    const bytes = samples.map((message) => MessageCodec.encode([message]).toString("hex"))
    assert.deepStrictEqual(bytes, recorded)
    assert.deepStrictEqual(
      recorded.map((hex) => decoded(Buffer.from(hex, "hex"))),
      samples.map((message) => [message])
    )
  })

  it("every truncation is refused, and every extra byte", () => {
    for (const message of samples) {
      const bytes = MessageCodec.encode([message])
      // The version alone is a batch of nothing.
      for (let length = 2; length < bytes.length; length++) {
        assert.strictEqual(
          MessageCodec.decode(bytes.subarray(0, length))._tag,
          "Malformed",
          `${message._tag} ${length}`
        )
      }
      assert.notStrictEqual(MessageCodec.decode(Buffer.concat([bytes, Buffer.alloc(1)]))._tag, "Decoded")
    }
    assert.strictEqual(MessageCodec.decode(Buffer.alloc(0))._tag, "Malformed")
  })

  it("no flipped bit and no garbage makes it throw", () => {
    for (const message of samples) {
      const bytes = MessageCodec.encode([message])
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        assert.doesNotThrow(() => MessageCodec.decode(flipped(bytes, bit)))
      }
    }
    const chance = seeded(7)
    for (let i = 0; i < 20_000; i++) {
      const garbage = Buffer.from(Array.from({ length: Math.floor(chance() * 80) }, () => Math.floor(chance() * 256)))
      garbage[0] = MessageCodec.version
      if (garbage.length > 1) garbage[1] = 1 + Math.floor(chance() * kinds.length)
      assert.doesNotThrow(() => MessageCodec.decode(garbage), garbage.toString("hex"))
    }
  })

  it("a newer version and an unknown kind are refused by name", () => {
    const bytes = MessageCodec.encode(samples)
    bytes[0] = 4
    assert.deepStrictEqual(decoded(bytes), { _tag: "UnknownVersion", version: 4 })
    assert.deepStrictEqual(decoded(Buffer.from([3, 200, 0, 0, 0, 0, 0, 0, 0, 0])), { _tag: "UnknownKind", kind: 200 })
  })

  it("entries that leave a gap, fall in term or outrun the leader's term are refused", () => {
    const sample = samples.find((message) => message._tag === "AppendEntries")!
    const [first, second] = sample.entries
    const refuses = (change: Partial<AppendEntries<Uint8Array>>) =>
      assert.strictEqual(MessageCodec.decode(MessageCodec.encode([{ ...sample, ...change }]))._tag, "Malformed")
    refuses({ entries: [{ ...first!, index: Index(8) }] })
    refuses({ entries: [first!, { ...second!, index: Index(9) }] })
    refuses({ entries: [first!, { ...second!, index: Index(7) }] })
    refuses({ entries: [{ ...first!, term: Term(1) }] })
    refuses({
      entries: [
        { ...first!, term: Term(3) },
        { ...second!, term: Term(2) }
      ]
    })
    refuses({ entries: [first!, { ...second!, term: Term(4) }] })
    refuses({ term: Term(1), entries: [] })
    refuses({ prev: { index: Index(6), term: Term(0) } })
    refuses({ prev: { index: Index(0), term: Term(1) }, entries: [] })
  })

  it("a chunk beyond its snapshot, one of a later term, and more checkpoints than are kept are refused", () => {
    const refuses = (message: Message<Uint8Array>) =>
      assert.strictEqual(MessageCodec.decode(MessageCodec.encode([message]))._tag, "Malformed", JSON.stringify(message))
    const chunk = samples.find((message) => message._tag === "InstallSnapshot")!
    const { snapshot } = chunk
    refuses({ ...chunk, offset: 998 })
    refuses({ ...chunk, offset: Number.MAX_SAFE_INTEGER })
    refuses({ ...chunk, term: Term(1) })
    refuses({ ...chunk, snapshot: { ...snapshot, last: { index: Index(6), term: Term(0) } } })
    refuses({ _tag: "InstallSnapshotReply", term: Term(3), snapshot, held: 1001 })
    refuses({ _tag: "InstallSnapshotReply", term: Term(1), snapshot, held: 0 })
    const reply = samples.find((message) => message._tag === "AppendEntriesReply")!
    const [mark] = reply.sender.applied
    refuses({ ...reply, sender: { ...reply.sender, applied: [mark!, mark!, mark!] } })
    const refusal = MessageCodec.encode([{ _tag: "ForwardRefused", term: Term(3), requests: [], reason: "NoQuorum" }])
    for (const code of [0, 16, 255]) {
      refusal[10] = code
      assert.strictEqual(MessageCodec.decode(refusal)._tag, "Malformed")
    }
  })

  it("a boolean is 0 or 1", () => {
    const bytes = MessageCodec.encode([{ _tag: "RequestVoteReply", term: Term(1), granted: true }])
    bytes[bytes.length - 1] = 2
    assert.strictEqual(MessageCodec.decode(bytes)._tag, "Malformed")
  })

  it("a count that promises more than there is costs nothing", () => {
    const bytes = Buffer.concat([MessageCodec.encode([{ _tag: "Forward", term: Term(1), requests: [] }])])
    bytes.writeUInt32LE(0xffff_ffff, bytes.length - 4)
    const before = performance.now()
    assert.strictEqual(MessageCodec.decode(bytes)._tag, "Malformed")
    assert.isBelow(performance.now() - before, 1000)
  })
})

describe("frames", () => {
  it("come back from chunks of any size", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const chance = seeded(seed)
      const payloads = kinds.map((kind) => MessageCodec.encode([randomMessage(kind, chance)]))
      const stream = Buffer.concat(payloads.map(frameOf))
      const whole = readFrames([stream])
      assert.deepStrictEqual(whole, { payloads, error: undefined, buffered: 0 }, `seed ${seed}`)
      assert.deepStrictEqual(readFrames(chunked(stream, chance, 50)), whole, `seed ${seed}`)
      assert.deepStrictEqual(readFrames(chunked(stream, chance, 1)), whole, `seed ${seed}`)
    }
  })

  it("an empty payload is a frame", () => {
    assert.deepStrictEqual(readFrames([frameOf(Buffer.alloc(0))]).payloads, [Buffer.alloc(0)])
  })

  it("every flipped bit is detected when the frame is there", () => {
    for (const message of samples) {
      const frame = frameOf(MessageCodec.encode([message]))
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const { payloads, error } = readFrames([flipped(frame, bit)])
        assert.deepStrictEqual(payloads, [], `${message._tag} bit ${bit}`)
        // A damaged length too, at once, and not only when more bytes come.
        assert.strictEqual(error?._tag, bit >= 32 && bit < 96 ? "NotAFrame" : "ChecksumMismatch")
      }
    }
  })

  it("every truncation waits for the rest, and frames before it are whole", () => {
    const [first, second] = [frameOf(Buffer.from("first")), frameOf(Buffer.from("second"))]
    const stream = Buffer.concat([first, second])
    for (let length = 0; length < stream.length; length++) {
      const { payloads, error } = readFrames([stream.subarray(0, length)])
      assert.strictEqual(error, undefined)
      assert.deepStrictEqual(payloads.map(String), length < first.length ? [] : ["first"])
    }
  })

  it("a length over the limit is refused by its header, and nothing more is kept", () => {
    const frame = frameOf(Buffer.alloc(101))
    const error = { _tag: "FrameTooLong", length: 101, maxFrameBytes: 100 } as const
    assert.deepStrictEqual(readFrames([frame.subarray(0, Frame.headerBytes)], 100), {
      payloads: [],
      error,
      buffered: 0
    })
    assert.deepStrictEqual(readFrames([frameOf(Buffer.alloc(100))], 100).error, undefined)
  })

  it("after an error there are no more frames", () => {
    const decoder = new Frame.FrameDecoder(100)
    decoder.push(flipped(frameOf(Buffer.from("x")), 100))
    const error = decoder.next()
    decoder.push(frameOf(Buffer.from("y")))
    assert.strictEqual(decoder.next(), error)
  })

  it("a large frame in small chunks is put together once", () => {
    const payload = Buffer.alloc(32 << 20, 7)
    const frame = frameOf(payload)
    const chunks = Array.from({ length: Math.ceil(frame.length / 1024) }, (_, i) =>
      frame.subarray(i * 1024, i * 1024 + 1024)
    )
    const before = performance.now()
    assert.isTrue(readFrames(chunks, 64 << 20).payloads[0]!.equals(payload))
    // Copying at each chunk would move half a terabyte.
    assert.isBelow(performance.now() - before, 10_000)
  })
})

/** What version 3 wrote, recorded when it was new. */
const recorded: ReadonlyArray<string> = [
  "0301030000000000000006000000000000000200000000000000",
  "0302030000000000000002000000000000000100",
  "030303000000000000000000000000000000000000000000000001",
  "0304030000000000000000",
  "030503000000000000000600000000000000020000000000000006000000000000000400000000000000040000000700000000000000020000000000000002dc0500000000000001000000420200000000000000090000000000000003000000707574080000000000000003000000000000000009000000000000000300000000000000030101000000420200000000000000090000000000000002000000010000004101000000420200000001000000420100000043010100000001000000440101000000010000004206000000623a373030300a00000000000000030000000000000004000200000000000000010300000000000000",
  "0306030000000000000004000000000000000008000000000000000700000000000000010200000000000000f401000000000000024000000000000000785634124600000000000000f0debc9a",
  "030603000000000000000400000000000000010600000000000000050000000000000001000000000000000700000000000000000100000000000000000000000000000000",
  "030703000000000000000100000001000000420200000000000000090000000000000003000000707574",
  "030803000000000000000500000000000000",
  "0309030000000000000005000000000000000800000000000000",
  "030a03000000000000000401000000010000004202000000000000000900000000000000",
  "030b030000000000000006000000000000000200000000000000e803000000000000efbeaddee50300000000000003000000707574",
  "030c030000000000000006000000000000000200000000000000e803000000000000efbeaddee803000000000000",
  "030d03000000000000000700000000000000",
  "030e03000000000000000700000000000000010800000000000000",
  "030f030000000000000007000000000000000800000000000000",
  "031003000000000000000700000000000000400000000000000078563412",
  "031103000000000000000400000000000000",
  "0312030000000000000004000000000000000700000000000000010200000000000000f40100000000000001400000000000000078563412",
  "03130300000000000000",
  "03140300000000000000010100000042",
  "0314030000000000000000",
  "0315030000000000000001000000420200000000000000090000000000000002010200000000000000",
  "03150300000000000000010000004202000000000000000900000000000000010100070000000101000000440106000000643a3730303001010100000045000002010000004503010000004104010000004205010000004306000000633a3730303106",
  "031603000000000000000800000000000000"
]
