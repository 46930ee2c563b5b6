/** Reads of the store at any revision that is kept, as etcd's range request has them. */
import * as History from "./History.ts"
import { bounds, isSingle, type Key, type KeyValue } from "./KeyValue.ts"
import type { RangeAnswer, RangeQuery, Sort } from "./KvQuery.ts"
import type { KvState } from "./KvState.ts"
import * as OrderedMap from "./OrderedMap.ts"

type View = Pick<KvState, "keys" | "deletions" | "history" | "revision">

/** `revision` is one that can be read, or 0 for the present. */
export const range = (view: View, query: RangeQuery): RangeAnswer => {
  const { revision, keys } = view
  const isPast = query.revision > 0 && query.revision < revision
  if (isSingle(query)) return single(view, query)
  const [from, to] = bounds(query)
  if (isPast || isSortedOrFiltered(query)) {
    const found = isPast ? collectAt(view, query.revision, from, to) : collect(keys, from, to, Number.POSITIVE_INFINITY)
    return answer(revision, query, found)
  }
  const count = OrderedMap.count(keys, from, to)
  if (query.countOnly) return { _tag: "Range", revision, kvs: [], more: false, count }
  const wanted = query.limit > 0 ? Math.min(query.limit, count) : count
  const kvs = collect(keys, from, to, wanted)
  return { _tag: "Range", revision, kvs: shown(kvs, query), more: wanted < count, count }
}

/** About how many pairs are looked at for it; a step back into the past is a small part of that. */
export const effort = (view: View, query: RangeQuery): number => {
  const isPast = query.revision > 0 && query.revision < view.revision
  const stepsBack = isPast ? Math.ceil((view.revision - query.revision) / stepsInOne) : 0
  if (isSingle(query)) return 1 + stepsBack
  const count = OrderedMap.count(view.keys, ...bounds(query))
  if (isPast) return count + OrderedMap.count(view.deletions, ...bounds(query)) + stepsBack
  if (isSortedOrFiltered(query)) return count
  if (query.countOnly) return 1
  return query.limit > 0 ? Math.min(query.limit, count) : count
}

const stepsInOne = 16

/** The commonest read, by one way down the tree instead of three. */
const single = (view: View, query: RangeQuery): RangeAnswer => {
  const found = getAt(view, query.revision, query.key)
  return answer(view.revision, query, found === undefined ? [] : [found])
}

const answer = (revision: number, query: RangeQuery, found: ReadonlyArray<KeyValue>): RangeAnswer => {
  const count = found.length
  if (query.countOnly) return { _tag: "Range", revision, kvs: [], more: false, count }
  const kvs = sorted(filtered(isLimitedFirst(query) ? found.slice(0, query.limit + 1) : found, query), query)
  const more = query.limit > 0 && kvs.length > query.limit
  return { _tag: "Range", revision, kvs: shown(more ? kvs.slice(0, query.limit) : kvs, query), more, count }
}

/** As etcd: without an order a target sorts what comes first in the order of keys, and one more. */
const isLimitedFirst = (query: RangeQuery): boolean =>
  query.limit > 0 && query.sort?.order === "None" && !isFiltered(query)

const isSortedOrFiltered = (query: RangeQuery): boolean =>
  (query.sort !== undefined && !isNatural(query.sort)) || isFiltered(query)

const isFiltered = (query: RangeQuery): boolean => filters.some(({ bound }) => (query[bound] ?? 0) !== 0)

const isNatural = ({ order, target }: Sort): boolean => target === "Key" && order !== "Descend"

const filters = [
  { bound: "minModRevision", isOutside: (kv: KeyValue, bound: number) => kv.modRevision < bound },
  { bound: "maxModRevision", isOutside: (kv: KeyValue, bound: number) => kv.modRevision > bound },
  { bound: "minCreateRevision", isOutside: (kv: KeyValue, bound: number) => kv.createRevision < bound },
  { bound: "maxCreateRevision", isOutside: (kv: KeyValue, bound: number) => kv.createRevision > bound }
] as const

const filtered = (kvs: ReadonlyArray<KeyValue>, query: RangeQuery): ReadonlyArray<KeyValue> =>
  filters.reduce((rest, { bound, isOutside }) => {
    const limit = query[bound] ?? 0
    return limit === 0 ? rest : rest.filter((kv) => !isOutside(kv, limit))
  }, kvs)

/** Stable, so that equal ones stay in the order of their keys, whichever way they are sorted. */
const sorted = (kvs: ReadonlyArray<KeyValue>, { sort }: RangeQuery): ReadonlyArray<KeyValue> => {
  if (sort === undefined || isNatural(sort)) return kvs
  const compare = comparisons[sort.target]
  return kvs.toSorted(sort.order === "Descend" ? (one, other) => compare(other, one) : compare)
}

const comparisons: { readonly [target in Sort["target"]]: (one: KeyValue, other: KeyValue) => number } = {
  Key: (one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0),
  Version: (one, other) => one.version - other.version,
  Create: (one, other) => one.createRevision - other.createRevision,
  Mod: (one, other) => one.modRevision - other.modRevision,
  Value: (one, other) => compareBytes(one.value, other.value)
}

