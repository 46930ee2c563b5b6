/**
 * What one replica of a small cluster makes of what happens to it: its reduction, carried out
 * on its own disk and for its own clients. It depends on nothing but the replica, so it is
 * found out once for each replica as it is and each message, however many situations they meet in.
 */
import * as Configurations from "../raft/Configuration.ts"
import * as Invariants from "../raft/Invariants.ts"
import * as Logs from "../raft/Log.ts"
import { Index, Instant, type LogEntry, type ReplicaId, type RequestId, Term } from "../raft/LogEntry.ts"
import type { HardState } from "../raft/RaftEffect.ts"
import type { Arrival } from "./Host.ts"
import * as Keeping from "./Keeping.ts"
import type { Kept } from "./Keeping.ts"
import type { AnyEffect, AnyEvent, AnyMessage, AnyReplica, State } from "./Subject.ts"
import { require } from "./Violation.ts"

export interface Member {
  readonly id: ReplicaId
  readonly state: State
  readonly disk: Disk
  /** Each replica has a clock of its own: only how much time passed there decides what it does. */
  readonly now: number
  /** Its clients' requests without an answer, oldest first. */
  readonly waiting: ReadonlyArray<Waiting>
  readonly sequence: number
}

export interface Disk {
  readonly hardState: HardState
  readonly admitted: boolean | undefined
  readonly log: Logs.Log<unknown>
  /** Newest first. */
  readonly snapshots: ReadonlyArray<Kept>
  readonly incarnation: number
}

export interface Waiting {
  readonly sequence: number
  readonly kind: "Command" | "Query"
  readonly input: string
  /** What a query must see of the committed log. */
  readonly floor: number
  /** Submitted more than once. */
  readonly again: boolean
}

export interface Flying {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly message: AnyMessage
}

/** What stays the same in every situation of a search. */
export interface Rig {
  readonly replica: AnyReplica
  /** At the beginning. */
  readonly voters: ReadonlyArray<ReplicaId>
  readonly all: ReadonlyArray<ReplicaId>
  /** The core's own invariants too, or only what a client or an operator would call wrong. */
  readonly rules: "all" | "consequences"
  /** Whether replicas may vote from the beginning, or have to become a cluster first. */
  readonly admitted: boolean | undefined
}

export interface Reaction {
  /** One for each reduction: a leader that is known makes the runtime submit again, which is another. */
  readonly stages: ReadonlyArray<Stage>
  readonly member: Member
  readonly sent: ReadonlyArray<Flying>
  /**
   * A crash just before the first `Persist` is durable, where something left before it. Of all
   * prefixes of the effects only this one and the whole are worth a try: a shorter one sends
   * less, and any message may be late for ever.
   */
  readonly cut: Pick<Reaction, "member" | "sent" | "stages"> | undefined
}

export interface Stage {
  readonly before: State
  readonly effects: ReadonlyArray<AnyEffect>
  /** Reduced, and nothing carried out. */
  readonly reduced: Member
  readonly carried: Member
  readonly replies: ReadonlyArray<Told>
}

export interface Told {
  readonly waiting: Waiting
  readonly outcome: (AnyEffect & { readonly _tag: "Reply" })["outcome"]
}

/** The disk that a history which is not told has left: the terms of its entries, and the term of all. */
export interface Beginning {
  readonly term: number
  readonly entries: ReadonlyArray<number>
}

export const boot = (rig: Rig, id: ReplicaId, { term, entries }: Beginning): Member => {
  const log = Logs.of(
    entries.map((of, at): LogEntry<unknown> => ({ index: Index(at + 1), term: Term(of), payload: { _tag: "NoOp" } }))
  )
  const hardState: HardState = { currentTerm: Term(term), votedFor: undefined }
  const disk: Disk = { hardState, admitted: rig.admitted, log, snapshots: [], incarnation: 0 }
  return start(rig, { id, disk, now: 0 })
}

/** From its disk: all else is gone. A crash and the start after it are one; to be down for long is to hear late. */
export const start = ({ replica, voters }: Rig, from: Pick<Member, "id" | "disk" | "now">): Member => {
  const disk = { ...from.disk, incarnation: from.disk.incarnation + 1 }
  const state = replica.init({
    id: from.id,
    incarnation: disk.incarnation,
    configuration: Configurations.of(voters),
    at: Instant(from.now),
    seed: 1,
    hardState: disk.hardState,
    admitted: disk.admitted,
    image: disk.snapshots[0]?.image,
    base: disk.log.base,
    entries: Logs.slice(disk.log, Index(disk.log.base.index + 1), disk.log.length),
    snapshots: disk.snapshots.map(({ snapshot }) => snapshot)
  })
  return { id: from.id, state, disk, now: from.now, waiting: [], sequence: 0 }
}

/** `undefined` where nothing changes and nothing is said. */
export const react = (
  rig: Rig,
  member: Member,
  now: number,
  arrivals: ReadonlyArray<Arrival>
): Reaction | undefined => {
  const events = arrivals.map((arrival): AnyEvent => ({ ...arrival, at: Instant(now) }))
  const before = member.state
  const [after, effects] = rig.replica.reduceAll(before, events)
  if (after === before && effects.length === 0) return undefined
  if (rig.rules === "all") checkInvariants(before, effects, after)
  const reduced: Member = { ...member, state: after, now }
  const written = effects.findIndex((effect) => effect._tag === "Persist")
  const whole = carryOut(reduced, effects)
  const stage: Stage = { before, effects, reduced, carried: whole.member, replies: whole.replies }
  const cut = written > 0 ? cutShort(rig, stage, effects.slice(0, written)) : undefined
  const again = whole.again.length === 0 ? undefined : react(rig, whole.member, now, whole.again)
  if (again === undefined) return { stages: [stage], member: whole.member, sent: whole.sent, cut }
  return { stages: [stage, ...again.stages], member: again.member, sent: [...whole.sent, ...again.sent], cut }
}

