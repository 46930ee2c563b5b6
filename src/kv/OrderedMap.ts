/**
 * A persistent map from `Key` to `V` in byte order. Every change gives a new map and leaves the
 * old one as it was, at the cost of a few small nodes; the rest is shared. So a snapshot is a kept
 * reference, and nothing here ever copies what grows.
 *
 * Within one batch, changes may be made under an `Owner`: nodes that the batch has made itself
 * are then changed in place. See `owner` for what this asks in return.
 */
import type { Key } from "./KeyValue.ts"
import { OrderedMapBuilder } from "./OrderedMapBuilder.ts"
import * as Heads from "./OrderedMapHeads.ts"
import { before, from as fromKey, join } from "./OrderedMapCut.ts"
import {
  branchOf,
  childIndex,
  emptyLeaf,
  insert,
  lowerBound,
  maxItems,
  type Node,
  type Owner,
  remove as removeFromNode,
  replace,
  split
} from "./OrderedMapNode.ts"

export type { Owner } from "./OrderedMapNode.ts"

declare const value: unique symbol
/** Opaque: to be read and changed by the functions of this module only. */
export interface OrderedMap<V> {
  readonly [value]: V
}

const mapOf = <V>(root: Node<V>): OrderedMap<V> => root as unknown as OrderedMap<V>
const rootOf = <V>(map: OrderedMap<V>): Node<V> => map as unknown as Node<V>

export const empty: OrderedMap<never> = mapOf<never>(emptyLeaf)

/**
 * A token for one batch. Give it to every `set` and `remove` of the batch, and use only the last
 * map: those in between may change under you. Maps from before the batch do not change, and the last
 * one does not either once the token is let go of. A token must never be used for a second batch
 * when the result of the first has been kept.
 */
export const owner = (): Owner => ({})

export const size = <V>(map: OrderedMap<V>): number => rootOf(map).size

export const get = <V>(map: OrderedMap<V>, key: Key): V | undefined => {
  const root = rootOf(map)
  found.root = undefined
  let node = root
  let depth = 0
  while (!node.leaf) {
    const at = Heads.likely(node.heads, node.keys, key)
    way[depth++] = at
    node = node.items[at]!
  }
  const { keys } = node
  const after = Heads.likely(node.heads, keys, key)
  const at = after - 1
  if (at >= 0 && keys[at] === key) {
    remember(root, key, true)
    way[depth] = at
    return node.items[at]
  }
  // What would stand between two keys of one leaf stands nowhere else. Otherwise the heads may have led astray.
  const isAbsent = at >= 0 && after < keys.length && keys[at]! < key && key < keys[after]!
  if (!isAbsent) return search(root, key)
  remember(root, key, false)
  way[depth] = after
  return undefined
}

/** By the keys themselves. */
const search = <V>(root: Node<V>, key: Key): V | undefined => {
  let node = root
  while (!node.leaf) node = node.items[childIndex(node.keys, key)]!
  const at = lowerBound(node.keys, key)
  return node.keys[at] === key ? node.items[at] : undefined
}

/**
 * The way to the key that was looked for last, or to where it would be. Whoever has looked for one mostly sets it next, and need not
 * compare keys again, which is most of what either costs. Nobody sees it: any change makes it forgotten.
 */
const way: Array<number> = []
const found: { root: unknown; key: Key; isThere: boolean } = { root: undefined, key: "", isThere: false }

const remember = (root: unknown, key: Key, isThere: boolean): void => {
  found.root = root
  found.key = key
  found.isThere = isThere
}

/** O(log n). The key must be a string of units 0 to 255; any such string will do, the empty one too. */
export const set = <V>(map: OrderedMap<V>, key: Key, value: V, by?: Owner): OrderedMap<V> => {
  const before = rootOf(map)
  const isKnown = found.root === before && found.key === key
  found.root = undefined
  if (isKnown && found.isThere) return mapOf(replace(before, way, 0, value, by))
  const root = insert(before, key, value, by, isKnown ? way : undefined)
  if (root.items.length <= maxItems) return mapOf(root)
  const { left, separator, right } = split(root, root.items.length >>> 1, by)
  return mapOf<V>(branchOf([separator], [left, right], by))
}

