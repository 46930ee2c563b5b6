/**
 * A cluster with its network, disks, clocks and clients, under virtual time. One step takes
 * the next thing from the agenda; all chance comes from the seed, so a seed is a run.
 *
 * The world is changed in place: a run makes millions of steps, and nobody keeps an old
 * one. What a replica is made of stays immutable, as in production.
 */
import { Instant } from "../raft/LogEntry.ts"
import * as Replica from "../raft/Replica.ts"
import * as Agendas from "./Agenda.ts"
import { type Cuts, none } from "./Cuts.ts"
import * as Canon from "./CanonicalLog.ts"
import * as Desks from "./Desk.ts"
import { replicaName } from "./Disk.ts"
import * as Disks from "./Disk.ts"
import type { Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import * as Ledgers from "./Ledger.ts"
import * as Links from "./Links.ts"
import * as Marks from "./Marks.ts"
import type { Ending, Operation } from "./Operation.ts"
import * as Oracles from "./Oracle.ts"
import type { Plan } from "./Plan.ts"
import { type Random, stream } from "./Random.ts"
import * as Recordings from "./Recording.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import type { AnyMessage, AnyReplica, AnySubject } from "./Subject.ts"
import * as Traces from "./Trace.ts"

export interface World {
  readonly seed: number
  readonly plan: Plan
  readonly subject: AnySubject
  readonly replica: AnyReplica
  readonly hosts: ReadonlyArray<Host>
  readonly links: Links.Links
  readonly agenda: Agendas.Agenda<Happening>
  readonly oracle: Oracles.Oracle
  readonly ledger: Ledgers.Ledger
  readonly trace: Traces.Trace
  readonly chance: Chance
  now: number
  steps: number
  /** Events that were reduced and checked. */
  events: number
  /** Faults that were injected, by name. */
  readonly faults: Map<string, number>
  /** Rare paths that were taken. */
  readonly marks: Marks.Tally
  readonly cuts: Cuts
  readonly recording: Recordings.Recording | undefined
  /** Strikes and requests so far, those that are cut among them. */
  strikes: number
  asks: number
  /** The faults are over: what was to begin does not, and clients ask no more. */
  calm: boolean
  /** Calm, and every message and every timer takes its time to the dot. */
  lockstep: boolean
}

export type Happening =
  | { readonly _tag: "Arrive"; readonly from: number; readonly to: number; readonly message: AnyMessage }
  | { readonly _tag: "Wake"; readonly host: number }
  | { readonly _tag: "Continue"; readonly host: number; readonly life: number }
  | { readonly _tag: "Restart"; readonly host: number }
  | { readonly _tag: "Ask"; readonly client: number }
  /** A client that comes once, to one replica. */
  | { readonly _tag: "Visit"; readonly host: number; readonly query: boolean }
  | { readonly _tag: "GiveUp"; readonly operation: Operation }
  | { readonly _tag: "Strike"; readonly strike: number }
  | { readonly _tag: "Mend"; readonly mend: (world: World) => void }

export interface Chance {
  /** One for each link, so that what one replica sends does not change the fate of what another does. */
  readonly network: ReadonlyArray<Random>
  readonly batch: Random
  readonly disk: Random
  readonly clients: Random
  readonly cutShort: Random
  readonly syncError: Random
  readonly restart: Random
  readonly seeds: Random
  /** One for each strike of the plan. */
  readonly strikes: ReadonlyArray<Random>
}

export interface Making {
  readonly cuts?: Cuts
  readonly recording?: Recordings.Recording | undefined
}

export const make = (seed: number, plan: Plan, subject: AnySubject, { cuts = none, recording }: Making = {}): World => {
  const clocks = stream(seed, "clocks")
  const hosts = Array.from({ length: plan.size }, (_, number) =>
    Hosts.make(replicaName(number), number, { rate: plan.clocks[number]!, offset: clocks.between(0, 1e6) })
  )
  const canon = Canon.empty(subject)
  const world: World = {
    seed,
    plan,
    subject,
    replica: Replica.make(subject.machine, plan.options),
    hosts,
    links: Links.make(plan.size),
    agenda: Agendas.empty(),
    oracle: Oracles.make(hosts, canon, plan.options),
    ledger: Ledgers.empty(canon),
    trace: Traces.empty(),
    chance: {
      network: Array.from({ length: plan.size ** 2 }, (_, link) => stream(seed, `network.${link}`)),
      batch: stream(seed, "batch"),
      disk: stream(seed, "disk"),
      clients: stream(seed, "clients"),
      cutShort: stream(seed, "cutShort"),
      syncError: stream(seed, "syncError"),
      restart: stream(seed, "restart"),
      seeds: stream(seed, "seeds"),
      strikes: plan.strikes.map(({ kind }) => stream(seed, `strike.${kind}`))
    },
    now: 0,
    steps: 0,
    events: 0,
    faults: new Map(),
    marks: new Map(),
    cuts,
    recording,
    strikes: 0,
    asks: 0,
    calm: false,
    lockstep: false
  }
  for (const host of hosts) start(world, host)
  return world
}

export const plan = (world: World, at: number, what: Happening): void => Agendas.plan(world.agenda, at, what)

export const countFault = (world: World, name: string): void => {
  world.faults.set(name, (world.faults.get(name) ?? 0) + 1)
}

/** Starts a replica from its disk, under a new incarnation. */
export const start = (world: World, host: Host): void => {
  if (host.state !== undefined || host.lost) return
  if (host.disk.torn) Marks.hit(world.marks, "a torn record dropped at start")
  Disks.repair(host.disk)
  const { hardState, entries } = host.disk
  if (entries.length > 0) Marks.hit(world.marks, "restart with a log")
  if (hardState.votedFor !== undefined) Marks.hit(world.marks, "restart with a vote in the present term")
  host.disk.incarnation++
  const seed = world.chance.seeds.below(0x7fffffff)
  const at = Instant(Hosts.localTime(host, world.now))
  if (world.recording !== undefined) Recordings.onStart(world.recording, host, seed, at)
  host.state = world.replica.init({
    id: host.id,
    incarnation: host.disk.incarnation,
    configuration: { voters: world.hosts.map((other) => other.id) },
    at,
    seed,
    hardState: host.disk.hardState,
    entries: host.disk.entries.slice()
  })
  host.desk = Desks.open(host.id, host.disk.incarnation)
  Oracles.onStart(world.oracle, host, host.state)
  Traces.note(world.trace, world.now, host.number, "starts")
  wake(world, host, world.now)
}

/** All that is not on disk is gone. A record on its way there may have made it. */
export const crash = (world: World, host: Host): void => {
  if (host.state === undefined) return
  const effect = host.effects[host.carried]
  if (effect !== undefined) Marks.hit(world.marks, placeOfCrash(host))
  const kept = host.syncing && effect?._tag === "Persist" && leave(world, host, effect)
  if (world.recording !== undefined) Recordings.onCrash(world.recording, host, kept)
  Traces.note(world.trace, world.now, host.number, "crashes")
  countFault(world, "crash")
  host.state = undefined
  host.life++
  host.inbox = []
  host.effects = []
  host.carried = 0
  host.syncing = false
  host.crashAt = Number.POSITIVE_INFINITY
  host.frozenUntil = 0
  host.slowUntil = 0
  host.timerStuckUntil = 0
  host.wakeAt = Number.POSITIVE_INFINITY
  Desks.close(host.desk, (operation, ending, detail) => resolve(world, operation, ending, detail))
}

const placeOfCrash = ({ effects, carried, syncing }: Host): Marks.Mark => {
  if (syncing) return "crash while a record is on its way"
  const written = effects.findIndex((effect) => effect._tag === "Persist")
  if (written >= carried) return "crash before Persist"
  return written === carried - 1 && written !== -1
    ? "crash between Persist and what follows"
    : "crash between two messages"
}

/**
 * A record was on its way to the disk. It may have made it, or not at all, or in part: then its
 * checksum is wrong and the next start drops it whole. Records cannot change places, because the
 * next one is not written before this one is synced.
 */
const leave = (world: World, host: Host, record: Persist<unknown>): boolean => {
  const fate = world.chance.cutShort.below(3)
  countFault(world, (["recordKept", "recordDropped", "recordTorn"] as const)[fate]!)
  if (fate === 0) Oracles.onSynced(world.oracle, host, record)
  host.disk.torn = fate === 2
  return fate === 0
}

/** Asks for the host to be looked at; the earliest such wish counts. */
export const wake = (world: World, host: Host, at: number): void => {
  if (at >= host.wakeAt) return
  host.wakeAt = at
  plan(world, at, { _tag: "Wake", host: host.number })
}

export const deliver = (world: World, host: Host, arrival: Hosts.Arrival): void => {
  if (host.state === undefined || host.inbox.length >= maxInbox) return
  host.inbox.push(arrival)
  const linger = world.lockstep ? 0 : world.chance.batch.draw() * world.plan.batch.lingerMillis
  if (Hosts.isFree(host)) wake(world, host, world.now + linger)
}

const maxInbox = 1000

export const send = (world: World, from: number, to: number, message: AnyMessage): void => {
  if (Links.isCut(world.links, { from, to }, message._tag)) return
  const { electionTimeoutMillis } = world.plan.options
  if (world.lockstep) return plan(world, world.now + electionTimeoutMillis / 20, { _tag: "Arrive", from, to, message })
  const network = world.calm ? calmed(world) : world.plan.network
  const sent = { from, to, at: world.now, lateMillis: electionTimeoutMillis * 8, tag: message._tag }
  for (const at of Links.arrivals(world.links, network, world.chance.network[from * world.hosts.length + to]!, sent)) {
    plan(world, at, { _tag: "Arrive", from, to, message })
  }
}

const calmed = ({ plan }: World): Plan["network"] => ({
  ...plan.network,
  ...(plan.recovery.copies ? {} : { double: 0, late: 0 }),
  loss: 0,
  tail: 0
})

export const resolve = (world: World, operation: Operation, how: Ending["_tag"], detail: unknown): void => {
  if (operation.ending !== undefined) return
  // Steps order what happens on one instant.
  const at = tick(world)
  const ending: Ending = how === "Done" ? { _tag: how, output: detail, at } : { _tag: how, reason: String(detail), at }
  Ledgers.end(world.ledger, operation, ending)
  Traces.fold(world.trace, operation.number)
  // Who was refused does not come back at once: a crowd at a closed door is no test of anything.
  const pause = how === "Refused" ? world.plan.options.electionTimeoutMillis / 20 : 0
  if (!world.calm && operation.client !== visitor)
    plan(world, world.now + pause + think(world), { _tag: "Ask", client: operation.client })
}

/** Asks once. */
export const visitor = 0

export const think = (world: World): number => world.chance.clients.wait(world.plan.clients.thinkMillis) + 0.01

/** Counts what clients see, so that their history has a strict order. */
export const tick = (world: World): number => ++world.trace.ticks
