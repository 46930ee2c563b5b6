/**
 * What commands are made of, as bytes. Keys and values are length (4) and bytes, numbers eight bytes, below 0 as two's complement; so are ids of leases:
 *
 *     Put          flags (1: 1 prevKv, 2 lease, 4 ignoreValue, 8 ignoreLease, 16 ttlMillis), key,
 *                  value unless ignoreValue, lease if flagged, ttlMillis (8) if flagged
 *     DeleteRange  flags (1: 1 prevKv, 2 there is a rangeEnd), key, rangeEnd if flagged
 *     Range        flags (1: 1 keysOnly, 2 there is a rangeEnd, 4 countOnly, 8 sort),
 *                  flags (1: 1 limit, 2 revision, 4 minModRevision, 8 maxModRevision, 16 minCreateRevision, 32 maxCreateRevision),
 *                  key, rangeEnd if flagged, sort if flagged: order (1), target (1),
 *                  then the flagged numbers in this order; what is 0 is not flagged
 *     Merge        key, then 0 (1) and the amount to add (8), or 1 (1) and the bytes to append
 *
 * Enumerations count from 0 in the order in which they are listed below, which is etcd's. KvTxnCodec has transactions of them.
 */
import type { DeleteRange, Merge, Put } from "../kv/KvCommand.ts"
import type { RangeQuery, Sort } from "../kv/KvQuery.ts"
import { maxTtlSeconds } from "../kv/Leases.ts"
import { type Reader, Writer } from "./Bytes.ts"
import { readBoolean, writeBoolean } from "./Fields.ts"

export const kinds = { Put: 1, DeleteRange: 2, Range: 3, Txn: 4, TxnInOrder: 11, Merge: 12, TimeToLive: 13 } as const

/** Version, kind, flags and two lengths. */
export const fixedBytes = 11

const putFlags = { prevKv: 1, lease: 2, ignoreValue: 4, ignoreLease: 8, ttl: 16 } as const
const rangeFlags = { prevKv: 1, keysOnly: 1, rangeEnd: 2, countOnly: 4, sort: 8 } as const
/** In the order of their flags and of what is written. */
const options = [
  "limit",
  "revision",
  "minModRevision",
  "maxModRevision",
  "minCreateRevision",
  "maxCreateRevision"
] as const satisfies ReadonlyArray<keyof RangeQuery>

const orders: ReadonlyArray<Sort["order"]> = ["None", "Ascend", "Descend"]
const sortTargets: ReadonlyArray<Sort["target"]> = ["Key", "Version", "Create", "Mod", "Value"]

/** `sound` stays false once there was something that cannot be said. */
export class CommandWriter extends Writer {
  sound = true

  /** A whole number from -2^53 + 1 to 2^53 - 1. */
  whole(value: number): void {
    if (Number.isSafeInteger(value)) writeWhole(this, value)
    else this.refuse()
  }

  id(id: bigint): void {
    if (id === BigInt.asIntN(64, id)) this.i64(id)
    else this.refuse()
  }

  refuse(): void {
    this.sound = false
  }
}

/** The same outside of commands; `value` must be one. */
export const writeWhole = (to: Writer, value: number): void => {
  const high = Math.floor(value / 0x1_0000_0000)
  to.u32(value - high * 0x1_0000_0000)
  to.u32(high >>> 0)
}

export const readWhole = (from: Reader): number => {
  const low = from.u32()
  const value = (from.u32() | 0) * 0x1_0000_0000 + low
  if (!Number.isSafeInteger(value)) from.fail()
  return value
}

/** One that version 1 of the commands knows. */
export const isPlain = ({ lease, ignoreValue, ignoreLease, ttlMillis }: Put): boolean =>
  (lease === undefined || lease === 0n) && ignoreValue !== true && ignoreLease !== true && ttlMillis === undefined

export const writePut = (to: CommandWriter, command: Put): void => {
  const { key, value, prevKv, lease, ignoreValue, ignoreLease, ttlMillis } = command
  const attached = lease !== undefined && lease !== 0n
  to.u8(
    (prevKv ? putFlags.prevKv : 0) |
      (attached ? putFlags.lease : 0) |
      (ignoreValue === true ? putFlags.ignoreValue : 0) |
      (ignoreLease === true ? putFlags.ignoreLease : 0) |
      (ttlMillis === undefined ? 0 : putFlags.ttl)
  )
  to.latin1(key)
  if (ignoreValue !== true) to.bytes(value)
  else if (value.byteLength > 0) to.refuse()
  if (attached) to.id(lease)
  if (ttlMillis !== undefined) to.whole(ttlMillis)
  if (!isTimedOnce(command)) to.refuse()
}

/** What is said of its lease does not contradict itself, and the time at which it goes is one that can be written. */
const isTimedOnce = ({ lease, ignoreLease, ttlMillis }: Put): boolean => {
  const isAttached = lease !== undefined && lease !== 0n
  if (ttlMillis === undefined) return !(isAttached && ignoreLease === true)
  return !isAttached && ignoreLease !== true && ttlMillis > 0 && ttlMillis <= maxTtlSeconds * 1000
}

