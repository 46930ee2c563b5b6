/** Redis' commands about keys. */
import type { Key, KeyRange } from "../../kv/KeyValue.ts"
import type { OperationResult } from "../../kv/KvCommand.ts"
import type { RangeQuery } from "../../kv/KvQuery.ts"
import type { Cursors } from "./Cursors.ts"
import { deleteKey, maxMillis, touch } from "./Expiry.ts"
import * as Glob from "./Glob.ts"
import {
  all,
  branchOf,
  choose,
  deletedIn,
  get,
  integerOf,
  keyOf,
  nameOf,
  notAnInteger,
  RespError,
  type Step,
  syntaxError,
  type Words
} from "./Step.ts"

const everything: KeyRange = { key: "", rangeEnd: "\0" }

const count = (range: KeyRange): RangeQuery => ({ ...get(""), ...range, countOnly: true })

const countIn = (result: OperationResult): number => (result._tag === "Range" ? result.count : 0)

const sum = (results: ReadonlyArray<OperationResult>, of: (result: OperationResult) => number): number =>
  results.reduce((total, result) => total + of(result), 0)

/** DEL and UNLINK. */
export const del = (words: Words): Step => {
  if (words.length === 2) {
    return {
      operation: deleteKey(keyOf(words[1]!)),
      logged: true,
      reply: (result, to) => to.integer(deletedIn(result))
    }
  }
  return {
    operation: all(words.slice(1).map((word) => deleteKey(keyOf(word)))),
    logged: true,
    reply: (result, to) => to.integer(sum(branchOf(result).responses, deletedIn))
  }
}

/** A key that is named twice counts twice. */
export const exists = (words: Words): Step => ({
  operation: all(words.slice(1).map((word) => count({ key: keyOf(word), rangeEnd: undefined }))),
  logged: false,
  reply: (result, to) => to.integer(sum(branchOf(result).responses, countIn))
})

export const type = (words: Words): Step => ({
  operation: count({ key: keyOf(words[1]!), rangeEnd: undefined }),
  logged: false,
  reply: (result, to) => to.simple(countIn(result) === 0 ? "none" : "string")
})

export const size = (): Step => ({
  operation: count(everything),
  logged: false,
  reply: (result, to) => to.integer(countIn(result))
})

const keysIn = (result: OperationResult): ReadonlyArray<Key> =>
  result._tag === "Range" ? result.kvs.map(({ key }) => key) : []

/** All keys that begin so, from one of them on. */
const beginningWith = (prefix: string, from: Key = prefix): KeyRange => {
  let length = prefix.length
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--
  if (length === 0) return { key: from, rangeEnd: "\0" }
  const next = String.fromCharCode(prefix.charCodeAt(length - 1) + 1)
  return { key: from, rangeEnd: prefix.slice(0, length - 1) + next }
}

export const keys = (words: Words): Step => {
  const glob = Glob.parse(keyOf(words[1]!))
  return {
    operation: { ...get(""), ...beginningWith(glob.prefix), keysOnly: true },
    logged: false,
    reply: (result, to) => {
      const found = keysIn(result).filter(glob.fits)
      to.array(found.length)
      for (const key of found) to.key(key)
    }
  }
}

const defaultScanCount = 10
const maxScanCount = 10_000

interface ScanOptions {
  pattern: string
  count: number
  type: string
}

const scanOptionsOf = (words: Words): ScanOptions | RespError => {
  const options: ScanOptions = { pattern: "*", count: defaultScanCount, type: "string" }
  for (let at = 2; at < words.length; at += 2) {
    const word = words[at + 1]
    if (word === undefined) return syntaxError
    switch (nameOf(words[at]!)) {
      case "MATCH":
        options.pattern = keyOf(word)
        break
      case "COUNT": {
        const count = integerOf(word)
        if (count === undefined) return notAnInteger
        if (count < 1n) return syntaxError
        options.count = Number(count < BigInt(maxScanCount) ? count : BigInt(maxScanCount))
        break
      }
      case "TYPE":
        options.type = word.toString("latin1").toLowerCase()
        break
      default:
        return syntaxError
    }
  }
  return options
}

/** SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]: in the order of keys, so each key that stays is seen exactly once. */
export const scan =
  (cursors: Cursors) =>
  (words: Words): Step | RespError => {
    const options = scanOptionsOf(words)
    if (options instanceof RespError) return options
    const glob = Glob.parse(options.pattern)
    const from = cursors.find(words[1]!.toString("latin1"), glob.prefix)
    if (from === undefined) return new RespError("ERR invalid cursor")
    return {
      operation: {
        ...get(""),
        ...beginningWith(glob.prefix, from),
        limit: options.count,
        keysOnly: true
      },
      logged: false,
      reply: (result, to) => {
        const seen = keysIn(result)
        const more = result._tag === "Range" && result.more
        const found = options.type === "string" ? seen.filter(glob.fits) : []
        to.array(2)
        to.text(more ? cursors.keep(`${seen.at(-1)!}\0`) : "0")
        to.array(found.length)
        for (const key of found) to.key(key)
      }
    }
  }

const unlockScript = `if redis.call("get",KEYS[1])==ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end`
const extendScript = `if redis.call("get",KEYS[1])==ARGV[1] then return redis.call("pexpire",KEYS[1],ARGV[2]) else return 0 end`

const plainly = (script: string): string =>
  script
    .replaceAll("'", '"')
    .replace(/\s+/g, " ")
    .replace(/ ?([(),=]) ?/g, "$1")
    .trim()
    .toLowerCase()

const scripts = { unlock: plainly(unlockScript), extend: plainly(extendScript) }

/** The two scripts with which locks are let go of and kept, word for word but for spaces and quotes; there is no Lua here. */
export const evaluate = (words: Words): Step | RespError => {
  const script = plainly(words[1]!.toString("latin1"))
  const isExtend = script === scripts.extend
  if (script !== scripts.unlock && !isExtend) {
    return new RespError(
      "ERR no scripts here, but for those that unlock or extend a lock if its value is still one's own"
    )
  }
  const [, , keyCount, key, value, millis] = words
  if (keyCount?.toString() !== "1" || key === undefined || value === undefined || words.length !== (isExtend ? 6 : 5)) {
    return new RespError("ERR Number of keys can't be greater than number of args")
  }
  const ttl = isExtend ? integerOf(millis!) : 1n
  if (ttl === undefined || ttl < 1n || ttl > maxMillis) return notAnInteger
  const name = keyOf(key)
  return {
    operation: choose(
      [{ key: name, rangeEnd: undefined, result: "Equal", target: { _tag: "Value", value } }],
      [isExtend ? touch(name, Number(ttl)) : deleteKey(name)],
      []
    ),
    logged: true,
    reply: (result, to) => to.integer(branchOf(result).succeeded ? 1 : 0)
  }
}
