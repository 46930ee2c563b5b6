/**
 * The bodies of etcd's v3 JSON gateway: bytes are base64, 64-bit integers are strings, and
 * what is zero is left out. Numbers that exceed 2^53 (leases) stay strings.
 */

export interface KeyValueAnswer {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  /** Decimal; "0" is none. */
  readonly lease: string
}

export interface RangeAnswer {
  readonly revision: number
  readonly kvs: ReadonlyArray<KeyValueAnswer>
  readonly more: boolean
  readonly count: number
}

export interface PutAnswer {
  readonly revision: number
}

export interface DeleteAnswer {
  readonly revision: number
  readonly deleted: number
}

export interface KeyRange {
  readonly key: Uint8Array
  /** Undefined is `key` alone. */
  readonly rangeEnd: Uint8Array | undefined
}

/** All keys that begin with `prefix`: up to the first byte string that is above them all. */
export const prefixRange = (prefix: Uint8Array): KeyRange => {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  const zero = Uint8Array.of(0)
  if (length === 0) return { key: prefix.length === 0 ? zero : prefix, rangeEnd: zero }
  // A copy: `slice` of a Buffer would share its memory with `prefix`.
  const rangeEnd = Uint8Array.from(prefix.subarray(0, length))
  rangeEnd[length - 1]! += 1
  return { key: prefix, rangeEnd }
}

type Json = { readonly [name: string]: unknown }

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

export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

export const fromBase64 = (text: unknown): Uint8Array =>
  typeof text === "string" ? Buffer.from(text, "base64") : new Uint8Array(0)

/** A string as it is, a number as digits; anything else is not there. */
export const text = (value: unknown, otherwise: string): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : otherwise

export const integer = (value: unknown): number =>
  typeof value === "number" || typeof value === "string" ? Number(value) : 0

export const encodeRange = (range: KeyRange): Json => ({
  key: toBase64(range.key),
  ...(range.rangeEnd === undefined ? {} : { range_end: toBase64(range.rangeEnd) })
})

export const revisionOf = (body: Json): number => (isJson(body["header"]) ? integer(body["header"]["revision"]) : 0)

const decodeKeyValue = (value: unknown): KeyValueAnswer => {
  const kv = isJson(value) ? value : {}
  return {
    key: fromBase64(kv["key"]),
    value: fromBase64(kv["value"]),
    createRevision: integer(kv["create_revision"]),
    modRevision: integer(kv["mod_revision"]),
    version: integer(kv["version"]),
    lease: text(kv["lease"], "0")
  }
}

export const decodeRange = (body: Json): RangeAnswer => ({
  revision: revisionOf(body),
  kvs: Array.isArray(body["kvs"]) ? body["kvs"].map(decodeKeyValue) : [],
  more: body["more"] === true,
  count: integer(body["count"])
})

export const decodeDelete = (body: Json): DeleteAnswer => ({
  revision: revisionOf(body),
  deleted: integer(body["deleted"])
})
