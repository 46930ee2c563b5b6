/**
 * Transactions, as etcd carries them out: all compares, those of nested ones as well, are about the store before; then
 * what is to be done is checked as a whole; then it is done, and each operation sees those before it.
 */
import * as Integer from "./Integer.ts"
import { bounds, isSingle, type KeyValue } from "./KeyValue.ts"
import type {
  Compare,
  DeleteRange,
  DeleteRangeResult,
  Operation,
  OperationResult,
  Merge,
  MergeResult,
  Put,
  PutResult,
  Rejected,
  Rejection,
  TimeToLive,
  TimeToLiveResult,
  Txn,
  TxnResult
} from "./KvCommand.ts"
import type { RangeAnswer, RangeQuery } from "./KvQuery.ts"
import type { KvState } from "./KvState.ts"
import * as Leases from "./Leases.ts"
import * as OrderedMap from "./OrderedMap.ts"
import * as Ranging from "./Ranging.ts"
import * as Writing from "./Writing.ts"

/** Why a revision cannot be read in this state; 0 is the present. As etcd has it, one below 0 was compacted, but -1 not at first. */
export const unreadable = ({ revision, compacted }: KvState, asked: number): Rejection | undefined => {
  if (asked > revision) return "FutureRevision"
  return asked !== 0 && asked < (compacted === 0 ? -1 : compacted) ? "Compacted" : undefined
}

/** What a put may not do. etcd looks at the lease first, but in a transaction at the key. */
export const putProblem = (state: Held, put: Put, leaseFirst: boolean): Rejection | undefined => {
  const needsKey = put.ignoreValue === true || put.ignoreLease === true
  const noKey = needsKey && OrderedMap.get(state.keys, put.key) === undefined ? "KeyNotFound" : undefined
  const { lease = 0n } = put
  const noLease = lease !== 0n && !isForAnyone(Leases.get(state.leases, lease)) ? "LeaseNotFound" : undefined
  return leaseFirst ? (noLease ?? noKey) : (noKey ?? noLease)
}

/** One that came with a key goes with it: nobody else's key can be attached to it. */
const isForAnyone = (lease: Leases.Lease | undefined): boolean => lease?.isOwn === false

/** The way through a transaction: which branch is taken, here and in those nested in it. */
interface Path {
  readonly succeeded: boolean
  readonly operations: ReadonlyArray<Operation>
  /** One for each operation; `undefined` where it is no transaction. */
  readonly nested: ReadonlyArray<Path | undefined>
}

/** What there is, before a command or in the middle of it. */
type Held = Pick<KvState, "keys" | "leases">

const pathOf = (writing: Writing.Writing, { compares, success, failure }: Txn): Path => {
  const succeeded = compares.every((compare) => holds(writing, writing.before.keys, compare))
  const operations = succeeded ? success : failure
  const nested = operations.map((operation) => (operation._tag === "Txn" ? pathOf(writing, operation) : undefined))
  return { succeeded, operations, nested }
}

/** As etcd looks: for puts throughout, nested ones included, and then for ranges. */
const problemOf = (state: KvState, path: Path): Rejection | undefined =>
  firstProblem(path, (operation) => (operation._tag === "Put" ? putProblem(state, operation, false) : undefined)) ??
  firstProblem(path, (operation) => (operation._tag === "Range" ? unreadable(state, operation.revision) : undefined))

const firstProblem = (
  { operations, nested }: Path,
  problemWith: (operation: Operation) => Rejection | undefined
): Rejection | undefined => {
  for (const [at, operation] of operations.entries()) {
    const path = nested[at]
    const problem = path === undefined ? problemWith(operation) : firstProblem(path, problemWith)
    if (problem !== undefined) return problem
  }
  return undefined
}

/**
 * Pairs that the reads and compares of one transaction may look at, all together. Every replica carries it out, and does so again
 * when it starts: without a limit one request of some kilobytes would take more memory or time than any of them has, for good.
 */
export const maxLooked = 4_000_000

const isTooMuch = ({ looked }: Writing.Writing): boolean => looked > maxLooked

/** Carries it out, unless there is something against it: then nothing has changed. */
export const txn = (writing: Writing.Writing, command: Txn): TxnResult | Rejection => {
  const result = command.inOrder === true ? inOrder(writing, command) : atOnce(writing, command)
  return isTooMuch(writing) ? "TooMuchRead" : result
}

