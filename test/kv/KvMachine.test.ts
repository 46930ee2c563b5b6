/** The machine against etcd's semantics: first as a table, then against a slow model of a store. */
import { unstamped } from "../../src/raft/Machine.ts"
import { assert, describe, it } from "@effect/vitest"
import type { KeyValue } from "../../src/kv/KeyValue.ts"
import type { KvCommand, KvResult } from "../../src/kv/KvCommand.ts"
import { KvMachine, unknownCommand } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import type { KvAnswer, KvQuery, RangeQuery } from "../../src/kv/KvQuery.ts"
import { type Chance, chanceOf } from "./Chance.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, value = key, prevKv = false): KvCommand => ({ _tag: "Put", key, value: bytes(value), prevKv })
const del = (key: string, rangeEnd?: string, prevKv = false): KvCommand => ({
  _tag: "DeleteRange",
  key,
  rangeEnd,
  prevKv
})
const range = (key: string, rangeEnd?: string, more: Partial<RangeQuery> = {}): RangeQuery => ({
  _tag: "Range",
  key,
  rangeEnd,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false,
  ...more
})
const kv = (key: string, value: string, created: number, modified: number, version: number): KeyValue => ({
  key,
  value: bytes(value),
  createRevision: created,
  modRevision: modified,
  version,
  lease: 0n
})

const run = (...commands: ReadonlyArray<KvCommand>): readonly [KvState, ReadonlyArray<KvResult>] => {
  const results: Array<KvResult> = []
  let state = KvMachine.initial
  for (const command of commands) {
    const [next, result] = KvMachine.apply(state, command, unstamped)
    state = next
    results.push(result)
  }
  return [state, results]
}
const stateAfter = (...commands: ReadonlyArray<KvCommand>): KvState => run(...commands)[0]
const ask = (state: KvState, query: KvQuery): Extract<KvAnswer, { _tag: "Range" }> => {
  const answer = KvMachine.query(state, query)
  assert(answer._tag === "Range")
  return answer
}
const keysOf = (state: KvState, query: KvQuery): string =>
  ask(state, query)
    .kvs.map(({ key }) => key)
    .join(" ")

describe("put", () => {
  it("starts at revision 1, and the first put makes revision 2", () => {
    assert.strictEqual(ask(KvMachine.initial, range("a")).revision, 1)
    const [state, results] = run(put("a", "1"))
    assert.deepStrictEqual(results, [{ _tag: "Put", revision: 2, prevKv: undefined }])
    assert.deepStrictEqual(ask(state, range("a")).kvs, [kv("a", "1", 2, 2, 1)])
  })

  it("keeps createRevision and counts versions; another key does not", () => {
    const state = stateAfter(put("a", "1"), put("b", "1"), put("a", "2"))
    assert.deepStrictEqual(ask(state, range("a", "\0")).kvs, [kv("a", "2", 2, 4, 2), kv("b", "1", 3, 3, 1)])
  })

  it("gives the pair before it if asked for", () => {
    const [, results] = run(put("a", "1"), put("a", "2", true), put("a", "3"), put("b", "1", true))
    const previous = results.map((result) => (result._tag === "Put" ? result.prevKv : "?"))
    assert.deepStrictEqual(previous, [undefined, kv("a", "1", 2, 2, 1), undefined, undefined])
  })

  it("leaves the state before it as it was", () => {
    const before = stateAfter(put("a", "1"))
    KvMachine.apply(before, put("a", "2"), unstamped)
    KvMachine.apply(before, del("a"), unstamped)
    assert.deepStrictEqual(ask(before, range("a")), {
      _tag: "Range",
      revision: 2,
      kvs: [kv("a", "1", 2, 2, 1)],
      more: false,
      count: 1
    })
  })
})

