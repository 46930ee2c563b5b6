/**
 * etcd's requests, from JSON to the machine's commands and queries. What is asked for and not
 * supported is refused, never ignored: an answer to another question is worse than none.
 */
import type { Key } from "../kv/KeyValue.ts"
import type { KvCommand } from "../kv/KvCommand.ts"
import type { KvQuery } from "../kv/KvQuery.ts"
import {
  type GatewayError,
  idempotencyKeyInvalid,
  isGatewayError,
  keyNotProvided,
  requestTooLarge,
  unsupported
} from "./GatewayError.ts"
import type { StoreCommand } from "../sessions/Store.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"

/** etcd's default: what a request may hold in key and value together. */
export const defaultMaxRequestBytes = 1.5 * 1024 * 1024

export interface RangeRequest {
  readonly _tag: "RangeRequest"
  readonly query: KvQuery
  /** Answer from what this replica has, at once and perhaps stale. */
  readonly serializable: boolean
}

export const put = (object: JsonObject, maxRequestBytes: number): KvCommand | GatewayError => {
  const fields = new RequestFields(object)
  const key = fields.key("key", "key")
  const value = fields.bytes("value", "value")
  const prevKv = fields.flag("prev_kv", "prevKv")
  const lease = fields.int64("lease", "lease")
  const ignoreValue = fields.flag("ignore_value", "ignoreValue")
  const ignoreLease = fields.flag("ignore_lease", "ignoreLease")
  if (fields.problem !== undefined) return fields.problem
  if (key === "") return keyNotProvided
  if (key.length + value.length > maxRequestBytes) return requestTooLarge
  if (lease !== 0) return unsupported("lease")
  if (ignoreValue) return unsupported("ignore_value")
  if (ignoreLease) return unsupported("ignore_lease")
  return { _tag: "Put", key, value, prevKv }
}

export const deleteRange = (object: JsonObject, maxRequestBytes: number): KvCommand | GatewayError => {
  const fields = new RequestFields(object)
  const key = fields.key("key", "key")
  const rangeEnd = rangeEndIn(fields)
  const prevKv = fields.flag("prev_kv", "prevKv")
  if (fields.problem !== undefined) return fields.problem
  if (key === "") return keyNotProvided
  if (key.length + (rangeEnd?.length ?? 0) > maxRequestBytes) return requestTooLarge
  return { _tag: "DeleteRange", key, rangeEnd, prevKv }
}

export const range = (object: JsonObject, maxRequestBytes: number): RangeRequest | GatewayError => {
  const fields = new RequestFields(object)
  const key = fields.key("key", "key")
  const rangeEnd = rangeEndIn(fields)
  const limit = fields.int64("limit", "limit")
  const revision = fields.int64("revision", "revision")
  const serializable = fields.flag("serializable", "serializable")
  const keysOnly = fields.flag("keys_only", "keysOnly")
  const countOnly = fields.flag("count_only", "countOnly")
  const refused = unsupportedRangeOption(fields)
  if (fields.problem !== undefined) return fields.problem
  if (key === "") return keyNotProvided
  if (key.length + (rangeEnd?.length ?? 0) > maxRequestBytes) return requestTooLarge
  if (refused !== undefined) return unsupported(refused)
  return {
    _tag: "RangeRequest",
    serializable,
    // To etcd, a limit below 1 is none and a revision below 1 is the present.
    query: {
      _tag: "Range",
      key,
      rangeEnd,
      limit: Math.max(0, limit),
      revision: Math.max(0, revision),
      keysOnly,
      countOnly
    }
  }
}

/** Printable ASCII, and no space at either end, which HTTP does not carry. Any such string is a key as it is, quotes included. */
const idempotencyKey = /^[!-~](?:[ -~]{0,253}[!-~])?$/

/** A write that is carried out once under the `Idempotency-Key` that it comes with, if it does. */
export const named = (command: KvCommand | GatewayError, key: string | undefined): StoreCommand | GatewayError => {
  if (key === undefined || isGatewayError(command)) return command
  return idempotencyKey.test(key) ? { session: { _tag: "Key", key }, command } : idempotencyKeyInvalid
}

/** Absent and empty are the same in proto3, and mean the key alone. */
const rangeEndIn = (fields: RequestFields): Key | undefined => {
  const rangeEnd = fields.key("range_end", "rangeEnd")
  return rangeEnd === "" ? undefined : rangeEnd
}

const sortOrders = ["NONE", "ASCEND", "DESCEND"] as const
const sortTargets = ["KEY", "VERSION", "CREATE", "MOD", "VALUE"] as const

/** Answers are in ascending order of keys; asking for just that is fine. */
const unsupportedRangeOption = (fields: RequestFields): string | undefined => {
  const order = fields.choice("sort_order", "sortOrder", sortOrders)
  const target = fields.choice("sort_target", "sortTarget", sortTargets)
  if (order === "DESCEND") return "sort_order DESCEND"
  if (target !== "KEY") return `sort_target ${target}`
  if (fields.int64("min_mod_revision", "minModRevision") !== 0) return "min_mod_revision"
  if (fields.int64("max_mod_revision", "maxModRevision") !== 0) return "max_mod_revision"
  if (fields.int64("min_create_revision", "minCreateRevision") !== 0) return "min_create_revision"
  if (fields.int64("max_create_revision", "maxCreateRevision") !== 0) return "max_create_revision"
  return undefined
}
