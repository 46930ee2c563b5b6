/**
 * The course's seventeen configurations and our variations of them, in virtual time with the replica that `3700kvstore`
 * runs. More seeds: `npm run course -- --virtual --seeds 1000`.
 */
import { describe, expect, it } from "vitest"
import { create } from "../../../src/course/Replica.ts"
import type { Configuration } from "../../../src/sim/course/Configuration.ts"
import type { Verdict } from "../../../src/sim/course/Verdict.ts"
import * as VirtualRun from "../../../src/sim/course/VirtualRun.ts"
import { stock, variations } from "./Configurations.ts"

const seeds = [1, 2, 3]

const runs = (configuration: Configuration): ReadonlyArray<Verdict> =>
  seeds.map((seed) => VirtualRun.run({ configuration, seed, start: create }))

const objections = (verdicts: ReadonlyArray<Verdict>): ReadonlyArray<string> =>
  verdicts.flatMap(({ seed, checks, tally }) =>
    checks
      .filter(({ passed }) => !passed)
      .map(({ name, detail }) => [`seed ${seed}`, name, detail, ...tally.complaints].join(": "))
  )

describe("in virtual time", () => {
  it.each(stock().map((configuration) => [configuration.name, configuration] as const))(
    "%s is correct, and bonus or full",
    (_, configuration) => {
      const verdicts = runs(configuration)
      expect(objections(verdicts)).toEqual([])
      for (const { tiers } of verdicts) {
        expect([tiers.total_msgs, tiers.failures]).not.toContain("none")
        expect([tiers.total_msgs, tiers.failures]).not.toContain("partial")
      }
    }
  )

  it.each(variations().map((configuration) => [configuration.name, configuration] as const))(
    "%s, a variation, is correct",
    (_, configuration) => {
      expect(objections(runs(configuration))).toEqual([])
    }
  )
})
