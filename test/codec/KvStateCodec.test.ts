/** The store's pairs in pieces, as a cluster without history has them: the same for the same content, whatever led to it, and no piece large. */
import { assert, describe, it } from "@effect/vitest"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import type { KvCommand } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import { chanceOf } from "../kv/Chance.ts"
import { erase, pairsOf, put, stateOf } from "./SnapshotSamples.ts"

const piecesOf = (state: KvState): Array<Buffer> =>
  Array.from(KvStateCodec.encode(state, 1), (piece) => Buffer.from(piece))

const decode = (pieces: ReadonlyArray<Uint8Array>): KvState | undefined => {
  const decoder = KvStateCodec.decoder(1)!
  for (const piece of pieces) if (!decoder.push(piece)) return undefined
  return decoder.finish()
}

const assertComesBack = (state: KvState): void => {
  const back = decode(piecesOf(state))!
  assert.strictEqual(back.revision, state.revision)
  assert.deepStrictEqual(pairsOf(back), pairsOf(state))
  assert.strictEqual(OrderedMap.size(back.keys), OrderedMap.size(state.keys))
}

const many = stateOf(Array.from({ length: 3000 }, (_, i) => put(`key/${(i * 7919) % 3000}`, Buffer.alloc(i % 300, i))))

describe("the store's state", () => {
  it("comes back as it was, and goes on as it would have", () => {
    for (const state of [KvMachine.initial, stateOf([put("a", "")]), stateOf([put("", "x"), erase("")]), many]) {
      assertComesBack(state)
    }
    const next = [put("key/5x", "new"), erase("key/1", "key/2"), put("key/2", "again")]
    const back = decode(piecesOf(many))!
    assert.deepStrictEqual(pairsOf(stateOf(next, back)), pairsOf(stateOf(next, many)))
  })

  it("has pieces of about 64 KiB, and values of any size travel in parts", () => {
    const sizes = [0, 1, 65_536, 131_071, 131_072, 131_073, 262_144, 262_145, 3_000_000]
    const state = stateOf(sizes.map((size, i) => put(`k${i}`, Buffer.alloc(size, i + 1))))
    assertComesBack(state)
    assertComesBack(stateOf([put("k", Buffer.alloc(500_000))]))
    for (const piece of piecesOf(state)) assert.isAtMost(piece.length, 64 * 1024 + 128 * 1024 + 100)
    const lengths = piecesOf(many).map(({ length }) => length)
    assert.isAbove(lengths.length, 5)
    for (const length of lengths.slice(1, -1)) assert.isTrue(length >= 64 * 1024 && length < 65 * 1024, `${length}`)
  })

  it("keeps to the recorded format", () => {
    const hex = piecesOf(stateOf([put("b", "B"), put("a", "A"), put("b", "C")])).map((piece) => piece.toString("hex"))
    assert.deepStrictEqual(hex, [
      "04000000000000000200000000000000",
      "01" +
        "0100000061" +
        "0300000000000000" +
        "0300000000000000" +
        "0100000000000000" +
        "0000000000000000" +
        "0100000041" +
        "0100000062" +
        "0200000000000000" +
        "0400000000000000" +
        "0200000000000000" +
        "0000000000000000" +
        "0100000043"
    ])
    const large = piecesOf(stateOf([put("a", Buffer.alloc(131_073, 255))])).map((piece) =>
      piece.subarray(0, 45).toString("hex")
    )
    assert.strictEqual(large[1], "020100000061020000000000000002000000000000000100000000000000000000000000000001000200")
    assert.deepStrictEqual(large[3], "03ff")
  })

  it("gives equal bytes for equal content, whatever led to it", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = chanceOf(seed)
      const count = 1 + chance.below(seed % 4 === 0 ? 3000 : 200)
      const content = Array.from(
        { length: count },
        (_, i) => [`k${chance.below(10_000)}-${i}`, Buffer.alloc(chance.below(300), i)] as const
      )
      const shuffled = content.toSorted(() => chance.below(3) - 1)
      // The revisions are content too: they are made equal by building the second map with detours of its own.
      const one = stateOf(content.map(([key, value]) => put(key, value)))
      let keys: KvState["keys"] = OrderedMap.empty
      for (const [key] of shuffled) {
        const kv = OrderedMap.get(one.keys, key)!
        if (chance.below(2) === 0) keys = OrderedMap.set(keys, key, { ...kv, value: Buffer.from("earlier") })
        if (chance.below(3) === 0) keys = OrderedMap.set(keys, `${key}x`, kv)
        if (chance.below(9) === 0) keys = OrderedMap.removeRange(keys, key.slice(0, 3), `${key.slice(0, 3)}~`)
      }
      for (const [key] of shuffled.toReversed()) {
        const kv = OrderedMap.get(one.keys, key)!
        keys = OrderedMap.remove(OrderedMap.set(keys, key, { ...kv, value: new Uint8Array(kv.value) }), `${key}x`)
      }
      const other: KvState = { ...one, keys }
      const [ours, theirs] = [piecesOf(one), piecesOf(other)]
      assert.deepStrictEqual(theirs, ours, `seed ${seed}`)
      // And loading is one more history.
      assert.deepStrictEqual(piecesOf(decode(ours)!), ours, `seed ${seed}`)
    }
  })

  it("through a snapshot in the middle of its history is the same as without", () => {
    const chance = chanceOf(3)
    const history = Array.from({ length: 3000 }, (): KvCommand => {
      const key = `k${chance.below(400)}`
      return chance.below(5) === 0
        ? erase(key, chance.below(3) === 0 ? `${key}~` : undefined)
        : put(key, Buffer.alloc(chance.below(400), chance.below(256)))
    })
    const replayed = piecesOf(stateOf(history))
    for (const at of [0, 1, 1000, 2999, 3000]) {
      const restored = decode(piecesOf(stateOf(history.slice(0, at))))!
      assert.deepStrictEqual(piecesOf(stateOf(history.slice(at), restored)), replayed, `snapshot at ${at}`)
    }
  })
})

