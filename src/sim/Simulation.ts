/**
 * One seed from beginning to end: faults, then recovery, then the verdict. What is thrown
 * by a rule, or by the core itself, comes back as a value with the last steps in words.
 */
import type { Operation } from "./Operation.ts"
import * as Attendance from "./Attendance.ts"
import * as Faults from "./Faults.ts"
import * as Lives from "./Life.ts"
import { judge } from "./Judgement.ts"
import type * as Marks from "./Marks.ts"
import { type Cuts, none } from "./Cuts.ts"
import * as Recordings from "./Recording.ts"
import * as Plans from "./Plan.ts"
import * as Recoveries from "./Recovery.ts"
import { step } from "./Stepping.ts"
import type { AnySubject } from "./Subject.ts"
import type { Trace } from "./Trace.ts"
import { Violation } from "./Violation.ts"
import * as Worlds from "./World.ts"

export interface Outcome {
  readonly seed: number
  readonly plan: Plans.Plan
  readonly failure: Failure | undefined
  /** Equal for two runs of one seed. */
  readonly digest: number
  readonly simulatedMillis: number
  readonly steps: number
  readonly events: number
  readonly commits: number
  readonly terms: number
  readonly answered: number
  readonly faults: ReadonlyMap<string, number>
  readonly marks: Marks.Tally
  /** What has happened to those who watch. */
  readonly watched: ReadonlyMap<string, number>
  /** How many strikes came and requests were made, or would have been. */
  readonly strikes: number
  readonly asks: number
  /** The commands of a golden script, if the run was recorded. */
  readonly script: string | undefined
  readonly history: ReadonlyArray<Operation>
}

export interface Failure {
  readonly rule: string
  readonly detail: string
  readonly trace: Trace
}

export interface Settings {
  readonly seed: number
  readonly subject: AnySubject
  readonly cuts?: Cuts
  /** Keep what a golden script of the run needs. */
  readonly record?: boolean
}

export const run = ({ seed, subject, cuts = none, record = false }: Settings): Outcome => {
  const drawn = Plans.draw(seed, new Set(cuts.off), cuts.size)
  const plan = { ...drawn, steps: Math.min(drawn.steps, cuts.steps ?? drawn.steps) }
  const recording = record ? Recordings.begin() : undefined
  const world = Worlds.make(seed, plan, subject, { cuts, recording })
  let failure: Failure | undefined
  try {
    Lives.startAll(world)
    Faults.begin(world)
    for (let client = 1; client <= plan.clients.count; client++) Worlds.plan(world, client, { _tag: "Ask", client })
    Attendance.begin(world)
    while (world.steps < plan.steps && step(world)) {}
    Recoveries.recover(world)
    Attendance.conclude(world)
    if (subject.name === "registers") judge(world.ledger.operations)
  } catch (error) {
    const [rule, detail] =
      error instanceof Violation ? [error.rule, error.detail] : ["the core throws nothing", stackOf(error)]
    failure = { rule, detail, trace: world.trace }
  }
  const { operations } = world.ledger
  return {
    seed,
    plan,
    failure,
    digest: world.trace.digest >>> 0,
    simulatedMillis: world.now,
    steps: world.steps,
    events: world.events,
    commits: world.oracle.canon.entries.length - 1,
    terms: world.oracle.leaders.size,
    answered: operations.filter((operation) => operation.ending?._tag === "Done").length,
    faults: world.faults,
    marks: world.marks,
    watched: world.audience?.marks ?? new Map(),
    strikes: world.strikes,
    asks: world.asks,
    script:
      recording &&
      Recordings.script(recording, {
        hosts: world.hosts,
        founders: plan.size,
        options: plan.options,
        machine: subject.name
      }),
    history: operations
  }
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