describe("delete range", () => {
  it("changes no revision, and no state, when nothing is deleted", () => {
    const before = stateAfter(put("b"))
    for (const command of [del("a"), del("c", "\0"), del("b", "b"), del("b", "a"), del("a", "b", true)]) {
      const [after, result] = KvMachine.apply(before, command, unstamped)
      assert.strictEqual(after, before)
      assert.deepStrictEqual(result, { _tag: "DeleteRange", revision: 2, deleted: 0, prevKvs: [] })
    }
  })

  it("is one revision, however many keys it deletes", () => {
    const [state, results] = run(put("a"), put("b"), put("c"), put("d"), del("b", "d", true))
    assert.deepStrictEqual(results.at(-1), {
      _tag: "DeleteRange",
      revision: 6,
      deleted: 2,
      prevKvs: [kv("b", "b", 3, 3, 1), kv("c", "c", 4, 4, 1)]
    })
    assert.strictEqual(keysOf(state, range("\0", "\0")), "a d")
  })

  it("gives no pairs unless asked for", () => {
    const [, results] = run(put("a"), del("a"))
    assert.deepStrictEqual(results.at(-1), { _tag: "DeleteRange", revision: 3, deleted: 1, prevKvs: [] })
  })

  it("lets a key begin anew", () => {
    const state = stateAfter(put("a", "1"), put("a", "2"), del("a"), put("a", "3"))
    assert.deepStrictEqual(ask(state, range("a")).kvs, [kv("a", "3", 5, 5, 1)])
  })

  it("deletes all with key and end zero, and from a key on with end zero", () => {
    const puts = [put("\0"), put("a"), put("\xff")]
    assert.strictEqual(keysOf(stateAfter(...puts, del("\0", "\0")), range("\0", "\0")), "")
    assert.strictEqual(keysOf(stateAfter(...puts, del("a", "\0")), range("\0", "\0")), "\0")
  })
})

describe("range", () => {
  const state = stateAfter(...["a", "a\0", "aa", "ab", "b", "c", "\xff"].map((key) => put(key)))

  const table: ReadonlyArray<readonly [query: RangeQuery, keys: string, more: boolean, count: number]> = [
    [range("a"), "a", false, 1],
    [range("x"), "", false, 0],
    [range("a", "b"), "a a\0 aa ab", false, 4],
    [range("a", "a\0"), "a", false, 1],
    [range("aa", "ac"), "aa ab", false, 2],
    [range("b", "\0"), "b c \xff", false, 3],
    [range("\0", "\0"), "a a\0 aa ab b c \xff", false, 7],
    [range("b", "b"), "", false, 0],
    [range("b", "a"), "", false, 0],
    [range("d", "e"), "", false, 0],
    [range("a", "c", { limit: 2 }), "a a\0", true, 5],
    [range("a", "c", { limit: 5 }), "a a\0 aa ab b", false, 5],
    [range("a", "c", { limit: 9 }), "a a\0 aa ab b", false, 5],
    [range("a", "c", { limit: -1 }), "a a\0 aa ab b", false, 5],
    [range("a", undefined, { limit: 1 }), "a", false, 1],
    [range("a", "c", { countOnly: true }), "", false, 5],
    [range("a", "c", { countOnly: true, limit: 1 }), "", false, 5],
    [range("a", undefined, { countOnly: true }), "", false, 1],
    [range("a", "c", { revision: 8, limit: 1 }), "a", true, 5],
    [range("a", "c", { revision: -1, limit: 1 }), "a", true, 5]
  ]
  for (const [query, keys, more, count] of table) {
    const { key, rangeEnd, limit, revision, countOnly } = query
    it(`of ${JSON.stringify({ key, rangeEnd, limit, revision, countOnly })}`, () => {
      const answer = ask(state, query)
      assert.deepStrictEqual(
        { keys: answer.kvs.map(({ key }) => key).join(" "), more: answer.more, count: answer.count },
        { keys, more, count }
      )
      assert.strictEqual(answer.revision, 8)
    })
  }

  it("with keysOnly gives all but the values", () => {
    assert.deepStrictEqual(ask(state, range("b", undefined, { keysOnly: true })).kvs, [kv("b", "", 6, 6, 1)])
    assert.deepStrictEqual(ask(state, range("b", "c", { keysOnly: true })).kvs, [kv("b", "", 6, 6, 1)])
    assert.deepStrictEqual(ask(state, range("b")).kvs, [kv("b", "b", 6, 6, 1)])
  })

  it("answers the present revision only, where the cluster has agreed on no history", () => {
    assert.deepStrictEqual(KvMachine.query(state, range("a", "c", { revision: 9 })), {
      _tag: "FutureRevision",
      revision: 8
    })
    assert.deepStrictEqual(KvMachine.query(state, range("a", undefined, { revision: 7 })), {
      _tag: "Compacted",
      revision: 8,
      compacted: 8
    })
  })
})

