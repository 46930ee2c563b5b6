/**
 * The nodes of an `OrderedMap`: a B+ tree in which every branch knows how many entries are below
 * it. An array of keys never changes once made, so copies of a node share it and an overwrite
 * copies no keys. A node that others may see is copied before its items change; one made by the
 * same `Owner` is changed in place.
 *
 * Balance is relaxed: all leaves are equally deep and no node but an empty root is empty, but a
 * node may hold less than half. Small neighbours merge when a removal passes by.
 */
import type { Key } from "./KeyValue.ts"
import * as Heads from "./OrderedMapHeads.ts"

/** Whoever holds the token may change the nodes that carry it. Compared by identity only. */
export type Owner = object

export interface Leaf<V> {
  readonly leaf: true
  readonly owner: Owner | undefined
  /** Entries in and below this node. */
  size: number
  /** Ascending. */
  keys: ReadonlyArray<Key>
  /** Of the keys. */
  heads: Heads.Heads
  /** As many as there are keys. */
  items: Array<V>
}

export interface Branch<V> {
  readonly leaf: false
  readonly owner: Owner | undefined
  size: number
  /** One less than children: all below `items[i]` < `keys[i]` <= all below `items[i + 1]`. */
  keys: ReadonlyArray<Key>
  heads: Heads.Heads
  items: Array<Node<V>>
}

export type Node<V> = Leaf<V> | Branch<V>

/** A node splits above this many items. Measured: see docs/decisions/0002-ordered-map.md. */
export const maxItems = 32
/** A node that a removal leaves below this many merges with a neighbour if one node can hold both. */
const fewItems = maxItems / 4

/** Without an owner: writes copy it, so all empty maps can be the same. */
export const emptyLeaf: Leaf<never> = {
  leaf: true,
  owner: undefined,
  size: 0,
  keys: [],
  heads: Heads.of([]),
  items: []
}

export const leafOf = <V>(
  keys: ReadonlyArray<Key>,
  items: Array<V>,
  owner: Owner | undefined,
  heads = Heads.of(keys)
): Leaf<V> => ({ leaf: true, owner, size: items.length, keys, heads, items })

export const branchOf = <V>(
  keys: ReadonlyArray<Key>,
  items: Array<Node<V>>,
  owner: Owner | undefined,
  heads = Heads.of(keys)
): Branch<V> => {
  let size = 0
  for (let i = 0; i < items.length; i++) size += items[i]!.size
  return { leaf: false, owner, size, keys, heads, items }
}

/** How many keys are < `key`: where it is or would be in a leaf. */
export const lowerBound = (keys: ReadonlyArray<Key>, key: Key): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

/** How many keys are <= `key`: which child of a branch it is below. */
export const childIndex = (keys: ReadonlyArray<Key>, key: Key): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (key < keys[middle]!) high = middle
    else low = middle + 1
  }
  return low
}

/** In each node of a way from the root down, which item it goes through, or comes before. */
export type Way = ReadonlyArray<number>

/**
 * `node` with `key` set. It may come back one item too large: the caller splits it. Where `way` is given, that is where the key goes,
 * from `depth` on.
 */
export const insert = <V>(
  node: Node<V>,
  key: Key,
  value: V,
  owner: Owner | undefined,
  way?: Way,
  depth = 0
): Node<V> => {
  if (node.leaf) {
    const at = way === undefined ? lowerBound(node.keys, key) : way[depth]!
    if (at < node.keys.length && node.keys[at] === key) {
      const leaf = writableLeaf(node, owner)
      leaf.items[at] = value
      return leaf
    }
    const keys = insertedAt(node.keys, at, key)
    return leafOf(keys, insertedAt(node.items, at, value), owner, Heads.inserted(node.heads, keys, at))
  }
  const at = way === undefined ? childIndex(node.keys, key) : way[depth]!
  const before = node.items[at]!
  const sizeBefore = before.size
  const child = insert(before, key, value, owner, way, depth + 1)
  if (child.items.length > maxItems) {
    const { left, separator, right } = split(child, keptBySplit(child, key, at === node.keys.length), owner)
    const items = insertedAt(node.items, at + 1, right)
    items[at] = left
    const keys = insertedAt(node.keys, at, separator)
    return branchOf(keys, items, owner, Heads.inserted(node.heads, keys, at))
  }
  const branch = writableBranch(node, owner)
  branch.size += child.size - sizeBefore
  branch.items[at] = child
  return branch
}

/** `node` with another value at the end of the way `at`, from `depth` on. */
export const replace = <V>(node: Node<V>, at: Way, depth: number, value: V, owner: Owner | undefined): Node<V> => {
  if (node.leaf) {
    const leaf = writableLeaf(node, owner)
    leaf.items[at[depth]!] = value
    return leaf
  }
  const branch = writableBranch(node, owner)
  branch.items[at[depth]!] = replace(node.items[at[depth]!]!, at, depth + 1, value, owner)
  return branch
}

