/** When a key is to go, as Redis' commands say it, and the commands that do nothing else. */
import type { Key } from "../../kv/KeyValue.ts"
import type { Compare, Operation, Put } from "../../kv/KvCommand.ts"
import { maxTtlSeconds } from "../../kv/Leases.ts"
import {
  branchOf,
  choose,
  exists,
  integerOf,
  keyOf,
  nameOf,
  notAnInteger,
  RespError,
  type Step,
  syntaxError,
  type Words
} from "./Step.ts"

/** The longest that a lease may take. */
export const maxMillis = BigInt(maxTtlSeconds) * 1000n

export const invalidExpiry = (command: string): RespError =>
  new RespError(`ERR invalid expire time in '${command.toLowerCase()}' command`)

interface Unit {
  readonly millis: bigint
  readonly absolute: boolean
}

/** From now on. A time of day is by this replica's clock. */
const millisOf = ({ millis, absolute }: Unit, amount: bigint): bigint =>
  amount * millis - (absolute ? BigInt(Date.now()) : 0n)

const units: { readonly [option: string]: Unit } = {
  EX: { millis: 1000n, absolute: false },
  PX: { millis: 1n, absolute: false },
  EXAT: { millis: 1000n, absolute: true },
  PXAT: { millis: 1n, absolute: true }
}

export const isExpiry = (option: string): boolean => Object.hasOwn(units, option)

/**
 * Milliseconds from now on, above 0 unless it is a time of day, which may be past. A time of day is by this replica's clock; from
 * then on the cluster's time counts.
 */
export const ttlOf = (command: string, option: string, word: Buffer | undefined): number | RespError => {
  const unit = units[option]
  if (unit === undefined || word === undefined) return syntaxError
  const amount = integerOf(word)
  if (amount === undefined) return notAnInteger
  const millis = millisOf(unit, amount)
  if (amount <= 0n || millis > maxMillis) return invalidExpiry(command)
  return Number(millis)
}

/** Keeps the value that there is. */
const keepValue = (key: Key): Put => ({ _tag: "Put", key, value: new Uint8Array(0), prevKv: false, ignoreValue: true })

export const deleteKey = (key: Key): Operation => ({ _tag: "DeleteRange", key, rangeEnd: undefined, prevKv: false })

/** What gives the key, which is there, so long; one that has no time left goes at once. */
export const touch = (key: Key, ttlMillis: number): Operation =>
  ttlMillis <= 0 ? deleteKey(key) : { ...keepValue(key), ttlMillis }

const hasLease = (key: Key): Compare => ({
  key,
  rangeEnd: undefined,
  result: "NotEqual",
  target: { _tag: "Lease", lease: 0n }
})

export const persist = (key: Key): Operation => choose([hasLease(key)], [keepValue(key)], [])

const replyWhether: Step["reply"] = (result, to) => to.integer(branchOf(result).succeeded ? 1 : 0)

/** EXPIRE and PEXPIRE, EXPIREAT and PEXPIREAT: [NX | XX]. */
export const expire =
  (unit: keyof typeof units) =>
  (words: Words): Step | RespError => {
    const command = nameOf(words[0]!)
    const key = keyOf(words[1]!)
    const amount = integerOf(words[2]!)
    if (amount === undefined) return notAnInteger
    const ttl = millisOf(units[unit]!, amount)
    if (ttl > maxMillis || ttl < -maxMillis * 10n) return invalidExpiry(command)
    const condition = words[3] === undefined ? "" : nameOf(words[3])
    if (words.length > 4 || !["", "NX", "XX"].includes(condition)) {
      return new RespError(`ERR Unsupported option ${condition}`)
    }
    const compares = [
      exists(key),
      ...(condition === "XX" ? [hasLease(key)] : []),
      ...(condition === "NX" ? [{ ...hasLease(key), result: "Equal" } as const] : [])
    ]
    return { operation: choose(compares, [touch(key, Number(ttl))], []), logged: true, reply: replyWhether }
  }

export const persistKey = (words: Words): Step => ({
  operation: persist(keyOf(words[1]!)),
  logged: true,
  reply: replyWhether
})

/** TTL in seconds, PTTL in milliseconds. */
export const timeToLive =
  (unitMillis: number) =>
  (words: Words): Step => ({
    operation: { _tag: "TimeToLive", key: keyOf(words[1]!) },
    logged: true,
    reply: (result, to) => {
      const millis = result._tag === "TimeToLive" ? result.ttlMillis : -2
      to.integer(millis < 0 ? millis : Math.round(millis / unitMillis))
    }
  })
