/** What is wrong with a transaction, whatever the store holds. */
import { describe, expect, test } from "vitest"
import type { Compare, Operation, Txn } from "../../src/kv/KvCommand.ts"
import * as TxnCheck from "../../src/kv/TxnCheck.ts"

const none = new Uint8Array(0)
const put = (key: string): Operation => ({ _tag: "Put", key, value: none, prevKv: false })
const erase = (key: string, rangeEnd?: string): Operation => ({ _tag: "DeleteRange", key, rangeEnd, prevKv: false })
const read = (key: string): Operation => ({
  _tag: "Range",
  key,
  rangeEnd: undefined,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false
})
const txn = (success: ReadonlyArray<Operation>, failure: ReadonlyArray<Operation> = []): Txn => ({
  _tag: "Txn",
  compares: [],
  success,
  failure
})
const compare = (key: string): Compare => ({
  key,
  rangeEnd: undefined,
  result: "Equal",
  target: { _tag: "Version", number: 0 }
})

const clashes: ReadonlyArray<readonly [what: string, branch: ReadonlyArray<Operation>]> = [
  ["two puts", [put("a"), put("a")]],
  ["a put and a deletion", [put("a"), erase("a")]],
  ["a deletion and a put", [erase("a"), put("a")]],
  ["a deletion of a range, whose beginning is put", [erase("a", "c"), put("a")]],
  ["a deletion of a range, in which is put", [put("bb"), erase("a", "c")]],
  ["a put in a nested one", [put("a"), txn([put("a")])]],
  ["a put in what a nested one does otherwise", [txn([], [put("a")]), put("a")]],
  ["a deletion in a nested one", [put("a"), txn([erase("a")])]],
  ["a put in a nested one, and a deletion", [txn([put("a")]), erase("a", "b")]],
  ["puts in two nested ones", [txn([put("a")]), txn([], [put("a")])]],
  ["a deletion and a put in two nested ones", [txn([erase("a")]), txn([put("a")])]],
  ["what is nested twice", [txn([txn([put("a")])]), put("a")]],
  ["within a nested one", [txn([put("a"), put("a")])]],
  ["a key between others", [put("z"), put("b"), txn([put("a"), put("c")], [erase("a"), erase("c")]), erase("b")]],
  ["behind keys of the one that deletes", [txn([put("a"), put("b")], [erase("a", "d")]), put("c")]],
  ["in deletions that overlap", [erase("a", "c"), erase("b", "e"), erase("g"), put("d")]],
  ["in the latter of two deletions", [erase("a", "c"), erase("c", "e"), put("d")]]
]

describe("a key that would be written twice", () => {
  test.each(clashes)("%s", (_, branch) => {
    expect(TxnCheck.problemOf(txn(branch))).toBe("DuplicateKey")
    expect(TxnCheck.problemOf(txn([], branch))).toBe("DuplicateKey")
  })
})

const sound: ReadonlyArray<readonly [what: string, branch: ReadonlyArray<Operation>]> = [
  ["nothing", []],
  ["puts of different keys", [put("a"), put("b"), put("aa")]],
  ["deletions that overlap", [erase("a"), erase("a", "c"), erase("b", "\0")]],
  ["a put behind a range that is deleted", [erase("a", "b"), put("b")]],
  ["a put before it", [put("a"), erase("a\0", "b")]],
  ["reading what is put", [put("a"), read("a"), read("a")]],
  ["the two ways of a nested one", [txn([put("a")], [erase("a", "c")]), txn([put("d")], [put("d")])]],
  ["a deletion to the end of all keys", [put("b"), erase("a", "\0"), put("c")]],
  ["a put and a deletion in two nested ones", [txn([put("a")]), txn([erase("a")])]],
  ["a put between deletions", [erase("a", "c"), erase("d", "f"), put("c"), put("f")]],
  ["a range the wrong way round", [put("b"), erase("c", "a")]],
  ["the same nested one's keys", [txn([put("a"), put("b")], [erase("a", "c")]), put("c")]]
]

describe("no key is written twice, as far as etcd sees", () => {
  test.each(sound)("%s", (_, branch) => {
    expect(TxnCheck.problemOf(txn(branch))).toBeUndefined()
    expect(TxnCheck.problemOf(txn(branch, branch))).toBeUndefined()
  })
})

describe("how many operations", () => {
  const reads = (count: number): ReadonlyArray<Operation> => Array.from({ length: count }, () => read("a"))

  test.each([
    [txn(reads(128), reads(128)), undefined],
    [txn(reads(129)), "TooManyOperations"],
    [txn([], reads(129)), "TooManyOperations"],
    [{ ...txn([]), compares: Array.from({ length: 128 }, () => compare("a")) }, undefined],
    [{ ...txn([]), compares: Array.from({ length: 129 }, () => compare("a")) }, "TooManyOperations"],
    // What is around a nested one is taken off what it may have: the longest list, not this one.
    [txn([txn(reads(127))]), undefined],
    [txn([txn(reads(128))]), "TooManyOperations"],
    [txn([txn(reads(64))], reads(64)), undefined],
    [txn([txn(reads(64))], reads(65)), "TooManyOperations"],
    [txn([txn([txn(reads(126))])]), undefined],
    [txn([txn([txn(reads(127))])]), "TooManyOperations"]
  ])("%#", (one, expected) => {
    expect(TxnCheck.problemOf(one)).toBe(expected)
  })
})

test.each<readonly [string, Txn, TxnCheck.TxnProblem]>([
  ["a compare without a key", { ...txn([put("")]), compares: [compare("")] }, "KeyNotProvided"],
  ["a put without one", txn([put("")]), "KeyNotProvided"],
  ["a range without one", txn([], [read("")]), "KeyNotProvided"],
  ["a deletion without one", txn([txn([], [erase("")])]), "KeyNotProvided"],
  [
    "a value to be ignored",
    txn([{ ...put("a"), value: Buffer.from("v"), ignoreValue: true } as Operation]),
    "ValueProvided"
  ],
  ["a lease to be ignored", txn([{ ...put("a"), lease: 7n, ignoreLease: true } as Operation]), "LeaseProvided"],
  ["an operation that is none", txn([], [txn([], [TxnCheck.nothing])]), "NoOperation"],
  ["one that is none after one without a key", txn([put(""), TxnCheck.nothing]), "KeyNotProvided"],
  ["one that is none before one without a key", txn([TxnCheck.nothing, put("")]), "NoOperation"],
  ["the first of several", txn([put(""), put("a"), put("a")]), "KeyNotProvided"]
])("%s", (_, one, expected) => {
  expect(TxnCheck.problemOf(one)).toBe(expected)
})

test("as many as a body can hold are looked through in no time", () => {
  let count = 0
  // Keys in no order.
  const next = (): string => String((count++ * 48_271) % 2_147_483_647)
  const wide = (level: number): Operation =>
    level === 0
      ? txn(
          Array.from({ length: 80 }, () => put(next())),
          Array.from({ length: 80 }, () => erase(`x${next()}`))
        )
      : txn(Array.from({ length: 20 }, () => wide(level - 1)))
  const one = wide(2) as Txn
  const begun = performance.now()
  expect(TxnCheck.problemOf(one)).toBeUndefined()
  expect(performance.now() - begun).toBeLessThan(5_000)
})
