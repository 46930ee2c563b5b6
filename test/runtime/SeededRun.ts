/**
 * One seed's life of a cluster: the real loop, core, machine and codecs on memory disks and
 * a memory network, with clients and a nemesis, under the seeded scheduler. Two phases:
 * trouble; then peace, in which everything must come right within a bound.
 */
import { sweepMillis } from "../../src/runtime/Replicated.ts"
import { Cause, Effect, Exit, Fiber, Logger, type Scope } from "effect"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import type { KvResult } from "../../src/kv/KvCommand.ts"
import type { KvAnswer } from "../../src/kv/KvQuery.ts"
import * as Logs from "../../src/raft/Log.ts"
import { Index, type LogEntry, type ReplicaId } from "../../src/raft/LogEntry.ts"
import { lookEveryMillis } from "../../src/runtime/DiskWatch.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import { type Random, stream } from "../../src/sim/Random.ts"
import type { StorageError } from "../../src/storage/Storage.ts"
import { Caretaker } from "./Caretaker.ts"
import { type Action, cellIn, type Ending, History } from "./History.ts"
import { makeRoom, nemesis } from "./Nemesis.ts"
import { draw, type SeededPlan } from "./SeededPlan.ts"
import { SeededScheduler } from "./SeededScheduler.ts"
import { get, TestCluster } from "./TestCluster.ts"
import { around, asked, type Fate } from "./Watched.ts"
import { Witness } from "./Witness.ts"

export interface Verdict {
  readonly objections: ReadonlyArray<string>
  readonly trace: ReadonlyArray<string>
  /** Equal for equal runs. */
  readonly digest: number
  readonly steps: number
  readonly operations: number
  readonly answered: number
  readonly ends: number
  /** Snapshots taken, and leaders' snapshots that came whole. */
  readonly snapshots: { readonly taken: number; readonly received: number }
}

/** Everything that a run is made of. */
export interface Stage {
  readonly plan: SeededPlan
  readonly scheduler: SeededScheduler
  readonly cluster: TestCluster
  readonly witness: Witness
  readonly caretaker: Caretaker
  readonly history: History
  /** Whose next write fails. */
  readonly doomed: Set<ReplicaId>
  /** Peace has come: disks and links work from now on. */
  peace: boolean
}

type Work = Effect.Effect<void, StorageError, Scope.Scope>

export const run = (seed: number): Verdict => {
  const stage = setStage(seed)
  const { history, scheduler, witness } = stage
  const exit = scheduler.run(Effect.scoped(life(stage, seed)).pipe(Effect.provide(Logger.layer([]))))
  if (exit === undefined) witness.object("the run does not end")
  else if (Exit.isFailure(exit)) witness.object(Cause.pretty(exit.cause))
  const { digest, objections, trace } = witness
  const answered = history.operations.filter(({ ending }) => ending?._tag === "Answered").length
  const { ends } = stage.caretaker
  const operations = history.operations.length
  const { snapshots } = witness
  return { objections, trace, digest, steps: scheduler.steps, operations, answered, ends, snapshots }
}

const setStage = (seed: number): Stage => {
  const plan = draw(seed)
  const scheduler = new SeededScheduler(seed, plan.temper)
  const disks = stream(seed, "disks")
  const timeouts = stream(seed, "timeouts")
  const cluster: TestCluster = new TestCluster(plan.names, {
    raft: plan.raft,
    limits: plan.limits,
    requestTimeoutMillis: plan.requestTimeoutMillis,
    seedOf: () => timeouts.below(2 ** 31),
    networkSeed: seed,
    around: (place) =>
      around(
        witness,
        (id) => drawFate(stage, id, disks),
        place,
        () => !stage.peace && disks.chance(plan.disk.snapshotFailure)
      )
  })
  const witness = new Witness({
    ids: cluster.ids,
    now: () => Number(scheduler.monotonicTimeNanosUnsafe()) / 1e6,
    stateOf: (id) => cluster.find(id)?.state()
  })
  const caretaker = new Caretaker(cluster, witness)
  const history = new History()
  const stage: Stage = { plan, scheduler, cluster, witness, caretaker, history, doomed: new Set(), peace: false }
  return stage
}

const drawFate = ({ doomed, peace, plan }: Stage, id: ReplicaId, random: Random): Fate => {
  if (peace) return { delayMillis: 0 }
  const mean = random.chance(plan.disk.hang) ? plan.disk.hangMillis : plan.disk.delayMillis
  const delayMillis = Math.min(random.wait(mean), longest * mean)
  const fails = doomed.delete(id) || random.chance(plan.disk.failure)
  return fails ? { delayMillis, fails: random.pick(["Clean", "Written"]) } : { delayMillis }
}

