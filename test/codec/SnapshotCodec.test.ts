/** Snapshots come back as they were; anything else is refused with the place where it is wrong. */
import * as Configurations from "../../src/raft/Configuration.ts"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { ClusterTime, Index, origin, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import { chanceOf } from "../kv/Chance.ts"
import {
  assemble,
  bytesOf,
  type Chunk,
  chunksOf,
  decode,
  imageOf,
  openingBytes,
  plain,
  put,
  sample,
  stateOf
} from "./SnapshotSamples.ts"
import { configuration } from "./MessageSamples.ts"

const bytes = bytesOf(sample)

const problemOf = (found: ReturnType<typeof decode>): SnapshotCodec.Problem => {
  assert.isTrue("_tag" in found, "it was taken for a snapshot")
  return found as SnapshotCodec.Problem
}

const assertRefused = (found: Buffer, message: RegExp, kind: SnapshotCodec.Problem["kind"] = "Corrupt"): void => {
  const problem = problemOf(decode(found))
  assert.match(problem.message, message)
  assert.strictEqual(problem.kind, kind)
}

const [header, ...rest] = chunksOf(bytes)
const end = rest.at(-1)!
const states = rest.slice(0, -1)

describe("a snapshot", () => {
  it("comes back as it was, however it is cut", () => {
    for (const cut of [bytes.length, 1, 2, 7, 8, 9, 100])
      assert.deepStrictEqual(plain(decode(bytes, cut)), plain(sample))
    const small = {
      ...imageOf(KvMachine.initial),
      last: origin,
      configuration: Configurations.of([]),
      applied: new Map(),
      hash: 0,
      epoch: 0
    }
    assert.deepStrictEqual(plain(decode(bytesOf(small))), plain(small))
  })

  it("is made anew at each asking", () => {
    const pieces = SnapshotCodec.encode(sample, KvStateCodec)
    assert.deepStrictEqual(Buffer.concat([...pieces]), Buffer.concat([...pieces]))
  })

  it("is the same for the same image, in whatever order its sets are", () => {
    const reversed = {
      ...sample,
      configuration: Configurations.of(sample.configuration.voters.toReversed()),
      applied: new Map([...sample.applied].toReversed())
    }
    assert.isTrue(bytesOf(reversed).equals(bytes))
  })

  it("of format 1 still loads", () => {
    const recorded = readFileSync(new URL("fixtures/format-1.snap", import.meta.url))
    assert.deepStrictEqual(plain(decode(recorded)), plain(sample))
    assert.isTrue(recorded.equals(bytes), "the format has changed: give it a new number, and keep reading the old one")
  })

  it("tells a change of members that is under way, learners, addresses, the time and the version", () => {
    for (const more of [
      { configuration },
      { configuration: { ...Configurations.of([ReplicaId("A")]), learners: [{ id: ReplicaId("B"), promote: true }] } },
      { configuration: Configurations.of([ReplicaId("A")], [{ id: ReplicaId("A"), address: "a:1" }]) },
      { time: ClusterTime(2 ** 40) },
      { version: 2 },
      { ceiling: 1 },
      { configuration, time: ClusterTime(1), version: 3, ceiling: 3 }
    ]) {
      const one = { ...sample, ...more }
      assert.deepStrictEqual(plain(decode(bytesOf(one))), plain(one))
    }
  })

  it("is asked for in pieces that are small and made one at a time", () => {
    const made: Array<number> = []
    const codec = {
      ...KvStateCodec,
      encode: function* () {
        for (let i = 0; i < 3; i++) {
          made.push(i)
          yield Buffer.alloc(300_000)
        }
      }
    }
    const pieces = SnapshotCodec.encode(sample, codec)[Symbol.iterator]()
    assert.isBelow(pieces.next().value!.length, 1000)
    assert.isBelow(pieces.next().value!.length, 1000)
    assert.deepStrictEqual(made, [])
    pieces.next()
    assert.deepStrictEqual(made, [0])
    const tooLarge = SnapshotCodec.encode(sample, { ...codec, encode: () => [Buffer.alloc(256 * 1024 * 1024)] })
    assert.throws(() => [...tooLarge], /A piece of a state has 268435456 bytes/)
  })
})

describe("damage", () => {
  it("every truncation is refused, and every byte too many", () => {
    for (let length = 0; length < bytes.length; length++) {
      const problem = problemOf(decode(bytes.subarray(0, length)))
      assert.deepStrictEqual([problem.kind, problem.offset], ["Corrupt", length])
    }
    for (const more of [1, 8, 100]) assertRefused(Buffer.concat([bytes, Buffer.alloc(more)]), /after its end/)
    assertRefused(Buffer.concat([bytes, bytes]), /after its end/)
  })

  it("every flipped bit is refused, at or before where it is", () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const bent = Buffer.from(bytes)
      bent[bit >>> 3]! ^= 1 << (bit & 7)
      const problem = problemOf(decode(bent, 64))
      // A length that was bent asks for more than there is, which shows at the end only.
      const late = problem.message === "it ends before its end"
      assert.isTrue(late || problem.offset <= bit >>> 3, `bit ${bit}: ${problem.offset} ${problem.message}`)
      assert.isTrue(problem.kind === "Corrupt" || (bit >>> 3 >= 8 && bit >>> 3 < 12), `bit ${bit}`)
    }
  })

  it("is told in words and stays told", () => {
    const decoder = SnapshotCodec.decoder(KvStateCodec)
    const problem = decoder.push(Buffer.from("no snapshot"))!
    assert.deepStrictEqual(problem, {
      _tag: "Problem",
      kind: "Corrupt",
      offset: 0,
      message: "this is no snapshot of Balsa"
    })
    assert.strictEqual(decoder.push(bytes), problem)
    assert.strictEqual(decoder.finish(), problem)
    // The first byte is enough.
    assert.strictEqual(SnapshotCodec.decoder(KvStateCodec).push(Buffer.from("X"))?.offset, 0)
  })

  it("chunks that are missing, doubled or have changed places are noticed, though each of them is sound", () => {
    const many = chunksOf(
      bytesOf(imageOf(stateOf(Array.from({ length: 3000 }, (_, i) => put(`k${i}`, "x".repeat(100))))))
    )
    const whole = assemble(many)
    assert.isFalse("_tag" in decode(whole))
    const cut = (chunks: ReadonlyArray<Chunk>): Buffer => {
      // With the end as it was: `assemble` would make it fit.
      const bytes = assemble(chunks.slice(0, -1))
      return Buffer.concat([bytes, whole.subarray(-29)])
    }
    assert.isTrue(cut(many).equals(whole))
    const last = many.length - 2
    assertRefused(cut(many.toSpliced(last, 1)), /its end does not fit/)
    assertRefused(cut(many.toSpliced(last, 0, { kind: 2, contents: Buffer.from([1]) })), /its end does not fit/)
    assertRefused(cut(many.toSpliced(2, 1)), /its end does not fit/)
    assertRefused(cut([...many.slice(0, 2), many[3]!, many[2]!, ...many.slice(4)]), /no piece of a state/)
    assertRefused(assemble(many.slice(0, -1)), /it ends before its end/)
  })

  it("chunks in a place where they cannot be are refused", () => {
    assertRefused(assemble([...states, end]), /does not begin with a header/)
    assertRefused(assemble([end]), /does not begin with a header/)
    assertRefused(assemble([header!, header!, ...states, end]), /second header/)
    assertRefused(assemble([header!, end]), /its state is not complete/)
    assertRefused(assemble([header!, ...states, end, end]), /after its end/)
    assertRefused(
      assemble([header!, ...states, { kind: 9, contents: Buffer.alloc(0) }, end]),
      /unknown kind 9/,
      "UnknownFormat"
    )
    assertRefused(assemble([header!, ...states, { kind: 2, contents: Buffer.alloc(0) }, end]), /no piece of a state/)
    assertRefused(Buffer.concat([bytes.subarray(0, openingBytes), Buffer.alloc(8)]), /a chunk of 0 bytes/)
  })

  it("a length reserves nothing before the bytes are there", () => {
    const long = Buffer.concat([bytes.subarray(0, openingBytes), Buffer.from("ffffff0f00000000", "hex")])
    assertRefused(long, /it ends before its end/)
    long.writeUInt32LE(0x1000_0001, openingBytes)
    assertRefused(long, /a chunk of 268435457 bytes cannot be/)
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 100; i++) decode(long)
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 100_000_000)
  })
})

