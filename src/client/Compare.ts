/**
 * What a transaction asks before it acts: of one key, or of every key of a range, whether its value, version,
 * create revision, mod revision or lease is equal to something, is not, is greater or is less. A key that is not there has
 * zero for all but the value, and no comparison of values holds for it.
 */
import { type Json, toBase64 } from "./GatewayJson.ts"
import type { Bytes, Keys } from "./KeyRange.ts"
import type { LeaseId } from "./LeaseId.ts"
import { encodeKeys } from "./RangeRequest.ts"

export interface Compare {
  readonly _tag: "Compare"
  /** As the gateway takes it. */
  readonly body: Json
}

export interface Comparable<Value> {
  readonly equals: (value: Value) => Compare
  readonly differs: (value: Value) => Compare
  readonly greater: (value: Value) => Compare
  readonly less: (value: Value) => Compare
}

const comparable = <Value>(keys: Keys, target: string, encode: (value: Value) => Json): Comparable<Value> => {
  const compare =
    (result: string) =>
    (value: Value): Compare => ({ _tag: "Compare", body: { ...encodeKeys(keys), target, result, ...encode(value) } })
  return {
    equals: compare("EQUAL"),
    differs: compare("NOT_EQUAL"),
    greater: compare("GREATER"),
    less: compare("LESS")
  }
}

/** By their bytes, the shorter first. */
export const value = (keys: Keys): Comparable<Bytes> =>
  comparable(keys, "VALUE", (value) => ({ value: toBase64(value) }))

export const version = (keys: Keys): Comparable<number> =>
  comparable(keys, "VERSION", (version) => ({ version: String(version) }))

export const createRevision = (keys: Keys): Comparable<number> =>
  comparable(keys, "CREATE", (revision) => ({ create_revision: String(revision) }))

export const modRevision = (keys: Keys): Comparable<number> =>
  comparable(keys, "MOD", (revision) => ({ mod_revision: String(revision) }))

/** `undefined` is no lease. */
export const lease = (keys: Keys): Comparable<LeaseId | undefined> =>
  comparable(keys, "LEASE", (lease) => ({ lease: String(lease ?? 0n) }))

export const exists = (key: Bytes): Compare => createRevision(key).greater(0)

export const isMissing = (key: Bytes): Compare => createRevision(key).equals(0)
