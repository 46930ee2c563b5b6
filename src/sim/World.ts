/**
 * A cluster with its network, disks, clocks and clients, under virtual time. One step takes
 * the next thing from the agenda; all chance comes from the seed, so a seed is a run.
 *
 * The world is changed in place: a run makes millions of steps, and nobody keeps an old
 * one. What a replica is made of stays immutable, as in production.
 */
import * as Replica from "../raft/Replica.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import * as Agendas from "./Agenda.ts"
import { type Cuts, none } from "./Cuts.ts"
import type { Audience } from "./Audience.ts"
import * as Audiences from "./Audience.ts"
import * as Canon from "./CanonicalLog.ts"
import { replicaName } from "./Disk.ts"
import type { Host } from "./Host.ts"
import * as Hosts from "./Host.ts"
import * as Ledgers from "./Ledger.ts"
import * as Links from "./Links.ts"
import type * as Library from "./Library.ts"
import type * as Marks from "./Marks.ts"
import type { Ending, Operation } from "./Operation.ts"
import * as Oracles from "./Oracle.ts"
import type { Plan } from "./Plan.ts"
import { type Random, stream } from "./Random.ts"
import type * as Recordings from "./Recording.ts"
import type { AnyEffect, AnyImage, AnyMessage, AnyReplica, AnySubject, Versions } from "./Subject.ts"
import * as Times from "./TimeRules.ts"
import { pack } from "./Packing.ts"
import * as Traces from "./Trace.ts"

export interface World {
  readonly seed: number
  readonly plan: Plan
  readonly subject: AnySubject
  /** What earlier programs and later ones understand. */
  readonly versions: Versions
  /** By the version that they understand, from 1 on. */
  readonly replicas: ReadonlyArray<AnyReplica>
  readonly hosts: ReadonlyArray<Host>
  readonly links: Links.Links
  /** Every snapshot that was ever written. */
  readonly library: Library.Library
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
  /** The instants of the world at which operations were asked for, by their number. */
  readonly askedAt: Map<number, number>
  readonly pace: Times.Pace
  /** Whoever watches, where the machine can be watched. */
  readonly audience: Audience | undefined
  /** When anybody last asked for a change of the cluster itself. */
  amendedAt: number
  /** The faults are over: what was to begin does not, and clients ask no more. */
  calm: boolean
  /** Calm for so long that nobody from outside has anything to say that others must heed. */
  settled: boolean
  /** Calm, and every message and every timer takes its time to the dot. */
  lockstep: boolean
}

/** A connection ends with the process at its end: what was sent before a disk was lost does not arrive after it. */
interface Arrive {
  readonly _tag: "Arrive"
  readonly from: number
  readonly to: number
  readonly message: AnyMessage
  /** How many disks the receiver had lost when it was sent. */
  readonly wipes: number
}

export type Happening =
  | Arrive
  | { readonly _tag: "Wake"; readonly host: number }
  | { readonly _tag: "Continue"; readonly host: number; readonly life: number }
  | { readonly _tag: "Restart"; readonly host: number }
  | { readonly _tag: "Background"; readonly host: number; readonly life: number; readonly work: Work }
  | { readonly _tag: "Ask"; readonly client: number }
  /** A client that comes once, to one replica. */
  | { readonly _tag: "Visit"; readonly host: number; readonly query: boolean }
  | { readonly _tag: "Attend"; readonly watcher: number }
  | { readonly _tag: "GiveUp"; readonly operation: Operation }
  | { readonly _tag: "Strike"; readonly strike: number }
  | { readonly _tag: "Mend"; readonly mend: (world: World) => void }

/** What a replica has done behind its back, and when it is through with it. */
export type Work =
  | { readonly _tag: "Take"; readonly image: AnyImage }
  | { readonly _tag: "Read"; readonly chunk: AnyEffect & { readonly _tag: "SendChunk" } }
  | { readonly _tag: "Finish"; readonly partial: Library.Partial }
  | { readonly _tag: "Spoil"; readonly snapshot: Snapshot }

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
  readonly snapshots: Random
  /** Which program a replica is started with. */
  readonly programs: Random
  /** One for each strike of the plan. */
  readonly strikes: ReadonlyArray<Random>
}

export interface Making {
  readonly cuts?: Cuts
  readonly recording?: Recordings.Recording | undefined
}

