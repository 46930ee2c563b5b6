/**
 * A cluster under direct command, for golden scripts: nothing moves unless it is told to.
 * Messages wait in flight, in the order in which they were sent, until they are delivered,
 * doubled or dropped; time passes only when a command says so. Every step is held against the
 * invariants, and a broken one is told like anything else.
 */
import * as Configurations from "../raft/Configuration.ts"
import { Instant, ReplicaId as Id, Index, type LogEntry, type ReplicaId, Term } from "../raft/LogEntry.ts"
import * as Invariants from "../raft/Invariants.ts"
import type { Options } from "../raft/Options.ts"
import * as Replica from "../raft/Replica.ts"
import * as Desks from "./Desk.ts"
import * as Disks from "./Disk.ts"
import type * as Library from "./Library.ts"
import * as Narration from "./Narration.ts"
import type { Operation } from "./Operation.ts"
import { notes, type Play } from "./Play.ts"
import * as Shelves from "./Shelf.ts"
import type { AnyEffect, AnyEvent, AnyImage, AnyMessage, AnyReplica, State } from "./Subject.ts"
import type { Arrival } from "./Host.ts"

export interface Stage {
  readonly play: Play
  /** By the version that they understand, from 1 on. */
  readonly replicas: ReadonlyArray<AnyReplica>
  readonly founders: ReadonlyArray<ReplicaId>
  readonly members: Map<ReplicaId, Member>
  flight: ReadonlyArray<Flying>
  /** Taken out of flight, to arrive much later. */
  held: ReadonlyArray<Flying>
  readonly library: Library.Library
  /** `A->B`, or `A->B AppendEntries`: what is sent there from now on is lost. */
  readonly cuts: Set<string>
  now: number
  operations: number
  /** What happened under the present command. */
  lines: Array<string>
}

export interface Member {
  readonly id: ReplicaId
  readonly number: number
  readonly disk: Disks.Disk
  /** The latest version of commands that its program understands. */
  version: number
  /** The voters that it is told of at its first start. */
  founders: ReadonlyArray<ReplicaId>
  /** `undefined` while it is down. */
  state: State | undefined
  desk: Desks.Desk
  /** A crash before this one of the next step's effects. */
  crashAt: number | undefined
  /** Its writes take until they are told to be done. */
  slowDisk: boolean
  /** What it does with snapshots takes until it is told to be done. */
  slowSnapshots: boolean
  /** The image that is being stored. */
  taking: AnyImage | undefined
  /** What of a snapshot has arrived. */
  partial: Library.Partial | undefined
  /** Its disk has no room for snapshots. */
  full: boolean
  /** A `Persist` that is under way, and all that stands right of it. */
  waiting: ReadonlyArray<AnyEffect>
  /** What came meanwhile. */
  inbox: ReadonlyArray<AnyEvent>
}

export interface Flying {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly message: AnyMessage
}

export const make = (names: ReadonlyArray<string>, options: Partial<Options>, play: Play = notes): Stage => {
  const founders = names.map(Id)
  const { machine } = play.subject
  const stage: Stage = {
    play,
    replicas: [1, 2, 3].map((version) => Replica.make({ ...machine, version }, options)),
    founders,
    members: new Map(founders.map((id, number) => [id, blank(id, number, { founders, version: play.version })])),
    flight: [],
    held: [],
    library: new Map(),
    cuts: new Set(),
    now: 0,
    operations: 0,
    lines: []
  }
  for (const member of stage.members.values()) start(stage, member)
  return stage
}

const blank = (id: ReplicaId, number: number, { founders, version }: Pick<Member, "founders" | "version">): Member => ({
  id,
  number,
  disk: Disks.blank(),
  version,
  founders,
  state: undefined,
  desk: Desks.open(id, 0),
  crashAt: undefined,
  slowDisk: false,
  slowSnapshots: false,
  taking: undefined,
  partial: undefined,
  full: false,
  waiting: [],
  inbox: []
})