export const readPut = (from: Reader): Put => {
  const flags = from.u8()
  const prevKv = (flags & putFlags.prevKv) !== 0
  if ((flags & ~putFlags.prevKv) === 0) return { _tag: "Put", key: from.latin1(), value: from.bytes(), prevKv }
  const ignoreValue = (flags & putFlags.ignoreValue) !== 0
  const ignoreLease = (flags & putFlags.ignoreLease) !== 0
  const attached = (flags & putFlags.lease) !== 0
  if (flags > 31) from.fail()
  const put: Put = {
    _tag: "Put",
    key: from.latin1(),
    value: ignoreValue ? noBytes : from.bytes(),
    prevKv,
    ...(attached ? { lease: readLease(from) } : {}),
    ...(ignoreValue ? { ignoreValue } : {}),
    ...(ignoreLease ? { ignoreLease } : {}),
    ...((flags & putFlags.ttl) === 0 ? {} : { ttlMillis: readWhole(from) })
  }
  if (!isTimedOnce(put)) from.fail()
  return put
}

/** None is not flagged. */
const readLease = (from: Reader): bigint => {
  const lease = from.i64()
  if (lease === 0n) from.fail()
  return lease
}

const noBytes = new Uint8Array(0)

export const writeDeleteRange = (to: Writer, { key, rangeEnd, prevKv }: DeleteRange): void => {
  to.u8((prevKv ? rangeFlags.prevKv : 0) | (rangeEnd === undefined ? 0 : rangeFlags.rangeEnd))
  to.latin1(key)
  if (rangeEnd !== undefined) to.latin1(rangeEnd)
}

export const readDeleteRange = (from: Reader): DeleteRange => {
  const flags = from.u8()
  if (flags > 3) from.fail()
  const key = from.latin1()
  const rangeEnd = (flags & rangeFlags.rangeEnd) === 0 ? undefined : from.latin1()
  return { _tag: "DeleteRange", key, rangeEnd, prevKv: (flags & rangeFlags.prevKv) !== 0 }
}

export const writeRange = (to: CommandWriter, query: RangeQuery): void => {
  const { key, rangeEnd, keysOnly, countOnly, sort } = query
  const given = options.filter((option) => (query[option] ?? 0) !== 0)
  to.u8(
    (keysOnly ? rangeFlags.keysOnly : 0) |
      (rangeEnd === undefined ? 0 : rangeFlags.rangeEnd) |
      (countOnly ? rangeFlags.countOnly : 0) |
      (sort === undefined ? 0 : rangeFlags.sort)
  )
  to.u8(given.reduce((flags, option) => flags | (1 << options.indexOf(option)), 0))
  to.latin1(key)
  if (rangeEnd !== undefined) to.latin1(rangeEnd)
  if (sort !== undefined) {
    to.u8(orders.indexOf(sort.order))
    to.u8(sortTargets.indexOf(sort.target))
  }
  for (const option of given) to.whole(query[option] ?? 0)
}

export const readRange = (from: Reader): RangeQuery => {
  const flags = from.u8()
  const given = from.u8()
  if (flags > 15 || given > 63) from.fail()
  const key = from.latin1()
  const rangeEnd = (flags & rangeFlags.rangeEnd) === 0 ? undefined : from.latin1()
  const sort =
    (flags & rangeFlags.sort) === 0
      ? {}
      : { sort: { order: readOneOf(from, orders), target: readOneOf(from, sortTargets) } }
  const numbers: { [option in (typeof options)[number]]?: number } = {}
  for (const [at, option] of options.entries()) {
    if ((given & (1 << at)) === 0) continue
    const number = readWhole(from)
    if (number === 0) from.fail()
    numbers[option] = number
  }
  return {
    _tag: "Range",
    key,
    rangeEnd,
    limit: 0,
    revision: 0,
    keysOnly: (flags & rangeFlags.keysOnly) !== 0,
    countOnly: (flags & rangeFlags.countOnly) !== 0,
    ...sort,
    ...numbers
  }
}

export const readOneOf = <A>(from: Reader, all: ReadonlyArray<A>): A => {
  const one = all[from.u8()]
  if (one === undefined) from.fail()
  return one ?? all[0]!
}

export const writeMerge = (to: CommandWriter, { key, by }: Merge): void => {
  to.latin1(key)
  writeBoolean(to, by._tag === "Append")
  if (by._tag === "Append") to.bytes(by.bytes)
  else to.id(by.amount)
}

export const readMerge = (from: Reader): Merge => {
  const key = from.latin1()
  const by = readBoolean(from)
    ? ({ _tag: "Append", bytes: from.bytes() } as const)
    : ({ _tag: "Add", amount: from.i64() } as const)
  return { _tag: "Merge", key, by }
}

/** Their number is believed only as far as there are bytes. */
export const readMany = <A>(from: Reader, read: (from: Reader) => A): ReadonlyArray<A> => {
  const count = from.u32()
  const all: Array<A> = []
  while (all.length < count && !from.failed) all.push(read(from))
  return all
}
