/**
 * etcd's requests, from JSON to the machine's commands and queries. Transactions are made of the same parts: see
 * TxnRequest.
 */
import type { Key } from "../kv/KeyValue.ts"
import type { Compact, DeleteRange, KvCommand, Put } from "../kv/KvCommand.ts"
import type { RangeQuery, Sort } from "../kv/KvQuery.ts"
import * as TxnCheck from "../kv/TxnCheck.ts"
import type { StoreCommand } from "../sessions/Store.ts"
import { type GatewayError, idempotencyKeyInvalid, isGatewayError } from "./GatewayError.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"
import * as StoreError from "./StoreError.ts"

/** etcd's default: what a request may hold in keys and values together. */
export const defaultMaxRequestBytes = 1.5 * 1024 * 1024

export interface RangeRequest {
  readonly _tag: "RangeRequest"
  readonly query: RangeQuery
  /** Answer from what this replica has, at once and perhaps stale. */
  readonly serializable: boolean
}

export const put = (object: JsonObject, maxRequestBytes: number): Put | GatewayError => {
  const fields = new RequestFields(object)
  const command = putIn(fields)
  if (fields.problem !== undefined) return fields.problem
  const problem = TxnCheck.putProblem(command)
  if (problem !== undefined) return StoreError.ofProblem(problem)
  return sizeOf(command) > maxRequestBytes ? StoreError.requestTooLarge : command
}

export const deleteRange = (object: JsonObject, maxRequestBytes: number): DeleteRange | GatewayError => {
  const fields = new RequestFields(object)
  const command = deleteRangeIn(fields)
  if (fields.problem !== undefined) return fields.problem
  if (command.key === "") return StoreError.keyNotProvided
  return sizeOf(command) > maxRequestBytes ? StoreError.requestTooLarge : command
}

export const range = (object: JsonObject, maxRequestBytes: number): RangeRequest | GatewayError => {
  const fields = new RequestFields(object)
  const request = rangeIn(fields)
  if (fields.problem !== undefined) return fields.problem
  if (request.query.key === "") return StoreError.keyNotProvided
  if (sizeOf(request.query) > maxRequestBytes) return StoreError.requestTooLarge
  // To etcd, a revision below 1 is the present, if it is not in a transaction.
  return { ...request, query: { ...request.query, revision: Math.max(0, request.query.revision) } }
}

/** `physical` asks to wait until what was compacted is gone; here nothing waits for that. */
export const compaction = (object: JsonObject): Compact | GatewayError => {
  const fields = new RequestFields(object)
  const revision = fields.int64("revision", "revision")
  fields.flag("physical", "physical")
  if (fields.problem !== undefined) return fields.problem
  return revision < 0 ? StoreError.compacted : { _tag: "Compact", revision }
}

/** Printable ASCII, and no space at either end, which HTTP does not carry. Any such string is a key as it is, quotes included. */
const idempotencyKey = /^[!-~](?:[ -~]{0,253}[!-~])?$/

/** A write that is carried out once under the `Idempotency-Key` that it comes with, if it does. */
export const named = (command: KvCommand | GatewayError, key: string | undefined): StoreCommand | GatewayError => {
  if (key === undefined || isGatewayError(command)) return command
  return idempotencyKey.test(key) ? { session: { _tag: "Key", key }, command } : idempotencyKeyInvalid
}

/** In keys and values. */
export const sizeOf = ({
  key,
  rangeEnd,
  value
}: {
  readonly key: Key
  readonly rangeEnd?: Key | undefined
  readonly value?: Uint8Array
}): number => key.length + (rangeEnd?.length ?? 0) + (value?.length ?? 0)

export const putIn = (fields: RequestFields): Put => {
  const key = fields.key("key", "key")
  const value = fields.bytes("value", "value")
  const prevKv = fields.flag("prev_kv", "prevKv")
  const lease = fields.bigInt64("lease", "lease")
  const ignoreValue = fields.flag("ignore_value", "ignoreValue")
  const ignoreLease = fields.flag("ignore_lease", "ignoreLease")
  // A plain put stays what it is in every version of the commands.
  return {
    _tag: "Put",
    key,
    value,
    prevKv,
    ...(lease === 0n ? {} : { lease }),
    ...(ignoreValue ? { ignoreValue } : {}),
    ...(ignoreLease ? { ignoreLease } : {})
  }
}

export const deleteRangeIn = (fields: RequestFields): DeleteRange => ({
  _tag: "DeleteRange",
  key: fields.key("key", "key"),
  rangeEnd: rangeEndIn(fields),
  prevKv: fields.flag("prev_kv", "prevKv")
})

export const rangeIn = (fields: RequestFields): RangeRequest => ({
  _tag: "RangeRequest",
  query: {
    _tag: "Range",
    key: fields.key("key", "key"),
    rangeEnd: rangeEndIn(fields),
    // To etcd, a limit below 1 is none.
    limit: Math.max(0, fields.int64("limit", "limit")),
    revision: fields.int64("revision", "revision"),
    keysOnly: fields.flag("keys_only", "keysOnly"),
    countOnly: fields.flag("count_only", "countOnly"),
    ...sortIn(fields),
    ...filtersIn(fields)
  },
  serializable: fields.flag("serializable", "serializable")
})

/** Absent and empty are the same in proto3, and mean the key alone. */
export const rangeEndIn = (fields: RequestFields): Key | undefined => {
  const rangeEnd = fields.key("range_end", "rangeEnd")
  return rangeEnd === "" ? undefined : rangeEnd
}

const orders = { NONE: "None", ASCEND: "Ascend", DESCEND: "Descend" } as const
const targets = { KEY: "Key", VERSION: "Version", CREATE: "Create", MOD: "Mod", VALUE: "Value" } as const

/** Answers are in ascending order of keys; asking for just that is asking for nothing. */
const sortIn = (fields: RequestFields): { readonly sort?: Sort } => {
  const order = fields.choice("sort_order", "sortOrder", ["NONE", "ASCEND", "DESCEND"])
  const target = fields.choice("sort_target", "sortTarget", ["KEY", "VERSION", "CREATE", "MOD", "VALUE"])
  return target === "KEY" && order !== "DESCEND" ? {} : { sort: { order: orders[order], target: targets[target] } }
}

const filtersIn = (fields: RequestFields): Partial<RangeQuery> => ({
  ...bound("minModRevision", fields.int64("min_mod_revision", "minModRevision")),
  ...bound("maxModRevision", fields.int64("max_mod_revision", "maxModRevision")),
  ...bound("minCreateRevision", fields.int64("min_create_revision", "minCreateRevision")),
  ...bound("maxCreateRevision", fields.int64("max_create_revision", "maxCreateRevision"))
})

const bound = (name: keyof RangeQuery, revision: number): Partial<RangeQuery> =>
  revision === 0 ? {} : { [name]: revision }