/** One that is no member, and knows who founded the cluster. */
export const join = (stage: Stage, name: string): void => {
  const id = Id(name)
  const member =
    stage.members.get(id) ?? blank(id, stage.members.size, { founders: stage.founders, version: stage.play.version })
  // Whatever its disk says, this is no beginning.
  member.disk.admitted ??= false
  stage.members.set(id, member)
  start(stage, member)
}

export const replicaOf = ({ replicas }: Stage, { version }: Member): AnyReplica => replicas[version - 1]!

export const start = (stage: Stage, member: Member): void => {
  const { stored, fellBack, reset } = Disks.recover(member.disk)
  if (fellBack) stage.lines.push(`${member.id}: its latest snapshot is damaged, ${fallback(stored)}`)
  if (reset !== undefined) {
    stage.lines.push(`${member.id}: has no whole snapshot, and begins anew`)
    Disks.write(member.disk, reset)
  }
  member.disk.incarnation++
  member.desk = Desks.open(member.id, member.disk.incarnation)
  member.state = replicaOf(stage, member).init({
    id: member.id,
    incarnation: member.disk.incarnation,
    configuration: Configurations.of(member.founders),
    at: Instant(stage.now),
    // Fixed: the same script draws the same deadlines.
    seed: 7 * member.number + 1,
    ...Disks.contents(member.disk)
  })
  if (member.full) step(stage, member, [{ _tag: "DiskSpaceChanged", full: true }])
}

const fallback = (stored: Library.Stored | undefined): string =>
  stored === undefined ? "and there is no other" : `and it uses the one at ${Narration.position(stored.snapshot.last)}`

/** Gives a replica another disk, as a history that is not told would have left it, and starts it from there. */
export const arrange = (
  stage: Stage,
  member: Member,
  on: { readonly term: number; readonly vote: string | undefined; readonly terms: ReadonlyArray<number> }
): void => {
  const entries = on.terms.map(
    (term, place): LogEntry<unknown> => ({
      index: Index(place + 1),
      term: Term(term),
      payload: { _tag: "NoOp" }
    })
  )
  Disks.write(member.disk, {
    _tag: "Persist",
    hardState: { currentTerm: Term(on.term), votedFor: on.vote === undefined ? undefined : Id(on.vote) },
    admitted: true,
    base: undefined,
    log: { from: Index(1), entries }
  })
  start(stage, member)
}

export const crash = (stage: Stage, member: Member): void => {
  member.state = undefined
  member.crashAt = undefined
  member.waiting = []
  member.inbox = []
  member.taking = undefined
  member.partial = undefined
  Desks.close(member.desk, (operation, _, detail) => tell(stage, operation, `nobody can tell (${detail})`))
}

const tell = (stage: Stage, { replica, number }: Operation, what: string): void => {
  stage.lines.push(`${replica}: client ${number} hears: ${what}`)
}

/** Time passes up to the replica's own deadline, and it is told. */
export const deadline = (stage: Stage, member: Member): void => {
  step(stage, member, lateness(stage, member))
}

/** The news of a replica's deadline, once time has come so far. */
export const lateness = (stage: Stage, member: Member): ReadonlyArray<Arrival> => {
  if (member.state === undefined) return []
  stage.now = Math.max(stage.now, replicaOf(stage, member).nextDeadline(member.state))
  return [{ _tag: "DeadlineReached" }]
}

/** A client's request, known at the replica's desk from now on. */
export const submission = (stage: Stage, member: Member, kind: Operation["kind"], input: unknown): Arrival => {
  const number = ++stage.operations
  const operation: Operation = {
    number,
    client: number,
    replica: member.id,
    kind,
    input,
    invokedAt: stage.now,
    floor: 0,
    ending: undefined
  }
  return Desks.submit(member.desk, operation, stage.now)
}

/** The replica's runtime submits its waiting commands again. */
export const resubmit = (stage: Stage, member: Member): void =>
  step(stage, member, Desks.overdue(member.desk, stage.now, 0))