/**
 * Keys that arrive in ascending order would leave half-empty leaves behind them: a last leaf
 * that has just grown at its end stays full.
 */
const keptBySplit = <V>(node: Node<V>, key: Key, last: boolean): number =>
  last && node.leaf && node.keys[node.keys.length - 1] === key ? maxItems : node.items.length >>> 1

interface Halves<V> {
  readonly left: Node<V>
  readonly separator: Key
  readonly right: Node<V>
}

/** Two nodes in place of one, the first with `kept` of its items. */
export const split = <V>(node: Node<V>, kept: number, owner: Owner | undefined): Halves<V> => {
  const { keys } = node
  return node.leaf
    ? {
        left: leafOf(keys.slice(0, kept), node.items.slice(0, kept), owner),
        separator: keys[kept]!,
        right: leafOf(keys.slice(kept), node.items.slice(kept), owner)
      }
    : {
        left: branchOf(keys.slice(0, kept - 1), node.items.slice(0, kept), owner),
        separator: keys[kept - 1]!,
        right: branchOf(keys.slice(kept), node.items.slice(kept), owner)
      }
}

/** `node` without `key`, the very same node if it is not there. It may come back empty. */
export const remove = <V>(node: Node<V>, key: Key, owner: Owner | undefined): Node<V> => {
  if (node.leaf) {
    const at = lowerBound(node.keys, key)
    if (node.keys[at] !== key) return node
    return leafOf(removedAt(node.keys, at), removedAt(node.items, at), owner, Heads.removed(node.heads, at))
  }
  const at = childIndex(node.keys, key)
  const before = node.items[at]!
  const sizeBefore = before.size
  const child = remove(before, key, owner)
  if (child.size === sizeBefore) return node
  if (child.items.length < fewItems) return withSmallChild(node, at, child, owner)
  const branch = writableBranch(node, owner)
  branch.size--
  branch.items[at] = child
  return branch
}

/** `node` with a child that has become small: dropped if empty, merged with a neighbour if they fit. */
const withSmallChild = <V>(node: Branch<V>, at: number, child: Node<V>, owner: Owner | undefined): Node<V> => {
  const { keys, items } = node
  if (child.items.length === 0) {
    return branchOf(removedAt(keys, at === 0 ? 0 : at - 1), removedAt(items, at), owner)
  }
  const replaced = items.slice()
  replaced[at] = child
  for (const left of [at - 1, at]) {
    const first = replaced[left]
    const second = replaced[left + 1]
    if (first !== undefined && second !== undefined && first.items.length + second.items.length <= maxItems) {
      const merged = removedAt(replaced, left + 1)
      merged[left] = concatenated(first, keys[left]!, second, owner)
      return branchOf(removedAt(keys, left), merged, owner)
    }
  }
  return branchOf(keys, replaced, owner, node.heads)
}

/** One node in place of two neighbours, which may be too large. All leaves are equally deep, so both are of one kind. */
export const concatenated = <V>(left: Node<V>, separator: Key, right: Node<V>, owner: Owner | undefined): Node<V> => {
  if (left.leaf) {
    const { keys, items } = right as Leaf<V>
    return leafOf([...left.keys, ...keys], [...left.items, ...items], owner)
  }
  const { keys, items } = right as Branch<V>
  return branchOf([...left.keys, separator, ...keys], [...left.items, ...items], owner)
}

/** The node itself if `owner` made it, else a copy whose items and size `owner` may change. */
const writableLeaf = <V>(node: Leaf<V>, owner: Owner | undefined): Leaf<V> =>
  owner !== undefined && node.owner === owner ? node : leafOf(node.keys, node.items.slice(), owner, node.heads)

const writableBranch = <V>(node: Branch<V>, owner: Owner | undefined): Branch<V> =>
  owner !== undefined && node.owner === owner
    ? node
    : { leaf: false, owner, size: node.size, keys: node.keys, heads: node.heads, items: node.items.slice() }

/** Of exactly the right length: an array that grew by `push` or `splice` would keep room to spare. */
const ofLength = <A>(length: number): Array<A> => new Array(length) // oxlint-disable-line no-new-array

/** A loop, because it is twice as fast as `toSpliced`. */
const insertedAt = <A>(array: ReadonlyArray<A>, at: number, item: A): Array<A> => {
  const { length } = array
  const copy = ofLength<A>(length + 1)
  for (let i = 0; i < at; i++) copy[i] = array[i]!
  copy[at] = item
  for (let i = at; i < length; i++) copy[i + 1] = array[i]!
  return copy
}

const removedAt = <A>(array: ReadonlyArray<A>, at: number): Array<A> => {
  const length = Math.max(0, array.length - 1)
  const copy = ofLength<A>(length)
  for (let i = 0; i < at; i++) copy[i] = array[i]!
  for (let i = at; i < length; i++) copy[i] = array[i + 1]!
  return copy
}
