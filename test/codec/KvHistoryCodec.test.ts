/** The store's state with history and leases in pieces: it comes back with every answer that it gave, and nothing else comes back. */
import { assert, describe, it } from "@effect/vitest"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import * as Compaction from "../../src/kv/Compaction.ts"
import * as History from "../../src/kv/History.ts"
import { historySince, type KvCommand } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { firstKept, initial, type KvState } from "../../src/kv/KvState.ts"
import * as Leases from "../../src/kv/Leases.ts"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import * as Ranging from "../../src/kv/Ranging.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import { chanceOf } from "../kv/Chance.ts"
import { commandOf, rangeOf } from "../kv/StoreChance.ts"
import { commandBy, plainly } from "./KvCommandSamples.ts"
import { erase, put } from "./SnapshotSamples.ts"

const piecesOf = (state: KvState): Array<Buffer> =>
  Array.from(KvStateCodec.encode(state), (piece) => Buffer.from(piece))

const decode = (pieces: ReadonlyArray<Uint8Array>): KvState | undefined => {
  const decoder = KvStateCodec.decoder(2)!
  return pieces.every((piece) => decoder.push(piece)) ? decoder.finish() : undefined
}

const context = (time: number, version = historySince) => ({ time: ClusterTime(time), version })

const after = (state: KvState, commands: Iterable<KvCommand>, time = 1000): KvState => {
  let one = state
  for (const command of commands) one = KvMachine.apply(one, command, context(time))[0]
  return one
}

/** A random state; `number` commands long, some of them by the other generator, whose transactions put one key twice. */
const stateBy = (seed: number, number: number): KvState => {
  const chance = chanceOf(seed)
  let state = initial
  let time = 0
  for (let n = 0; n < number; n++) {
    time += 300 * chance.below(4)
    const command =
      chance.below(4) === 0 ? commandBy(chance) : commandOf(chance, { revision: state.revision, number: n })
    state = KvMachine.apply(state, command, context(time))[0]
    if (seed % 5 === 0 && n === number >> 1) state = downAndUp(state)
  }
  return state
}

const downAndUp = (state: KvState): KvState => KvMachine.migrate!(KvMachine.migrate!(state, 2), historySince)

/** With nothing left of what is compacted. */
const trimmed = (state: KvState): KvState => Compaction.trim(state, Number.POSITIVE_INFINITY)

const entriesOf = <V>(map: OrderedMap.OrderedMap<V>): ReadonlyArray<readonly [string, V]> => {
  const all: Array<readonly [string, V]> = []
  OrderedMap.walk(map, "", undefined, (value, key) => all.push([key, value]) > 0)
  return all
}

/** All that can be told of a state. How keys went before what is kept is not part of it. */
const told = (state: KvState): unknown => {
  const { revision, compacted, keys, deletions, leases, liveBytes, historyBytes } = trimmed(state)
  const first = firstKept(state)
  const records = Array.from({ length: revision - first + 1 }, (_, n) => History.at(state.history, first + n)!)
  const changes = records.map((record) => ({
    ...record,
    changes: record.changes.map((change) =>
      change._tag === "Put" && change.deleted !== undefined && change.deleted.modRevision < first
        ? { ...change, deleted: undefined }
        : change
    )
  }))
  const held = entriesOf(leases.byId).map(([key, lease]) => [key, { ...lease, keys: entriesOf(lease.keys) }])
  const byExpiry = [leases.owns, ...entriesOf(leases.byExpiry)]
  const present = { keys: entriesOf(keys), deletions: entriesOf(deletions), leases: held, byExpiry }
  return plainly({ revision, compacted, first, changes, ...present, liveBytes, historyBytes })
}

const pairsAt = (state: KvState, revision: number): unknown => {
  const kvs: Array<unknown> = []
  Ranging.walkAt(state, revision, ["", undefined], (kv) => kvs.push(plainly(kv)) > 0)
  return kvs
}

