/**
 * The machine's results and answers in etcd's JSON, part by part: a large one never exists as a whole. Fields stand in the order in
 * which etcd writes them.
 */
import type { DeleteRangeResult, KvResult, OperationResult, PutResult, TxnResult } from "../kv/KvCommand.ts"
import type { KeyValue } from "../kv/KeyValue.ts"
import type { LeasesAnswer, RangeAnswer } from "../kv/KvQuery.ts"
import { encodeKey } from "./Base64.ts"
import * as GatewayJson from "./GatewayJson.ts"

export type Parts = Iterable<string>
export type HeaderAt = (revision: number) => GatewayJson.Header
/** What etcd has: nothing else is asked for here. */
export type Accepted = Exclude<KvResult, { readonly _tag: "Rejected" | "UnknownCommand" | "Merge" }>
type Part = PutResult | DeleteRangeResult | RangeAnswer | TxnResult

export const ofResult = (result: Accepted | RangeAnswer, headerAt: HeaderAt): Parts => {
  const open = GatewayJson.openWithHeader(headerAt(result.revision))
  switch (result._tag) {
    case "Put":
    case "DeleteRange":
    case "Range":
    case "Txn":
      return ofPart(result, open)
    case "Compact":
    case "LeaseRevoke":
    case "LeaseExpire":
      return [`${open}}`]
    case "LeaseGrant":
    case "LeaseKeepAlive":
      return [`${open}${idField(result.id)}${GatewayJson.int64Field("TTL", result.ttlSeconds)}}`]
    case "LeaseTimeToLive":
      return timeToLive(result, open)
  }
}

export function* ofLeases({ ids, revision }: LeasesAnswer, headerAt: HeaderAt): Generator<string> {
  yield GatewayJson.openWithHeader(headerAt(revision))
  for (const [at, id] of ids.entries()) yield `${at === 0 ? ',"leases":[' : ","}{"ID":"${id}"}`
  yield ids.length === 0 ? "}" : "]}"
}

/** `open` is the beginning of an object, up to its header. */
const ofPart = (result: Part, open: string): Parts => {
  switch (result._tag) {
    case "Put":
      return put(result, open)
    case "DeleteRange":
      return deleteRange(result, open)
    case "Range":
      return range(result, open)
    case "Txn":
      return txn(result, open)
  }
}

const put = ({ prevKv }: PutResult, open: string): Parts => [
  prevKv === undefined ? `${open}}` : `${open},"prev_kv":${GatewayJson.keyValue(prevKv)}}`
]

function* deleteRange({ deleted, prevKvs }: DeleteRangeResult, open: string): Generator<string> {
  yield `${open}${GatewayJson.int64Field("deleted", deleted)}`
  yield* pairs("prev_kvs", prevKvs)
  yield "}"
}

function* range({ kvs, count, more }: RangeAnswer, open: string): Generator<string> {
  yield open
  yield* pairs("kvs", kvs)
  // etcd counts without saying whether a limit would have left some out.
  yield `${more && kvs.length > 0 ? ',"more":true' : ""}${GatewayJson.int64Field("count", count)}}`
}

function* txn({ succeeded, responses }: TxnResult, open: string): Generator<string> {
  yield succeeded ? `${open},"succeeded":true` : open
  for (const [at, response] of responses.filter(isPart).entries()) {
    yield `${at === 0 ? ',"responses":[' : ","}{"${names[response._tag]}":`
    yield* ofPart(response, innerHeader(response))
    yield "}"
  }
  yield responses.length === 0 ? "}" : "]}"
}

const isPart = (result: OperationResult): result is Part => result._tag in names

const names = {
  Put: "response_put",
  DeleteRange: "response_delete_range",
  Range: "response_range",
  Txn: "response_txn"
} as const

/** As etcd has it: within a transaction a header tells the revision alone, and that of a nested one nothing. */
const innerHeader = ({ _tag, revision }: Part): string =>
  _tag === "Txn" ? '{"header":{}' : `{"header":{"revision":"${revision}"}`

function* pairs(name: string, kvs: ReadonlyArray<KeyValue>): Generator<string> {
  if (kvs.length === 0) return
  for (const [at, kv] of kvs.entries()) yield (at === 0 ? `,"${name}":[` : ",") + GatewayJson.keyValue(kv)
  yield "]"
}

function* timeToLive(result: Extract<KvResult, { _tag: "LeaseTimeToLive" }>, open: string): Generator<string> {
  const { id, ttlSeconds, grantedTtlSeconds, keys } = result
  const ttl = GatewayJson.int64Field("TTL", ttlSeconds) + GatewayJson.int64Field("grantedTTL", grantedTtlSeconds)
  yield `${open}${idField(id)}${ttl}`
  for (const [at, key] of keys.entries()) yield `${at === 0 ? ',"keys":[' : ","}"${encodeKey(key)}"`
  yield keys.length === 0 ? "}" : "]}"
}

const idField = (id: bigint): string => (id === 0n ? "" : `,"ID":"${id}"`)
