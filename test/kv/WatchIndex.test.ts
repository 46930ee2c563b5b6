/** Who watches a key, against looking at all of them. */
import { expect, test } from "vitest"
import type { KeyRange } from "../../src/kv/KeyValue.ts"
import * as Watch from "../../src/kv/Watch.ts"
import { WatchIndex } from "../../src/kv/WatchIndex.ts"
import { type Chance, chanceOf } from "./Chance.ts"

const keyOf = (chance: Chance): string =>
  Array.from({ length: 1 + chance.below(3) }, () => chance.pick(["a", "b", "c", "m", "z", "\u00ff"])).join("")

const rangeOf = (chance: Chance): KeyRange => {
  const key = keyOf(chance)
  return { key, rangeEnd: chance.pick([undefined, "\0", `${key}a`, `${key}m`, keyOf(chance), "b", "zz"]) }
}

test("is found among hundreds that come and go", () => {
  const chance = chanceOf(7)
  const index = new WatchIndex<{ readonly range: KeyRange }>()
  const all = new Set<{ readonly range: KeyRange }>()
  let found = 0
  for (let n = 0; n < 6000; n++) {
    // Many come first, then many go.
    if (chance.below(10) < (n % 2000 < 1000 ? 7 : 2)) {
      const watcher = { range: rangeOf(chance) }
      index.add(watcher.range, watcher)
      all.add(watcher)
    } else if (all.size > 0) {
      const watcher = chance.pick([...all])
      index.remove(watcher.range, watcher)
      all.delete(watcher)
    }
    const key = keyOf(chance)
    const visited: Array<object> = []
    index.visit(key, (watcher) => visited.push(watcher))
    const expected = [...all].filter(({ range }) => Watch.includes(range, key))
    expect(visited).toHaveLength(expected.length)
    expect(new Set(visited)).toEqual(new Set(expected))
    found += visited.length
  }
  const every: Array<object> = []
  index.visitEach((watcher) => every.push(watcher))
  expect([every.length, index.size]).toEqual([all.size, all.size])
  expect(found).toBeGreaterThan(100_000)
})