export const make = (seed: number, plan: Plan, subject: AnySubject, { cuts = none, recording }: Making = {}): World => {
  const clocks = stream(seed, "clocks")
  const versions = subject.versions?.(stream(seed, "subject.versions")) ?? ([1, 2] as const)
  const founders = Array.from({ length: plan.size }, (_, number) => replicaName(number))
  const hosts = Array.from({ length: plan.hosts }, (_, number) =>
    Hosts.make(replicaName(number), number, {
      clock: { rate: plan.clocks[number]!, offset: clocks.between(0, 1e6) },
      version: versions[plan.versions.first[number]! - 1]!,
      founders
    })
  )
  const canon = Canon.empty(subject)
  const world: World = {
    seed,
    plan,
    subject,
    versions,
    replicas: [1, 2, 3, 4].map((version) => Replica.make({ ...subject.machine, version, pack }, plan.options)),
    hosts,
    links: Links.make(plan.hosts),
    library: new Map(),
    agenda: Agendas.empty(),
    oracle: Oracles.make(hosts, plan.size, canon, plan.options),
    ledger: Ledgers.empty(canon),
    trace: Traces.empty(),
    chance: {
      network: Array.from({ length: plan.hosts ** 2 }, (_, link) => stream(seed, `network.${link}`)),
      batch: stream(seed, "batch"),
      disk: stream(seed, "disk"),
      clients: stream(seed, "clients"),
      cutShort: stream(seed, "cutShort"),
      syncError: stream(seed, "syncError"),
      restart: stream(seed, "restart"),
      seeds: stream(seed, "seeds"),
      snapshots: stream(seed, "snapshots"),
      programs: stream(seed, "programs"),
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
    askedAt: new Map(),
    pace: Times.begin(plan.clocks),
    audience: subject.hub === undefined ? undefined : Audiences.make(seed, plan.hosts, subject.hub),
    amendedAt: Number.NEGATIVE_INFINITY,
    calm: false,
    settled: false,
    lockstep: false
  }
  return world
}

export const plan = (world: World, at: number, what: Happening): void => Agendas.plan(world.agenda, at, what)

export const replicaOf = (world: World, { version }: Host): AnyReplica => world.replicas[version - 1]!

export const countFault = (world: World, name: string): void => {
  world.faults.set(name, (world.faults.get(name) ?? 0) + 1)
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

/** What the replica's own machine tells it is never lost while it runs. */
export const report = (world: World, host: Host, arrival: Hosts.Arrival): void => {
  if (host.state === undefined) return
  host.inbox.push(arrival)
  if (Hosts.isFree(host)) wake(world, host, world.now)
}

export const send = (world: World, from: number, to: number, message: AnyMessage): void => {
  if (Links.isCut(world.links, { from, to }, message._tag)) return
  const { electionTimeoutMillis } = world.plan.options
  const arrive: Arrive = { _tag: "Arrive", from, to, message, wipes: world.hosts[to]!.wipes }
  if (world.lockstep) return plan(world, world.now + electionTimeoutMillis / 20, arrive)
  const network = world.calm ? calmed(world) : world.plan.network
  const sent = { from, to, at: world.now, lateMillis: electionTimeoutMillis * 8, tag: message._tag }
  for (const at of Links.arrivals(world.links, network, world.chance.network[from * world.hosts.length + to]!, sent)) {
    plan(world, at, arrive)
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
  const answered = how === "Done" && !isAltered(world, operation)
  const ending: Ending = answered
    ? { _tag: "Done", output: detail, at }
    : { _tag: how === "Done" ? "Unknown" : how, reason: how === "Done" ? "Altered" : String(detail), at }
  Ledgers.end(world.ledger, operation, ending)
  Traces.fold(world.trace, operation.number)
  // Who was refused does not come back at once: a crowd at a closed door is no test of anything.
  const pause = how === "Refused" ? world.plan.options.electionTimeoutMillis / 20 : 0
  if (!world.calm && operation.client !== visitor)
    plan(world, world.now + pause + think(world), { _tag: "Ask", client: operation.client })
}

/** What a replica says whose value was altered is worth nothing; it must stop saying it, which is another rule. */
const isAltered = ({ hosts, oracle }: World, { replica }: Operation): boolean =>
  oracle.altered.size > 0 && hosts.some(({ id, number }) => id === replica && oracle.altered.has(number))

/** Asks once. */
export const visitor = 0

export const think = (world: World): number => world.chance.clients.wait(world.plan.clients.thinkMillis) + 0.01

/** Counts what clients see, so that their history has a strict order. */
export const tick = (world: World): number => ++world.trace.ticks
