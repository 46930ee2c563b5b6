/** Every check of the simulator is seen to object, each to a replica that breaks its rule. */
import { describe, expect, it } from "vitest"
import { tierOf, type Verdict } from "../../../src/sim/course/Verdict.ts"
import * as VirtualRun from "../../../src/sim/course/VirtualRun.ts"
import { small, stock } from "./Configurations.ts"
import { type Flaw, withFlaw } from "./StandIns.ts"

const judge = (flaw: Flaw, more: Readonly<Record<string, unknown>> = {}, seed = 1): Verdict =>
  VirtualRun.run({ configuration: small(more), seed, start: withFlaw(flaw), serialized: true })

const objections = ({ checks }: Verdict): ReadonlyArray<string> =>
  checks.flatMap(({ name, passed }) => (passed ? [] : [name]))

describe("the verdict", () => {
  it("finds an honest store correct", () => {
    const verdict = judge("none")
    expect(objections(verdict)).toEqual([])
    expect(verdict.correct).toBe(true)
    expect(verdict.tiers).toEqual({
      total_msgs: "bonus",
      failures: "bonus",
      duplicates: "bonus",
      median_latency: "bonus"
    })
    expect(verdict.figures.total_msgs).toBe(verdict.tally.putsStored * 4)
    expect(verdict.tally.gets + verdict.tally.puts).toBe(100)
  })

  it.each<[Flaw, string]>([
    ["stale get", "answers are right"],
    ["no value", "answers are right"],
    ["ok after fail", "answers are right"],
    ["redirect twice", "answers are right"],
    ["answers before it is asked", "answers are right"],
    ["malformed", "answers are right"],
    ["no leader", "answers are right"],
    ["unknown recipient", "answers are right"],
    ["someone else's name", "answers are right"],
    ["unknown answer", "answers are right"],
    ["dies", "replicas live"],
    ["speaks too early", "replicas live"],
    ["without hello", "replicas live"],
    ["answers no get", "gets are answered"],
    ["answers nothing", "puts are answered"],
    ["answers nothing", "gets are generated"],
    ["stores nothing", "something is stored"],
    ["fails everything", "something is stored"],
    ["redirect storm", "something is stored"],
    ["redirect storm", "clients are not sent in circles"],
    ["tells nobody", "replicas talk"]
  ])("of a replica with the flaw %s: not so that %s", (flaw, name) => {
    const verdict = judge(flaw)
    expect(objections(verdict)).toContain(name)
    expect(verdict.correct).toBe(false)
  })

  it("counts duplicates, which are not incorrect", () => {
    const verdict = judge("answers twice", { mix: 0 })
    expect(verdict.figures.duplicates).toBeGreaterThan(5)
    expect(verdict.tiers.duplicates).toBe("none")
  })

  it("counts every fail, and what is unanswered", () => {
    const failing = judge("fails everything")
    expect(failing.figures.failures).toBeGreaterThan(1000)
    expect(failing.tiers.failures).toBe("none")
    expect(judge("answers nothing").figures.failures).toBe(100)
    expect(judge("answers nothing").figures.median_latency).toBe(Number.POSITIVE_INFINITY)
  })

  it("says that a replica wakes itself without end", () => {
    const verdict = judge("wakes without end", { requests: 10 })
    expect(objections(verdict)).toContain("replicas live")
  }, 60_000)

  it("has four tiers, each below its threshold", () => {
    const tiers = [0, 1, 2, 3].map((figure) => tierOf(figure, [1, 2, 3]))
    expect(tiers).toEqual(["bonus", "full", "partial", "none"])
    expect(tierOf(0, [0, 1, 2])).toBe("full")
  })

  it("is the same for the same seed, event for event, and another for another", () => {
    const traced = (seed: number): string => {
      const lines: Array<string> = []
      const configuration = stock().find(({ name }) => name === "simple-2")!
      const note = (line: string): void => void lines.push(line)
      VirtualRun.run({ configuration, seed, start: withFlaw("none"), note })
      return lines.join("\n")
    }
    expect(traced(1)).toBe(traced(1))
    expect(traced(1)).not.toBe(traced(2))
  })

  it("does not hang on what goes through JSON and what does not", () => {
    const configuration = small({ drops: 0.1 })
    const [one, other] = [true, false].map((serialized) =>
      VirtualRun.run({ configuration, seed: 3, start: withFlaw("none"), serialized })
    )
    expect(one).toEqual(other)
  })
})
