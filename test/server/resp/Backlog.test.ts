/** What waits comes out as it went in, however much of it there is and however it takes turns. */
import { expect, test } from "vitest"
import { Backlog } from "../../../src/server/resp/Backlog.ts"
import type { Said } from "../../../src/server/resp/Item.ts"

test.each([1, 2, 3, 1000, 5000])("first in, first out, %i at a time", (together) => {
  const backlog = new Backlog()
  const items = Array.from({ length: 12_000 }, (): Said => () => undefined)
  let pushed = 0
  let shifted = 0
  while (shifted < items.length) {
    for (let count = 0; count < together && pushed < items.length; count++, pushed++) {
      backlog.push(items[pushed]!, pushed)
    }
    // Something stays until the end.
    const keep = pushed < items.length ? 1 : 0
    while (backlog.length > keep) {
      expect(backlog.first).toBe(items[shifted])
      expect(backlog.bytes).toBe(shifted)
      backlog.shift()
      shifted++
    }
    expect(backlog.length).toBe(pushed - shifted)
  }
  expect(backlog.first).toBe(undefined)
})
