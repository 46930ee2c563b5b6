/**
 * etcd's data model: every write transaction has one revision, and each key remembers the
 * revisions that made and last changed it.
 *
 * A `Key` holds bytes as a string, one UTF-16 unit (0 to 255) a byte ("latin1" in Node):
 * such strings are small, hash well, and compare in byte order.
 */
export type Key = string

export interface KeyValue {
  readonly key: Key
  readonly value: Uint8Array
  /** The revision of the put that created it since it was last absent. */
  readonly createRevision: number
  /** The revision of its last put. */
  readonly modRevision: number
  /** Puts since it was created; 1 for a new key. */
  readonly version: number
  /** 0 is none. */
  readonly lease: bigint
}

/**
 * Which keys are meant, as etcd says it: `rangeEnd` undefined is `key` alone; "\0" is all from
 * `key` on; anything else is the half-open interval [key, rangeEnd) in byte order.
 */
export interface KeyRange {
  readonly key: Key
  readonly rangeEnd: Key | undefined
}

/** A range as a half-open interval, without an upper end if undefined. Nothing lies between `key` and `key\0`. */
export const bounds = ({ key, rangeEnd }: KeyRange): readonly [from: Key, to: Key | undefined] => {
  if (rangeEnd === undefined) return [key, `${key}\0`]
  return [key, rangeEnd === "\0" ? undefined : rangeEnd]
}

export const isSingle = ({ rangeEnd }: KeyRange): boolean => rangeEnd === undefined
