/**
 * What clients ask of the key-value store: all kinds of commands and reads over a few keys, leases and revisions, so
 * that they meet. Half of it goes by what the store holds just now, or what is asked for would mostly be refused.
 */
import type { Compare, KvCommand, LeaseCommand, Merge, Operation, Put, Txn } from "../kv/KvCommand.ts"
import type { KeyRange } from "../kv/KeyValue.ts"
import type { KvQuery, RangeQuery } from "../kv/KvQuery.ts"
import type { KvState } from "../kv/KvState.ts"
import * as Leases from "../kv/Leases.ts"
import type { Random } from "./Random.ts"

const keys = ["a", "b", "bb", "c", "", "\xff\0", "__proto__"]
/** Of keys that transactions delete: what is put in one must not be deleted in it. */
const others = ["z", "za", "zb"]
const leases = [1n, 2n, 3n, 0x7fff_ffff_ffff_ffffn]

const common = ["a", "a", "a", "b", "b", "bb", "c"]

const keyOf = (random: Random): string => random.pick(random.chance(0.9) ? common : keys)

export const keyRange = (random: Random): KeyRange => ({
  key: keyOf(random),
  rangeEnd: random.pick([undefined, undefined, "c", "\0", "bb\0"])
})

/** Each is another one. */
const bytesOf = (number: number): Uint8Array => Uint8Array.of(number >> 16, number >> 8, number)

/** Those that are over first come first. */
const idsOf = (held: Leases.Leases): ReadonlyArray<bigint> => {
  const ids: Array<bigint> = []
  Leases.walk(held, ({ id }) => ids.push(id) > 0)
  return ids
}

/** Mostly one that there is. */
const leaseOf = (random: Random, { leases: held }: KvState): bigint => {
  if (random.chance(0.6)) return 0n
  const ids = idsOf(held)
  return random.pick(ids.length > 0 && random.chance(0.9) ? ids : leases)
}

const put = (random: Random, number: number, key: string, state: KvState): Put => {
  const one: Put = { _tag: "Put", key, value: bytesOf(number), prevKv: random.chance(0.5) }
  if (random.chance(0.08)) return { ...one, value: new Uint8Array(0), ignoreValue: true, lease: leaseOf(random, state) }
  if (random.chance(0.08)) return { ...one, ignoreLease: true }
  if (random.chance(0.12)) return { ...one, ttlMillis: 1 + random.below(4000) }
  return { ...one, lease: leaseOf(random, state) }
}

/** One that can be read, one that is compacted, or one that is to come. */
const revisionOf = (random: Random, { revision, compacted }: KvState): number => {
  if (random.chance(0.5)) return 0
  if (random.chance(0.2)) return random.pick([compacted, compacted - 1, revision, revision + 1])
  return compacted + random.below(revision - compacted + 1)
}

const range = (random: Random, state: KvState): RangeQuery => ({
  _tag: "Range",
  ...keyRange(random),
  limit: random.pick([0, 0, 1, 2]),
  revision: Math.max(0, revisionOf(random, state)),
  keysOnly: random.chance(0.2),
  countOnly: random.chance(0.1),
  ...(random.chance(0.3)
    ? {
        sort: {
          order: random.pick(["None", "Ascend", "Descend"]),
          target: random.pick(["Key", "Version", "Create", "Mod", "Value"])
        }
      }
    : {}),
  ...(random.chance(0.1) ? { minModRevision: random.below(state.revision + 1) } : {}),
  ...(random.chance(0.1) ? { maxModRevision: random.below(state.revision + 1) } : {}),
  ...(random.chance(0.1) ? { minCreateRevision: random.below(state.revision + 1) } : {}),
  ...(random.chance(0.1) ? { maxCreateRevision: random.below(state.revision + 1) } : {})
})

const compare = (random: Random, state: KvState): Compare => ({
  ...keyRange(random),
  result: random.pick(["Equal", "NotEqual", "Greater", "Less"]),
  target: random.pick([
    { _tag: "Version", number: random.below(3) },
    { _tag: "CreateRevision", number: random.pick([0, random.below(state.revision + 1)]) },
    { _tag: "ModRevision", number: random.pick([0, state.revision, random.below(state.revision + 1)]) },
    { _tag: "Value", value: bytesOf(random.below(50)) },
    { _tag: "Lease", lease: leaseOf(random, state) }
  ] as const)
})

const some = <A>(random: Random, most: number, one: () => A): ReadonlyArray<A> =>
  Array.from({ length: random.below(most + 1) }, one)

