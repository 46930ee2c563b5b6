/**
 * Removing a whole range from the nodes of an `OrderedMap` in the time of a few single removals,
 * however many entries it holds: what lies before and what lies after are cut off and joined
 * along their seam. Everything inside is dropped unseen.
 */
import type { Key } from "./KeyValue.ts"
import { branchOf, childIndex, concatenated, leafOf, lowerBound, maxItems, type Node, split } from "./OrderedMapNode.ts"

/** All that is < `key`, equally deep; undefined if there is nothing. */
export const before = <V>(node: Node<V>, key: Key): Node<V> | undefined => {
  if (node.leaf) {
    const end = lowerBound(node.keys, key)
    return end === 0 ? undefined : leafOf(node.keys.slice(0, end), node.items.slice(0, end), undefined)
  }
  const at = childIndex(node.keys, key)
  const edge = before(node.items[at]!, key)
  if (edge !== undefined) return branchOf(node.keys.slice(0, at), [...node.items.slice(0, at), edge], undefined)
  return at === 0 ? undefined : branchOf(node.keys.slice(0, at - 1), node.items.slice(0, at), undefined)
}

/** All that is >= `key`, equally deep; undefined if there is nothing. */
export const from = <V>(node: Node<V>, key: Key): Node<V> | undefined => {
  if (node.leaf) {
    const start = lowerBound(node.keys, key)
    return start === node.keys.length ? undefined : leafOf(node.keys.slice(start), node.items.slice(start), undefined)
  }
  const at = childIndex(node.keys, key)
  const edge = from(node.items[at]!, key)
  if (edge !== undefined) return branchOf(node.keys.slice(at), [edge, ...node.items.slice(at + 1)], undefined)
  return at === node.keys.length ? undefined : branchOf(node.keys.slice(at + 1), node.items.slice(at + 1), undefined)
}

/** One tree of two equally deep ones: all below `left` < `separator` <= all below `right`. */
export const join = <V>(left: Node<V>, separator: Key, right: Node<V>): Node<V> => {
  const { keys, items } = joined(left, separator, right)
  return keys.length === 0 ? items[0]! : branchOf(keys, items, undefined)
}

/** One or two nodes, as deep as the two they replace, and the key between them if there are two. */
interface Joined<V> {
  readonly keys: Array<Key>
  readonly items: Array<Node<V>>
}

const joined = <V>(left: Node<V>, separator: Key, right: Node<V>): Joined<V> => {
  if (left.leaf || right.leaf) return packed(concatenated(left, separator, right, undefined))
  const last = left.items.length - 1
  const seam = joined(left.items[last]!, separator, right.items[0]!)
  const items = [...left.items.slice(0, last), ...seam.items, ...right.items.slice(1)]
  return packed(branchOf([...left.keys, ...seam.keys, ...right.keys], items, undefined))
}

const packed = <V>(node: Node<V>): Joined<V> => {
  if (node.items.length <= maxItems) return { keys: [], items: [node] }
  const { left, separator, right } = split(node, node.items.length >>> 1, undefined)
  return { keys: [separator], items: [left, right] }
}