const atOnce = (writing: Writing.Writing, command: Txn): TxnResult | Rejection => {
  const path = pathOf(writing, command)
  return problemOf(writing.before, path) ?? follow(writing, path)
}

const follow = (writing: Writing.Writing, { succeeded, operations, nested }: Path): TxnResult => {
  const responses = operations.map((operation, at) => carryOut(writing, operation, nested[at]))
  return { _tag: "Txn", revision: Writing.revisionOf(writing), succeeded, responses }
}

/** Each operation, and each compare, is about what those before it have made. */
const inOrder = (writing: Writing.Writing, { compares, success, failure }: Txn): TxnResult => {
  const succeeded = compares.every((compare) => holds(writing, writing.keys, compare))
  const responses = (succeeded ? success : failure).map((operation): OperationResult => {
    if (operation._tag === "Txn") return inOrder(writing, operation)
    const problem =
      operation._tag === "Put"
        ? putProblem(writing, operation, true)
        : operation._tag === "Range"
          ? unreadable(writing.before, operation.revision)
          : undefined
    return problem === undefined ? carryOut(writing, operation, undefined) : rejected(writing.before, problem)
  })
  return { _tag: "Txn", revision: Writing.revisionOf(writing), succeeded, responses }
}

export const rejected = ({ revision, compacted }: KvState, reason: Rejection): Rejected => ({
  _tag: "Rejected",
  revision,
  reason,
  compacted
})

const carryOut = (writing: Writing.Writing, operation: Operation, path: Path | undefined): OperationResult => {
  switch (operation._tag) {
    case "Range":
      return rangeWithin(writing, operation)
    case "Put":
      return put(writing, operation)
    case "DeleteRange":
      return deleteRange(writing, operation)
    case "Merge":
      return merge(writing, operation)
    case "TimeToLive":
      return timeToLive(writing, operation)
    case "Txn":
      return follow(writing, path!)
  }
}

const rangeWithin = (writing: Writing.Writing, query: RangeQuery): RangeAnswer => {
  const view = query.revision <= 0 ? Writing.view(writing) : writing.before
  const revision = Writing.revisionOf(writing)
  writing.looked += Ranging.effort(view, query)
  if (isTooMuch(writing)) return { _tag: "Range", revision, kvs: [], more: false, count: 0 }
  return { ...Ranging.range(view, query), revision }
}

/** There is nothing against it: see `putProblem`. */
export const put = (writing: Writing.Writing, command: Put): PutResult => {
  const { key, prevKv, ignoreValue = false, ignoreLease = false } = command
  const known = ignoreValue || ignoreLease ? OrderedMap.get(writing.keys, key) : undefined
  const value = (ignoreValue ? known?.value : undefined) ?? Writing.owned(command.value)
  const lease = leaseFor(writing, command, ignoreLease ? keptLease(writing, known) : command.lease)
  const prev = Writing.put(writing, key, value, lease)
  return { _tag: "Put", revision: Writing.revisionOf(writing), prevKv: prevKv ? prev : undefined }
}

/** A key that only names its lease has none. */
const keptLease = ({ leases }: Writing.Writing, known: KeyValue | undefined): bigint =>
  known !== undefined && Leases.holds(leases, known.lease, known.key) ? known.lease : 0n

const leaseFor = (writing: Writing.Writing, { ttlMillis }: Put, lease = 0n): bigint =>
  ttlMillis === undefined ? lease : Writing.ownLease(writing, ttlMillis)

/** Its lease stays, so what was to go goes at the same time. */
export const merge = (writing: Writing.Writing, { key, by }: Merge): MergeResult => {
  const known = OrderedMap.get(writing.keys, key)
  if (by._tag === "Append") {
    const length = (known?.value.length ?? 0) + by.bytes.length
    if (length > maxMergedBytes) return merged(writing, "TooLong")
    writing.looked += length >>> 6
    Writing.put(writing, key, joined(known?.value, by.bytes), keptLease(writing, known))
    return merged(writing, BigInt(length))
  }
  const number = sum(known?.value, by.amount)
  if (typeof number === "bigint") {
    const digits = Uint8Array.from(number.toString(), (digit) => digit.charCodeAt(0))
    Writing.put(writing, key, digits, keptLease(writing, known))
  }
  return merged(writing, number)
}

