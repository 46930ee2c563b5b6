/**
 * Results of the store's commands, as sessions keep them:
 *
 *     kind (1), revision (8), then
 *        1 Put              whether there was a pair (1), and it
 *        2 DeleteRange      deleted (8), how many pairs (4), and they
 *        3 UnknownCommand
 *        4 Txn              succeeded (1), how many responses (4), and they: results of the kinds 1, 2, 4, 5, 12, 13 and 14
 *        5 Range            how many pairs (4), and they, more (1), count (8)
 *        6 Compact
 *        7 LeaseGrant       id (8), ttlSeconds (8)
 *        8 LeaseRevoke
 *        9 LeaseKeepAlive   id (8), ttlSeconds (8)
 *       10 LeaseExpire      how many have expired (4)
 *       11 LeaseTimeToLive  id (8), ttlSeconds, ttlMillis, grantedTtlSeconds (8 each), how many keys (4), each 4 + n
 *       12 Rejected         reason (1: 0 KeyNotFound, 1 LeaseNotFound, 2 LeaseExists, 3 LeaseTtlTooLarge, 4 Compacted,
 *                           5 FutureRevision, 6 TooMuchRead), compacted (8)
 *       14 TimeToLive       ttlMillis (8), part of transactions only
 *       13 Merge            0 (1) and the number or length (8), or 1 (1) not a number, 2 overflow, 3 too long
 *
 * A pair is key (4 + n), createRevision (8), modRevision (8), version (8), lease (8), value (4 + n). Programs that know no
 * history know the kinds up to 3.
 */
import type { KeyValue } from "../kv/KeyValue.ts"
import type { KvResult, OperationResult, Rejection } from "../kv/KvCommand.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readBoolean, readOptional, writeBoolean, writeOptional } from "./Fields.ts"
import { readMany, readWhole, writeWhole } from "./KvOperationCodec.ts"
import { maxTxnDepth } from "./KvTxnCodec.ts"
import type { ResultCodec } from "./ResultCodec.ts"

const kinds = {
  Put: 1,
  DeleteRange: 2,
  UnknownCommand: 3,
  Txn: 4,
  Range: 5,
  Compact: 6,
  LeaseGrant: 7,
  LeaseRevoke: 8,
  LeaseKeepAlive: 9,
  LeaseExpire: 10,
  LeaseTimeToLive: 11,
  Rejected: 12,
  Merge: 13,
  TimeToLive: 14
} as const

const rejections: ReadonlyArray<Rejection> = [
  "KeyNotFound",
  "LeaseNotFound",
  "LeaseExists",
  "LeaseTtlTooLarge",
  "Compacted",
  "FutureRevision",
  "TooMuchRead"
]

const write = (to: Writer, result: KvResult | OperationResult): void => {
  to.u8(kinds[result._tag])
  to.safe(result.revision)
  switch (result._tag) {
    case "Put":
      writeOptional(to, result.prevKv, (kv) => writePair(to, kv))
      break
    case "DeleteRange":
      to.safe(result.deleted)
      writePairs(to, result.prevKvs)
      break
    case "Range":
      writePairs(to, result.kvs)
      writeBoolean(to, result.more)
      to.safe(result.count)
      break
    case "Txn":
      writeBoolean(to, result.succeeded)
      to.u32(result.responses.length)
      for (const response of result.responses) write(to, response)
      break
    case "LeaseGrant":
    case "LeaseKeepAlive":
      to.i64(result.id)
      writeWhole(to, result.ttlSeconds)
      break
    case "LeaseExpire":
      to.u32(result.expired)
      break
    case "LeaseTimeToLive":
      to.i64(result.id)
      writeWhole(to, result.ttlSeconds)
      writeWhole(to, result.ttlMillis)
      writeWhole(to, result.grantedTtlSeconds)
      to.u32(result.keys.length)
      for (const key of result.keys) to.latin1(key)
      break
    case "Merge":
      to.u8(typeof result.value === "string" ? problems.indexOf(result.value) : 0)
      if (typeof result.value !== "string") to.i64(result.value)
      break
    case "TimeToLive":
      writeWhole(to, result.ttlMillis)
      break
    case "Rejected":
      to.u8(rejections.indexOf(result.reason))
      to.safe(result.compacted)
      break
    case "Compact":
    case "LeaseRevoke":
    case "UnknownCommand":
      break
  }
}

