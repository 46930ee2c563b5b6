/** Commands and results of the store of every kind, by hand and by chance. */
import type {
  Compare,
  CompareTarget,
  KvCommand,
  KvResult,
  Operation,
  OperationResult,
  Put,
  Rejection,
  Txn
} from "../../src/kv/KvCommand.ts"
import type { KeyRange, KeyValue } from "../../src/kv/KeyValue.ts"
import type { RangeQuery } from "../../src/kv/KvQuery.ts"
import type { Chance } from "../kv/Chance.ts"

const maxId = 2n ** 63n - 1n
const safe = Number.MAX_SAFE_INTEGER

const put: Put = { _tag: "Put", key: "a", value: Buffer.from("1"), prevKv: false }
const everything: KeyRange = { key: "\0", rangeEnd: "\0" }
export const range: RangeQuery = {
  _tag: "Range",
  key: "a",
  rangeEnd: undefined,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false
}
const compare: Compare = { key: "a", rangeEnd: undefined, result: "Equal", target: { _tag: "Version", number: 1 } }

export const targets: ReadonlyArray<CompareTarget> = [
  { _tag: "Version", number: 0 },
  { _tag: "CreateRevision", number: safe },
  { _tag: "ModRevision", number: -safe },
  { _tag: "Value", value: Buffer.alloc(0) },
  { _tag: "Value", value: Buffer.from("value") },
  { _tag: "Lease", lease: 0n },
  { _tag: "Lease", lease: -(2n ** 63n) }
]

export const compares: ReadonlyArray<Compare> = [
  ...targets.map((target) => ({ ...compare, target })),
  ...(["Greater", "Less", "NotEqual"] as const).map((result) => ({ ...compare, ...everything, result }))
]

export const ranges: ReadonlyArray<RangeQuery> = [
  range,
  { ...range, ...everything, keysOnly: true },
  { ...range, rangeEnd: "", countOnly: true, limit: 7, revision: 2 ** 32 },
  { ...range, limit: -1, revision: -1 },
  { ...range, sort: { order: "None", target: "Key" } },
  { ...range, ...everything, sort: { order: "Descend", target: "Value" }, minModRevision: 1, maxModRevision: safe },
  { ...range, sort: { order: "Ascend", target: "Mod" }, minCreateRevision: 2 ** 40, maxCreateRevision: -3 },
  { ...range, sort: { order: "Ascend", target: "Version" } },
  { ...range, sort: { order: "Ascend", target: "Create" } }
]

export const txn: Txn = { _tag: "Txn", compares: [], success: [], failure: [] }

export const nested = (depth: number): Txn => {
  let one: Txn = { ...txn, success: [put] }
  for (let n = 1; n < depth; n++) one = { ...txn, failure: [one] }
  return one
}

const operations: ReadonlyArray<Operation> = [
  put,
  { ...put, lease: 7n, prevKv: true },
  { _tag: "DeleteRange", ...everything, prevKv: true },
  ...ranges,
  { ...txn, compares: [compare], success: [put] },
  { _tag: "Merge", key: "n", by: { _tag: "Add", amount: 5n } },
  { _tag: "TimeToLive", key: "n" }
]

/** None of them can be said before there was history. */
export const later: ReadonlyArray<KvCommand> = [
  { ...put, lease: 1n },
  { ...put, lease: maxId, prevKv: true },
  { ...put, lease: -1n },
  { ...put, value: Buffer.alloc(0), ignoreValue: true },
  { ...put, ignoreLease: true },
  { ...put, ttlMillis: 1 },
  { ...put, value: Buffer.alloc(0), ignoreValue: true, ttlMillis: 9_000_000_000_000 },
  { ...put, value: Buffer.alloc(0), ignoreValue: true, ignoreLease: true, prevKv: true },
  { ...put, value: Buffer.alloc(0), ignoreValue: true, lease: 2n ** 40n },
  { _tag: "Merge", key: "n", by: { _tag: "Add", amount: -(2n ** 63n) } },
  { _tag: "Merge", key: "n", by: { _tag: "Add", amount: 1n } },
  { _tag: "Merge", key: "", by: { _tag: "Append", bytes: Buffer.from("more") } },
  { ...txn, inOrder: true },
  { ...txn, inOrder: true, success: [put, { ...txn, inOrder: true, compares: [compare], failure: [put] }] },
  txn,
  { ...txn, compares },
  { ...txn, success: operations },
  { ...txn, compares: [compare, compare], success: [put], failure: operations },
  nested(16),
  { _tag: "Compact", revision: 5 },
  { _tag: "Compact", revision: safe },
  { _tag: "Compact", revision: -1 },
  { _tag: "LeaseGrant", id: 1n, ttlSeconds: 60 },
  { _tag: "LeaseGrant", id: maxId, ttlSeconds: -safe },
  { _tag: "LeaseRevoke", id: 0x1234_5678_9abcn },
  { _tag: "LeaseKeepAlive", id: 5n },
  { _tag: "LeaseExpire", ids: [5n] },
  { _tag: "LeaseExpire", ids: [maxId, 5n, -1n] },
  { _tag: "LeaseTimeToLive", id: 5n, keys: false },
  { _tag: "LeaseTimeToLive", id: 5n, keys: true }
]

const pair: KeyValue = { key: "k", value: Buffer.from("v"), createRevision: 2, modRevision: 4, version: 3, lease: 0n }
const leased: KeyValue = { ...pair, key: "\xff\0", value: Buffer.alloc(0), lease: maxId, modRevision: safe }
const revision = 2 ** 33

