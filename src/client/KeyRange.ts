/** Keys, and ranges of them: from `key` up to `rangeEnd` and without it, in the order of their bytes. */

/** Text is UTF-8. */
export type Bytes = string | Uint8Array

export interface KeyRange {
  readonly key: Uint8Array
  /** Undefined is `key` alone. A single zero byte is no end at all. */
  readonly rangeEnd: Uint8Array | undefined
}

/** A key by itself, or one of the ranges below. */
export type Keys = Bytes | KeyRange

export const toBytes = (bytes: Bytes): Uint8Array => (typeof bytes === "string" ? Buffer.from(bytes) : bytes)

const zero = Uint8Array.of(0)

export const one = (key: Bytes): KeyRange => ({ key: toBytes(key), rangeEnd: undefined })

/** From `first` on, to all ends. */
export const fromKey = (first: Bytes): KeyRange => ({ key: atLeastZero(toBytes(first)), rangeEnd: zero })

/** From `first` up to `end`, without `end`. */
export const between = (first: Bytes, end: Bytes): KeyRange => ({
  key: atLeastZero(toBytes(first)),
  rangeEnd: toBytes(end)
})

/** All keys that begin with `prefix`: up to the first byte string that is above them all. */
export const prefixRange = (prefix: Bytes): KeyRange => {
  const key = toBytes(prefix)
  let length = key.length
  while (length > 0 && key[length - 1] === 0xff) length--
  if (length === 0) return { key: atLeastZero(key), rangeEnd: zero }
  // A copy: `slice` of a Buffer would share its memory with `prefix`.
  const rangeEnd = Uint8Array.from(key.subarray(0, length))
  rangeEnd[length - 1]! += 1
  return { key, rangeEnd }
}

export const all: KeyRange = { key: zero, rangeEnd: zero }

export const of = (keys: Keys): KeyRange => (typeof keys === "string" || keys instanceof Uint8Array ? one(keys) : keys)

/** What follows `key` right away, where a listing goes on after it. */
export const after = (key: Uint8Array): Uint8Array => {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** etcd takes an empty key for a mistake; the least one is a zero byte. */
const atLeastZero = (key: Uint8Array): Uint8Array => (key.length === 0 ? zero : key)
