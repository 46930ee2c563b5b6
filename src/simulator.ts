/**
 * Your machine in the simulator, from your own tests: whole clusters under faults, a seed each. The first seed that breaks
 * a rule, one of Raft's or one of the machine's own, is thrown as `RuleBroken`.
 *
 *     simulate(definition, sample, { seeds: 200 })
 */
import type { Definition } from "./embed/Definition.ts"
import { type SampleOf, subjectOf } from "./embed/Simulated.ts"
import * as Simulation from "./sim/Simulation.ts"

export type { Chance, Sample, SampleOf } from "./embed/Simulated.ts"

export interface SimulateOptions {
  /** How many seeds; 100 if nothing is said. */
  readonly seeds?: number
  /** The first of them. */
  readonly from?: number
}

export interface Simulated {
  readonly seeds: number
  readonly commits: number
  readonly answers: number
  readonly faults: number
  readonly leaders: number
}

/** The same seed breaks it again. */
export class RuleBroken extends Error {
  override readonly name = "RuleBroken"
  readonly seed: number
  readonly rule: string
  readonly detail: string

  constructor(seed: number, { rule, detail }: Simulation.Failure) {
    super(`seed ${seed} breaks a rule: ${rule}: ${detail}`)
    this.seed = seed
    this.rule = rule
    this.detail = detail
  }
}

export const simulate = <S, C, R, Q, A>(
  definition: Definition<S, C, R, Q, A>,
  sample: SampleOf<S, C, R, Q>,
  { seeds = 100, from = 1 }: SimulateOptions = {}
): Simulated => {
  const subject = subjectOf(definition, sample)
  const cuts: Simulation.Settings["cuts"] = sample.alter === undefined ? { off: ["alter"] } : {}
  const total = { seeds, commits: 0, answers: 0, faults: 0, leaders: 0 }
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = Simulation.run({ seed, subject, cuts })
    if (outcome.failure !== undefined) throw new RuleBroken(seed, outcome.failure)
    total.commits += outcome.commits
    total.answers += outcome.answered
    total.leaders += outcome.terms
    for (const count of outcome.faults.values()) total.faults += count
  }
  return total
}
