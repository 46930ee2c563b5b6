/**
 * Which of many ranges hold a key: those that are neither one key nor a prefix (see WatchIndex). They stand in the order in which
 * they begin, with the furthest end in each half of each half, so that a look goes only where a range can reach the key. New ones are
 * looked at one by one until there are enough of them to sort anew.
 */
import type { Key, KeyRange } from "./KeyValue.ts"
import { includes } from "./Watch.ts"

interface Entry<W> {
  readonly range: KeyRange
  readonly watchers: Set<W>
}

/** So many are looked at one by one. */
const maxUnsorted = 64

export class RangeIndex<W> {
  readonly #entries = new Map<string, Entry<W>>()
  #sorted: ReadonlyArray<Entry<W>> = []
  /** For the middle of each stretch of `#sorted`, where the last of the stretch ends; "" is never. */
  #ends: Array<Key> = []
  #unsorted: Array<Entry<W>> = []
  /** How many of the sorted have nobody any more. */
  #empty = 0

  add(range: KeyRange, watcher: W): void {
    const name = nameOf(range)
    let entry = this.#entries.get(name)
    if (entry === undefined) {
      entry = { range: { key: range.key, rangeEnd: range.rangeEnd }, watchers: new Set() }
      this.#entries.set(name, entry)
      this.#unsorted.push(entry)
    }
    entry.watchers.add(watcher)
  }

  remove(range: KeyRange, watcher: W): void {
    const name = nameOf(range)
    const entry = this.#entries.get(name)
    if (entry?.watchers.delete(watcher) !== true || entry.watchers.size > 0) return
    this.#entries.delete(name)
    this.#empty++
  }

  visit(key: Key, visit: (watcher: W) => void): void {
    if (this.#unsorted.length > maxUnsorted || this.#empty > maxUnsorted + this.#entries.size) this.#sort()
    for (const entry of this.#unsorted) visitIf(entry, key, visit)
    this.#search(key, visit, 0, this.#sorted.length)
  }

  visitEach(visit: (watcher: W) => void): void {
    for (const { watchers } of this.#entries.values()) for (const watcher of watchers) visit(watcher)
  }

  #search(key: Key, visit: (watcher: W) => void, from: number, to: number): void {
    if (from >= to) return
    const middle = (from + to) >>> 1
    const end = this.#ends[middle]!
    if (end !== never && end <= key) return
    this.#search(key, visit, from, middle)
    // Those after it begin after it, too.
    if (this.#sorted[middle]!.range.key > key) return
    visitIf(this.#sorted[middle]!, key, visit)
    this.#search(key, visit, middle + 1, to)
  }

  #sort(): void {
    this.#sorted = [...this.#entries.values()].sort((one, other) => (one.range.key < other.range.key ? -1 : 1))
    this.#ends = Array.from(this.#sorted, () => never)
    this.#unsorted = []
    this.#empty = 0
    this.#measure(0, this.#sorted.length)
  }

  #measure(from: number, to: number): Key | undefined {
    if (from >= to) return undefined
    const middle = (from + to) >>> 1
    const { rangeEnd } = this.#sorted[middle]!.range
    const own = rangeEnd === undefined || rangeEnd === "\0" ? never : rangeEnd
    const ends = [this.#measure(from, middle), own, this.#measure(middle + 1, to)].filter((end) => end !== undefined)
    const last = ends.includes(never) ? never : ends.reduce((one, other) => (one > other ? one : other))
    this.#ends[middle] = last
    return last
  }
}

/** It ends with the last key there is. */
const never = ""

const visitIf = <W>({ range, watchers }: Entry<W>, key: Key, visit: (watcher: W) => void): void => {
  if (includes(range, key)) for (const watcher of watchers) visit(watcher)
}

/** A length comes before the keys, so that no two ranges share a name. */
const nameOf = ({ key, rangeEnd = "" }: KeyRange): string => `${key.length}:${key}${rangeEnd}`
