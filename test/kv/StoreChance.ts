/** Random commands and queries of the store over few short keys, so that they meet. */
import type { Compare, KvCommand, Merge, Operation, Put, Txn } from "../../src/kv/KvCommand.ts"
import type { RangeQuery } from "../../src/kv/KvQuery.ts"
import type { Chance } from "./Chance.ts"

export interface Where {
  readonly revision: number
  readonly number: number
}

export const keyOf = (chance: Chance): string =>
  String.fromCharCode(...Array.from({ length: 1 + chance.below(2) }, () => 97 + chance.below(4)))

export const endOf = (chance: Chance): string | undefined =>
  chance.pick([() => undefined, () => undefined, () => "\0", () => `${keyOf(chance)}\xff`, () => keyOf(chance)])()

const leaseOf = (chance: Chance): bigint => BigInt(chance.pick([0, 0, 0, 1, 2, 3, 4]))

const valueOf = (number: number): Uint8Array => Buffer.from(`v${number % 13}`)

export const putOf = (chance: Chance, { number }: Where): Put => {
  const put = { _tag: "Put", key: keyOf(chance), prevKv: chance.below(2) === 0 } as const
  switch (chance.below(10)) {
    case 0:
      return { ...put, value: new Uint8Array(0), ignoreValue: true, lease: leaseOf(chance) }
    case 1:
      return { ...put, value: valueOf(number), ignoreLease: true }
    case 2:
      return { ...put, value: valueOf(number), ttlMillis: 500 * (1 + chance.below(6)) }
    case 3:
      return { ...put, value: Buffer.from(String(number % 7 === 0 ? (1n << 63n) - 1n : number)) }
    default:
      return { ...put, value: valueOf(number), lease: leaseOf(chance) }
  }
}

export const rangeOf = (chance: Chance, { revision }: Where): RangeQuery => ({
  _tag: "Range",
  key: keyOf(chance),
  rangeEnd: endOf(chance),
  limit: chance.pick([0, 0, 1, 2, 5]),
  revision: chance.below(2) === 0 ? 0 : 1 + chance.below(revision + 1),
  keysOnly: chance.below(5) === 0,
  countOnly: chance.below(8) === 0,
  ...(chance.below(3) === 0
    ? {
        sort: {
          order: chance.pick(["None", "Ascend", "Descend"]),
          target: chance.pick(["Key", "Version", "Create", "Mod", "Value"])
        }
      }
    : {}),
  ...(chance.below(6) === 0 ? { minModRevision: chance.below(revision + 2) } : {}),
  ...(chance.below(6) === 0 ? { maxModRevision: chance.below(revision + 2) } : {}),
  ...(chance.below(6) === 0 ? { minCreateRevision: chance.below(revision + 2) } : {}),
  ...(chance.below(6) === 0 ? { maxCreateRevision: chance.below(revision + 2) } : {})
})

const compareOf = (chance: Chance, { revision, number }: Where): Compare => ({
  key: keyOf(chance),
  rangeEnd: endOf(chance),
  result: chance.pick(["Equal", "NotEqual", "Greater", "Less"]),
  target: chance.pick([
    () => ({ _tag: "Version", number: chance.below(3) }) as const,
    () => ({ _tag: "CreateRevision", number: chance.below(revision + 1) }) as const,
    () => ({ _tag: "ModRevision", number: chance.below(revision + 1) }) as const,
    () => ({ _tag: "Value", value: valueOf(number) }) as const,
    () => ({ _tag: "Lease", lease: leaseOf(chance) }) as const
  ])()
})

export const mergeOf = (chance: Chance, { number }: Where): Merge => ({
  _tag: "Merge",
  key: keyOf(chance),
  by: chance.pick([
    { _tag: "Add", amount: BigInt(number - 200) },
    { _tag: "Append", bytes: valueOf(number) }
  ] as const)
})

/** All of it in order, with any keys as often as may be. */
const inOrderOf = (chance: Chance, where: Where, depth: number): Txn => {
  const operation = (): Operation =>
    chance.pick([
      () => putOf(chance, where),
      () => putOf(chance, where),
      () => mergeOf(chance, where),
      () => ({ _tag: "TimeToLive", key: keyOf(chance) }) as const,
      () => ({ _tag: "DeleteRange", key: keyOf(chance), rangeEnd: endOf(chance), prevKv: true }) as const,
      () => rangeOf(chance, where),
      () => (depth === 0 ? rangeOf(chance, where) : inOrderOf(chance, where, depth - 1))
    ])()
  const some = <A>(make: () => A, most: number): ReadonlyArray<A> => Array.from({ length: chance.below(most) }, make)
  return {
    _tag: "Txn",
    inOrder: true,
    compares: some(() => compareOf(chance, where), 2),
    success: some(operation, 6),
    failure: some(operation, 6)
  }
}

/** Each key is put at most once and none is both put and deleted, as etcd would have it: what is put has a prefix of its own. */
export const txnOf = (chance: Chance, where: Where, depth = 2): Txn => {
  const taken = new Set<string>()
  const operation = (): Operation => {
    const kind = chance.below(depth === 0 ? 6 : 8)
    if (kind < 3) {
      const put = putOf(chance, where)
      if (taken.has(put.key)) return rangeOf(chance, where)
      taken.add(put.key)
      return put
    }
    if (kind < 5) return rangeOf(chance, where)
    if (kind === 5) return { _tag: "DeleteRange", key: `z${keyOf(chance)}`, rangeEnd: undefined, prevKv: true }
    return reading(txnOf(chance, where, depth - 1), chance, where)
  }
  const some = <A>(make: () => A): ReadonlyArray<A> => Array.from({ length: chance.below(4) }, make)
  return {
    _tag: "Txn",
    compares: some(() => compareOf(chance, where)),
    success: some(operation),
    failure: some(operation)
  }
}

/** A nested one that only reads and deletes, for its puts could meet those around it. */
const reading = (txn: Txn, chance: Chance, where: Where): Txn => {
  const harmless = (operation: Operation): Operation => (operation._tag === "Put" ? rangeOf(chance, where) : operation)
  return { ...txn, success: txn.success.map(harmless), failure: txn.failure.map(harmless) }
}

export const commandOf = (chance: Chance, where: Where): KvCommand => {
  const kind = chance.below(100)
  const id = BigInt(1 + chance.below(4))
  if (kind < 40) return putOf(chance, where)
  if (kind < 45) return { ...putOf(chance, where), key: `z${keyOf(chance)}` }
  if (kind < 60)
    return { _tag: "DeleteRange", key: keyOf(chance), rangeEnd: endOf(chance), prevKv: chance.below(2) === 0 }
  if (kind < 68) return txnOf(chance, where)
  if (kind < 73) return inOrderOf(chance, where, 2)
  if (kind < 76) return mergeOf(chance, where)
  if (kind < 79) return { _tag: "Compact", revision: Math.max(1, where.revision - chance.below(40) + 2) }
  if (kind < 85) return { _tag: "LeaseGrant", id, ttlSeconds: chance.below(8) }
  if (kind < 88) return { _tag: "LeaseRevoke", id }
  if (kind < 92) return { _tag: "LeaseKeepAlive", id }
  if (kind < 97) {
    const one = (): bigint =>
      chance.pick([id, BigInt(1 + chance.below(4)), (1n << 62n) + BigInt(chance.below(where.number))])
    return { _tag: "LeaseExpire", ids: Array.from({ length: 1 + chance.below(4) }, one) }
  }
  return { _tag: "LeaseTimeToLive", id, keys: chance.below(2) === 0 }
}
