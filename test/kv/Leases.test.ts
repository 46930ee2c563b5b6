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

const after = (state: KvState, ...commands: ReadonlyArray<KvCommand>): KvState =>
  commands.reduce(
    (before, command) => KvMachine.apply(before, command, { time: ClusterTime(0), version: historySince })[0],
    state
  )
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