/** As byte strings: the first byte that differs decides, then the length. */
export const compareBytes = (one: Uint8Array, other: Uint8Array): number => {
  const length = Math.min(one.length, other.length)
  for (let i = 0; i < length; i++) {
    if (one[i] !== other[i]) return one[i]! - other[i]!
  }
  return one.length - other.length
}

const noBytes = new Uint8Array(0)

const shown = (kvs: ReadonlyArray<KeyValue>, { keysOnly }: RangeQuery): ReadonlyArray<KeyValue> =>
  keysOnly ? kvs.map((kv) => ({ ...kv, value: noBytes })) : kvs

/** The first `wanted` pairs of [from, to). */
export const collect = (
  keys: KvState["keys"],
  from: Key,
  to: Key | undefined,
  wanted: number
): ReadonlyArray<KeyValue> => {
  const kvs: Array<KeyValue> = []
  if (wanted > 0) OrderedMap.walk(keys, from, to, (kv) => kvs.push(kv) < wanted)
  return kvs
}

const collectAt = (view: View, revision: number, from: Key, to: Key | undefined): ReadonlyArray<KeyValue> => {
  const kvs: Array<KeyValue> = []
  walkAt(view, revision, [from, to], (kv) => {
    kvs.push(kv)
    return true
  })
  return kvs
}

/** A pair as it was at a revision that can be read; 0 is the present. */
export const getAt = (view: View, revision: number, key: Key): KeyValue | undefined => {
  const present = OrderedMap.get(view.keys, key)
  if (revision <= 0 || revision >= view.revision) return present
  const newest = present ?? OrderedMap.get(view.deletions, key)
  return newest === undefined ? undefined : asOf(view.history, revision, newest)
}

/** So many of each map are looked at before they are merged. */
const sliceWidth = 256

/**
 * Visits the pairs of [from, to) as they were at `revision`, in ascending order, until `visit` returns false. To go on later, start
 * from the last key seen followed by "\0".
 */
export const walkAt = (
  view: View,
  revision: number,
  [from, to]: readonly [from: Key, to: Key | undefined],
  visit: (kv: KeyValue) => boolean
): void => {
  if (revision <= 0 || revision >= view.revision) return OrderedMap.walk(view.keys, from, to, visit)
  let next: Key | undefined = from
  while (next !== undefined) {
    const present = sliceOf(view.keys, next, to)
    const gone = sliceOf(view.deletions, next, to)
    const end = least(present.last, gone.last)
    for (const newest of merged(present.items, gone.items, end)) {
      const kv = asOf(view.history, revision, newest)
      if (kv !== undefined && !visit(kv)) return
    }
    next = end === undefined ? undefined : `${end}\0`
  }
}

interface Slice<V> {
  readonly items: ReadonlyArray<V>
  /** The key up to which this is all that there is; `undefined` if it is all. */
  readonly last: Key | undefined
}

const sliceOf = <V extends { readonly key: Key }>(
  map: OrderedMap.OrderedMap<V>,
  from: Key,
  to: Key | undefined
): Slice<V> => {
  const items: Array<V> = []
  OrderedMap.walk(map, from, to, (item) => items.push(item) < sliceWidth)
  return { items, last: items.length < sliceWidth ? undefined : items[sliceWidth - 1]!.key }
}

const least = (one: Key | undefined, other: Key | undefined): Key | undefined =>
  one === undefined || (other !== undefined && other < one) ? other : one

/** Both in the order of their keys, of which none is in both, up to and including `end`. */
const merged = (
  present: ReadonlyArray<KeyValue>,
  gone: ReadonlyArray<History.Deletion>,
  end: Key | undefined
): ReadonlyArray<KeyValue | History.Deletion> => {
  const all: Array<KeyValue | History.Deletion> = []
  let at = 0
  let other = 0
  while (at < present.length || other < gone.length) {
    const isPresent = other >= gone.length || (at < present.length && present[at]!.key < gone[other]!.key)
    const next = isPresent ? present[at++]! : gone[other++]!
    if (end !== undefined && next.key > end) break
    all.push(next)
  }
  return all
}

/** Back from the newest that is known of a key to what it was at `revision`: as many steps as it has changed since. */
const asOf = (
  history: History.History,
  revision: number,
  newest: KeyValue | History.Deletion
): KeyValue | undefined => {
  let one: KeyValue | History.Deletion | undefined = newest
  while (one !== undefined && one.modRevision > revision) one = before(history, one)
  return one === undefined || isDeletion(one) ? undefined : one
}

const before = (
  history: History.History,
  one: KeyValue | History.Deletion
): KeyValue | History.Deletion | undefined => {
  if (isDeletion(one)) return one.prev
  const change = changeOf(history, one)
  return change?.prev ?? (change?._tag === "Put" ? change.deleted : undefined)
}

const isDeletion = (one: KeyValue | History.Deletion): one is History.Deletion => "_tag" in one

const changeOf = (history: History.History, { key, modRevision }: KeyValue): History.Change | undefined => {
  const record = History.at(history, modRevision)
  return record && History.changeOf(record, key)
}
