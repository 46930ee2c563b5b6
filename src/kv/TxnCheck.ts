/**
 * What is wrong with a transaction whatever the store holds, found before anything is proposed: as etcd finds it, in its order, with
 * one difference. etcd overlooks two ways in which a transaction may write a key twice (a deletion up to the end of all keys,
 * and a deletion in a later nested transaction of what an earlier one puts); here a revision changes each key once.
 */
import { bounds, type Key } from "./KeyValue.ts"
import type { Operation, Put, Txn } from "./KvCommand.ts"

/** etcd's default: compares, or operations of a branch; what is nested may have as many fewer as there are around it. */
export const maxOperations = 128

export type TxnProblem = "KeyNotProvided" | "ValueProvided" | "LeaseProvided" | "TooManyOperations" | "DuplicateKey"

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

type Interval = readonly [from: Key, to: Key | undefined]

interface Writes {
  readonly puts: ReadonlyArray<Key>
  readonly deletions: ReadonlyArray<Interval>
}

/** All that a branch may write; `undefined` if two of its operations may write the same key, other than both deleting it. */
const writesOf = (branch: ReadonlyArray<Operation>): Writes | undefined => {
  const puts: Array<Owned<Key>> = []
  const deletions: Array<Owned<Interval>> = []
  for (const [owner, operation] of branch.entries()) {
    const writes = writesOfOne(operation)
    if (writes === undefined) return undefined
    for (const item of writes.puts) puts.push({ item, owner })
    for (const item of writes.deletions) deletions.push({ item, owner })
  }
  puts.sort((one, other) => (one.item < other.item ? -1 : one.item > other.item ? 1 : 0))
  const isTwice = puts.some(({ item }, at) => item === puts[at - 1]?.item)
  if (isTwice || isDeleted(puts, deletions)) return undefined
  return { puts: puts.map(({ item }) => item), deletions: deletions.map(({ item }) => item) }
}

const nothing: Writes = { puts: [], deletions: [] }

const writesOfOne = (operation: Operation): Writes | undefined => {
  switch (operation._tag) {
    case "Range":
    case "TimeToLive":
      return nothing
    case "Merge":
    case "Put":
      return { puts: [operation.key], deletions: [] }
    case "DeleteRange":
      return { puts: [], deletions: [bounds(operation)] }
    case "Txn": {
      // Only one of the two is carried out, so they are not held against each other.
      const success = writesOf(operation.success)
      const failure = writesOf(operation.failure)
      if (success === undefined || failure === undefined) return undefined
      return {
        puts: [...new Set([...success.puts, ...failure.puts])],
        deletions: [...success.deletions, ...failure.deletions]
      }
    }
  }
}

/** What an operation, by its place in the branch, writes. */
interface Owned<A> {
  readonly item: A
  readonly owner: number
}

/** Whether one operation deletes what another puts. `puts` are in the order of keys. */
const isDeleted = (puts: ReadonlyArray<Owned<Key>>, deletions: ReadonlyArray<Owned<Interval>>): boolean => {
  const others = firstOfOthers(puts)
  return deletions.some(({ item: [from, to], owner }) => {
    const first = lowerBound(puts, from)
    const put = puts[first]?.owner === owner ? puts[others[first]!] : puts[first]
    return put !== undefined && (to === undefined || put.item < to)
  })
}

/** For each place the next one that is another operation's, or the length. */
const firstOfOthers = (puts: ReadonlyArray<Owned<Key>>): ReadonlyArray<number> => {
  const others = puts.map(() => puts.length)
  for (let at = puts.length - 1; at >= 0; at--) {
    others[at] = puts[at + 1]?.owner === puts[at]!.owner ? others[at + 1]! : at + 1
  }
  return others
}

const lowerBound = (puts: ReadonlyArray<Owned<Key>>, key: Key): number => {
  let low = 0
  let high = puts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (puts[middle]!.item < key) low = middle + 1
    else high = middle
  }
  return low
}
