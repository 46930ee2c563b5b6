/** Redis' commands about strings. Each is one operation of the store, so it is as atomic as that. */
import type { Key } from "../../kv/KeyValue.ts"
import type { Merge, Operation, OperationResult, Put } from "../../kv/KvCommand.ts"
import * as Expiry from "./Expiry.ts"
import {
  all,
  branchOf,
  choose,
  exists,
  get,
  integerOf,
  isAbsent,
  keyOf,
  nameOf,
  notAnInteger,
  replyOk,
  replyValue,
  RespError,
  type Step,
  syntaxError,
  valueOf,
  type Words
} from "./Step.ts"

const putOf = (key: Buffer, value: Buffer): Put => ({ _tag: "Put", key: keyOf(key), value, prevKv: false })

export const plainSet = (key: Key, value: Buffer): Step => ({
  operation: { _tag: "Put", key, value, prevKv: false },
  logged: true,
  reply: replyOk
})

export const plainGet = (key: Key): Step => ({ operation: get(key), logged: false, reply: replyValue })

export const getString = (words: Words): Step => plainGet(keyOf(words[1]!))

interface SetOptions {
  condition: "NX" | "XX" | undefined
  get: boolean
  keepTtl: boolean
  ttlMillis: number | undefined
}

const setOptionsOf = (words: Words): SetOptions | RespError => {
  const options: SetOptions = { condition: undefined, get: false, keepTtl: false, ttlMillis: undefined }
  for (let at = 3; at < words.length; at++) {
    const option = nameOf(words[at]!)
    const isTimed = options.keepTtl || options.ttlMillis !== undefined
    if ((option === "NX" || option === "XX") && options.condition === undefined) options.condition = option
    else if (option === "GET") options.get = true
    else if (option === "KEEPTTL" && !isTimed) options.keepTtl = true
    else if (Expiry.isExpiry(option) && !isTimed) {
      const ttl = Expiry.ttlOf("SET", option, words[++at])
      if (ttl instanceof RespError) return ttl
      options.ttlMillis = ttl
    } else return syntaxError
  }
  return options
}

/** SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] */
export const set = (words: Words): Step | RespError => {
  const [, key, value] = words as readonly [Buffer, Buffer, Buffer]
  if (words.length === 3) return plainSet(keyOf(key), value)
  const options = setOptionsOf(words)
  if (options instanceof RespError) return options
  const { condition, ttlMillis } = options
  const name = keyOf(key)
  const put = { ...putOf(key, value), prevKv: options.get }
  const writing = options.keepTtl
    ? choose([exists(name)], [{ ...put, ignoreLease: true }], [put])
    : ttlMillis === undefined
      ? put
      : ttlMillis <= 0
        ? // Its time is over already: as if it had been there for a moment.
          ({ _tag: "DeleteRange", key: name, rangeEnd: undefined, prevKv: options.get } as const)
        : { ...put, ttlMillis }
  const compares = condition === undefined ? [] : [condition === "NX" ? isAbsent(name) : exists(name)]
  return {
    operation: choose(compares, [writing], options.get ? [get(name)] : []),
    logged: true,
    reply: (result, to) => {
      const { succeeded, responses } = branchOf(result)
      if (options.get) replyValue(firstOf(responses), to)
      else if (succeeded) to.simple("OK")
      else to.nothing()
    }
  }
}

/** What came of the one operation, however deep it stood. */
const firstOf = (responses: ReadonlyArray<OperationResult>): OperationResult | undefined => {
  const [first] = responses
  return first?._tag === "Txn" ? firstOf(first.responses) : first
}

export const setIfAbsent = (words: Words): Step => ({
  operation: choose([isAbsent(keyOf(words[1]!))], [putOf(words[1]!, words[2]!)], []),
  logged: true,
  reply: (result, to) => to.integer(branchOf(result).succeeded ? 1 : 0)
})

/** SETEX and PSETEX. */
export const setWithExpiry =
  (option: "EX" | "PX") =>
  (words: Words): Step | RespError => {
    const ttlMillis = Expiry.ttlOf(nameOf(words[0]!), option, words[2])
    if (ttlMillis instanceof RespError) return ttlMillis
    return { operation: { ...putOf(words[1]!, words[3]!), ttlMillis }, logged: true, reply: replyOk }
  }