describe("keys and values", () => {
  it("may be any bytes", () => {
    const keys = ["__proto__", "constructor", "\0", "\x80\xff", "k".repeat(1 << 20)]
    const state = stateAfter(...keys.map((key) => put(key)))
    for (const [i, key] of keys.entries()) assert.strictEqual(ask(state, range(key)).kvs[0]?.createRevision, i + 2)
    assert.strictEqual(ask(KvMachine.initial, range("__proto__")).count, 0)
  })

  it("may have no bytes", () => {
    const state = stateAfter(put("a", ""))
    assert.deepStrictEqual(ask(state, range("a")).kvs, [kv("a", "", 2, 2, 1)])
  })

  it("do not hold on to a larger buffer that a value was part of", () => {
    const buffer = Buffer.alloc(1 << 20, 7)
    const stored = (value: Uint8Array): Uint8Array => {
      const [state] = KvMachine.apply(KvMachine.initial, { _tag: "Put", key: "a", value, prevKv: false }, unstamped)
      return ask(state, range("a")).kvs[0]!.value
    }
    const part = stored(buffer.subarray(100, 200))
    assert.deepStrictEqual([...part], [...buffer.subarray(100, 200)])
    assert.isAtMost(part.buffer.byteLength, 2048, "what stays beside a value is no more than this")
    buffer.fill(8)
    assert.strictEqual(part[0], 7)
    assert.strictEqual(stored(buffer.subarray(5, 5)).buffer.byteLength, 0)
    const most = buffer.subarray(10)
    assert.strictEqual(stored(most), most, "a value that fills its buffer is not copied")
  })

  it("are weighed", () => {
    assert.isAtLeast(KvMachine.sizeOf(put("a", "x".repeat(1000))), 1001)
    assert.isAtLeast(KvMachine.sizeOf(del("a", "b".repeat(1000))), 1001)
    assert.isAbove(KvMachine.sizeOf(del("")), 0)
  })

  it("stay as they are when a command is unknown", () => {
    assert.deepStrictEqual(unknownCommand(stateAfter(put("a"))), { _tag: "UnknownCommand", revision: 2 })
  })
})

describe("a slow model of a store", () => {
  const isIn = (key: string, from: string, rangeEnd: string | undefined): boolean =>
    rangeEnd === undefined ? key === from : key >= from && (rangeEnd === "\0" || key < rangeEnd)
  const keyOf = (chance: Chance): string =>
    String.fromCharCode(...Array.from({ length: 1 + chance.below(2) }, () => chance.below(9)))
  const endOf = (chance: Chance): string | undefined =>
    chance.pick([() => undefined, () => "\0", () => keyOf(chance), () => keyOf(chance)])()

  for (let seed = 1; seed <= 10; seed++) {
    it(`agrees (seed ${seed})`, () => {
      const chance = chanceOf(seed)
      const model = new Map<string, KeyValue>()
      let revision = 1
      let state = KvMachine.initial
      const pairsIn = (from: string, rangeEnd: string | undefined): ReadonlyArray<KeyValue> =>
        [...model.values()].filter(({ key }) => isIn(key, from, rangeEnd)).sort((a, b) => (a.key < b.key ? -1 : 1))
      for (let step = 0; step < 500; step++) {
        const key = keyOf(chance)
        if (chance.below(4) > 0) {
          const old = model.get(key)
          revision++
          const next = kv(key, String(step), old?.createRevision ?? revision, revision, (old?.version ?? 0) + 1)
          model.set(key, next)
          const [after, result] = KvMachine.apply(state, put(key, String(step), true), unstamped)
          state = after
          assert.deepStrictEqual(result, { _tag: "Put", revision, prevKv: old })
        } else {
          const rangeEnd = chance.below(10) > 0 ? `${key}\x04` : endOf(chance)
          const prevKvs = pairsIn(key, rangeEnd)
          if (prevKvs.length > 0) revision++
          for (const { key } of prevKvs) model.delete(key)
          const [after, result] = KvMachine.apply(state, del(key, rangeEnd, true), unstamped)
          state = after
          assert.deepStrictEqual(result, { _tag: "DeleteRange", revision, deleted: prevKvs.length, prevKvs })
        }
        const from = keyOf(chance)
        const rangeEnd = endOf(chance)
        const limit = chance.below(6)
        const all = pairsIn(from, rangeEnd)
        assert.deepStrictEqual(ask(state, range(from, rangeEnd, { limit })), {
          _tag: "Range",
          revision,
          kvs: limit === 0 ? all : all.slice(0, limit),
          more: limit > 0 && all.length > limit,
          count: all.length
        })
      }
    })
  }
})
