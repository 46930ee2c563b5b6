/** All of a few small scopes; `node scripts/small-scope.ts` searches larger ones. */
import { describe, expect, it } from "vitest"
import * as Scopes from "../../src/sim/Scope.ts"
import * as SmallScope from "../../src/sim/SmallScope.ts"
import type { AnyReplica, AnyEffect, State } from "../../src/sim/Subject.ts"

const unbounded = { maxSituations: Number.POSITIVE_INFINITY, maxDepth: Number.POSITIVE_INFINITY }

describe("nothing that can happen breaks a rule", () => {
  for (const [name, scope] of Scopes.standard) {
    it(name, () => {
      const { failure, complete } = SmallScope.explore({ ...scope, ...unbounded, rules: "all" })
      expect(failure?.path.concat(failure.rule, failure.detail).join("\n")).toBe(undefined)
      expect(complete).toBe(true)
    })
  }
})

it("what replicas are called makes no difference", () => {
  const scope = { ...Scopes.least, ...unbounded, rules: "all", terms: 3, elections: 1 } as const
  const one = SmallScope.explore({ ...scope, logs: [[1], [2], []] })
  const other = SmallScope.explore({ ...scope, logs: [[], [1], [2]] })
  expect([other.complete, other.depth]).toEqual([one.complete, one.depth])
})

/** A replica whose every reduction is changed. */
const altered =
  (change: (before: State, after: State, effects: ReadonlyArray<AnyEffect>) => ReturnType<AnyReplica["reduceAll"]>) =>
  (replica: AnyReplica): AnyReplica => ({
    ...replica,
    reduceAll: (before, events) => change(before, ...replica.reduceAll(before, events))
  })

const early = (chosen: (effect: AnyEffect) => boolean): ((replica: AnyReplica) => AnyReplica) =>
  altered((_, after, effects) => [after, [...effects.filter(chosen), ...effects.filter((effect) => !chosen(effect))]])

const isSent = (effect: AnyEffect, tag: string): boolean => effect._tag === "Send" && effect.message._tag === tag

/** A log that is to be written is forgotten, though all else is done. */
const withoutLog = altered((_, after, effects) => [
  after,
  effects.map((effect) => (effect._tag === "Persist" ? { ...effect, log: undefined } : effect))
])

const withoutVote = altered((_, after, effects) => [
  after,
  effects.map((effect) =>
    effect._tag === "Persist" && effect.hardState !== undefined
      ? { ...effect, hardState: { ...effect.hardState, votedFor: undefined } }
      : effect
  )
])

describe("what is wrong is found by what comes of it, and by the shortest way", () => {
  const two = { ...Scopes.least, elections: 2, crashes: 1 }
  const cases: ReadonlyArray<
    readonly [string, Scopes.Scope, (replica: AnyReplica) => AnyReplica, rule: string, depth: number]
  > = [
    [
      "a vote leaves before Persist",
      two,
      early((effect) => isSent(effect, "RequestVoteReply")),
      "one leader a term",
      9
    ],
    [
      "an acknowledgement leaves before Persist",
      { ...Scopes.least, crashes: 1 },
      early((effect) => isSent(effect, "AppendEntriesReply")),
      "what is committed is on a majority's disks",
      8
    ],
    ["a vote is not on disk", two, withoutVote, "one leader a term", 9],
    ["a log is not on disk", Scopes.least, withoutLog, "what is committed is on a majority's disks", 8]
  ]
  for (const [name, scope, alter, rule, depth] of cases) {
    it(name, () => {
      const verdict = SmallScope.explore({ ...scope, ...unbounded, rules: "consequences", alter })
      expect([verdict.failure?.rule, verdict.depth + 1]).toEqual([rule, depth])
    })
  }
})
