/**
 * What has changed, revision by revision, as an immutable value: one record for each revision from `first` to the
 * store's own. Reads of the past and watchers go by it; compaction drops its beginning.
 *
 * Records stand in blocks. The newest block is an array that versions of a history share: each sees as many of its
 * records as it counts, and only a version that counts them all may add to it. A version that does not copies it.
 */
import type { Key, KeyValue } from "./KeyValue.ts"
import type { ClusterTime } from "../raft/LogEntry.ts"

export type Change =
  | {
      readonly _tag: "Put"
      readonly kv: KeyValue
      /** What there was before, if the key was there. */
      readonly prev: KeyValue | undefined
      /** How it had gone, if it was deleted in a revision that is not compacted. */
      readonly deleted: Deletion | undefined
    }
  | Deletion

export interface Deletion {
  readonly _tag: "Delete"
  readonly key: Key
  readonly modRevision: number
  readonly prev: KeyValue
}

/** All that one revision changed, each key at most once, in the order in which it was done. */
export interface Changes {
  readonly revision: number
  readonly time: ClusterTime
  readonly changes: ReadonlyArray<Change>
}

const width = 256

export interface History {
  /** The revision of the first record, or the next one where there is none. */
  readonly first: number
  /** How many records at the front of the first block are dropped. */
  readonly skip: number
  readonly length: number
  readonly blocks: ReadonlyArray<ReadonlyArray<Changes>>
  /** Shared with other versions: see above. */
  readonly tail: Array<Changes>
  readonly tailLength: number
}

/** Without records; the next one is of the revision `first`. */
export const startingAt = (first: number): History => ({
  first,
  skip: 0,
  length: 0,
  blocks: [],
  tail: [],
  tailLength: 0
})

/** The revision of the last record, or the one before the first where there is none. */
export const last = (history: History): number => history.first + history.length - 1

export const at = (history: History, revision: number): Changes | undefined => {
  const offset = revision - history.first
  if (offset < 0 || offset >= history.length) return undefined
  const place = history.skip + offset
  const block = Math.floor(place / width)
  return block < history.blocks.length ? history.blocks[block]![place % width] : history.tail[place % width]
}

/** `changes` is of the revision after the last. */
export const append = (history: History, changes: Changes): History => {
  const { first, skip, length, blocks, tailLength } = history
  const tail = history.tail.length === tailLength ? history.tail : history.tail.slice(0, tailLength)
  tail.push(changes)
  // One by one: each command does this, and a spread costs several times as much.
  const isFull = tailLength + 1 === width
  return {
    first,
    skip,
    length: length + 1,
    blocks: isFull ? [...blocks, tail] : blocks,
    tail: isFull ? [] : tail,
    tailLength: isFull ? 0 : tailLength + 1
  }
}

/** Without the records before `first`. Whole blocks are let go of; of a block that is partly needed all is kept until then. */
export const from = (history: History, first: number): History => {
  const dropped = first - history.first
  if (dropped <= 0) return history
  if (dropped >= history.length) return startingAt(Math.max(first, last(history) + 1))
  const places = history.skip + dropped
  const whole = Math.min(Math.floor(places / width), history.blocks.length)
  return {
    ...history,
    first,
    skip: places - whole * width,
    length: history.length - dropped,
    blocks: whole === 0 ? history.blocks : history.blocks.slice(whole)
  }
}

export const keyOf = (change: Change): Key => (change._tag === "Put" ? change.kv.key : change.key)

/** Most change few keys. Of those that do not, the place of each key is remembered while the record is there. */
const fewChanges = 32
const placesOf = new WeakMap<Changes, ReadonlyMap<Key, Change>>()

export const changeOf = (record: Changes, key: Key): Change | undefined => {
  const { changes } = record
  if (changes.length <= fewChanges) return changes.find((change) => keyOf(change) === key)
  const known = placesOf.get(record)
  const places = known ?? new Map(changes.map((change) => [keyOf(change), change]))
  if (known === undefined) placesOf.set(record, places)
  return places.get(key)
}

/** Takes records from the newest back to the oldest: whoever knows only the present comes to the past in this order. */
export interface Builder {
  /** Of the revision before the last one that was added. */
  readonly add: (changes: Changes) => void
  /** The builder must not be used after it. `undefined` where records are missing. */
  readonly finish: () => History | undefined
}

/** Of the revisions from `first` to `last`. Many records cost no pause at the end. */
export const builder = (first: number, last: number): Builder => {
  const length = last - first + 1
  const blocks: Array<ReadonlyArray<Changes>> = []
  let tail: Array<Changes> = []
  let block: Array<Changes> = []
  let left = length
  return {
    add: (changes) => {
      left--
      block.push(changes)
      if (left % width > 0) return
      block.reverse()
      if (block.length < width) tail = block
      else blocks.push(block)
      block = []
    },
    finish: () =>
      left === 0 ? { first, skip: 0, length, blocks: blocks.reverse(), tail, tailLength: tail.length } : undefined
  }
}
