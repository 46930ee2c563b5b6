/**
 * An `OrderedMap` from pairs that come in ascending order, in one pass and without searching. Every
 * node but the last of each level is full, as after the same pairs were set one after the other.
 */
import type { Key } from "./KeyValue.ts"
import { type Branch, branchOf, emptyLeaf, leafOf, maxItems, type Node } from "./OrderedMapNode.ts"

/** Finished nodes that wait for a parent, and the first key below each. */
interface Level<V> {
  readonly keys: Array<Key>
  readonly nodes: Array<Node<V>>
}

export class OrderedMapBuilder<V> {
  size = 0
  private last: Key | undefined
  private readonly keys: Array<Key> = []
  private readonly items: Array<V> = []
  private readonly levels: Array<Level<V>> = []

  /** False, and nothing is added, when the key is not above all that were added before. */
  add(key: Key, value: V): boolean {
    if (this.last !== undefined && !(this.last < key)) return false
    if (this.keys.length === maxItems) this.closeLeaf()
    this.last = key
    this.keys.push(key)
    this.items.push(value)
    this.size++
    return true
  }

  /** The builder must not be used after it. */
  root(): Node<V> {
    if (this.size === 0) return emptyLeaf
    this.closeLeaf()
    for (let depth = 0; ; depth++) {
      const { nodes } = this.levels[depth]!
      if (nodes.length === 1 && depth === this.levels.length - 1) return nodes[0]!
      this.closeBranch(depth)
    }
  }

  private closeLeaf(): void {
    // Copies of exactly this length: an array that grew would keep room to spare.
    this.hand(0, this.keys[0]!, leafOf<V>(this.keys.slice(), this.items.slice(), undefined))
    this.keys.length = 0
    this.items.length = 0
  }

  private closeBranch(depth: number): void {
    const { keys, nodes } = this.levels[depth]!
    const branch: Branch<V> = branchOf<V>(keys.slice(1), nodes.slice(), undefined)
    const [first] = keys
    keys.length = 0
    nodes.length = 0
    this.hand(depth + 1, first!, branch)
  }

  private hand(depth: number, key: Key, node: Node<V>): void {
    this.levels[depth] ??= { keys: [], nodes: [] }
    const level = this.levels[depth]
    if (level.nodes.length === maxItems) this.closeBranch(depth)
    level.keys.push(key)
    level.nodes.push(node)
  }
}