describe("later versions", () => {
  const withHeader = (change: (fields: Buffer) => Buffer): Buffer =>
    assemble([{ kind: 1, contents: change(header!.contents) }, ...states, end])
  const field = (tag: number, contents: string): Buffer => {
    const bytes = Buffer.concat([Buffer.from([tag, 0, 0, 0, 0]), Buffer.from(contents)])
    bytes.writeUInt32LE(contents.length, 1)
    return bytes
  }

  it("another format or another version of the state is refused by name", () => {
    const opening = Buffer.from(bytes.subarray(0, openingBytes))
    opening.writeUInt32LE(2, 8)
    assertRefused(
      assemble(chunksOf(bytes), opening),
      /it has format 2, and this program knows formats up to 1/,
      "UnknownFormat"
    )
    opening.writeUInt32LE(0, 8)
    assertRefused(assemble(chunksOf(bytes), opening), /there is no format 0/)
    const later = SnapshotCodec.encode(sample, { ...KvStateCodec, version: 7, versionFor: () => 7 })
    assertRefused(Buffer.concat([...later]), /its state has version 7, and this program knows 2/, "UnknownFormat")
  })

  it("a field that must be understood is refused, and one that need not be is passed over", () => {
    assertRefused(
      withHeader((fields) => Buffer.concat([fields, field(10, "new")])),
      /unknown field 10/,
      "UnknownFormat"
    )
    const found = decode(withHeader((fields) => Buffer.concat([fields, field(128, "by"), field(200, "")])))
    assert.deepStrictEqual(plain(found), plain(sample))
  })

  it("a header with a field missing, doubled, too short or too long is malformed", () => {
    const fields: Array<Buffer> = []
    const { contents } = header!
    for (let at = 0; at < contents.length; ) {
      const length = 5 + contents.readUInt32LE(at + 1)
      fields.push(contents.subarray(at, at + length))
      at += length
    }
    assert.strictEqual(fields.length, 6)
    const assertMalformed = (changed: ReadonlyArray<Buffer>) =>
      assertRefused(
        withHeader(() => Buffer.concat(changed)),
        /malformed/
      )
    for (const [i, one] of fields.entries()) {
      assertMalformed(fields.toSpliced(i, 1))
      assertMalformed(fields.toSpliced(i, 0, one))
      const longer = Buffer.concat([one, Buffer.alloc(1)])
      longer.writeUInt32LE(one.length - 4, 1)
      assertMalformed(fields.toSpliced(i, 1, longer))
      const shorter = Buffer.from(one.subarray(0, -1))
      shorter.writeUInt32LE(one.length - 6, 1)
      assertMalformed(fields.toSpliced(i, 1, shorter))
    }
    assertMalformed([fields[1]!, fields[0]!, ...fields.slice(2)])
  })

  it("voters and requests that are no sets, and positions that cannot be, are malformed", () => {
    const assertMalformed = (change: Partial<typeof sample>) =>
      assertRefused(bytesOf({ ...sample, ...change }), /malformed/)
    assertMalformed({ configuration: Configurations.of(["A", "A"].map(ReplicaId)) })
    assertMalformed({ last: { index: Index(0), term: Term(3) } })
    assertMalformed({ last: { index: Index(3), term: Term(0) } })
  })
})