/** O(log n). The very same map if the key is not there. */
export const remove = <V>(map: OrderedMap<V>, key: Key, by?: Owner): OrderedMap<V> => {
  found.root = undefined
  return mapOf(lowered(removeFromNode(rootOf(map), key, by)))
}

/** Takes pairs in ascending order of their keys. */
export interface Builder<V> {
  readonly size: number
  /** False, and nothing is added, when the key is not above all that were added before. */
  readonly add: (key: Key, value: V) => boolean
  /** The builder must not be used after it. */
  readonly finish: () => OrderedMap<V>
}

/** Many times as quick as `set` for each pair. */
export const builder = <V>(): Builder<V> => {
  const building = new OrderedMapBuilder<V>()
  return {
    get size() {
      return building.size
    },
    add: (key, value) => building.add(key, value),
    finish: () => mapOf(building.root())
  }
}

/**
 * Without the keys in [from, to), or from `from` on if `to` is undefined; the very same map if
 * there are none. O(log n), however many there are.
 */
export const removeRange = <V>(map: OrderedMap<V>, from: Key, to: Key | undefined): OrderedMap<V> => {
  if (count(map, from, to) === 0) return map
  const root = rootOf(map)
  const left = before(root, from)
  const right = to === undefined ? undefined : fromKey(root, to)
  if (left === undefined && right === undefined) return empty
  if (left === undefined || to === undefined || right === undefined) return mapOf(lowered(left ?? right!))
  return mapOf(lowered(join(left, to, right)))
}

/** How many keys are in [from, to), or from `from` on if `to` is undefined. O(log n). */
export const count = <V>(map: OrderedMap<V>, from: Key, to: Key | undefined): number => {
  const root = rootOf(map)
  return Math.max(0, (to === undefined ? root.size : rank(root, to)) - rank(root, from))
}

/**
 * Visits what is in [from, to), or from `from` on if `to` is undefined, in ascending order, until
 * `visit` returns false. To go on later, start from the last key seen followed by "\0".
 */
export const walk = <V>(
  map: OrderedMap<V>,
  from: Key,
  to: Key | undefined,
  visit: (value: V, key: Key) => boolean
): void => {
  walkNode(rootOf(map), from, to, visit)
}

/** Returns whether to go on. An undefined bound does not bind: the node is inside of it as a whole. */
const walkNode = <V>(
  node: Node<V>,
  from: Key | undefined,
  to: Key | undefined,
  visit: (value: V, key: Key) => boolean
): boolean => {
  const { keys } = node
  if (node.leaf) {
    const end = to === undefined ? keys.length : lowerBound(keys, to)
    for (let i = from === undefined ? 0 : lowerBound(keys, from); i < end; i++) {
      if (!visit(node.items[i]!, keys[i]!)) return false
    }
    return true
  }
  const first = from === undefined ? 0 : childIndex(keys, from)
  const last = to === undefined ? keys.length : childIndex(keys, to)
  for (let i = first; i <= last; i++) {
    const goOn = walkNode(node.items[i]!, i === first ? from : undefined, i === last ? to : undefined, visit)
    if (!goOn) return false
  }
  return true
}

/** How many keys of the tree are < `key`. */
const rank = <V>(root: Node<V>, key: Key): number => {
  let node = root
  let rank = 0
  while (!node.leaf) {
    const at = childIndex(node.keys, key)
    for (let i = 0; i < at; i++) rank += node.items[i]!.size
    node = node.items[at]!
  }
  return rank + lowerBound(node.keys, key)
}

/** A root with one child is not needed. */
const lowered = <V>(root: Node<V>): Node<V> => {
  let node = root
  while (!node.leaf && node.items.length === 1) node = node.items[0]!
  return node.size === 0 ? emptyLeaf : node
}
