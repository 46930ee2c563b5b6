/**
 * The bodies of etcd's v3 JSON gateway: bytes are base64, 64-bit integers are strings, and
 * what is zero is left out. Ids of leases exceed 2^53 and are bigints; revisions never will.
 */
import { type Bytes, toBytes } from "./KeyRange.ts"
import * as LeaseId from "./LeaseId.ts"

export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** The revision since which the key is there without a break. */
  readonly createRevision: number
  /** The revision that wrote this value. */
  readonly modRevision: number
  /** How many writes since `createRevision`; 1 for the first, 0 in the event of a delete. */
  readonly version: number
  readonly lease: LeaseId.LeaseId | undefined
}

export interface RangeAnswer {
  /** Of the store when it answered. */
  readonly revision: number
  readonly kvs: ReadonlyArray<KeyValue>
  /** There are keys beyond the limit. */
  readonly more: boolean
  /** How many keys there are in the range, whatever the limit. */
  readonly count: number
}

export interface PutAnswer {
  readonly revision: number
  /** What was there before, if it was asked for and there was anything. */
  readonly previous: KeyValue | undefined
}

export interface DeleteAnswer {
  readonly revision: number
  readonly deleted: number
  /** What was deleted, if that was asked for. */
  readonly previous: ReadonlyArray<KeyValue>
}

export type Json = { readonly [name: string]: unknown }

export const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The body as an object, or undefined when it is none. */
export const parse = (body: string): Json | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    return isJson(value) ? value : undefined
  } catch {
    return undefined
  }
}

export const toBase64 = (bytes: Bytes): string => Buffer.from(toBytes(bytes)).toString("base64")

export const fromBase64 = (text: unknown): Uint8Array =>
  typeof text === "string" ? Buffer.from(text, "base64") : new Uint8Array(0)

/** A string as it is, a number as digits; anything else is not there. */
export const text = (value: unknown, otherwise: string): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : otherwise

export const integer = (value: unknown): number =>
  typeof value === "number" || typeof value === "string" ? Number(value) : 0

export const revisionOf = (body: Json): number => (isJson(body["header"]) ? integer(body["header"]["revision"]) : 0)

export const keyValue = (value: unknown): KeyValue => {
  const kv = isJson(value) ? value : {}
  return {
    key: fromBase64(kv["key"]),
    value: fromBase64(kv["value"]),
    createRevision: integer(kv["create_revision"]),
    modRevision: integer(kv["mod_revision"]),
    version: integer(kv["version"]),
    lease: LeaseId.ofJson(kv["lease"])
  }
}

const keyValues = (value: unknown): ReadonlyArray<KeyValue> => (Array.isArray(value) ? value.map(keyValue) : [])

/** Members of the three go into a transaction's answer, too, where only the whole has a revision that counts. */
export const decodeRange = (body: Json, revision = revisionOf(body)): RangeAnswer => ({
  revision,
  kvs: keyValues(body["kvs"]),
  more: body["more"] === true,
  count: integer(body["count"])
})

export const decodePut = (body: Json, revision = revisionOf(body)): PutAnswer => ({
  revision,
  previous: isJson(body["prev_kv"]) ? keyValue(body["prev_kv"]) : undefined
})

export const decodeDelete = (body: Json, revision = revisionOf(body)): DeleteAnswer => ({
  revision,
  deleted: integer(body["deleted"]),
  previous: keyValues(body["prev_kvs"])
})