describe("anything at all", () => {
  /** Chances at which things break most: lengths, kinds, counts. */
  const mutated = (chance: ReturnType<typeof chanceOf>): Buffer => {
    const bent = Buffer.from(bytes)
    for (let changes = 1 + chance.below(3); changes > 0; changes--) {
      const at = chance.below(bent.length)
      bent[at] = chance.pick([0, 1, 127, 128, 255, chance.below(256)])
    }
    const from = chance.below(4) === 0 ? chance.below(bent.length) : 0
    return bent.subarray(from, chance.below(3) === 0 ? from + chance.below(bent.length - from) : bent.length)
  }
  /** Sound chunks around contents that are not, so that what is behind the checksums is reached. */
  const reassembled = (chance: ReturnType<typeof chanceOf>): Buffer => {
    const which = chance.below(2)
    const chunks = chunksOf(bytes).map((chunk, i): Chunk => {
      if (i % 2 !== which || chance.below(2) === 0) return chunk
      const contents = Buffer.from(chunk.contents)
      if (contents.length > 0) contents[chance.below(contents.length)] = chance.pick([0, 1, 2, 255, chance.below(256)])
      return { kind: chance.below(20) === 0 ? chance.below(256) : chunk.kind, contents }
    })
    return assemble(chunks)
  }
  const scratch = Buffer.concat([bytes.subarray(0, openingBytes), Buffer.alloc(24)])
  const garbage = (chance: ReturnType<typeof chanceOf>): Buffer => {
    const words = chance.below(7)
    for (let i = 0; i < words; i++) scratch.writeUInt32LE(chance.below(2 ** 32), openingBytes + i * 4)
    return scratch.subarray(
      chance.below(2) === 0 ? openingBytes : 0,
      openingBytes + words * 4 - chance.below(words > 0 ? 4 : 1)
    )
  }

  for (const [what, make, count] of [
    ["garbage", garbage, 900_000],
    ["mutations", mutated, 80_000],
    ["sound chunks with other contents", reassembled, 20_000]
  ] as const) {
    it(`is read without throwing: ${count} times ${what}`, () => {
      const chance = chanceOf(count)
      let taken = 0
      let misplaced = 0
      for (let i = 0; i < count; i++) {
        const input = make(chance)
        const decoder = SnapshotCodec.decoder(KvStateCodec)
        const cut = chance.below(input.length + 1)
        decoder.push(input.subarray(0, cut))
        decoder.push(input.subarray(cut))
        const found = decoder.finish()
        if (!("_tag" in found)) taken++
        else if (found.offset < 0 || found.offset > input.length) misplaced++
      }
      assert.strictEqual(misplaced, 0)
      // Of the last kind some are other snapshots, with right checksums.
      assert.isTrue(what.startsWith("sound") ? taken > 0 && taken < count : taken < count / 20, `${taken} of ${count}`)
    }, 60_000)
  }
})