const checkInvariants = (before: State, effects: ReadonlyArray<AnyEffect>, after: State): void => {
  const broken = [...Invariants.ofState(after), ...Invariants.ofStep(before, effects, after)]
  require(broken.length === 0, broken[0] ?? "", () => `${after.id}: ${broken.join("; ")}`)
}

const cutShort = (rig: Rig, stage: Stage, effects: ReadonlyArray<AnyEffect>): Reaction["cut"] => {
  const { member: carried, sent, replies } = carryOut(stage.reduced, effects)
  return { member: start(rig, carried), sent, stages: [{ ...stage, effects, carried, replies }] }
}

interface Carried {
  readonly member: Member
  readonly sent: ReadonlyArray<Flying>
  readonly replies: ReadonlyArray<Told>
  /** What its runtime submits because of it. */
  readonly again: ReadonlyArray<Arrival>
}

const carryOut = (reduced: Member, effects: ReadonlyArray<AnyEffect>): Carried => {
  let member = reduced
  const sent: Array<Flying> = []
  const replies: Array<Told> = []
  const again: Array<Arrival> = []
  for (const effect of effects) {
    switch (effect._tag) {
      case "Persist": {
        member = { ...member, disk: written(member.disk, effect) }
        break
      }
      case "Send":
        sent.push({ from: member.id, to: effect.to, message: withoutApplied(effect.message) })
        break
      case "Reply": {
        const { request, outcome } = effect
        const waiting = member.waiting.find((one) => one.sequence === request.sequence)
        if (waiting === undefined || request.incarnation !== member.disk.incarnation) break
        replies.push({ waiting, outcome })
        member = without(member, waiting, outcome)
        if (outcome._tag !== "Superseded") break
        const anew = submit(member, { ...waiting, again: false })
        member = anew.member
        again.push(anew.arrival)
        break
      }
      case "LeaderChanged":
        again.push(...resubmissions(member))
        member = twice(member)
        break
      case "QuorumLost":
      case "DivergenceFound":
        member = { ...member, waiting: [] }
        break
      // What a snapshot hides from a client is told by nobody: it goes on waiting.
      case "SnapshotInstalled":
        break
      case "TakeSnapshot": {
        const kept = Keeping.keep(effect.image)
        member = { ...member, disk: Keeping.add(member.disk, kept) }
        again.push({ _tag: "SnapshotStored", snapshot: kept.snapshot })
        break
      }
      case "SendChunk": {
        const message = Keeping.chunk(member.disk, effect)
        if (message === undefined) again.push({ _tag: "SnapshotMissing", snapshot: effect.snapshot })
        else sent.push({ from: member.id, to: effect.to, message })
        break
      }
      case "StoreChunk": {
        const kept = Keeping.read(effect.snapshot, effect.bytes)
        member = { ...member, disk: Keeping.add(member.disk, kept) }
        again.push({ _tag: "SnapshotReceived", ...kept })
      }
    }
  }
  return { member, sent, replies, again }
}

/** Nobody's value is altered here, so what replicas compare is left out: it would only tell situations apart. */
const withoutApplied = (message: AnyMessage): AnyMessage =>
  message._tag === "AppendEntriesReply" && message.sender.applied.length > 0
    ? { ...message, sender: { ...message.sender, applied: [] } }
    : message

const written = (disk: Disk, { hardState, admitted, base, log }: AnyEffect & { readonly _tag: "Persist" }): Disk => {
  const change = { base, log }
  return {
    ...disk,
    hardState: hardState ?? disk.hardState,
    admitted: admitted ?? disk.admitted,
    log: base === undefined && log === undefined ? disk.log : Logs.change(disk.log, change),
    snapshots:
      base === undefined ? disk.snapshots : disk.snapshots.filter(({ image }) => image.last.index >= base.index)
  }
}

/** A limit that is reached says nothing about a copy that was submitted before: its answer is waited for. */
const without = (member: Member, waiting: Waiting, outcome: Told["outcome"]): Member =>
  outcome._tag === "Refused" && waiting.again && outcome.reason !== "NoQuorum"
    ? member
    : { ...member, waiting: member.waiting.filter((one) => one !== waiting) }

export const submit = (
  member: Member,
  what: Omit<Waiting, "sequence">
): { readonly member: Member; readonly arrival: Arrival } => {
  const sequence = member.sequence + 1
  const waiting: Waiting = { ...what, sequence }
  return {
    member: { ...member, sequence, waiting: [...member.waiting, waiting] },
    arrival: submission(member, waiting)
  }
}

/** Every command that waits, once more under its name. */
export const resubmissions = (member: Member): ReadonlyArray<Arrival> =>
  member.waiting.filter(({ kind }) => kind === "Command").map((waiting) => submission(member, waiting))

/** All of them have been submitted more than once. */
export const twice = (member: Member): Member => ({
  ...member,
  waiting: member.waiting.map((one) => ({ ...one, again: true }))
})

const submission = ({ id, disk }: Member, { sequence, kind, input }: Waiting): Arrival => {
  const request: RequestId = { replica: id, incarnation: disk.incarnation, sequence }
  return kind === "Command"
    ? { _tag: "CommandSubmitted", request, command: input }
    : { _tag: "QuerySubmitted", request, query: input }
}
