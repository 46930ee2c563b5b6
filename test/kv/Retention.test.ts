/** Up to which revision history is compacted. */
import { describe, expect, test } from "vitest"
import type { KvCommand } from "../../src/kv/KvCommand.ts"
import * as History from "../../src/kv/History.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import * as Retention from "../../src/kv/Retention.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"

const generous: Retention.Retention = { millis: undefined, maxRevisions: 1_000_000, maxBytes: 1e12 }

const after = (state: KvState, command: KvCommand, millis: number): KvState =>
  KvMachine.apply(state, command, { time: ClusterTime(millis), version: 3 })[0]

const put: KvCommand = { _tag: "Put", key: "k", value: Buffer.alloc(1_000), prevKv: false }

/** Revision r is put at r seconds. */
const upTo = (revision: number): KvState => {
  let state = KvMachine.initial
  while (state.revision < revision) state = after(state, put, (state.revision + 1) * 1000)
  return state
}

const due = (state: KvState, millis: number, retention: Partial<Retention.Retention>): number | undefined =>
  Retention.due(state, ClusterTime(millis), { ...generous, ...retention })

describe("by age", () => {
  test.each([
    [10_000, 100_000, undefined, "everything is younger"],
    [10_000, 9_000, undefined, "the first revision is as good as none"],
    [10_000, 8_000, 2, "the store as it was two seconds after the beginning"],
    [10_000, 7_001, 2, "between two revisions"],
    [10_000, 7_000, 3, "just as old"],
    [10_000, 0, 10, "nothing but the present"],
    [1_000_000, 5_000, 10, "long after the last change"]
  ] as ReadonlyArray<readonly [number, number, number | undefined, string]>)(
    "at %i ms, keeping %i ms: %s (%s)",
    (now, millis, expected) => {
      expect(due(upTo(10), now, { millis })).toBe(expected)
    }
  )

  test("what is compacted already is not compacted again", () => {
    const state = after(upTo(10), { _tag: "Compact", revision: 5 }, 10_000)
    expect(due(state, 10_000, { millis: 5_000 })).toBeUndefined()
    expect(due(state, 11_000, { millis: 5_000 })).toBe(6)
  })

  test("several revisions of one moment go together", () => {
    let state = upTo(5)
    for (let count = 0; count < 3; count++) state = after(state, put, 5_000)
    expect(due(state, 6_000, { millis: 1_000 })).toBe(8)
  })

  test("a store that nobody has changed has nothing to compact", () => {
    expect(due(KvMachine.initial, 1e9, { millis: 1, maxRevisions: 1, maxBytes: 1 })).toBeUndefined()
  })
})

test("revisions of more than 32 bits are found as any others", () => {
  const revision = 2 ** 32 + 5
  const records = Array.from({ length: 10 }, (_, at) => ({
    revision: revision - 9 + at,
    time: ClusterTime((at + 1) * 1000),
    changes: []
  }))
  const history = records.reduce(History.append, History.startingAt(revision - 9))
  const state: KvState = { ...KvMachine.initial, revision, compacted: revision - 9, history }
  expect(due(state, 10_000, { millis: 4_000 })).toBe(revision - 4)
})

describe("by number", () => {
  test("no more than so many revisions before the present", () => {
    expect(due(upTo(10), 10_000, { maxRevisions: 9 })).toBeUndefined()
    expect(due(upTo(10), 10_000, { maxRevisions: 3 })).toBe(7)
    expect(due(upTo(10), 10_000, { maxRevisions: 3, millis: 1_000 })).toBe(9)
  })
})

describe("by bytes", () => {
  test("half of the revisions at a time, until it is within the limit", () => {
    let state = upTo(1_001)
    const maxBytes = 100_000
    const revisions: Array<number> = []
    for (let steps = 0; steps < 100 && state.historyBytes > maxBytes; steps++) {
      const revision = due(state, 1e9, { maxBytes })
      if (revision !== undefined) revisions.push(revision)
      state = after(
        state,
        revision === undefined ? { _tag: "LeaseKeepAlive", id: 1n } : { _tag: "Compact", revision },
        1e9
      )
      // What was compacted goes bit by bit, with whatever comes.
      if (revision === undefined)
        state = after(state, { _tag: "Put", key: "x", value: Buffer.alloc(0), prevKv: false }, 1e9)
    }
    expect(state.historyBytes).toBeLessThanOrEqual(maxBytes)
    expect(revisions[0]).toBe(501)
    expect(revisions).toEqual(revisions.toSorted((one, other) => one - other))
    expect(revisions.length).toBeLessThan(8)
  })

  test("while it is still going, nothing more", () => {
    const state = after(upTo(2_001), { _tag: "Compact", revision: 1_000 }, 1e9)
    expect(state.history.first).toBeLessThan(state.compacted)
    expect(due(state, 1e9, { maxBytes: 1 })).toBeUndefined()
  })
})
