/** What an `OrderedMap` must be like: a sorted array of pairs; and what its nodes must be like. */
import { assert } from "@effect/vitest"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import * as Heads from "../../src/kv/OrderedMapHeads.ts"
import { maxItems, type Node } from "../../src/kv/OrderedMapNode.ts"

export type Pairs = ReadonlyArray<readonly [key: string, value: number]>

const inRange = (key: string, from: string, to: string | undefined): boolean =>
  key >= from && (to === undefined || key < to)

export const set = (pairs: Pairs, key: string, value: number): Pairs =>
  [...pairs.filter(([other]) => other !== key), [key, value] as const].sort(([a], [b]) => (a < b ? -1 : 1))

export const remove = (pairs: Pairs, key: string): Pairs => pairs.filter(([other]) => other !== key)

export const range = (pairs: Pairs, from: string, to: string | undefined): Pairs =>
  pairs.filter(([key]) => inRange(key, from, to))

export const removeRange = (pairs: Pairs, from: string, to: string | undefined): Pairs =>
  pairs.filter(([key]) => !inRange(key, from, to))

/** The pairs of a map in [from, to), in the order in which it shows them. */
export const pairsIn = (map: OrderedMap.OrderedMap<number>, from: string, to: string | undefined): Pairs => {
  const pairs: Array<readonly [string, number]> = []
  OrderedMap.walk(map, from, to, (value, key) => pairs.push([key, value]) > 0)
  return pairs
}

export const assertSame = (map: OrderedMap.OrderedMap<number>, pairs: Pairs, what: string): void => {
  assert.deepStrictEqual(pairsIn(map, "", undefined), pairs, what)
  assert.strictEqual(OrderedMap.size(map), pairs.length, what)
  assertSound(map as unknown as Node<number>, what)
}

/** Returns the depth below the node. */
const assertSound = (node: Node<number>, what: string, from = "", to?: string, root = true): number => {
  const { keys, heads, items } = node
  assert.strictEqual(heads.length, keys.length + 1, `${what}: a head for each key`)
  for (const [at, key] of keys.entries()) {
    assert.strictEqual(Heads.likely(heads, keys, key), at + 1, `${what}: the heads lead to each key`)
  }
  assert.isAtMost(items.length, maxItems, `${what}: a node is too large`)
  const least = root ? (node.leaf ? 0 : 2) : 1
  assert.isAtLeast(items.length, least, `${what}: a node is empty, or a root is not needed`)
  assert.deepStrictEqual([...keys].sort(), [...keys], `${what}: keys are out of order`)
  assert.isTrue(
    keys.every((key) => inRange(key, from, to)),
    `${what}: a key is on the wrong side of a separator`
  )
  if (node.leaf) {
    assert.strictEqual(keys.length, items.length, `${what}: a leaf pairs keys and values`)
    assert.strictEqual(node.size, items.length, `${what}: a leaf's size`)
    return 0
  }
  assert.strictEqual(keys.length, items.length - 1, `${what}: one separator between two children`)
  const depths = node.items.map((child, i) => assertSound(child, what, keys[i - 1] ?? from, keys[i] ?? to, false))
  const sum = node.items.reduce((sum, child) => sum + child.size, 0)
  assert.strictEqual(node.size, sum, `${what}: a branch's size`)
  assert.strictEqual(new Set(depths).size, 1, `${what}: leaves are not equally deep`)
  return 1 + depths[0]!
}
