/**
 * Numbers that stand for the keys of a node, so that a search need not look at the keys: those lie scattered over the heap, and
 * fetching each from memory is most of what a search costs. A head is made of the six bytes after what all of the node's keys begin
 * with, and heads never contradict the order of their keys: they are equal where more bytes would be needed.
 */
import type { Key } from "./KeyValue.ts"

/** First how many bytes are skipped, then the head of each key. Doubles, which the collector need not look at. */
export type Heads = ReadonlyArray<number>

/** To copy from: an array that began with a number that is not whole holds plain doubles, whatever comes into it. */
const blank: Array<number> = []
while (blank.length < 128) blank.push(0.5)

const ofLength = (length: number): Array<number> => blank.slice(0, length)

/** Of ascending keys. */
export const of = (keys: ReadonlyArray<Key>): Heads => {
  const { length } = keys
  const heads = ofLength(length + 1)
  const skipped = length === 0 ? 0 : common(keys[0]!, keys[length - 1]!)
  heads[0] = skipped
  for (let i = 0; i < length; i++) heads[i + 1] = headOf(keys[i]!, skipped)
  return heads
}

/** Those of `keys`, which are `before` with one more at `at`. */
export const inserted = (before: Heads, keys: ReadonlyArray<Key>, at: number): Heads => {
  const [skipped] = before
  const { length } = before
  const isAtEdge = at === 0 || at === keys.length - 1
  // Between two that begin the same, so does what is added.
  if (isAtEdge && (length === 1 || common(keys[0]!, keys[keys.length - 1]!) < skipped!)) return of(keys)
  const heads = ofLength(length + 1)
  for (let i = 0; i <= at; i++) heads[i] = before[i]!
  heads[at + 1] = headOf(keys[at]!, skipped!)
  for (let i = at + 1; i < length; i++) heads[i + 1] = before[i]!
  return heads
}

/** Without the one at `at`. */
export const removed = (before: Heads, at: number): Heads => {
  const length = before.length - 1
  const heads = ofLength(length)
  for (let i = 0; i <= at; i++) heads[i] = before[i]!
  for (let i = at + 1; i < length; i++) heads[i] = before[i + 1]!
  return heads
}

/**
 * How many keys are <= `key`, if that begins as they do. Where it does not, any number: who finds `key` by it has found it,
 * who does not has to compare keys.
 */
export const likely = (heads: Heads, keys: ReadonlyArray<Key>, key: Key): number => {
  const head = headOf(key, heads[0]!)
  let low = 0
  let high = heads.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = heads[middle + 1]!
    if (head < other || (head === other && key < keys[middle]!)) high = middle
    else low = middle + 1
  }
  return low
}

/** How many bytes both begin with. */
const common = (one: Key, other: Key): number => {
  const end = Math.min(one.length, other.length)
  let at = 0
  while (at < end && one.charCodeAt(at) === other.charCodeAt(at)) at++
  return at
}

/** What is missing counts as 0: no less than nothing. */
const headOf = (key: Key, at: number): number => {
  if (at + 6 > key.length) return shortHeadOf(key, at)
  const high = (key.charCodeAt(at) << 16) | (key.charCodeAt(at + 1) << 8) | key.charCodeAt(at + 2)
  const low = (key.charCodeAt(at + 3) << 16) | (key.charCodeAt(at + 4) << 8) | key.charCodeAt(at + 5)
  return high * 0x100_0000 + low
}

const shortHeadOf = (key: Key, from: number): number => {
  let head = 0
  for (let at = from; at < from + 6; at++) head = head * 256 + (at < key.length ? key.charCodeAt(at) : 0)
  return head
}