/** Reduces these together and carries out what comes of it; they wait while the disk is busy. */
export const step = (stage: Stage, member: Member, arrivals: ReadonlyArray<Arrival>): void => {
  const at = Instant(stage.now)
  const events = arrivals.map((arrival) => ({ ...arrival, at }))
  if (member.waiting.length > 0) member.inbox = [...member.inbox, ...events]
  else reduce(stage, member, events)
}

const reduce = (stage: Stage, member: Member, events: ReadonlyArray<AnyEvent>): void => {
  const before = member.state
  if (before === undefined || events.length === 0) return
  const [after, effects] = replicaOf(stage, member).reduceAll(before, events)
  stage.lines.push(...Narration.change(before, after))
  for (const rule of [...Invariants.ofState(after), ...Invariants.ofStep(before, effects, after)]) {
    stage.lines.push(`${member.id}: BREAKS THE RULE: ${rule}`)
  }
  member.state = after
  if (member.crashAt === undefined) return carryOut(stage, member, effects)
  const done = effects.slice(0, member.crashAt)
  carryOut(stage, member, done)
  stage.lines.push(`${member.id}: crashes, with ${effects.length - done.length} effects not carried out`)
  crash(stage, member)
}

/** From left to right; a slow disk holds up everything from its `Persist` on. */
const carryOut = (stage: Stage, member: Member, effects: ReadonlyArray<AnyEffect>): void => {
  const again: Array<Arrival> = []
  for (const [place, effect] of effects.entries()) {
    if (effect._tag === "Persist" && member.slowDisk) {
      stage.lines.push(`${member.id}: waits for its disk`)
      member.waiting = effects.slice(place)
      break
    }
    again.push(...carryOutOne(stage, member, effect))
  }
  if (again.length > 0) step(stage, member, again)
}

const carryOutOne = (stage: Stage, member: Member, effect: AnyEffect): ReadonlyArray<Arrival> => {
  stage.lines.push(Narration.effect(member.id, effect, stage.play.show))
  if (effect._tag === "Persist") Disks.write(member.disk, effect)
  if (effect._tag === "Send") send(stage, { from: member.id, to: effect.to, message: effect.message })
  if (effect._tag === "TakeSnapshot" || effect._tag === "SendChunk" || effect._tag === "StoreChunk") {
    const { told, sent } = Shelves.begin(stage, member, effect)
    for (const flying of sent) send(stage, flying)
    return told
  }
  return Desks.take(member.desk, effect, stage.now, (operation, how, detail) => {
    if (how === "Unknown") tell(stage, operation, `nobody can tell (${detail})`)
  })
}

/** The disk is done. What came meanwhile, and a deadline that has passed, are reduced together, as a runtime does. */
export const sync = (stage: Stage, member: Member): void => {
  const [persist, ...rest] = member.waiting
  if (persist === undefined) throw new Error(`${member.id} does not wait for its disk`)
  member.waiting = []
  const at = Instant(stage.now)
  const again = [persist, ...rest].flatMap((effect) => carryOutOne(stage, member, effect))
  const events: Array<AnyEvent> = [...member.inbox, ...again.map((arrival) => ({ ...arrival, at }))]
  member.inbox = []
  if (member.state !== undefined && replicaOf(stage, member).nextDeadline(member.state) <= at) {
    events.push({ _tag: "DeadlineReached", at })
  }
  reduce(stage, member, events)
}

const isCut = (stage: Stage, { from, to, message }: Flying): boolean =>
  stage.cuts.has(`${from}->${to}`) || stage.cuts.has(`${from}->${to} ${message._tag}`)

const send = (stage: Stage, flying: Flying): void => {
  if (!isCut(stage, flying)) stage.flight = [...stage.flight, flying]
}

/** Takes messages out of flight and lets their receivers have them, each by itself. */
export const deliver = (stage: Stage, chosen: ReadonlyArray<Flying>): void => {
  stage.flight = stage.flight.filter((flying) => !chosen.includes(flying))
  for (const { from, to, message } of chosen) {
    const member = stage.members.get(to)
    if (member !== undefined) step(stage, member, [{ _tag: "MessageReceived", from, message }])
  }
}