const responses: ReadonlyArray<OperationResult> = [
  { _tag: "Put", revision, prevKv: leased },
  { _tag: "DeleteRange", revision, deleted: 2, prevKvs: [pair, leased] },
  { _tag: "Range", revision, kvs: [], more: false, count: 0 },
  { _tag: "Range", revision, kvs: [pair, leased], more: true, count: 9 },
  { _tag: "Txn", revision, succeeded: true, responses: [{ _tag: "Put", revision, prevKv: undefined }] },
  { _tag: "Merge", revision, value: 12n },
  { _tag: "Rejected", revision, reason: "KeyNotFound", compacted: 2 },
  { _tag: "TimeToLive", revision, ttlMillis: -2 },
  { _tag: "TimeToLive", revision, ttlMillis: 12345 }
]

const rejections: ReadonlyArray<Rejection> = [
  "KeyNotFound",
  "LeaseNotFound",
  "LeaseExists",
  "LeaseTtlTooLarge",
  "Compacted",
  "FutureRevision",
  "TooMuchRead"
]

export const results: ReadonlyArray<KvResult> = [
  { _tag: "Put", revision, prevKv: undefined },
  { _tag: "Put", revision, prevKv: pair },
  { _tag: "DeleteRange", revision, deleted: 2, prevKvs: [] },
  { _tag: "DeleteRange", revision, deleted: 2, prevKvs: [pair, leased] },
  { _tag: "UnknownCommand", revision },
  { _tag: "Txn", revision, succeeded: false, responses: [] },
  { _tag: "Txn", revision, succeeded: true, responses },
  { _tag: "Merge", revision, value: 0n },
  { _tag: "Merge", revision, value: -(2n ** 63n) },
  { _tag: "Merge", revision, value: "TooLong" },
  { _tag: "Merge", revision, value: "NotANumber" },
  { _tag: "Merge", revision, value: "Overflow" },
  { _tag: "Compact", revision },
  { _tag: "LeaseGrant", revision, id: 7n, ttlSeconds: 60 },
  { _tag: "LeaseRevoke", revision },
  { _tag: "LeaseKeepAlive", revision, id: maxId, ttlSeconds: 0 },
  { _tag: "LeaseExpire", revision, expired: 0 },
  { _tag: "LeaseExpire", revision, expired: 1000 },
  { _tag: "LeaseTimeToLive", revision, id: 7n, ttlSeconds: -1, ttlMillis: -1, grantedTtlSeconds: 0, keys: [] },
  {
    _tag: "LeaseTimeToLive",
    revision,
    id: 7n,
    ttlSeconds: 5,
    ttlMillis: 5001,
    grantedTtlSeconds: 60,
    keys: ["a", "", "\xff"]
  },
  ...rejections.map((reason) => ({ _tag: "Rejected", revision, reason, compacted: 4 }) as const)
]

/** Any command there is, of keys and values that often meet. */
export const commandBy = (chance: Chance): KvCommand => {
  const id = BigInt(chance.below(4) + 1)
  switch (chance.below(12)) {
    case 0:
      return { _tag: "Compact", revision: chance.below(60) }
    case 1:
      return { _tag: "LeaseGrant", id, ttlSeconds: chance.below(100) }
    case 2:
      if (chance.below(3) === 0) return { _tag: "LeaseExpire", ids: [id, BigInt(chance.below(4) + 1)] }
      return { _tag: chance.pick(["LeaseRevoke", "LeaseKeepAlive"] as const), id }
    case 3:
      return { _tag: "LeaseTimeToLive", id, keys: chance.below(2) === 0 }
    case 4:
    case 5:
      return txnBy(chance, 3)
    case 6:
    case 7:
      return { _tag: "DeleteRange", ...keysBy(chance), prevKv: chance.below(2) === 0 }
    default:
      return putBy(chance)
  }
}

const keyBy = (chance: Chance): string => `k${chance.below(12)}`

const keysBy = (chance: Chance): KeyRange =>
  chance.below(3) > 0
    ? { key: keyBy(chance), rangeEnd: undefined }
    : { key: keyBy(chance), rangeEnd: chance.pick(["\0", "", "k3", "k7", "l"]) }

const putBy = (chance: Chance): Put => {
  const ignoreValue = chance.below(6) === 0
  const ignoreLease = chance.below(6) === 0
  const value = Buffer.alloc(ignoreValue ? 0 : chance.below(5), chance.below(3))
  const leased = !ignoreLease && chance.below(3) === 0
  return {
    _tag: "Put",
    key: keyBy(chance),
    value,
    prevKv: chance.below(2) === 0,
    ...(leased ? { lease: BigInt(chance.below(4) + 1) } : {}),
    ...(ignoreValue ? { ignoreValue } : {}),
    ...(ignoreLease ? { ignoreLease } : {})
  }
}

const txnBy = (chance: Chance, depth: number): Txn => {
  const some = <A>(one: () => A): ReadonlyArray<A> => Array.from({ length: chance.below(4) }, one)
  return {
    _tag: "Txn",
    compares: some(() => ({ ...chance.pick(compares), ...keysBy(chance) })),
    success: some(() => operationBy(chance, depth)),
    failure: some(() => operationBy(chance, depth))
  }
}

const operationBy = (chance: Chance, depth: number): Operation => {
  switch (chance.below(depth > 0 ? 5 : 4)) {
    case 0:
      return { _tag: "DeleteRange", ...keysBy(chance), prevKv: chance.below(2) === 0 }
    case 1:
      return { ...chance.pick(ranges), revision: chance.below(3) === 0 ? chance.below(60) : 0, ...keysBy(chance) }
    case 4:
      return txnBy(chance, depth - 1)
    default:
      return putBy(chance)
  }
}

/** A copy in which bytes are hexadecimal, whatever holds them. */
export const plainly = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`
  if (Array.isArray(value)) return value.map(plainly)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plainly(field)]))
}
