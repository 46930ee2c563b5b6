/** A few runs with every crash point of theirs; `node scripts/crash-points.ts` takes as many as one likes. */
import { describe, expect, it } from "vitest"
import * as Chart from "../../src/sim/Chart.ts"
import * as CrashPoints from "../../src/sim/CrashPoints.ts"
import { subject } from "../../src/sim/Register.ts"
import { type AnyEffect, erase } from "../../src/sim/Subject.ts"

const settings = { subject: erase(subject), steps: 250, stepsAfter: 40 }

const explain = ({ seed, failure }: CrashPoints.Outcome): string =>
  failure === undefined
    ? ""
    : `seed ${seed}, ${JSON.stringify(failure.point)}: ${failure.rule}\n${failure.detail}\n${Chart.draw(failure.trace, 20)}`

describe("a replica may die after any of its effects", () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 8, 9]) {
    it(`at every point of seed ${seed}`, () => {
      const outcome = CrashPoints.run({ ...settings, seed })
      expect(explain(outcome)).toBe("")
      expect(outcome.forks).toBeGreaterThan(outcome.reductions)
    })
  }

  it("in a cluster of one", () => {
    expect(explain(CrashPoints.run({ ...settings, seed: 1, size: 1 }))).toBe("")
  })
})

it("forks leave the trunk as it is", () => {
  const alone = { reduction: 0, carried: 0 }
  for (const seed of [1, 4]) {
    const forked = CrashPoints.run({ ...settings, seed, steps: 150 })
    const unforked = CrashPoints.run({ ...settings, seed, steps: 150, only: alone })
    expect([forked.digest, unforked.forks]).toEqual([unforked.digest, 0])
  }
})

/** Puts what is chosen left of `Persist`. */
const early =
  (chosen: (effect: AnyEffect) => boolean) =>
  (effects: ReadonlyArray<AnyEffect>): ReadonlyArray<AnyEffect> => [
    ...effects.filter(chosen),
    ...effects.filter((effect) => !chosen(effect))
  ]

const isVote = (effect: AnyEffect): boolean => effect._tag === "Send" && effect.message._tag === "RequestVoteReply"
const isAcknowledgement = (effect: AnyEffect): boolean =>
  effect._tag === "Send" && effect.message._tag === "AppendEntriesReply"
const isAnswer = (effect: AnyEffect): boolean => effect._tag === "Reply"

describe("a wrong order of effects is found", () => {
  const wrong: ReadonlyArray<readonly [string, number, (effect: AnyEffect) => boolean, string, number?]> = [
    ["all that is sent before Persist", 3, (effect) => effect._tag === "Send", "what is said is on disk (I10)"],
    ["a vote before Persist", 3, isVote, "what is said is on disk (I10)"],
    ["an acknowledgement before Persist", 3, isAcknowledgement, "what is said is on disk (I10)"],
    // Where it tells of nothing that is being written, it may stand there.
    ["an answer of a sole voter before Persist", 1, isAnswer, "what a client is told is on disk (I10)"],
    ["an answer before Persist", 3, isAnswer, "what a client is told is on disk (I10)", 2]
  ]
  for (const [name, size, chosen, rule, seed = 1] of wrong) {
    it(name, () => {
      const { failure } = CrashPoints.run({ ...settings, seed, size, reorder: early(chosen) })
      expect(failure?.rule).toBe(rule)
    })
  }
})
