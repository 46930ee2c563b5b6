/**
 * The JSON of etcd's answers, written by hand: it is the hot path, and nothing in it needs
 * escaping (numbers and base64). As in proto3 JSON, int64 are strings and zero fields are left
 * out. Fields stand in the order in which etcd writes them.
 */
import type { KeyValue } from "../kv/KeyValue.ts"
import { decodeBytes, decodeKey, encodeBytes, encodeKey } from "./Base64.ts"

export const keyValue = (kv: KeyValue): string => {
  const value = kv.value.length === 0 ? "" : `,"value":"${encodeBytes(kv.value)}"`
  const lease = kv.lease === 0n ? "" : `,"lease":"${kv.lease}"`
  return `{"key":"${encodeKey(kv.key)}","create_revision":"${kv.createRevision}","mod_revision":"${kv.modRevision}","version":"${kv.version}"${value}${lease}}`
}

/** What `keyValue` wrote, or etcd; `undefined` for anything else. */
export const parseKeyValue = (json: unknown): KeyValue | undefined => {
  if (typeof json !== "object" || json === null) return undefined
  const object = json as { readonly [name: string]: unknown }
  const key = typeof object["key"] === "string" ? decodeKey(object["key"]) : undefined
  const value = decodeBytes(typeof object["value"] === "string" ? object["value"] : "")
  const createRevision = parseInt64(object["create_revision"])
  const modRevision = parseInt64(object["mod_revision"])
  const version = parseInt64(object["version"])
  const lease = parseInt64(object["lease"])
  if (key === undefined || value === undefined || lease === undefined) return undefined
  if (createRevision === undefined || modRevision === undefined || version === undefined) return undefined
  return {
    key,
    value,
    createRevision: Number(createRevision),
    modRevision: Number(modRevision),
    version: Number(version),
    lease
  }
}

/** An int64 of an answer; absent is 0, and `undefined` is none at all. */
export const parseInt64 = (json: unknown): bigint | undefined => {
  if (json === undefined) return 0n
  if (typeof json === "number") return Number.isSafeInteger(json) ? BigInt(json) : undefined
  return typeof json === "string" && /^-?[0-9]{1,20}$/.test(json) ? BigInt(json) : undefined
}

/** About how long `keyValue` is, without writing it. */
export const keyValueLength = (kv: KeyValue): number => 120 + Math.ceil((kv.key.length + kv.value.length) / 3) * 4

/** `,"name":"7"` to follow other fields, or nothing for 0. */
export const int64Field = (name: string, value: number): string => (value === 0 ? "" : `,"${name}":"${value}"`)

/** Who answers, at which revision and in which term. etcd's member list is the answer without a revision. */
export interface Header {
  readonly clusterId: string
  readonly memberId: string
  readonly revision: number
  readonly raftTerm: number
}

/** The opening of every answer; more fields and a closing brace follow. */
export const openWithHeader = (header: Header): string =>
  `{"header":{"cluster_id":"${header.clusterId}","member_id":"${header.memberId}"${int64Field("revision", header.revision)}${int64Field("raft_term", header.raftTerm)}}`
