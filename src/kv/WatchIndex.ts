/**
 * Who watches a key. Looking it up costs one probe for the key, one for each length of prefix that anybody watches, and a
 * search among the distinct ranges that are neither a key nor a prefix; how many watchers there are that do not watch
 * the key makes no difference otherwise.
 */
import type { Key, KeyRange } from "./KeyValue.ts"
import { RangeIndex } from "./RangeIndex.ts"
import { prefixOf } from "./Watch.ts"

/** Most are watched by one alone. */
type Watchers<W> = W | Set<W>

export class WatchIndex<W extends object> {
  readonly #keys = new Map<Key, Watchers<W>>()
  readonly #prefixes = new Map<number, Map<Key, Watchers<W>>>()
  readonly #ranges = new RangeIndex<W>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(range: KeyRange, watcher: W): void {
    this.#size++
    if (range.rangeEnd === undefined) return addTo(this.#keys, range.key, watcher)
    const prefix = prefixOf(range)
    if (prefix !== undefined) {
      const ofLength = this.#prefixes.get(prefix.length) ?? new Map<Key, Watchers<W>>()
      this.#prefixes.set(prefix.length, ofLength)
      return addTo(ofLength, prefix, watcher)
    }
    this.#ranges.add(range, watcher)
  }

  /** It was added with that range. */
  remove(range: KeyRange, watcher: W): void {
    this.#size--
    if (range.rangeEnd === undefined) return removeFrom(this.#keys, range.key, watcher)
    const prefix = prefixOf(range)
    if (prefix !== undefined) {
      const ofLength = this.#prefixes.get(prefix.length)
      if (ofLength === undefined) return
      removeFrom(ofLength, prefix, watcher)
      if (ofLength.size === 0) this.#prefixes.delete(prefix.length)
      return
    }
    this.#ranges.remove(range, watcher)
  }

  /** Each that watches the key, once. */
  visit(key: Key, visit: (watcher: W) => void): void {
    visitAll(this.#keys.get(key), visit)
    for (const [length, ofLength] of this.#prefixes) {
      if (length <= key.length) visitAll(ofLength.get(key.slice(0, length)), visit)
    }
    this.#ranges.visit(key, visit)
  }

  /** All of them. They may be removed meanwhile. */
  visitEach(visit: (watcher: W) => void): void {
    for (const watchers of this.#keys.values()) visitAll(watchers, visit)
    for (const ofLength of this.#prefixes.values()) {
      for (const watchers of ofLength.values()) visitAll(watchers, visit)
    }
    this.#ranges.visitEach(visit)
  }
}

const addTo = <W extends object>(map: Map<Key, Watchers<W>>, key: Key, watcher: W): void => {
  const watchers = map.get(key)
  if (watchers === undefined) map.set(key, watcher)
  else if (watchers instanceof Set) watchers.add(watcher)
  else map.set(key, new Set([watchers, watcher]))
}

const removeFrom = <W extends object>(map: Map<Key, Watchers<W>>, key: Key, watcher: W): void => {
  const watchers = map.get(key)
  if (watchers instanceof Set) {
    watchers.delete(watcher)
    if (watchers.size === 0) map.delete(key)
  } else if (watchers === watcher) map.delete(key)
}

const visitAll = <W extends object>(watchers: Watchers<W> | undefined, visit: (watcher: W) => void): void => {
  if (watchers === undefined) return
  if (watchers instanceof Set) for (const watcher of watchers) visit(watcher)
  else visit(watchers)
}
