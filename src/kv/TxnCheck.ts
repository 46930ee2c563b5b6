/**
 * What is wrong with a transaction whatever the store holds, found before anything is proposed: as etcd finds it, and in its order.
 */
import type { Key, KeyRange } from "./KeyValue.ts"
import type { Operation, Put, Txn } from "./KvCommand.ts"

/** etcd's default: compares, or operations of a branch; what is nested may have as many fewer as there are around it. */
export const maxOperations = 128

/** What says nothing: a request may have it among its operations, and a command never does. */
export const nothing: Operation = {
  _tag: "Range",
  key: "",
  rangeEnd: undefined,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false
}

export type TxnProblem =
  | "NoOperation"
  | "KeyNotProvided"
  | "ValueProvided"
  | "LeaseProvided"
  | "TooManyOperations"
  | "DuplicateKey"

export const problemOf = (txn: Txn, limit = maxOperations): TxnProblem | undefined =>
  shapeProblem(txn, limit) ?? branchProblem(txn.success) ?? branchProblem(txn.failure)

/** What is wrong with a put by itself. */
export const putProblem = ({ key, value, lease = 0n, ignoreValue, ignoreLease }: Put): TxnProblem | undefined => {
  if (key === "") return "KeyNotProvided"
  if (ignoreValue === true && value.byteLength > 0) return "ValueProvided"
  return ignoreLease === true && lease !== 0n ? "LeaseProvided" : undefined
}

const shapeProblem = ({ compares, success, failure }: Txn, limit: number): TxnProblem | undefined => {
  const most = Math.max(compares.length, success.length, failure.length)
  if (most > limit) return "TooManyOperations"
  if (compares.some(({ key }) => key === "")) return "KeyNotProvided"
  for (const operation of [...success, ...failure]) {
    const problem = operationProblem(operation, limit - most)
    if (problem !== undefined) return problem
  }
  return undefined
}

const operationProblem = (operation: Operation, limit: number): TxnProblem | undefined => {
  if (operation === nothing) return "NoOperation"
  switch (operation._tag) {
    case "Put":
      return putProblem(operation)
    case "Range":
    case "DeleteRange":
    case "Merge":
    case "TimeToLive":
      return operation.key === "" ? "KeyNotProvided" : undefined
    case "Txn":
      return shapeProblem(operation, limit)
  }
}

const branchProblem = (branch: ReadonlyArray<Operation>): TxnProblem | undefined =>
  writesOf(branch) === undefined ? "DuplicateKey" : undefined

type Interval = readonly [from: Key, to: Key]

interface Writes {
  readonly puts: ReadonlySet<Key>
  /** In the order of keys, none of which is in two of them. */
  readonly deletions: ReadonlyArray<Interval>
}

/**
 * All that a branch may write; `undefined` if it may put a key twice, or put one that it deletes. As in etcd, what a nested
 * transaction deletes is not held against what those before it put; nor, since its end is taken for one that stands before it, is a
 * deletion up to the end of all keys. The store carries out what is let through, each after the other.
 */
const writesOf = (branch: ReadonlyArray<Operation>): Writes | undefined => {
  const puts = new Set<Key>()
  let deletions = joined(branch.flatMap((one) => (one._tag === "DeleteRange" ? [intervalOf(one)] : [])))
  for (const operation of branch) {
    if (operation._tag !== "Txn") continue
    const success = writesOf(operation.success)
    const failure = writesOf(operation.failure)
    if (success === undefined || failure === undefined) return undefined
    // Only one of the two is carried out, so they are not held against each other.
    const either = new Set([...success.puts, ...failure.puts])
    for (const key of either) {
      if (puts.has(key) || isIn(deletions, key)) return undefined
      puts.add(key)
    }
    deletions = joined([...deletions, ...success.deletions, ...failure.deletions])
  }
  for (const operation of branch) {
    const key = keyPut(operation)
    if (key === undefined) continue
    if (puts.has(key) || isIn(deletions, key)) return undefined
    puts.add(key)
  }
  return { puts, deletions }
}

const keyPut = (operation: Operation): Key | undefined =>
  operation._tag === "Put" || operation._tag === "Merge" ? operation.key : undefined

const intervalOf = ({ key, rangeEnd }: KeyRange): Interval => [key, rangeEnd ?? `${key}\0`]

/** Without those that are empty, and those that overlap as one. */
const joined = (intervals: ReadonlyArray<Interval>): ReadonlyArray<Interval> => {
  const all: Array<Interval> = []
  for (const [from, to] of intervals.toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0))) {
    const last = all.at(-1)
    if (to <= from) continue
    if (last === undefined || last[1] < from) all.push([from, to])
    else if (last[1] < to) all[all.length - 1] = [last[0], to]
  }
  return all
}

const isIn = (intervals: ReadonlyArray<Interval>, key: Key): boolean => {
  let low = 0
  let high = intervals.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (intervals[middle]![1] <= key) low = middle + 1
    else high = middle
  }
  return low < intervals.length && intervals[low]![0] <= key
}