describe("a state with history", () => {
  for (let seed = 1; seed <= 40; seed++) {
    it(`comes back with all its revisions, and goes on as it would have (seed ${seed})`, () => {
      const state = stateBy(seed, 10 + seed * 12)
      const pieces = piecesOf(state)
      const back = decode(pieces)!
      assert.deepStrictEqual(told(back), told(state))
      assert.deepStrictEqual(piecesOf(back), pieces)
      for (let revision = Math.max(1, state.compacted); revision <= state.revision; revision++) {
        assert.deepStrictEqual(pairsAt(back, revision), pairsAt(state, revision), `revision ${revision}`)
      }
      const chance = chanceOf(-seed)
      let [one, other] = [state, back]
      for (let number = 1; number <= 60; number++) {
        const where = { revision: one.revision, number }
        const query = rangeOf(chance, where)
        assert.deepStrictEqual(plainly(KvMachine.query(other, query)), plainly(KvMachine.query(one, query)))
        const command = commandOf(chance, where)
        const [[ours, result], [theirs, alike]] = [one, other].map((each) =>
          KvMachine.apply(each, command, context(1e6 + number * 500))
        ) as [ReturnType<typeof KvMachine.apply>, ReturnType<typeof KvMachine.apply>]
        assert.deepStrictEqual(plainly(alike), plainly(result))
        ;[one, other] = [ours, theirs]
      }
      assert.deepStrictEqual(told(other), told(one))
      assert.deepStrictEqual(piecesOf(other), piecesOf(one))
    })
  }

  it("gives equal bytes whether or not what is compacted has gone yet", () => {
    const many = Array.from({ length: 2000 }, (_, n) => put(`k${n % 700}`, `${n}`))
    const full = after(initial, [...many, erase("k", "l"), ...many.slice(0, 900)])
    for (const revision of [1, 2, 3, 500, 2001, 2002, 2003, full.revision]) {
      const compacted = Compaction.compact(full, revision)
      const pieces = piecesOf(compacted)
      for (const limit of [0, 1, 255, 700, 1300, Number.POSITIVE_INFINITY]) {
        assert.deepStrictEqual(piecesOf(Compaction.trim(compacted, limit)), pieces, `${revision}, ${limit}`)
      }
      assert.deepStrictEqual(told(decode(pieces)!), told(compacted))
    }
  })

  it("has pieces of about 64 KiB, also where one revision changed very much", () => {
    const value = Buffer.alloc(70, 7)
    const full = after(
      initial,
      Array.from({ length: 20_000 }, (_, n) => put(`k${n}`, value))
    )
    const state = after(full, [erase("k", "l"), put("k", "again")])
    for (const one of [full, state, Compaction.compact(state, state.revision)]) {
      const lengths = piecesOf(one).map(({ length }) => length)
      for (const length of lengths) assert.isBelow(length, 65 * 1024)
    }
    // All but the head and the last are full.
    const lengths = piecesOf(state).map(({ length }) => length)
    assert.isAbove(lengths.filter((length) => length >= 64 * 1024).length, 30)
    assert.deepStrictEqual(told(decode(piecesOf(state))!), told(state))
  })

  it("brings back as many records as there are, wherever blocks of them end", () => {
    for (const length of [0, 1, 254, 255, 256, 257, 511, 512, 513, 1000]) {
      const puts = Array.from({ length }, (_, n) => put("k", `${n}`))
      for (const start of [initial, after(after(initial, [put("a", "")]), [{ _tag: "Compact", revision: 2 }])]) {
        const state = after(start, puts)
        const back = decode(piecesOf(state))!
        assert.deepStrictEqual(told(back), told(state), `${length} records`)
        assert.deepStrictEqual(told(after(back, puts)), told(after(state, puts)), `${length} more`)
      }
    }
  })

  it("has values of any size in parts, before changes and now, each once", () => {
    const sizes = [0, 1, 65_536, 131_071, 131_072, 131_073, 262_144, 262_145, 1_000_000]
    const puts = sizes.flatMap((size, n) => [put("k", Buffer.alloc(size, n + 1)), put(`k${n}`, Buffer.alloc(size, n))])
    const state = after(initial, [...puts, erase("k1", "k5"), ...puts.toReversed()])
    const pieces = piecesOf(state)
    assert.deepStrictEqual(told(decode(pieces)!), told(state))
    for (const piece of pieces) assert.isAtMost(piece.length, 64 * 1024 + 128 * 1024 + 100)
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0)
    const values = 4 * sizes.reduce((sum, size) => sum + size, 0)
    assert.isBelow(bytes, values + 10_000)
    const kept: KvCommand = { _tag: "Put", key: "k", value: new Uint8Array(0), prevKv: false, ignoreValue: true }
    const more = piecesOf(after(state, [kept, kept, kept]))
    assert.isBelow(
      more.reduce((sum, { length }) => sum + length, 0),
      bytes + 300
    )
  })

  it("keeps no bytes in memory but the values' own", () => {
    const back = decode(
      piecesOf(after(initial, [put("a", "one"), put("a", Buffer.alloc(300_000)), put("a", "two"), erase("a")]))
    )!
    const values = [2, 3, 4, 5].flatMap((revision) =>
      History.at(back.history, revision)!.changes.map(({ prev }) => prev?.value)
    )
    assert.deepStrictEqual(
      values.map((value) => value?.buffer.byteLength),
      [undefined, 3, 300_000, 3]
    )
  })

  it("has many leases, with their keys", () => {
    const grants = Array.from({ length: 10_000 }, (_, n): KvCommand => {
      const id = BigInt.asIntN(64, BigInt((n * 7919) % 10_007) * 0x12_3456_789a_bcden + 1n)
      return { _tag: "LeaseGrant", id, ttlSeconds: n }
    })
    const [some] = grants as [Extract<KvCommand, { _tag: "LeaseGrant" }>]
    const puts = Array.from(
      { length: 1000 },
      (_, n): KvCommand => ({ _tag: "Put", key: `${n}`, value: Buffer.from(""), prevKv: false, lease: some.id })
    )
    const state = after(after(initial, grants), puts, 2000)
    assert.strictEqual(Leases.size(state.leases), 10_000)
    const pieces = piecesOf(state)
    for (const piece of pieces) assert.isBelow(piece.length, 65 * 1024)
    assert.deepStrictEqual(told(decode(pieces)!), told(state))
  })

  it("tells keys that go with their lease from those that only name it", () => {
    const lease: KvCommand = { _tag: "LeaseGrant", id: 5n, ttlSeconds: 60 }
    const leased: KvCommand = { _tag: "Put", key: "old", value: Buffer.from(""), prevKv: false, lease: 5n }
    const state = after(downAndUp(after(initial, [lease, leased])), [lease, { ...leased, key: "new" }])
    const back = decode(piecesOf(state))!
    assert.deepStrictEqual(told(back), told(state))
    const [one, other] = [state, back].map((each) => after(each, [{ _tag: "LeaseRevoke", id: 5n }])) as [
      KvState,
      KvState
    ]
    assert.deepStrictEqual(told(other), told(one))
    assert.deepStrictEqual(
      [...entriesOf(other.keys)].map(([key]) => key),
      ["old"]
    )
  })

  it("is not changed in what goes with a lease by keys that only name it", () => {
    const own = (key: string): KvCommand => ({
      _tag: "Put",
      key,
      value: Buffer.from("1"),
      prevKv: false,
      ttlMillis: 5000
    })
    const state = after(downAndUp(after(initial, [own("old"), own("older")])), [own("new"), own("newer")])
    const { lease } = OrderedMap.get(state.keys, "new")!
    assert.strictEqual(OrderedMap.get(state.keys, "old")!.lease, lease)
    const kept: KvCommand = { _tag: "Put", key: "old", value: Buffer.from("2"), prevKv: false, ignoreLease: true }
    const added: KvCommand = { _tag: "Merge", key: "old", by: { _tag: "Add", amount: 1n } }
    for (const command of [kept, added, put("old", ""), erase("old"), own("old")]) {
      const next = after(state, [command])
      assert.deepStrictEqual(Leases.keysOf(Leases.get(next.leases, lease)!), ["new"], command._tag)
      assert.notStrictEqual(OrderedMap.get(next.keys, "old")?.lease, lease)
      assert.deepStrictEqual(told(decode(piecesOf(next))!), told(next))
    }
  })

  it("is what a cluster without history makes of it in version 1", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const state = stateBy(seed, 200)
      const decoder = KvStateCodec.decoder(1)!
      for (const piece of KvStateCodec.encode(state, 1)) assert.isTrue(decoder.push(piece))
      assert.deepStrictEqual(told(decoder.finish()!), told(KvMachine.migrate!(state, 2)))
    }
    assert.deepStrictEqual([1, 2, 3, 4].map(KvStateCodec.versionFor), [1, 1, 2, 2])
  })

  it("keeps to the recorded format", () => {
    const commands: ReadonlyArray<KvCommand> = [
      { _tag: "LeaseGrant", id: 7n, ttlSeconds: 60 },
      { _tag: "Put", key: "a", value: Buffer.from("A"), prevKv: false, lease: 7n },
      put("a", "A"),
      put("b", "B"),
      erase("a"),
      put("b", "C")
    ]
    const state = after(initial, [...commands, { _tag: "Compact", revision: 3 }])
    assert.deepStrictEqual(
      piecesOf(state).map((piece) => piece.toString("hex")),
      [
        "0600000000000000 0100000000000000 0300000000000000 0300000000000000 0100000000000000 0000000000000000",
        "04 00 0700000000000000 60ea000000000000 48ee000000000000",
        "01 00 01000000 62 0400000000000000 0600000000000000 0200000000000000 01000000 43",
        "05" +
          "01 e803000000000000 02 02 01000000 62 0400000000000000 01000000 42" +
          "01 e803000000000000 03 02 01000000 61 0200000000000000 0300000000000000 0200000000000000 01000000 41" +
          "01 e803000000000000 02 00 01000000 62" +
          "01 e803000000000000 02 07 01000000 61 0200000000000000 0700000000000000"
      ].map((hex) => hex.replaceAll(" ", ""))
    )
  })
})

