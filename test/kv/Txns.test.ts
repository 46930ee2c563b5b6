/** Transactions, where a slow model of the store rarely comes by chance. */
import { assert, describe, it } from "@effect/vitest"
import {
  type Compare,
  historySince,
  type KvCommand,
  type Operation,
  type Put,
  type Txn
} from "../../src/kv/KvCommand.ts"
import * as History from "../../src/kv/History.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { RangeQuery } from "../../src/kv/KvQuery.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import { firstOwn } from "../../src/kv/Leases.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"

const context = { time: ClusterTime(1), version: historySince }
const bytes = (text: string): Uint8Array => Buffer.from(text)

const put = (key: string, value: string): Put => ({ _tag: "Put", key, value: bytes(value), prevKv: false })
const get = (key: string, revision = 0): RangeQuery => ({
  _tag: "Range",
  key,
  rangeEnd: undefined,
  limit: 0,
  revision,
  keysOnly: false,
  countOnly: false
})
const isVersion = (key: string, number: number): Compare => ({
  key,
  rangeEnd: undefined,
  result: "Equal",
  target: { _tag: "Version", number }
})
const txn = (
  compares: ReadonlyArray<Compare>,
  success: ReadonlyArray<Operation>,
  failure: ReadonlyArray<Operation> = []
): Txn => ({ _tag: "Txn", compares, success, failure })

const after = (...commands: ReadonlyArray<KvCommand>): KvState =>
  commands.reduce((state, command) => KvMachine.apply(state, command, context)[0], KvMachine.initial)

const resultOf = (state: KvState, command: Txn) => {
  const [next, result] = KvMachine.apply(state, command, context)
  return { next, result }
}

describe("a transaction", () => {
  it("compares, nested ones too, with what there was before all of it", () => {
    const nested = txn([isVersion("a", 0)], [put("b", "as before")], [put("b", "as put")])
    const { next, result } = resultOf(after(), txn([], [put("a", "1"), nested]))
    assert(result._tag === "Txn" && result.responses[1]?._tag === "Txn")
    assert.isTrue(result.responses[1].succeeded)
    assert.deepStrictEqual(next.revision, 2)
  })

  it("sees in each operation what those before it have done, but the past as it was", () => {
    const { result } = resultOf(after(put("a", "old")), txn([], [get("a"), put("a", "new"), get("a"), get("a", 2)]))
    assert(result._tag === "Txn")
    const values = result.responses.map((one) =>
      one._tag === "Range" ? [one.revision, Buffer.from(one.kvs[0]!.value).toString()] : [one.revision]
    )
    assert.deepStrictEqual(values, [[2, "old"], [3], [3, "new"], [3, "old"]])
  })

  it("is carried out whole, or not at all", () => {
    const state = after(put("a", "1"), put("a", "2"), { _tag: "Compact", revision: 3 })
    for (const impossible of [get("a", 2), get("a", 4), { ...put("c", "1"), lease: 9n }]) {
      const { next, result } = resultOf(state, txn([], [put("b", "1"), txn([], [put("d", "1"), impossible])]))
      assert.strictEqual(result._tag, "Rejected")
      assert.strictEqual(next, state)
    }
    const { next } = resultOf(state, txn([], [put("b", "1"), get("a", 3)], [get("a", 2)]))
    assert.strictEqual(next.revision, 4)
  })
})

describe("many changes in one command", () => {
  const keys = Array.from({ length: 8_000 }, (_, at) => `k${at}`)
  const puts = txn(
    [],
    keys.map((key) => put(key, "x"))
  )
  const everything = { _tag: "DeleteRange", key: "\0", rangeEnd: "\0", prevKv: false } as const
  const millisFor = (work: () => void): number => {
    const from = performance.now()
    work()
    return performance.now() - from
  }

  it("of keys that it has deleted take no longer for their number, nor does reading what was before", () => {
    const state = after(puts, puts)
    const plain = millisFor(() => resultOf(state, puts))
    const anew = millisFor(() => resultOf(state, txn([], [everything, ...puts.success])))
    const past = millisFor(() => KvMachine.query(state, { ...get("\0", 2), rangeEnd: "\0" }))
    // Where each searches through all of them it is a hundred times as much.
    assert.isBelow(Math.max(anew, past), 20 * plain + 100)
  })

  it("are told in their order, without what came and went", () => {
    const state = after(put("b", "1"))
    const command = txn(
      [],
      [put("a", "1"), put("b", "2"), put("c", "1"), { ...everything, key: "c" }, put("d", "1"), put("a", "2")]
    )
    const { next } = resultOf(state, { ...command, inOrder: true })
    const { changes } = History.at(next.history, 3)!
    assert.deepStrictEqual(changes.map(History.keyOf), ["a", "b", "d"])
  })
})

describe("reads and compares of many keys", () => {
  const keys = Array.from({ length: 2_000 }, (_, at) => `k${at}`)
  const state = after(
    txn(
      [],
      keys.map((key) => put(key, "x"))
    )
  )
  const all = { ...get("\0"), rangeEnd: "\0" }
  const thousands = <A>(one: A): ReadonlyArray<A> => Array.from({ length: 64 * 64 }, () => one)

  it.each([
    ["ranges", txn([], [put("a", "1"), ...thousands(all)])],
    ["ranges in order", { ...txn([], [put("a", "1"), ...thousands(all)]), inOrder: true }],
    ["sorted ranges", txn([], thousands({ ...all, limit: 1, sort: { order: "Descend", target: "Mod" } } as const))],
    ["nested ranges", txn([], thousands(txn([], [all])))],
    ["compares", txn(thousands({ ...isVersion("\0", 1), rangeEnd: "\0" }), [put("a", "1")])]
  ])("are refused together where they are too many: %s", (_, command) => {
    const { next, result } = resultOf(state, command)
    assert(result._tag === "Rejected")
    assert.strictEqual(result.reason, "TooMuchRead")
    assert.strictEqual(next, state)
    assert.strictEqual(KvMachine.query(state, command)._tag, "TooMuchRead")
  })

  it.each([
    ["ranges", txn([], [put("a", "1"), ...thousands(all).slice(0, 1_900)])],
    ["limited ranges", txn([], thousands({ ...all, limit: 900 }))],
    ["counts", txn([], thousands({ ...all, countOnly: true }))],
    ["single keys", txn([], thousands(get("k1")))]
  ])("are carried out where they are not: %s", (_, command) => {
    assert.strictEqual(resultOf(state, command).result._tag, "Txn")
  })
})

it("a lease that came with a key is kept alive to the millisecond, however young the cluster is", () => {
  const context = { time: ClusterTime(1000), version: historySince }
  const [state] = KvMachine.apply(KvMachine.initial, { ...put("k", "v"), ttlMillis: 130_069 }, context)
  const id = firstOwn
  const [kept, result] = KvMachine.apply(state, { _tag: "LeaseKeepAlive", id }, context)
  assert.deepStrictEqual(result, { _tag: "LeaseKeepAlive", revision: 2, id, ttlSeconds: 131 })
  const [, left] = KvMachine.apply(kept, { _tag: "LeaseTimeToLive", id, keys: false }, context)
  assert(left._tag === "LeaseTimeToLive")
  assert.strictEqual(left.ttlMillis, 130_069)
})
