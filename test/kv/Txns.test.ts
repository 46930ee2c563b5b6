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
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { RangeQuery } from "../../src/kv/KvQuery.ts"
import type { KvState } from "../../src/kv/KvState.ts"
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
