/**
 * Every crash point of a run. Each time a replica has reduced something, and for each k, the
 * world is forked: there the replica carries out the first k of its effects and dies; it
 * starts again from its disk, the others go on, then all faults end and the cluster must
 * recover. In the trunk nothing of it happens.
 *
 * Prefixes are all that there is: effects go from left to right, and a record reaches the
 * disk whole or not at all. A crash during a `Persist` is the prefix before or behind it.
 */
import * as Faults from "./Faults.ts"
import { replicaNumber } from "./Disk.ts"
import { fork } from "./Fork.ts"
import * as Lives from "./Life.ts"
import * as Oracles from "./Oracle.ts"
import type { Plan } from "./Plan.ts"
import * as Plans from "./Plan.ts"
import { mix, type Random, stream } from "./Random.ts"
import * as Recoveries from "./Recovery.ts"
import { step } from "./Stepping.ts"
import type { AnyEffect, AnyEvent, AnyReplica, AnySubject, State } from "./Subject.ts"
import type { Trace } from "./Trace.ts"
import * as Traces from "./Trace.ts"
import { Violation } from "./Violation.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

export interface Settings {
  readonly seed: number
  readonly subject: AnySubject
  readonly size?: number
  /** The trunk is so long, in steps of the world. */
  readonly steps: number
  /** A fork goes on for so many steps before its faults end. */
  readonly stepsAfter: number
  /** Only this fork, to see it again. */
  readonly only?: Point
  /** The replica that dies carries its effects out in another order, to see that a wrong one is found. */
  readonly reorder?: (effects: ReadonlyArray<AnyEffect>) => ReadonlyArray<AnyEffect>
}

/** Where a fork begins: the how manieth reduction of the trunk, and how many effects were carried out. */
export interface Point {
  readonly reduction: number
  readonly carried: number
}

export interface Outcome {
  readonly seed: number
  readonly plan: Plan
  readonly reductions: number
  readonly forks: number
  /** Forks in which a record was written, and what stands behind it was not all said. */
  readonly cutBehindPersist: number
  /** Equal to that of the same trunk without forks. */
  readonly digest: number
  readonly failure: Failure | undefined
}

export interface Failure {
  readonly rule: string
  readonly detail: string
  /** `undefined` where the trunk itself broke a rule. */
  readonly point: Point | undefined
  readonly trace: Trace
}

interface Run {
  readonly settings: Settings
  readonly replicas: ReadonlyArray<AnyReplica>
  reductions: number
  forks: number
  cutBehindPersist: number
  failure: Failure | undefined
}

interface Reduced {
  readonly before: State
  readonly after: State
  readonly events: ReadonlyArray<AnyEvent>
  readonly effects: ReadonlyArray<AnyEffect>
}

export const run = (settings: Settings): Outcome => {
  const { seed, subject, size, steps } = settings
  const plan = Plans.draw(seed, new Set(), size)
  const made = Worlds.make(seed, plan, subject)
  const { replicas } = made
  const run: Run = { settings, replicas, reductions: 0, forks: 0, cutBehindPersist: 0, failure: undefined }
  const world: World = {
    ...made,
    replicas: replicas.map((replica) =>
      watched(replica, (reduced) => {
        // What is tried while the disk works is perhaps not taken; a crash then loses it with the step before.
        if (world.hosts[replicaNumber(reduced.before.id)]!.syncing) return
        run.reductions++
        if (run.failure === undefined) forkAtEach(run, world, reduced)
      })
    )
  }
  const wrong = attempt(() => {
    Lives.startAll(world)
    Faults.begin(world)
    for (let client = 1; client <= plan.clients.count; client++) Worlds.plan(world, client, { _tag: "Ask", client })
    while (world.steps < steps && run.failure === undefined && step(world)) {}
  })
  if (wrong !== undefined && run.failure === undefined) {
    run.failure = { ...wrong, point: undefined, trace: world.trace }
  }
  const { reductions, forks, cutBehindPersist, failure } = run
  return { seed, plan, reductions, forks, cutBehindPersist, digest: world.trace.digest >>> 0, failure }
}

const watched = (replica: AnyReplica, seen: (reduced: Reduced) => void): AnyReplica => ({
  ...replica,
  reduceAll: (before, events) => {
    const [after, effects] = replica.reduceAll(before, events)
    seen({ before, after, events, effects })
    return [after, effects]
  }
})

const forkAtEach = (run: Run, world: World, reduced: Reduced): void => {
  const { only } = run.settings
  if (only !== undefined && only.reduction !== run.reductions) return
  const { effects } = reduced
  const written = effects.findIndex((effect) => effect._tag === "Persist")
  for (let carried = 0; carried <= effects.length && run.failure === undefined; carried++) {
    if (only !== undefined && only.carried !== carried) continue
    run.forks++
    if (written !== -1 && carried > written && carried < effects.length) run.cutBehindPersist++
    const point: Point = { reduction: run.reductions, carried }
    const forked = branch(run, world, reduced, point)
    const wrong = attempt(() => {
      Oracles.onStep(forked.oracle, forked.hosts[replicaNumber(reduced.before.id)]!, reduced)
      const end = forked.steps + run.settings.stepsAfter
      while (forked.steps < end && step(forked)) {}
      Recoveries.recover(forked)
    })
    if (wrong !== undefined) run.failure = { ...wrong, point, trace: forked.trace }
  }
}

/** The world as it would be if this replica died after so many of its effects. */
const branch = (run: Run, world: World, reduced: Reduced, { reduction, carried }: Point): World => {
  const seed = mix(mix(run.settings.seed, reduction), carried)
  const number = replicaNumber(reduced.before.id)
  const forked = fork(world, seed, {
    replicas: run.replicas,
    plan: {
      ...world.plan,
      recovery: { ...world.plan.recovery, impaired: stream(seed, "impaired").below(8), lockstep: false }
    }
  })
  const host = forked.hosts[number]!
  host.state = reduced.after
  host.effects = run.settings.reorder?.(reduced.effects) ?? reduced.effects
  host.carried = 0
  host.crashAt = carried
  Traces.step(forked.trace, { at: world.now, host: number, ...reduced })
  Traces.note(forked.trace, world.now, number, `is to crash after ${carried} of ${reduced.effects.length} effects`)
  Worlds.plan(forked, world.now, { _tag: "Continue", host: number, life: host.life })
  const { cutShort, syncError } = forked.chance
  const { life } = host
  const over = (): boolean => host.life > life
  const chance = { ...forked.chance, cutShort: once(cutShort, over), syncError: once(syncError, over) }
  return { ...forked, chance }
}

/** Other crashes only come once the one that was ordered has come; what it finds on its way to the disk is lost. */
const once = (random: Random, over: () => boolean): Random => ({
  ...random,
  chance: (probability) => over() && random.chance(probability)
})

const attempt = (what: () => void): { readonly rule: string; readonly detail: string } | undefined => {
  try {
    what()
    return undefined
  } catch (error) {
    if (error instanceof Violation) return { rule: error.rule, detail: error.detail }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { rule: "the core throws nothing", detail }
  }
}
