/**
 * What a watch sees of a revision. A revision is seen as a whole or not at all: what it changed within the range, less
 * what is filtered out, in the order in which it was done.
 */
import * as History from "./History.ts"
import type { Change, Changes } from "./History.ts"
import type { Key, KeyRange, KeyValue } from "./KeyValue.ts"

export interface Watch extends KeyRange {
  /** The first revision that it sees; 0 is the next one. One that is to come is waited for. */
  readonly startRevision: number
  /** Whether it is given what there was before, where that is not compacted. */
  readonly prevKv: boolean
  readonly noPut: boolean
  readonly noDelete: boolean
}

/** `undefined` where it sees nothing. */
export const seen = (watch: Watch, record: Changes): Changes | undefined => {
  const { changes } = record
  const only = changes.length === 1 ? changes[0]! : undefined
  if (only !== undefined) return sees(watch, only) ? record : undefined
  const some = changes.filter((change) => sees(watch, change))
  if (some.length === changes.length && some.length > 0) return record
  return some.length === 0 ? undefined : { ...record, changes: some }
}

export const sees = (watch: Watch, change: Change): boolean =>
  isWanted(watch, change) && includes(watch, History.keyOf(change))

/** By its kind alone. */
export const isWanted = (watch: Watch, change: Change): boolean =>
  change._tag === "Put" ? !watch.noPut : !watch.noDelete

export const includes = ({ key, rangeEnd }: KeyRange, candidate: Key): boolean => {
  if (rangeEnd === undefined) return candidate === key
  return candidate >= key && (rangeEnd === "\0" || candidate < rangeEnd)
}

/** As in etcd, nothing is said of what there was before the first revision that can be read. */
export const previous = (watch: Watch, change: Change, compacted: number): KeyValue | undefined =>
  watch.prevKv && revisionOf(change) > compacted ? change.prev : undefined

export const revisionOf = (change: Change): number =>
  change._tag === "Put" ? change.kv.modRevision : change.modRevision

/** About how many bytes it takes to tell of it. */
export const weigh = (watch: Watch, { changes }: Changes): number =>
  changes.reduce((bytes, change) => bytes + weighChange(watch, change), 0)

/** What a pair takes beside key and value where it is told of, about: less than where it is kept (see KvState). */
const overheadBytes = 128

const weighTold = ({ key, value }: KeyValue): number => overheadBytes + key.length + value.byteLength

export const weighChange = ({ prevKv }: Watch, change: Change): number => {
  const bytes = change._tag === "Put" ? weighTold(change.kv) : change.key.length
  return prevKv && change.prev !== undefined ? bytes + weighTold(change.prev) : bytes
}

/** The prefix that all keys of the range have, and no others; `undefined` where that is no prefix. */
export const prefixOf = ({ key, rangeEnd }: KeyRange): Key | undefined => {
  if (rangeEnd === undefined) return undefined
  // No key is empty, so from "\0" on is all there are.
  if (rangeEnd === "\0") return key === "" || key === "\0" ? "" : undefined
  return rangeEnd === endOfPrefix(key) ? key : undefined
}

/** The least key that is greater than all that begin with `prefix`; `undefined` if there is none. */
const endOfPrefix = (prefix: Key): Key | undefined => {
  for (let at = prefix.length - 1; at >= 0; at--) {
    const unit = prefix.charCodeAt(at)
    if (unit < 0xff) return prefix.slice(0, at) + String.fromCharCode(unit + 1)
  }
  return undefined
}

/** Whether no key can be in it. */
export const isEmpty = ({ key, rangeEnd }: KeyRange): boolean =>
  rangeEnd !== undefined && rangeEnd !== "\0" && rangeEnd <= key
