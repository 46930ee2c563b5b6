/**
 * What is wrong with a transaction whatever the store holds, found before anything is proposed: as etcd finds it, and in its order.
 */
import type { Key } from "./KeyValue.ts"
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
  readonly puts: ReadonlyArray<Key>
  readonly deletions: ReadonlyArray<Interval>
}

/**
 * All that a branch may write; `undefined` if it may put a key twice, or put one that it deletes. As in etcd, what a nested
 * transaction deletes is not held against what those before it put; nor, since its end is taken for one that stands before it, is a
 * deletion up to the end of all keys. The store carries out what is let through, each after the other.
 */
const writesOf = (branch: ReadonlyArray<Operation>): Writes | undefined => {
  const puts: Array<Ranked<Key>> = []
  const deletions: Array<Ranked<Interval>> = []
  for (const [at, operation] of branch.entries()) {
    const writes = writesOfOne(operation)
    if (writes === undefined) return undefined
    const isNested = operation._tag === "Txn"
    for (const item of writes.puts) puts.push({ item, rank: isNested ? at + 1 : branch.length + 1 })
    for (const item of writes.deletions) deletions.push({ item, rank: isNested ? at + 1 : 0 })
  }
  const keys = puts.map(({ item }) => item)
  const isTwice = new Set(keys).size < keys.length
  return isTwice || isDeleted(puts, deletions)
    ? undefined
    : { puts: keys, deletions: deletions.map(({ item }) => item) }
}

const writesOfOne = (operation: Operation): Writes | undefined => {
  switch (operation._tag) {
    case "Range":
    case "TimeToLive":
      return { puts: [], deletions: [] }
    case "Put":
    case "Merge":
      return { puts: [operation.key], deletions: [] }
    case "DeleteRange": {
      const { key, rangeEnd = `${key}\0` } = operation
      return { puts: [], deletions: key < rangeEnd ? [[key, rangeEnd]] : [] }
    }
    case "Txn": {
      const success = writesOf(operation.success)
      const failure = writesOf(operation.failure)
      if (success === undefined || failure === undefined) return undefined
      // Only one of the two is carried out, so they are not held against each other.
      return {
        puts: [...new Set([...success.puts, ...failure.puts])],
        deletions: [...success.deletions, ...failure.deletions]
      }
    }
  }
}

/** A deletion is held against puts of a higher rank: nested transactions have their place, and what stands beside them is outermost. */
interface Ranked<A> {
  readonly item: A
  readonly rank: number
}

/** Goes through all keys in their order, with a count of the deletions of each rank that reach where it stands. */
const isDeleted = (puts: ReadonlyArray<Ranked<Key>>, deletions: ReadonlyArray<Ranked<Interval>>): boolean => {
  const begins = deletions.map(({ item: [from], rank }) => ({ item: from, rank })).toSorted(byKey)
  const ends = deletions.map(({ item: [, to], rank }) => ({ item: to, rank })).toSorted(byKey)
  const reaching: Array<number> = []
  let begun = 0
  let ended = 0
  return puts.toSorted(byKey).some(({ item: key, rank }) => {
    for (; begun < begins.length && begins[begun]!.item <= key; begun++) add(reaching, begins[begun]!.rank, 1)
    for (; ended < ends.length && ends[ended]!.item <= key; ended++) add(reaching, ends[ended]!.rank, -1)
    return reaching.slice(0, rank).some((count) => count > 0)
  })
}

const add = (counts: Array<number>, rank: number, by: number): void => {
  while (counts.length <= rank) counts.push(0)
  counts[rank]! += by
}

const byKey = (one: Ranked<Key>, other: Ranked<Key>): number =>
  one.item < other.item ? -1 : one.item > other.item ? 1 : 0