/** A write takes at most so many times what it takes on average. */
const longest = 3

const life = (stage: Stage, seed: number): Work =>
  Effect.gen(function* () {
    const { caretaker, cluster, plan, scheduler } = stage
    for (const from of cluster.ids) {
      for (const to of cluster.ids) if (from !== to) cluster.network.setFaults(from, to, plan.weather)
    }
    for (const id of cluster.ids) yield* caretaker.start(id)
    const clients = yield* Effect.forEach(Array.from({ length: plan.clients }), (_, number) =>
      Effect.forkScoped(client(stage, number, stream(seed, `client ${number}`)))
    )
    yield* nemesis(stage, stream(seed, "nemesis"))
    stage.peace = true
    scheduler.calm()
    yield* bringPeace(stage)
    yield* within(stage, "every client is answered", () => clients.every((fiber) => fiber.pollUnsafe() !== undefined))
    yield* Effect.forEach(clients, Fiber.join, { discard: true })
    yield* endWell(stage)
  }).pipe(Effect.ensuring(Effect.sync(() => stage.caretaker.leave())))

/** Asks one thing after another, of any replica, whether it runs or not. */
const client = (stage: Stage, number: number, random: Random) =>
  Effect.gen(function* () {
    const { caretaker, cluster, history, plan, witness } = stage
    for (let turn = 1; turn <= plan.operationsEach && !stage.peace; turn++) {
      yield* Effect.sleep(random.wait(plan.thinkMillis))
      const running = cluster.ids.filter((id) => caretaker.isUp(id))
      const replica = random.pick(running.length === 0 || random.chance(0.05) ? cluster.ids : running)
      const key = `k${random.below(plan.keys)}`
      const action = drawAction(random, `${number}-${turn}.`)
      const patience = random.chance(plan.impatience) ? random.wait(plan.requestTimeoutMillis / 10) : undefined
      const operation = history.begin({ client: number, replica, key, action })
      witness.note(`client ${number} asks ${replica}: ${action._tag} ${key}`)
      const since = stage.scheduler.currentTimeMillisUnsafe()
      const ending = yield* perform({ cluster, witness }, { replica, key, action, patience })
      history.end(operation, ending)
      const took = stage.scheduler.currentTimeMillisUnsafe() - since
      // On a busy machine time passes between two steps of the one fiber that looks for late requests.
      if (plan.temper.haste === 0 && took > plan.requestTimeoutMillis + lookMillis)
        witness.object(`client ${number} waited ${took} ms, and was promised ${plan.requestTimeoutMillis} at most`)
      witness.note(
        `client ${number} is told: ${ending._tag} ${ending._tag === "Answered" ? ending.revision : ending.why}`
      )
    }
  })

/** A replica looks at its disk once a second, and a write that waits for room tries again twice a second. */
const noticeMillis = 2 * lookEveryMillis

/** How late a request may be that takes too long; and time is told in whole milliseconds. */
const lookMillis = sweepMillis + 2

const drawAction = (random: Random, value: string): Action => {
  const draw = random.draw()
  return draw < 0.45 ? { _tag: "Put", value } : draw < 0.55 ? { _tag: "Delete" } : { _tag: "Get" }
}

interface Wish extends Pick<History["operations"][number], "replica" | "key" | "action"> {
  readonly patience: number | undefined
}

const perform = (
  { cluster, witness }: Pick<Stage, "cluster" | "witness">,
  { action, key, patience, replica }: Wish
): Effect.Effect<Ending> => {
  const { replicated } = cluster.get(replica)
  const ask = (): Effect.Effect<KvResult | KvAnswer, RequestError> => {
    switch (action._tag) {
      case "Put":
        return replicated.propose({ _tag: "Put", key, value: Buffer.from(action.value), prevKv: true })
      case "Delete":
        return replicated.propose({ _tag: "DeleteRange", key, rangeEnd: undefined, prevKv: true })
      case "Get":
        return replicated.query(get(key))
    }
  }
  const value = action._tag === "Put" ? action.value : undefined
  const answer = asked<KvResult | KvAnswer>(witness, { id: replica, value }, ask()).pipe(
    Effect.map((said): Ending => ({ _tag: "Answered", seen: cellIn(said), revision: said.revision })),
    Effect.catch((error) => Effect.succeed(failing(error)))
  )
  if (patience === undefined) return answer
  const gone: Ending = { _tag: "Unknown", why: "the client lost patience" }
  return Effect.timeoutOrElse(answer, { duration: patience, orElse: () => Effect.succeed(gone) })
}

const failing = (error: RequestError): Ending => {
  const unknown = error.outcomeUnknown
  return { _tag: unknown ? "Unknown" : "NotDone", why: `${error._tag}: ${error.message}` }
}