/** Appending copies what there is; a value that is put is bounded by the request that it comes in, and this one by nothing else. */
export const maxMergedBytes = 4 * 1024 * 1024

const merged = (writing: Writing.Writing, value: MergeResult["value"]): MergeResult => ({
  _tag: "Merge",
  revision: Writing.revisionOf(writing),
  value
})

const timeToLive = (writing: Writing.Writing, { key }: TimeToLive): TimeToLiveResult => {
  const kv = OrderedMap.get(writing.keys, key)
  const lease = kv === undefined ? undefined : Leases.get(writing.leases, kv.lease)
  const none = kv === undefined ? -2 : -1
  const ttlMillis = lease === undefined ? none : Math.max(0, lease.expiresAt - writing.time)
  return { _tag: "TimeToLive", revision: Writing.revisionOf(writing), ttlMillis }
}

const sum = (value: Uint8Array | undefined, amount: bigint): MergeResult["value"] => {
  const known = value === undefined ? 0n : Integer.parse(value)
  if (known === undefined) return "NotANumber"
  const next = known + amount
  return Integer.isOne(next) ? next : "Overflow"
}

const joined = (value: Uint8Array | undefined, more: Uint8Array): Uint8Array => {
  if (value === undefined) return Writing.owned(more)
  const all = new Uint8Array(value.length + more.length)
  all.set(value)
  all.set(more, value.length)
  return all
}

export const deleteRange = (writing: Writing.Writing, command: DeleteRange): DeleteRangeResult => {
  const found = isSingle(command) ? removeOne(writing, command) : removeMany(writing, command)
  return {
    _tag: "DeleteRange",
    revision: Writing.revisionOf(writing),
    deleted: found.length,
    prevKvs: command.prevKv ? found : []
  }
}

/** A single key leaves by the way that keeps the tree dense. */
const removeOne = (writing: Writing.Writing, { key }: DeleteRange): ReadonlyArray<KeyValue> => {
  const prev = Writing.remove(writing, key)
  return prev === undefined ? [] : [prev]
}

const removeMany = (writing: Writing.Writing, command: DeleteRange): ReadonlyArray<KeyValue> => {
  const interval = bounds(command)
  const found = Ranging.collect(writing.keys, ...interval, Number.POSITIVE_INFINITY)
  if (found.length > 0) Writing.removeAll(writing, interval, found)
  return found
}

/** What it says does not matter where it is too much: then nothing is carried out. */
const holds = (writing: Writing.Writing, keys: KvState["keys"], compare: Compare): boolean => {
  if (isSingle(compare)) return holdsFor(compare, OrderedMap.get(keys, compare.key))
  let isEmpty = true
  let holdsForAll = true
  OrderedMap.walk(keys, ...bounds(compare), (kv) => {
    isEmpty = false
    writing.looked++
    holdsForAll = holdsFor(compare, kv)
    return holdsForAll && !isTooMuch(writing)
  })
  return isEmpty ? holdsFor(compare, undefined) : holdsForAll
}

const holdsFor = ({ target, result }: Compare, kv: KeyValue | undefined): boolean => {
  switch (target._tag) {
    case "Value":
      return kv !== undefined && satisfies(Ranging.compareBytes(kv.value, target.value), result)
    case "Lease":
      return satisfies(order(kv?.lease ?? 0n, target.lease), result)
    case "Version":
      return satisfies(order(kv?.version ?? 0, target.number), result)
    case "CreateRevision":
      return satisfies(order(kv?.createRevision ?? 0, target.number), result)
    case "ModRevision":
      return satisfies(order(kv?.modRevision ?? 0, target.number), result)
  }
}

const order = <N extends number | bigint>(one: N, other: N): number => (one < other ? -1 : one > other ? 1 : 0)

/** How what is there compares with what is asked for. */
const satisfies = (order: number, result: Compare["result"]): boolean => {
  switch (result) {
    case "Equal":
      return order === 0
    case "NotEqual":
      return order !== 0
    case "Greater":
      return order > 0
    case "Less":
      return order < 0
  }
}