const read = (from: Reader): KvResult => {
  const kind = from.u8()
  switch (kind) {
    case kinds.Put:
    case kinds.DeleteRange:
      return readWrite(from, kind)
    case kinds.Txn:
      return readTxn(from, 1)
    case kinds.Merge:
      return readMerge(from)
    case kinds.Rejected:
      return readRejected(from)
    default:
      return readOther(from, kind)
  }
}

/** In the order of their numbers, from 1. */
const problems = ["", "NotANumber", "Overflow", "TooLong"] as const

const readMerge = (from: Reader): Extract<OperationResult, { _tag: "Merge" }> => {
  const revision = from.safe()
  const problem = problems[from.u8()]
  if (problem === undefined) from.fail()
  return { _tag: "Merge", revision, value: problem || from.i64() }
}

const readRejected = (from: Reader): Extract<OperationResult, { _tag: "Rejected" }> => {
  const revision = from.safe()
  const reason = rejections[from.u8()]
  if (reason === undefined) from.fail()
  return { _tag: "Rejected", revision, reason: reason ?? "KeyNotFound", compacted: from.safe() }
}

const readWrite = (from: Reader, kind: 1 | 2): Extract<OperationResult, { _tag: "Put" | "DeleteRange" }> => {
  const revision = from.safe()
  return kind === kinds.Put
    ? { _tag: "Put", revision, prevKv: readOptional(from, () => readPair(from)) }
    : { _tag: "DeleteRange", revision, deleted: from.safe(), prevKvs: readMany(from, readPair) }
}

const readTxn = (from: Reader, depth: number): Extract<OperationResult, { _tag: "Txn" }> => {
  const revision = from.safe()
  const succeeded = readBoolean(from)
  if (depth > maxTxnDepth) from.fail()
  return { _tag: "Txn", revision, succeeded, responses: readMany(from, () => readResponse(from, depth)) }
}

const readResponse = (from: Reader, depth: number): OperationResult => {
  const kind = from.u8()
  switch (kind) {
    case kinds.Put:
    case kinds.DeleteRange:
      return readWrite(from, kind)
    case kinds.Txn:
      return readTxn(from, depth + 1)
    case kinds.Merge:
      return readMerge(from)
    case kinds.Rejected:
      return readRejected(from)
    case kinds.TimeToLive:
      return { _tag: "TimeToLive", revision: from.safe(), ttlMillis: readWhole(from) }
    case kinds.Range:
      break
    default:
      from.fail()
  }
  const revision = from.safe()
  const kvs = readMany(from, readPair)
  return { _tag: "Range", revision, kvs, more: readBoolean(from), count: from.safe() }
}

const readOther = (from: Reader, kind: number): KvResult => {
  const revision = from.safe()
  switch (kind) {
    case kinds.Compact:
      return { _tag: "Compact", revision }
    case kinds.LeaseGrant:
      return { _tag: "LeaseGrant", revision, id: from.i64(), ttlSeconds: readWhole(from) }
    case kinds.LeaseRevoke:
      return { _tag: "LeaseRevoke", revision }
    case kinds.LeaseKeepAlive:
      return { _tag: "LeaseKeepAlive", revision, id: from.i64(), ttlSeconds: readWhole(from) }
    case kinds.LeaseExpire:
      return { _tag: "LeaseExpire", revision, expired: from.u32() }
    case kinds.LeaseTimeToLive: {
      const [id, ttlSeconds] = [from.i64(), readWhole(from)]
      const [ttlMillis, grantedTtlSeconds] = [readWhole(from), readWhole(from)]
      const keys = readMany(from, (one) => one.latin1())
      return { _tag: "LeaseTimeToLive", revision, id, ttlSeconds, ttlMillis, grantedTtlSeconds, keys }
    }
    case kinds.UnknownCommand:
      break
    default:
      from.fail()
  }
  return { _tag: "UnknownCommand", revision }
}

const writePairs = (to: Writer, kvs: ReadonlyArray<KeyValue>): void => {
  to.u32(kvs.length)
  for (const kv of kvs) writePair(to, kv)
}

const writePair = (to: Writer, kv: KeyValue): void => {
  to.latin1(kv.key)
  to.safe(kv.createRevision)
  to.safe(kv.modRevision)
  to.safe(kv.version)
  to.i64(kv.lease)
  to.bytes(kv.value)
}

const readPair = (from: Reader): KeyValue => ({
  key: from.latin1(),
  createRevision: from.safe(),
  modRevision: from.safe(),
  version: from.safe(),
  lease: from.i64(),
  value: new Uint8Array(from.bytes())
})

export const KvResultCodec: ResultCodec<KvResult> = { write, read }
