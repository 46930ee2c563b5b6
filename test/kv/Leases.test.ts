/** Leases of the same name: after a time without leases a key still has the name of one, and another may be given it. */
import { assert, describe, it } from "@effect/vitest"
import { historySince, type KvCommand, type Put } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import * as Leases from "../../src/kv/Leases.ts"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"

const put = (key: string, more: Partial<Put> = {}): Put => ({
  _tag: "Put",
  key,
  value: Uint8Array.of(1),
  prevKv: false,
  ...more
})
const grant = (id: bigint): KvCommand => ({ _tag: "LeaseGrant", id, ttlSeconds: 10 })
const deleteOf = (key: string): KvCommand => ({ _tag: "DeleteRange", key, rangeEnd: undefined, prevKv: false })

const at = (millis: number, state: KvState, command: KvCommand) =>
  KvMachine.apply(state, command, { time: ClusterTime(millis), version: historySince })

const after = (state: KvState, ...commands: ReadonlyArray<KvCommand>): KvState =>
  commands.reduce((before, command) => at(0, before, command)[0], state)
/** The cluster has agreed on an earlier version, and on this one again. */
const withoutLeases = (state: KvState): KvState =>
  KvMachine.migrate!(KvMachine.migrate!(state, historySince - 1), historySince)

const has = ({ keys }: KvState, key: string): boolean => OrderedMap.get(keys, key) !== undefined

describe("a key that has the name of an earlier lease", () => {
  const old = withoutLeases(after(KvMachine.initial, grant(7n), put("a", { lease: 7n })))

  it("goes with a new one of that name if it is put with it", () => {
    const state = after(old, grant(7n), put("a", { lease: 7n }), { _tag: "LeaseRevoke", id: 7n })
    assert.isFalse(has(state, "a"))
  })

  it("and stays if it is not", () => {
    assert.isTrue(has(after(old, grant(7n), { _tag: "LeaseRevoke", id: 7n }), "a"))
  })

  it("takes nothing from a key that goes by itself when it goes", () => {
    const earlier = withoutLeases(after(KvMachine.initial, put("a", { ttlMillis: 5000 })))
    const state = after(earlier, put("b", { ttlMillis: 5000 }), deleteOf("a"))
    assert.strictEqual(Leases.size(state.leases), 1)
  })
})

it("a lease that came with a key takes no other, and goes with it", () => {
  const own = after(KvMachine.initial, put("a", { ttlMillis: 5000 }))
  const { lease } = OrderedMap.get(own.keys, "a")!
  const other = after(own, put("b", { lease }))
  assert.strictEqual(OrderedMap.get(other.keys, "b"), undefined)
  assert.strictEqual(Leases.size(other.leases), 1)
  assert.strictEqual(Leases.size(after(other, deleteOf("a")).leases), 0)
})

describe("leases that are named in one command", () => {
  const expire = (...ids: ReadonlyArray<bigint>): KvCommand => ({ _tag: "LeaseExpire", ids })
  const many = (leases: number, keysEach: number): KvState => {
    let state = KvMachine.initial
    for (let id = 1; id <= leases; id++) {
      state = after(state, grant(BigInt(id)))
      for (let n = 0; n < keysEach; n++) state = after(state, put(`${id}/${n}`, { lease: BigInt(id) }))
    }
    return state
  }

  it("expire in one revision, those alone whose time is over when it is applied", () => {
    const three = after(many(3, 2), { _tag: "Compact", revision: 1 })
    const [kept] = at(5_000, three, { _tag: "LeaseKeepAlive", id: 2n })
    const [state, result] = at(10_000, kept, expire(1n, 2n, 9n, 3n, 1n))
    assert.deepStrictEqual(result, { _tag: "LeaseExpire", revision: kept.revision + 1, expired: 2 })
    assert.strictEqual(state.revision, kept.revision + 1)
    assert.deepStrictEqual(
      ["1/0", "1/1", "2/0", "2/1", "3/0", "3/1"].filter((key) => has(state, key)),
      ["2/0", "2/1"]
    )
    assert.strictEqual(Leases.size(state.leases), 1)
  })

  it("change nothing before their time", () => {
    const state = many(2, 1)
    const [same, result] = at(9_999, state, expire(1n, 2n))
    assert.strictEqual(same, state)
    assert.deepStrictEqual(result, { _tag: "LeaseExpire", revision: state.revision, expired: 0 })
  })

  it("are as many as are due and one command may do, the longest first", () => {
    const state = many(Leases.maxExpired + 1, 0)
    const [kept] = at(1_000, state, { _tag: "LeaseKeepAlive", id: 1n })
    const time = ClusterTime(11_000)
    assert.deepStrictEqual(Leases.due(kept.leases, ClusterTime(9_999)), [])
    const due = Leases.due(kept.leases, time)
    assert.deepStrictEqual(
      due,
      Array.from({ length: Leases.maxExpired }, (_, at) => BigInt(at + 2))
    )
    // Whoever names more of them gets no more.
    const [rest, result] = at(time, kept, expire(...due, 1n))
    assert.strictEqual(result._tag === "LeaseExpire" && result.expired, Leases.maxExpired)
    assert.deepStrictEqual(Leases.due(rest.leases, time), [1n])
  })

  it("have together as many keys as one command may delete, but one may have more", () => {
    const half = Leases.maxExpiredKeys / 2
    const state = many(2, half)
    const more = after(state, grant(3n), put("more", { lease: 3n }))
    const time = ClusterTime(10_000)
    assert.deepStrictEqual(Leases.due(more.leases, time), [1n, 2n])
    const [rest, result] = at(time, more, expire(1n, 2n, 3n))
    assert.deepStrictEqual([result._tag === "LeaseExpire" && result.expired, has(rest, "more")], [2, true])
    const large = after(many(1, Leases.maxExpiredKeys + 1), grant(2n), put("more", { lease: 2n }))
    assert.deepStrictEqual(Leases.due(large.leases, time), [1n])
    const [left, one] = at(time, large, expire(1n, 2n))
    assert.deepStrictEqual(
      [one._tag === "LeaseExpire" && one.expired, has(left, "1/0"), has(left, "more")],
      [1, false, true]
    )
  })
})