describe("pieces that are no state with history", () => {
  const large = put("large", Buffer.alloc(200_000, 3))
  const commands: ReadonlyArray<KvCommand> = [
    { _tag: "LeaseGrant", id: 7n, ttlSeconds: 60 },
    { _tag: "Put", key: "a", value: Buffer.from("A"), prevKv: false, lease: 7n },
    large,
    put("a", "A2"),
    put("b", "B"),
    erase("a"),
    put("large", "small"),
    put("a", "A3"),
    large
  ]
  const small = after(initial, commands)
  const without = after(
    initial,
    commands.filter((command) => command !== large)
  )

  it("lack one, or have one too many, or one out of order", () => {
    const pieces = piecesOf(small)
    assert.isDefined(decode(pieces))
    assert.isAbove(pieces.length, 9)
    assert.isUndefined(decode([]))
    for (let n = 0; n < pieces.length; n++) {
      assert.isUndefined(decode(pieces.toSpliced(n, 1)), `without ${n}`)
      assert.isUndefined(decode(pieces.toSpliced(n, 0, pieces[n]!)), `${n} twice`)
      for (let other = n + 1; other < pieces.length; other++) {
        const swapped = pieces.with(n, pieces[other]!).with(other, pieces[n]!)
        if (!pieces[n]!.equals(pieces[other]!)) assert.isUndefined(decode(swapped), `${n} and ${other}`)
      }
    }
  })

  it("are cut, or continued", () => {
    const pieces = piecesOf(small)
    for (const [n, piece] of pieces.entries()) {
      const step = piece.length > 1000 ? 997 : 1
      for (let length = 0; length < piece.length; length += step) {
        assert.isUndefined(decode(pieces.with(n, piece.subarray(0, length))), `${n} cut to ${length}`)
      }
      assert.isUndefined(decode(pieces.with(n, Buffer.concat([piece, Buffer.alloc(1)]))))
    }
  })

  it("are another state or none where a bit is flipped, and that state can be lived with", () => {
    // A value in parts is much work to compare: of it the heads will do.
    for (const [pieces, step] of [
      [piecesOf(without), 1],
      [piecesOf(small), 7]
    ] as const) {
      let understood = 0
      for (const [n, piece] of pieces.entries()) {
        for (let bit = 0; bit < Math.min(piece.length, 300) * 8; bit += step) {
          const flipped = Buffer.from(piece)
          flipped[bit >>> 3]! ^= 1 << (bit & 7)
          const other = decode(pieces.with(n, flipped))
          if (other === undefined) continue
          understood++
          if (step === 1) assertSound(other)
        }
      }
      assert.isAbove(understood, 50)
    }
  })

  it("are any bytes at all", () => {
    const chance = chanceOf(5)
    let understood = 0
    for (let n = 0; n < 6000; n++) {
      const pieces = piecesOf(stateBy(1 + chance.below(30), 5 + chance.below(20)))
      for (let times = chance.below(4); times >= 0; times--) {
        const at = chance.below(pieces.length)
        const piece = pieces[at]!
        if (piece.length > 0)
          piece[chance.below(piece.length)] = chance.pick([0, 1, 2, 3, 4, 5, 6, 255, chance.below(256)])
      }
      const other = decode(pieces)
      if (other === undefined) continue
      understood++
      assertSound(other)
    }
    assert.isAbove(understood, 500)
  })

  it("are counts and revisions that no store has", () => {
    const [head, ...rest] = piecesOf(small) as [Buffer, ...Array<Buffer>]
    const changed = (offset: number, value: number): Buffer => {
      const copy = Buffer.from(head)
      copy.writeBigUInt64LE(BigInt(value), offset)
      return copy
    }
    assert.isDefined(decode([changed(16, 1), ...rest]))
    const wrong = { 0: [0, 8, 10, 2 ** 54], 8: [0, 2, 4], 16: [2, 20], 24: [0, 3, 20, 2 ** 53], 32: [0, 2] }
    for (const [offset, values] of Object.entries(wrong)) {
      for (const value of values)
        assert.isUndefined(decode([changed(Number(offset), value), ...rest]), `${offset} ${value}`)
    }
  })
})

/** Reads, changes and pieces of it end, and agree with each other. */
const assertSound = (state: KvState): void => {
  const pieces = piecesOf(state)
  const back = decode(pieces)!
  assert.deepStrictEqual(piecesOf(back), pieces)
  if (state.revision > 1e6 || firstKept(state) < state.revision - 1000) return
  for (let revision = Math.max(1, state.compacted); revision <= state.revision; revision += 1) {
    if (revision < state.revision - 100) continue
    pairsAt(state, revision)
  }
  const next = after(state, [put("a", "next"), erase("", "\0")])
  assert.strictEqual(OrderedMap.size(next.keys), 0)
}