export const getSet = (words: Words): Step => ({
  operation: { ...putOf(words[1]!, words[2]!), prevKv: true },
  logged: true,
  reply: replyValue
})

export const getDel = (words: Words): Step => ({
  operation: { _tag: "DeleteRange", key: keyOf(words[1]!), rangeEnd: undefined, prevKv: true },
  logged: true,
  reply: replyValue
})

/** GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] */
export const getEx = (words: Words): Step | RespError => {
  const key = keyOf(words[1]!)
  if (words.length === 2) return getString(words)
  const option = nameOf(words[2]!)
  if (option === "PERSIST" && words.length === 3) return withGet(key, Expiry.persist(key))
  if (words.length !== 4) return syntaxError
  const ttl = Expiry.ttlOf("GETEX", option, words[3])
  return ttl instanceof RespError ? ttl : withGet(key, choose([exists(key)], [Expiry.touch(key, ttl)], []))
}

const withGet = (key: string, then: Operation): Step => ({
  operation: all([get(key), then]),
  logged: true,
  reply: (result, to) => replyValue(branchOf(result).responses[0], to)
})

export const getMany = (words: Words): Step => ({
  operation: all(words.slice(1).map((key) => get(keyOf(key)))),
  logged: false,
  reply: (result, to) => {
    const { responses } = branchOf(result)
    to.array(responses.length)
    for (const response of responses) replyValue(response, to)
  }
})

const pairsOf = (words: Words): ReadonlyArray<Put> | RespError => {
  if (words.length % 2 === 0)
    return new RespError(`ERR wrong number of arguments for '${nameOf(words[0]!).toLowerCase()}' command`)
  return Array.from({ length: (words.length - 1) / 2 }, (_, n) => putOf(words[2 * n + 1]!, words[2 * n + 2]!))
}

export const setMany = (words: Words): Step | RespError => {
  const puts = pairsOf(words)
  return puts instanceof RespError ? puts : { operation: all(puts), logged: true, reply: replyOk }
}

export const setManyIfAbsent = (words: Words): Step | RespError => {
  const puts = pairsOf(words)
  if (puts instanceof RespError) return puts
  return {
    operation: choose(
      puts.map(({ key }) => isAbsent(key)),
      puts,
      []
    ),
    logged: true,
    reply: (result, to) => to.integer(branchOf(result).succeeded ? 1 : 0)
  }
}

export const append = (words: Words): Step => ({
  operation: { _tag: "Merge", key: keyOf(words[1]!), by: { _tag: "Append", bytes: words[2]! } },
  logged: true,
  reply: (result, to) => {
    if (result._tag === "Merge" && typeof result.value === "bigint") to.integer(result.value)
    else to.error("ERR string exceeds maximum allowed size (4 MiB)")
  }
})

export const length = (words: Words): Step => ({
  operation: get(keyOf(words[1]!)),
  logged: false,
  reply: (result, to) => to.integer(valueOf(result)?.length ?? 0)
})

/** INCR and DECR. */
export const addOne =
  (amount: 1n | -1n) =>
  (words: Words): Step =>
    addition(words, amount)

/** INCRBY and DECRBY. */
export const addMany =
  (sign: 1n | -1n) =>
  (words: Words): Step | RespError => {
    const amount = integerOf(words[2]!)
    if (amount === undefined) return notAnInteger
    const signed = sign * amount
    if (signed !== BigInt.asIntN(64, signed)) return new RespError("ERR decrement would overflow")
    return addition(words, signed)
  }

const addition = (words: Words, amount: bigint): Step => ({
  operation: { _tag: "Merge", key: keyOf(words[1]!), by: { _tag: "Add", amount } } satisfies Merge,
  logged: true,
  reply: (result, to) => {
    if (result._tag !== "Merge") return to.error("ERR no sum")
    if (result.value === "NotANumber") return to.error(notAnInteger.message)
    if (typeof result.value === "string") return to.error("ERR increment or decrement would overflow")
    to.integer(result.value)
  }
})
