import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { parse, runMillis } from "../../../src/sim/course/Configuration.ts"
import { benchmarks, small, stock, variations } from "./Configurations.ts"

const least = { lifetime: 30, replicas: 5, requests: 100, tests: { benchmarks } }

const refusal = (more: Readonly<Record<string, unknown>>): string => {
  const { message, name } = Result.getOrThrow(Result.flip(parse("mine", JSON.stringify({ ...least, ...more }))))
  expect(name).toBe("mine")
  return message
}

describe("a configuration file", () => {
  it("has defaults", () => {
    expect(Result.getOrThrow(parse("mine", JSON.stringify(least)))).toEqual({
      name: "mine",
      lifetimeMillis: 30_000,
      startWaitMillis: 5000,
      endWaitMillis: 2000,
      replicas: 5,
      requests: 100,
      mix: 0.8,
      drops: 0,
      maximumMessages: 20_000,
      seed: undefined,
      disturbances: [],
      maximumGetFailFraction: 0.5,
      maximumPutFailFraction: 0.5,
      maximumGenerationFailFraction: 0.1,
      benchmarks
    })
  })

  it("is the course's: all seventeen", () => {
    const all = stock()
    expect(all).toHaveLength(17)
    expect(all.map(({ replicas }) => replicas)).toEqual(Array.from({ length: 17 }, () => 5))
    const advanced = all.find(({ name }) => name === "advanced-4")!
    expect(runMillis(advanced)).toBe(40_000)
    expect(advanced.disturbances.map(({ kind, at }) => [kind, at])).toEqual([
      ["part_hard", 10_000],
      ["part_end", 13_000],
      ["part_hard", 17_000],
      ["part_end", 20_000],
      ["part_hard", 24_000],
      ["part_end", 26_000],
      ["kill_leader", 30_000]
    ])
    expect(advanced.maximumGenerationFailFraction).toBe(0.1)
  })

  it("is a variation of ours", () => {
    const all = variations()
    expect([...new Set(all.map(({ replicas }) => replicas))].sort((one, other) => one - other)).toEqual([3, 4, 5, 7, 9])
    expect(Math.max(...all.map(({ drops }) => drops))).toBe(0.4)
  })

  it("may have a seed of any kind", () => {
    expect(small({ seed: 7 }).seed).toBe(7)
    expect(small({ seed: { a: 1 } }).seed).toBe('{"a":1}')
  })

  it.each([
    [{ lifetime: 4 }, "lifetime: must be between 5"],
    [{ lifetime: 5.5 }, "lifetime: must be a whole number"],
    [{ replicas: 2 }, "replicas: must be between 3 and 21, not 2"],
    [{ replicas: 22 }, "replicas: must be between 3 and 21, not 22"],
    [{ requests: -1 }, "requests: must be between 0"],
    [{ requests: undefined }, "requests: "],
    [{ mix: 1.1 }, "mix: must be between 0 and 1"],
    [{ mix: "much" }, "mix: "],
    [{ start_wait: 31 }, "start_wait: must be at most the lifetime of 30 s"],
    [{ end_wait: 31 }, "end_wait: must be at most the lifetime of 30 s"],
    [{ end_wait: -1 }, "end_wait: must be between 0"],
    [{ drops: 2 }, "drops: must be between 0 and 1"],
    [{ max_packets: 99 }, "max_packets: must be at least the 100 requests"],
    [{ max_packets: 900_001 }, "max_packets: must be between 0 and 900000"],
    [{ events: [{ type: "flood", time: 1 }] }, "events.0.type: "],
    [{ events: [{ type: "part_end", time: 31 }] }, "events: part_end at 31 s is after the lifetime"],
    [{ tests: {} }, "tests.benchmarks: "],
    [{ tests: { benchmarks: { ...benchmarks, failures: [1, 2] } } }, "tests.benchmarks.failures"],
    [
      { tests: { benchmarks, maximum_get_fail_fraction: 2 } },
      "tests.maximum_get_fail_fraction: must be between 0 and 1"
    ]
  ])("is refused with %o", (more, why) => {
    expect(refusal(more)).toContain(why)
  })

  it("is refused when it is no JSON, or all of it is missing", () => {
    expect(Result.getOrThrow(Result.flip(parse("mine", "{"))).message).toContain("mine: this is not JSON")
    expect(Result.getOrThrow(Result.flip(parse("mine", "{}"))).message).toMatch(/lifetime.*replicas.*requests.*tests/)
  })
})
