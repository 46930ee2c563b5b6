/** The whole store, history and leases too, against a slow model of it. */
import { assert, describe, it } from "@effect/vitest"
import * as History from "../../src/kv/History.ts"
import { historySince, type Put, type Txn } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { firstKept, type KvState, weighPair } from "../../src/kv/KvState.ts"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import * as Ranging from "../../src/kv/Ranging.ts"
import { weighChange } from "../../src/kv/Writing.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import { chanceOf } from "./Chance.ts"
import { commandOf, rangeOf, txnOf } from "./StoreChance.ts"
import { StoreModel } from "./StoreModel.ts"

const answerOf = (state: KvState, query: Parameters<typeof KvMachine.query>[1]) => {
  const answer = KvMachine.query(state, query)
  return answer._tag === "Compacted" || answer._tag === "FutureRevision" ? answer._tag : answer
}

const pairsAt = (state: KvState, revision: number) => {
  const kvs: Array<unknown> = []
  Ranging.walkAt(state, revision, ["", undefined], (kv) => kvs.push(kv) > 0)
  return kvs
}

const inOrder = (pairs: ReadonlyMap<string, unknown>) =>
  [...pairs].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, kv]) => kv)

/** What `liveBytes` and `historyBytes` say, counted anew. */
const weighed = (state: KvState) => {
  let liveBytes = 0
  OrderedMap.walk(state.keys, "", undefined, (kv) => {
    liveBytes += weighPair(kv)
    return true
  })
  let historyBytes = 0
  for (let revision = state.history.first; revision <= state.revision; revision++) {
    const changes = History.at(state.history, revision)!.changes
    const kept = revision === state.history.first ? changes.slice(state.trimmed) : changes
    for (const change of kept) historyBytes += weighChange(change)
  }
  return { liveBytes, historyBytes }
}

describe("a slow model of the whole store", () => {
  for (let seed = 1; seed <= 30; seed++) {
    it(`agrees (seed ${seed})`, () => {
      const chance = chanceOf(seed)
      const model = new StoreModel()
      let state = KvMachine.initial
      for (let number = 1; number <= 400; number++) {
        model.time += 500 * chance.below(3)
        const where = { revision: model.revision, number }
        const command = commandOf(chance, where)
        const [after, result] = KvMachine.apply(state, command, {
          time: ClusterTime(model.time),
          version: historySince
        })
        assert.deepStrictEqual(result, model.apply(command))
        state = after
        const query = rangeOf(chance, { revision: model.revision, number })
        assert.deepStrictEqual(answerOf(state, query), model.range(query))
        assert.deepStrictEqual({ ...weighed(state) }, { liveBytes: state.liveBytes, historyBytes: state.historyBytes })
      }
      for (let revision = Math.max(1, model.compacted); revision <= model.revision; revision++) {
        assert.deepStrictEqual(pairsAt(state, revision), inOrder(model.revisions[revision]!))
      }
      assert.strictEqual(firstKept(state), Math.max(1, model.compacted))
      const asked = KvMachine.query(state, { _tag: "Leases" })
      assert(asked._tag === "Leases")
      assert.sameMembers([...asked.ids], [...model.leases.keys()])
    })
  }

  it("is not changed by a transaction that is queried, and answers it as it would have been", () => {
    const chance = chanceOf(77)
    let state = KvMachine.initial
    for (let number = 1; number <= 60; number++) {
      const where = { revision: state.revision, number }
      const context = { time: ClusterTime(number), version: historySince }
      state = KvMachine.apply(state, commandOf(chance, where), context)[0]
      const txn = txnOf(chance, where)
      const pairs = pairsAt(state, 0)
      const [, result] = KvMachine.apply(state, txn, context)
      // One that puts has no business here, but must not change anything either.
      const answer = answerOf(state, txn)
      if (result._tag !== "Rejected") assert.deepStrictEqual<unknown>(answer, result)
      else if (!result.reason.endsWith("NotFound")) assert.strictEqual<unknown>(answer, result.reason)
      assert.deepStrictEqual(pairsAt(state, 0), pairs)
    }
  })
})

describe("compaction", () => {
  it("takes effect at once, and does away with what it made useless in small bits", () => {
    const context = { time: ClusterTime(1), version: historySince }
    let state = KvMachine.initial
    const apply = (command: Parameters<typeof KvMachine.apply>[1]) => {
      const [after, result] = KvMachine.apply(state, command, context)
      state = after
      return result
    }
    for (let i = 0; i < 3000; i++) apply({ _tag: "Put", key: `k${i}`, value: Buffer.from("x"), prevKv: false })
    apply({ _tag: "DeleteRange", key: "k", rangeEnd: "l", prevKv: false })
    const { revision } = state
    assert.strictEqual(apply({ _tag: "Compact", revision })._tag, "Compact")
    assert.strictEqual(firstKept(state), revision)
    assert.isBelow(state.history.first, revision)
    assert.strictEqual(
      answerOf(state, { ...rangeOf(chanceOf(1), { revision: 1, number: 1 }), revision: 5 }),
      "Compacted"
    )
    let commands = 0
    for (; state.history.first < revision; commands++) {
      const { first } = state.history
      apply({ _tag: "LeaseKeepAlive", id: 9n })
      assert.isAtMost(state.history.first - first, 256)
      assert.isBelow(commands, 100)
    }
    assert.isAbove(commands, 5)
    // The record at the revision itself is kept, with how all keys went.
    assert.strictEqual(OrderedMap.size(state.deletions), 3000)
    apply({ _tag: "Put", key: "a", value: Buffer.from("x"), prevKv: false })
    apply({ _tag: "Compact", revision: state.revision })
    for (let i = 0; i < 20; i++) apply({ _tag: "LeaseKeepAlive", id: 9n })
    assert.strictEqual(OrderedMap.size(state.deletions), 0)
    assert.strictEqual(state.history.length, 1)
  })

  it("comes to an end where each command makes more than goes at once", () => {
    const context = { time: ClusterTime(1), version: historySince }
    const put = (at: number): Put => ({ _tag: "Put", key: `k${at}`, value: Buffer.from("x"), prevKv: false })
    const many: Txn = {
      _tag: "Txn",
      compares: [],
      success: Array.from({ length: 600 }, (_, at) => put(at)),
      failure: []
    }
    let state = KvMachine.initial
    for (let count = 0; count < 40; count++) {
      state = KvMachine.apply(state, many, context)[0]
      state = { ...state, compacted: state.revision }
    }
    assert.isAtMost(state.revision - state.history.first, 3)
  })
})