const bringPeace = ({ caretaker, cluster, plan, witness }: Stage): Work =>
  Effect.gen(function* () {
    witness.note("peace")
    cluster.network.healAll()
    makeRoom(cluster)
    for (const id of cluster.ids) {
      cluster.disk(id).slow(0)
      for (const to of cluster.ids) if (id !== to) cluster.network.setFaults(id, to, {})
    }
    // A write that was doomed in time of trouble may still be under way, and end its replica now.
    yield* Effect.sleep(noticeMillis + longest * Math.max(plan.disk.hangMillis, plan.disk.delayMillis))
    for (const id of cluster.ids) yield* caretaker.restart(id)
  })

/** Every replica serves again, all hold the same, and the history is one that a single store could have. */
const endWell = (stage: Stage): Work =>
  Effect.gen(function* () {
    const { caretaker, cluster, history, plan, witness } = stage
    for (const id of cluster.ids) if (!caretaker.isUp(id)) yield* caretaker.restart(id)
    let last: Ending | undefined
    for (const replica of cluster.ids) {
      const actions: ReadonlyArray<Action> = [{ _tag: "Put", value: `last-${replica}.` }, { _tag: "Get" }]
      for (let key = 0; key < plan.keys; key++) {
        for (const action of key === 0 ? actions : actions.slice(1)) {
          for (let attempt = 1; attempt <= 20 && (last === undefined || last._tag !== "Answered"); attempt++) {
            const operation = history.begin({ client: -1, replica, key: `k${key}`, action: freshly(action, attempt) })
            last = yield* perform(stage, { ...operation, patience: undefined })
            history.end(operation, last)
            if (last._tag !== "Answered") yield* Effect.sleep(plan.raft.electionTimeoutMillis!)
          }
          if (last?._tag !== "Answered") witness.object(`${replica} does not serve in peace: ${last?.why}`)
          last = undefined
        }
      }
    }
    const machines = () => cluster.ids.map((id) => cluster.get(id).state().stateMachine)
    yield* within(stage, "all replicas have applied the same log", () => {
      const lasts = machines().map(({ lastApplied, log }) => (lastApplied === Logs.lastIndex(log) ? lastApplied : -1))
      return lasts.every((index) => index > 0 && index === lasts[0])
    })
    yield* within(stage, "all replicas are admitted", () =>
      cluster.ids.every((id) => cluster.get(id).replicated.status().admitted)
    )
    for (const wrong of differences(stage)) witness.object(wrong)
    const idle = cluster.ids.filter((id) => cluster.get(id).replicated.status().waiting > 0)
    if (idle.length > 0) witness.object(`requests wait at ${idle.join(" ")}, though nobody asks`)
    for (const wrong of history.judge(witness.log())) witness.object(wrong)
  })

/** Where replicas that have applied everything differ: from what was committed, or from each other. */
const differences = ({ cluster, witness }: Stage): ReadonlyArray<string> => {
  const log = witness.log()
  const text = (entries: ReadonlyArray<LogEntry<Uint8Array>>): string => JSON.stringify(entries)
  const machines = cluster.ids.map((id) => ({ id, ...cluster.get(id).state().stateMachine }))
  const states = machines.map(
    ({ hash, value }) => `${hash} ${Buffer.concat([...KvStateCodec.encode(value)]).toString("base64")}`
  )
  return machines.flatMap(({ id, log: own }, at) => [
    ...(text(Logs.slice(own, Index(own.base.index + 1), own.length)) === text(log.slice(own.base.index))
      ? []
      : [`the log of ${id} is not what was committed`]),
    ...(states[at] === states[0] ? [] : [`the states of ${id} and ${machines[0]!.id} differ`]),
    ...(cluster.get(id).state().diverged === undefined ? [] : [`${id} believes that it differs`])
  ])
}

const freshly = (action: Action, attempt: number): Action =>
  action._tag === "Put" ? { ...action, value: `${action.value}${attempt}.` } : action

/** Waits, as long as requests may take and then some; objects where it does not come true. */
const within = ({ cluster, plan, witness }: Stage, what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    const electionTimeoutMillis = plan.raft.electionTimeoutMillis!
    const patience = plan.operationsEach * (plan.requestTimeoutMillis + 5 * plan.thinkMillis + 200) + 20_000
    for (let waited = 0; !condition(); waited += electionTimeoutMillis / 10) {
      if (waited > patience)
        return yield* Effect.die(new Error(`${what}: not within ${patience} ms; ${cluster.describe()}`))
      yield* Effect.sleep(electionTimeoutMillis / 10)
    }
    witness.note(what)
  })
