/**
 * 32 bits of a command and its result, by which replicas notice that they have come to differ: one
 * that lost a key has another count of deleted ones, one that applied something twice has another revision.
 * MurmurHash3's steps, for speed; it is no defence against anybody who wants two to be equal.
 */
import type { KeyRange, KeyValue } from "./KeyValue.ts"
import type { Compare, KvCommand, KvResult, Operation, OperationResult, Put } from "./KvCommand.ts"
import type { RangeQuery } from "./KvQuery.ts"

export const digest = (command: KvCommand, result: KvResult): number =>
  finished(withResult(withCommand(0x8b1a_59c3, command), result))

/** 53 bits of a command alone, as a whole number: what tells a repetition from another command under the same name. */
export const identify = (command: KvCommand): number => {
  const high = finished(withCommand(0x2f6b_37d1, command))
  const low = finished(withCommand(0x9d3a_c4e5, command))
  return high * 0x20_0000 + (low >>> 11)
}

/** Of what begins a command or an operation in one; plain puts and delete ranges keep those of the first version. */
const tags = {
  Put: 2,
  DeleteRange: 4,
  rangeEnd: 8,
  lease: 16,
  ignoreValue: 32,
  ignoreLease: 64,
  ttl: 128,
  Range: 0x100,
  Txn: 0x101,
  Compact: 0x102,
  LeaseGrant: 0x103,
  LeaseRevoke: 0x104,
  LeaseKeepAlive: 0x105,
  LeaseExpire: 0x106,
  LeaseTimeToLive: 0x107,
  TxnInOrder: 0x108,
  Merge: 0x109,
  TimeToLive: 0x10a
} as const

/** Lengths come before contents, and what may be missing after whether it is there: so no two commands run together. */
const withCommand = (hash: number, command: KvCommand | Operation): number => {
  switch (command._tag) {
    case "Put":
      return withPut(hash, command)
    case "DeleteRange": {
      const flags = (command.prevKv ? 1 : 0) | (command.rangeEnd === undefined ? 0 : tags.rangeEnd)
      return withKeys(mix(hash, tags.DeleteRange | flags), command)
    }
    case "Range":
      return withRange(hash, command)
    case "Txn": {
      let h = whole(mix(hash, command.inOrder === true ? tags.TxnInOrder : tags.Txn), command.compares.length)
      for (const compare of command.compares) h = withCompare(h, compare)
      return withOperations(withOperations(h, command.success), command.failure)
    }
    case "Merge": {
      const h = text(mix(hash, tags.Merge), command.key)
      return command.by._tag === "Add"
        ? withId(truth(h, false), command.by.amount)
        : bytes(truth(h, true), command.by.bytes)
    }
    case "TimeToLive":
      return text(mix(hash, tags.TimeToLive), command.key)
    case "Compact":
      return whole(mix(hash, tags.Compact), command.revision)
    case "LeaseGrant":
      return whole(withId(mix(hash, tags.LeaseGrant), command.id), command.ttlSeconds)
    case "LeaseRevoke":
    case "LeaseKeepAlive":
      return withId(mix(hash, tags[command._tag]), command.id)
    case "LeaseExpire": {
      let h = whole(mix(hash, tags.LeaseExpire), command.ids.length)
      for (const id of command.ids) h = withId(h, id)
      return h
    }
    case "LeaseTimeToLive":
      return truth(withId(mix(hash, tags.LeaseTimeToLive), command.id), command.keys)
  }
}

const withPut = (hash: number, { key, value, prevKv, lease, ignoreValue, ignoreLease, ttlMillis }: Put): number => {
  const attached = lease !== undefined && lease !== 0n
  const flags =
    (prevKv ? 1 : 0) |
    (attached ? tags.lease : 0) |
    (ignoreValue === true ? tags.ignoreValue : 0) |
    (ignoreLease === true ? tags.ignoreLease : 0) |
    (ttlMillis === undefined ? 0 : tags.ttl)
  const h = bytes(text(mix(hash, tags.Put | flags), key), value)
  const leased = attached ? withId(h, lease) : h
  return ttlMillis === undefined ? leased : whole(leased, ttlMillis)
}

const withOperations = (hash: number, operations: ReadonlyArray<Operation>): number => {
  let h = whole(hash, operations.length)
  for (const operation of operations) h = withCommand(h, operation)
  return h
}

const withCompare = (hash: number, { key, rangeEnd, result, target }: Compare): number => {
  const h = withKeys(truth(text(text(hash, result), target._tag), rangeEnd !== undefined), { key, rangeEnd })
  switch (target._tag) {
    case "Value":
      return bytes(h, target.value)
    case "Lease":
      return withId(h, target.lease)
    default:
      return whole(h, target.number)
  }
}

