/** A run is correct or not; if it is, each of its figures has a tier. */
import { type Benchmark, benchmarks, type Configuration, type Thresholds } from "./Configuration.ts"
import type { Tally } from "./Tally.ts"

export type Tier = "bonus" | "full" | "partial" | "none"

export interface Check {
  readonly name: string
  readonly passed: boolean
  /** What was found, whether it passed or not. */
  readonly detail: string
}

export interface Verdict {
  readonly configuration: string
  readonly seed: number
  readonly correct: boolean
  readonly checks: ReadonlyArray<Check>
  readonly figures: Readonly<Record<Benchmark, number>>
  readonly tiers: Readonly<Record<Benchmark, Tier>>
  readonly tally: Tally
}

export const of = (configuration: Configuration, seed: number, tally: Tally): Verdict => {
  const checks = checksOf(configuration, tally)
  const figures = figuresOf(tally)
  return {
    configuration: configuration.name,
    seed,
    correct: checks.every(({ passed }) => passed),
    checks,
    figures,
    tiers: Object.fromEntries(
      benchmarks.map((name) => [name, tierOf(figures[name], configuration.benchmarks[name])])
    ) as Record<Benchmark, Tier>,
    tally
  }
}

export const tierOf = (figure: number, [bonus, full, partial]: Thresholds): Tier => {
  if (figure < bonus) return "bonus"
  if (figure < full) return "full"
  return figure < partial ? "partial" : "none"
}

/** Batched appends may halve what each put costs at least, and no more. */
const leastShareOfMessages = 0.5

const checksOf = (configuration: Configuration, tally: Tally): ReadonlyArray<Check> => {
  const { replicas, requests, mix } = configuration
  const least = requests * replicas * (1 - mix) * leastShareOfMessages
  return [
    { name: "answers are right", passed: tally.incorrect === 0, detail: `${tally.incorrect} wrong` },
    {
      name: "replicas live",
      passed: tally.died.length === 0,
      detail: tally.died.map(({ id, why }) => `${id}: ${why}`).join("; ") || "none died by itself"
    },
    { name: "something is stored", passed: tally.putsStored > 0, detail: `${tally.putsStored} puts` },
    atMost("gets are answered", tally.getsUnanswered, tally.gets, configuration.maximumGetFailFraction),
    atMost("puts are answered", tally.putsUnanswered, tally.puts, configuration.maximumPutFailFraction),
    atMost("gets are generated", tally.getsNotGenerated, tally.gets, configuration.maximumGenerationFailFraction),
    {
      name: "clients are not sent in circles",
      passed: tally.stopped !== "too many answers",
      detail: `${tally.latenciesMillis.length} answers, ${tally.redirects} of them redirects and ${tally.fails} fails`
    },
    {
      name: "replicas talk",
      passed: tally.messages >= least,
      detail: `${tally.messages} messages, at least ${Math.round(least)}`
    }
  ]
}

const atMost = (name: string, missing: number, of: number, fraction: number): Check => ({
  name,
  passed: missing <= of * fraction,
  detail: `${missing} of ${of} not, at most ${fraction}`
})

const figuresOf = (tally: Tally): Record<Benchmark, number> => ({
  total_msgs: tally.messages,
  failures: tally.fails + tally.getsUnanswered + tally.putsUnanswered,
  duplicates: tally.duplicates,
  median_latency: medianOf(tally.latenciesMillis) / 1000
})

/** The upper one of two in the middle; without any answer there is none that is good. */
const medianOf = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY
}