const merge = (random: Random): Merge => ({
  _tag: "Merge",
  key: random.pick(["n", "n", "m", keyOf(random)]),
  by: random.chance(0.7)
    ? { _tag: "Add", amount: random.pick([1n, -2n, 0x7fff_ffff_ffff_ffffn]) }
    : { _tag: "Append", bytes: Uint8Array.of(0x30 + random.below(10)) }
})

/** Whatever there is, as often as one likes: each sees what those before it have made. */
const inOrder = (random: Random, number: number, state: KvState, depth = 2): Txn => {
  const operation = (): Operation => {
    const kind = random.below(10)
    if (kind < 3) return put(random, number, keyOf(random), state)
    if (kind < 5) return { _tag: "DeleteRange", ...keyRange(random), prevKv: random.chance(0.5) }
    if (kind === 5) return merge(random)
    if (kind === 6) return { _tag: "TimeToLive", key: keyOf(random) }
    if (kind === 7 && depth > 0) return inOrder(random, number, state, depth - 1)
    return range(random, state)
  }
  return { ...conditional(random, state, operation, 4), inOrder: true }
}

const conditional = (random: Random, state: KvState, operation: () => Operation, most: number): Txn => ({
  _tag: "Txn",
  compares: some(random, 2, () => compare(random, state)),
  success: some(random, most, operation),
  failure: some(random, most, operation)
})

/** Each key is put once at most, whichever way is taken, and what is put is not deleted. */
const txn = (random: Random, number: number, state: KvState, free = [...new Set(common)], depth = 2): Txn => {
  const operation = (): Operation => {
    const key = random.chance(0.5) ? free.shift() : undefined
    if (key !== undefined) return put(random, number, key, state)
    if (random.chance(0.2)) {
      const rangeEnd = random.chance(0.5) ? "zz" : undefined
      return { _tag: "DeleteRange", key: random.pick(others), rangeEnd, prevKv: random.chance(0.5) }
    }
    if (depth > 0 && random.chance(0.25)) return txn(random, number, state, free, depth - 1)
    return range(random, state)
  }
  return conditional(random, state, operation, 3)
}

/** Mostly about one that is not there, or about the first that will be over: as a client and a leader would. */
const lease = (random: Random, { leases: held }: KvState): LeaseCommand => {
  const ids = idsOf(held)
  const free = leases.filter((id) => !ids.includes(id))
  const id = random.pick(leases)
  const known = random.chance(0.8) ? (ids[0] ?? id) : id
  const kind = random.below(20)
  if (kind < 5)
    return { _tag: "LeaseGrant", id: random.chance(0.2) ? id : (free[0] ?? id), ttlSeconds: random.below(4) }
  // As a leader would, those that end first; or whichever, and one of them twice.
  if (kind < 12) return { _tag: "LeaseExpire", ids: ids.length > 0 ? ids.slice(0, 1 + random.below(4)) : [known] }
  if (kind < 15) return { _tag: "LeaseExpire", ids: [known, random.pick(ids.length > 0 ? ids : leases), known] }
  if (kind < 17) return { _tag: "LeaseKeepAlive", id: known }
  if (kind < 19) return { _tag: "LeaseTimeToLive", id: known, keys: random.chance(0.5) }
  return { _tag: "LeaseRevoke", id: known }
}

export const command = (random: Random, number: number, state: KvState): KvCommand => {
  const kind = random.below(100)
  if (kind < 42) return put(random, number, keyOf(random), state)
  if (kind < 45) return merge(random)
  if (kind < 50) return put(random, number, random.pick(others), state)
  if (kind < 60) return { _tag: "DeleteRange", ...keyRange(random), prevKv: random.chance(0.5) }
  if (kind < 70) return txn(random, number, state)
  if (kind < 74) return inOrder(random, number, state)
  if (kind < 78) return { _tag: "Compact", revision: Math.max(0, state.revision + random.pick([1, 0, 0, -1, -3, -8])) }
  return lease(random, state)
}

/** A transaction that only reads. */
const reading = (random: Random, state: KvState, depth = 1): Txn => {
  const operation = (): Operation =>
    depth > 0 && random.chance(0.3) ? reading(random, state, depth - 1) : range(random, state)
  return conditional(random, state, operation, 2)
}

export const query = (random: Random, state: KvState): KvQuery => {
  if (random.chance(0.05)) return { _tag: "Leases" }
  return random.chance(0.15) ? reading(random, state) : range(random, state)
}