const withRange = (hash: number, query: RangeQuery): number => {
  const { rangeEnd, keysOnly, countOnly, sort } = query
  let h = withKeys(truth(mix(hash, tags.Range), rangeEnd !== undefined), query)
  h = truth(truth(h, keysOnly), countOnly)
  h = sort === undefined ? truth(h, false) : text(text(truth(h, true), sort.order), sort.target)
  h = whole(whole(h, query.limit), query.revision)
  h = whole(whole(h, query.minModRevision ?? 0), query.maxModRevision ?? 0)
  return whole(whole(h, query.minCreateRevision ?? 0), query.maxCreateRevision ?? 0)
}

/** Whether there is a `rangeEnd` is to be told before. */
const withKeys = (hash: number, { key, rangeEnd }: KeyRange): number =>
  rangeEnd === undefined ? text(hash, key) : text(text(hash, key), rangeEnd)

const withResult = (hash: number, result: KvResult | OperationResult): number => {
  switch (result._tag) {
    case "Put":
      return withPrevious(whole(mix(hash, 1), result.revision), result.prevKv)
    case "DeleteRange": {
      let h = whole(whole(mix(hash, 2), result.revision), result.deleted)
      for (const kv of result.prevKvs) h = withPrevious(h, kv)
      return h
    }
    case "UnknownCommand":
      return whole(mix(hash, 3), result.revision)
    case "Range": {
      let h = truth(whole(whole(mix(hash, 4), result.revision), result.count), result.more)
      h = whole(h, result.kvs.length)
      for (const kv of result.kvs) h = withPair(h, kv)
      return h
    }
    case "Txn": {
      let h = truth(whole(mix(hash, 5), result.revision), result.succeeded)
      h = whole(h, result.responses.length)
      for (const response of result.responses) h = mix(withResult(h, response), 6)
      return h
    }
    case "Compact":
      return whole(mix(hash, 7), result.revision)
    case "LeaseGrant":
      return whole(withId(whole(mix(hash, 8), result.revision), result.id), result.ttlSeconds)
    case "LeaseRevoke":
      return whole(mix(hash, 9), result.revision)
    case "LeaseKeepAlive":
      return whole(withId(whole(mix(hash, 10), result.revision), result.id), result.ttlSeconds)
    case "LeaseExpire":
      return whole(whole(mix(hash, 11), result.revision), result.expired)
    case "LeaseTimeToLive": {
      let h = withId(whole(mix(hash, 12), result.revision), result.id)
      h = whole(whole(whole(h, result.ttlSeconds), result.ttlMillis), result.grantedTtlSeconds)
      h = whole(h, result.keys.length)
      for (const key of result.keys) h = text(h, key)
      return h
    }
    case "Merge": {
      const h = whole(mix(hash, 14), result.revision)
      return typeof result.value === "string"
        ? text(truth(h, false), result.value)
        : withId(truth(h, true), result.value)
    }
    case "TimeToLive":
      return whole(whole(mix(hash, 15), result.revision), result.ttlMillis)
    case "Rejected":
      return whole(text(whole(mix(hash, 13), result.revision), result.reason), result.compacted)
  }
}

/** Not its value: there may be very many of them, and no more has been done for each than to point at it. */
const withPrevious = (hash: number, kv: KeyValue | undefined): number => {
  if (kv === undefined) return mix(hash, 0)
  const h = whole(whole(mix(hash, kv.lease === 0n ? 1 : 2), kv.modRevision), kv.version)
  return kv.lease === 0n ? h : withId(h, kv.lease)
}

/** Several of one revision may stand beside each other: then only their keys tell them apart. */
const withPair = (hash: number, kv: KeyValue): number => withPrevious(whole(text(hash, kv.key), kv.createRevision), kv)

const withId = (hash: number, id: bigint): number =>
  mix(mix(hash, Number(id & 0xffff_ffffn)), Number((id >> 32n) & 0xffff_ffffn))

const truth = (hash: number, value: boolean): number => mix(hash, value ? 1 : 0)

/** A whole number from -2^53 to 2^53. */
const whole = (hash: number, value: number): number => mix(mix(hash, value), Math.floor(value / 0x1_0000_0000))

/** One unit of a key is one byte. */
const text = (hash: number, key: string): number => {
  const { length } = key
  let h = mix(hash, length)
  let i = 0
  for (; i + 4 <= length; i += 4) {
    h = mix(
      h,
      key.charCodeAt(i) | (key.charCodeAt(i + 1) << 8) | (key.charCodeAt(i + 2) << 16) | (key.charCodeAt(i + 3) << 24)
    )
  }
  for (; i < length; i++) h = mix(h, key.charCodeAt(i))
  return h
}

const bytes = (hash: number, value: Uint8Array): number => {
  const { length } = value
  let h = mix(hash, length)
  let i = 0
  for (; i + 4 <= length; i += 4) {
    h = mix(h, value[i]! | (value[i + 1]! << 8) | (value[i + 2]! << 16) | (value[i + 3]! << 24))
  }
  for (; i < length; i++) h = mix(h, value[i]!)
  return h
}

/** Takes in the low 32 bits of a whole number. */
const mix = (hash: number, value: number): number => {
  let k = Math.imul(value | 0, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = hash ^ k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

const finished = (hash: number): number => {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