describe("pieces that are no state", () => {
  const pieces = piecesOf(many)
  const large = piecesOf(stateOf([put("a", Buffer.alloc(300_000)), put("b", "B")]))
  const assertNone = (found: ReadonlyArray<Uint8Array>, what = "") => assert.isUndefined(decode(found), what)

  it("are those that lack one, or have one too many", () => {
    assertNone([])
    for (let i = 0; i < pieces.length; i++) assertNone(pieces.toSpliced(i, 1), `without ${i}`)
    for (let i = 0; i < large.length; i++) assertNone(large.toSpliced(i, 1), `without ${i}`)
    for (let i = 1; i < large.length; i++) assertNone(large.toSpliced(i, 0, large[i]!), `${i} twice`)
    assertNone([...pieces, pieces.at(-1)!])
    assert.isDefined(decode(large))
  })

  it("are keys out of order or twice", () => {
    const [first, second, third] = pieces
    assertNone([first!, third!, second!, ...pieces.slice(3)])
    const one = piecesOf(stateOf([put("a", "1"), put("b", "2")]))
    const [head, pairs] = one as [Buffer, Buffer]
    const a = pairs.subarray(1, 1 + (pairs.length - 1) / 2)
    const b = pairs.subarray(1 + (pairs.length - 1) / 2)
    assert.isDefined(decode([head, Buffer.concat([Buffer.from([1]), a, b])]))
    for (const [x, y] of [
      [b, a],
      [a, a],
      [b, b]
    ] as const) {
      assertNone([head, Buffer.concat([Buffer.from([1]), x, y])])
      assertNone([head, Buffer.concat([Buffer.from([1]), x]), Buffer.concat([Buffer.from([1]), y])])
    }
  })

  it("are truncated ones, and those of an unknown kind", () => {
    const small = piecesOf(stateOf([put("a", "1")]))
    for (const [i, piece] of small.entries()) {
      // Without any pair it is a piece still, and then the count is wrong.
      for (let length = 0; length < piece.length; length++)
        assertNone(small.with(i, piece.subarray(0, length)), `${i} ${length}`)
      assertNone(small.with(i, Buffer.concat([piece, Buffer.alloc(1)])))
    }
    for (const kind of [0, 2, 3, 4, 255])
      assertNone([small[0]!, Buffer.concat([Buffer.from([kind]), small[1]!.subarray(1)])])
  })

  it("are revisions and versions that no store has", () => {
    const [head, pairs] = piecesOf(stateOf([put("a", "1"), put("a", "2")])) as [Buffer, Buffer]
    const at = { createRevision: 6, modRevision: 14, version: 22 }
    const changed = (offset: number, value: bigint): Buffer => {
      const copy = Buffer.from(pairs)
      copy.writeBigUInt64LE(value, offset)
      return copy
    }
    assert.isDefined(decode([head, changed(at.createRevision, 3n)]))
    assertNone([head, changed(at.createRevision, 4n)])
    assertNone([head, changed(at.createRevision, 0n)])
    assertNone([head, changed(at.modRevision, 4n)])
    assertNone([head, changed(at.version, 0n)])
    assertNone([head, changed(at.version, 2n ** 53n)])
    const none = Buffer.from(head)
    none.writeBigUInt64LE(0n)
    assertNone([none, pairs])
  })

  it("are of a version that this one does not know", () => {
    assert.isUndefined(KvStateCodec.decoder(0))
    assert.isUndefined(KvStateCodec.decoder(3))
  })
})

it("a loaded value keeps no more bytes in memory than its own", () => {
  const state = decode(piecesOf(stateOf([put("a", Buffer.alloc(100)), put("b", Buffer.alloc(300_000)), put("c", "")])))!
  OrderedMap.walk(state.keys, "", undefined, ({ value }) => {
    assert.strictEqual(value.buffer.byteLength, value.byteLength)
    return true
  })
})
