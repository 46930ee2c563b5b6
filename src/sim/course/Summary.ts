/** What all runs of one configuration show together. */
import { type Benchmark, benchmarks, type Configuration } from "./Configuration.ts"
import * as Distribution from "./Distribution.ts"
import { type Tier, tierOf, type Verdict } from "./Verdict.ts"

export interface Summary {
  readonly configuration: string
  readonly runs: number
  readonly correct: number
  readonly figures: Readonly<Record<Benchmark, Distribution.Distribution>>
  /** How many runs reached which tier. */
  readonly tiers: Readonly<Record<Benchmark, Readonly<Record<Tier, number>>>>
  /** The seeds of the first runs that failed, and which checks did. */
  readonly failed: ReadonlyArray<{ readonly seed: number; readonly checks: ReadonlyArray<string> }>
}

const maximumFailed = 20

export const of = (configuration: Configuration, verdicts: ReadonlyArray<Verdict>): Summary => ({
  configuration: configuration.name,
  runs: verdicts.length,
  correct: verdicts.filter(({ correct }) => correct).length,
  figures: each((name) => Distribution.of(verdicts.map(({ figures }) => figures[name]))),
  tiers: each((name) => {
    const counts: Record<Tier, number> = { bonus: 0, full: 0, partial: 0, none: 0 }
    for (const { figures } of verdicts) counts[tierOf(figures[name], configuration.benchmarks[name])]++
    return counts
  }),
  failed: verdicts
    .filter(({ correct }) => !correct)
    .slice(0, maximumFailed)
    .map(({ seed, checks }) => ({
      seed,
      checks: checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name} (${detail})`)
    }))
})

const each = <A>(make: (name: Benchmark) => A): Record<Benchmark, A> =>
  Object.fromEntries(benchmarks.map((name) => [name, make(name)])) as Record<Benchmark, A>
