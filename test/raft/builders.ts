/**
 * Small words for what the tests of the core talk about: logs written as their terms, a state
 * of each role, events, and effects picked out by what they are.
 */
import * as Succession from "../../src/raft/Succession.ts"
import * as Lease from "../../src/raft/Lease.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import { expect } from "vitest"
import * as Admission from "../../src/raft/Admission.ts"
import * as Invariants from "../../src/raft/Invariants.ts"
import * as Logs from "../../src/raft/Log.ts"
import {
  ClusterTime,
  Index,
  Instant,
  type LogEntry,
  type LogPosition,
  origin,
  ReplicaId,
  type RequestId,
  Term
} from "../../src/raft/LogEntry.ts"
import type { Machine } from "../../src/raft/Machine.ts"
import type * as Messages from "../../src/raft/Message.ts"
import type { Options } from "../../src/raft/Options.ts"
import type * as Progresses from "../../src/raft/Progress.ts"
import type * as Effects from "../../src/raft/RaftEffect.ts"
import type * as Events from "../../src/raft/RaftEvent.ts"
import * as Reads from "../../src/raft/Reads.ts"
import * as Replica from "../../src/raft/Replica.ts"
import type * as States from "../../src/raft/ServerState.ts"
import type * as Images from "../../src/raft/Snapshot.ts"
import * as Snapshots from "../../src/raft/Snapshot.ts"
import * as StateMachines from "../../src/raft/StateMachine.ts"

export type Message = Messages.Message<string>
export type Value = ReadonlyArray<string>
export type RaftEvent = Events.RaftEvent<string, string, Value>
export type RaftEffect = Effects.RaftEffect<string, number, string, Value>
export type Image = Images.Image<Value>
export type ServerState = States.ServerState<Value, string, string>
export type Follower = States.Follower<Value, string, string>
export type Candidate = States.Candidate<Value, string, string>
export type Leader = States.Leader<Value, string, string>
export type Raft = Replica.Replica<Value, string, number, string, string>

/** Remembers every command: what was applied, in which order and how often, is there to see. */
export const machine: Machine<Value, string, number, string, string> = {
  initial: [],
  apply: (state, command) => [[...state, command], state.length + 1],
  query: (state, query) => `${query}:${state.join(",")}`,
  sizeOf: (command) => command.length,
  digest: (command, result) => checksum(new TextEncoder().encode(`${command} ${result}`))
}

/** FNV-1a. */
export const checksum = (bytes: Uint8Array): number =>
  bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5)

export const options = { electionTimeoutMillis: 500, heartbeatMillis: 100 } satisfies Partial<Options>
export const makeRaft = (more: Partial<Options> = {}): Raft => Replica.make(machine, { ...options, ...more })
export const raft = makeRaft()

export const A = ReplicaId("A")
export const B = ReplicaId("B")
export const C = ReplicaId("C")
export const D = ReplicaId("D")
export const E = ReplicaId("E")
export const F = ReplicaId("F")
export const G = ReplicaId("G")
/** The first `size` members. */
export const members = (size: number): ReadonlyArray<ReplicaId> => [A, B, C, D, E, F, G].slice(0, size)

/** Now, in every test that does not say otherwise; and so long after. */
export const now = Instant(10_000)
export const after = (millis: number): Instant => Instant(now + millis)

/** The entry that the leader of `term` wrote at `index`; by Log Matching there is only one. */
export const entry = (index: number, term: number): LogEntry<string> => ({
  index: Index(index),
  term: Term(term),
  payload: {
    _tag: "Command",
    request: { replica: ReplicaId("Z"), incarnation: term, sequence: index },
    time: ClusterTime(0),
    command: `${index}.${term}`
  }
})

/** Entries with these terms, from index `from` on. */
export const entriesFrom = (from: number, ...terms: ReadonlyArray<number>): ReadonlyArray<LogEntry<string>> =>
  terms.map((term, at) => entry(from + at, term))
export const entries = (...terms: ReadonlyArray<number>): ReadonlyArray<LogEntry<string>> => entriesFrom(1, ...terms)
export const noOp = (index: number, term: number): LogEntry<string> => ({
  index: Index(index),
  term: Term(term),
  payload: { _tag: "NoOp" }
})
export const logged = (
  index: number,
  term: number,
  id: RequestId,
  command: string,
  time = ClusterTime(0)
): LogEntry<string> => ({
  index: Index(index),
  term: Term(term),
  payload: { _tag: "Command", request: id, time, command }
})
export const position = (index: number, term: number): LogPosition => ({ index: Index(index), term: Term(term) })

export interface Given {
  readonly id?: ReplicaId
  readonly voters?: ReadonlyArray<ReplicaId>
  /** Instead of `voters`, where there is more to say. */
  readonly configuration?: Configurations.Configuration
  readonly term?: number
  readonly votedFor?: ReplicaId | undefined
  /** The log, by its terms, or as entries. */
  readonly log?: ReadonlyArray<number> | ReadonlyArray<LogEntry<string>>
  readonly commit?: number
  /** Everything up to here is committed and dropped from the log; `log` still begins at index 1. */
  readonly base?: number
  /** Newest first. */
  readonly snapshots?: ReadonlyArray<Images.Snapshot>
  readonly admitted?: boolean
  /** False for one that gave up its log, and knows that it had one. */
  readonly pristine?: boolean
  readonly incarnation?: number
}

const common = (given: Given) => {
  const log = (given.log ?? []).map((one, at) => (typeof one === "number" ? entry(at + 1, one) : one))
  const made = StateMachines.commitTo(
    StateMachines.make(machine.initial, log),
    Index(Math.max(given.commit ?? 0, given.base ?? 0))
  )
  const stateMachine = StateMachines.apply(made, machine, () => {})
  const base = Index(given.base ?? 0)
  const incarnation = given.incarnation ?? 1
  const founding = given.configuration ?? Configurations.of(given.voters ?? members(3))
  const configurations = Succession.prune(Succession.restore(founding, Index(0), log), stateMachine.lastApplied)
  return {
    id: given.id ?? A,
    incarnation,
    configuration: Succession.last(configurations).configuration,
    configurations,
    removedAt: undefined,
    patientUntil: Instant(0),
    currentTerm: Term(given.term ?? log.at(-1)?.term ?? 0),
    votedFor: given.votedFor,
    admitted: given.admitted ?? true,
    introductions: Admission.none,
    pristine: given.pristine ?? true,
    stateMachine: {
      ...stateMachine,
      log: Logs.compact(stateMachine.log, { index: base, term: Logs.termAt(stateMachine.log, base)! })
    },
    snapshots: Snapshots.recovered(given.snapshots ?? []),
    incoming: undefined,
    diverged: undefined,
    diskFull: false,
    reads: Reads.initial(incarnation),
    seed: 7
  }
}

export const follower = (
  given: Given & { readonly leader?: ReplicaId; readonly heardAt?: Instant } = {}
): Follower => ({
  ...common(given),
  _tag: "Follower",
  leader: given.leader,
  leaderHeardAt: given.heardAt ?? now,
  electionDeadline: after(700),
  quorumLost: false
})

interface Votes {
  readonly votes?: ReadonlyArray<ReplicaId>
  readonly doubtful?: ReadonlyArray<ReplicaId>
  readonly heard?: ReadonlyArray<ReplicaId>
}
const stand = (given: Given & Votes, _tag: Candidate["_tag"]): Candidate => {
  const made = common(given)
  const votes = new Set([made.id, ...(given.votes ?? [])])
  return {
    ...made,
    _tag,
    votedFor: _tag === "Candidate" ? made.id : given.votedFor,
    votes,
    doubtful: new Set(given.doubtful ?? []),
    heard: new Set([...votes, ...(given.heard ?? [])]),
    electionDeadline: after(700),
    retry: { deadline: Instant(Number.POSITIVE_INFINITY), afterMillis: Number.POSITIVE_INFINITY },
    quorumLost: false
  }
}
export const preCandidate = (given: Given & Votes = {}): Candidate => stand(given, "PreCandidate")
export const candidate = (given: Given & Votes = {}): Candidate => stand(given, "Candidate")

/** A follower that holds everything up to `match`, and is sent what comes next. */
export const replicate = (match: number, more: Partial<Progresses.Replicate> = {}): Progresses.Progress => ({
  ...known(match, more),
  _tag: "Replicate",
  inflight: more.inflight ?? []
})
/** A follower that has got so much of a snapshot. */
export const installing = (
  snapshot: Images.Snapshot,
  more: Partial<Progresses.Snapshot> = {}
): Progresses.Progress => ({
  ...known(0, { nextIndex: Index(snapshot.last.index + 1), ...more }),
  _tag: "Snapshot",
  snapshot,
  offset: more.offset ?? 0,
  askedAt: more.askedAt,
  chunkBytes: more.chunkBytes ?? 64 * 1024,
  failures: more.failures ?? 0,
  pausedUntil: more.pausedUntil
})
/** A follower that is asked about the entry before `next`. */
export const probe = (next: number, more: Partial<Progresses.Probe> = {}): Progresses.Progress => ({
  ...known(0, { nextIndex: Index(next), ...more }),
  _tag: "Probe",
  asked: more.asked ?? true
})
const known = (match: number, more: Partial<Omit<Progresses.Replicate, "_tag" | "inflight">>) => ({
  matchIndex: more.matchIndex ?? Index(match),
  nextIndex: more.nextIndex ?? Index(match + 1),
  sentAt: more.sentAt ?? now,
  unanswered: more.unanswered ?? 0,
  heardAt: more.heardAt ?? now,
  sentCommit: more.sentCommit ?? Index(0),
  sentRound: more.sentRound ?? 0,
  confirmedRound: more.confirmedRound ?? 0,
  awaits: more.awaits ?? Index(0),
  incarnation: more.incarnation ?? 1,
  admitted: more.admitted ?? true,
  version: more.version ?? 1,
  patienceMillis: more.patienceMillis ?? 0,
  acknowledged: more.acknowledged ?? Index(0),
  catchingUp: more.catchingUp ?? false,
  compared: more.compared
})

interface Leading extends Given, Partial<Pick<Leader, "transfer" | "lease" | "catchUps" | "announced">> {
  readonly progress?: Readonly<Record<string, Progresses.Progress>>
  readonly round?: number
}
/** Leads; peers that `progress` does not name hold everything. If all do, everything is committed. */
export const leader = (given: Leading = {}): Leader => {
  const made = common(given.progress === undefined ? { commit: given.log?.length ?? 0, ...given } : given)
  const last = Logs.lastIndex(made.stateMachine.log)
  const peers = Configurations.peers(made.configuration, made.id)
  return {
    ...made,
    _tag: "Leader",
    votedFor: made.id,
    progress: new Map(peers.map((peer) => [peer, given.progress?.[peer] ?? replicate(last)])),
    round: given.round ?? 0,
    rounds: [],
    prompt: new Set(),
    asks: [],
    uncommittedBytes: 0,
    clock: { time: made.stateMachine.time, at: now },
    lease: given.lease ?? Lease.none,
    transfer: given.transfer,
    answers: { rate: 1, millis: 0 },
    announced: given.announced ?? Index(0),
    amended: [],
    catchUps: given.catchUps ?? new Map()
  }
}

export const received = (from: ReplicaId, message: Message, at: Instant = now): RaftEvent => ({
  _tag: "MessageReceived",
  from,
  message,
  at
})
export const deadline = (at: Instant): RaftEvent => ({ _tag: "DeadlineReached", at })
export const request = (sequence: number, replica: ReplicaId = A, incarnation = 1): RequestId => ({
  replica,
  incarnation,
  sequence
})
export const submitted = (sequence: number, command: string, at: Instant = now, replica: ReplicaId = A): RaftEvent => ({
  _tag: "CommandSubmitted",
  request: request(sequence, replica),
  command,
  at
})
export const queried = (sequence: number, query: string, at: Instant = now, replica: ReplicaId = A): RaftEvent => ({
  _tag: "QuerySubmitted",
  request: request(sequence, replica),
  query,
  at
})

export const preVote = (term: number, last: LogPosition): Message => ({ _tag: "PreVote", term: Term(term), last })
export const preVoteReply = (term: number, askedIn: number, granted: boolean, admitted = true): Message => ({
  _tag: "PreVoteReply",
  term: Term(term),
  askedIn: Term(askedIn),
  granted,
  admitted
})
export const requestVote = (term: number, last: LogPosition, transfer = false): Message => ({
  _tag: "RequestVote",
  term: Term(term),
  last,
  transfer
})
export const requestVoteReply = (term: number, granted: boolean): Message => ({
  _tag: "RequestVoteReply",
  term: Term(term),
  granted
})
export const append = (
  term: number,
  prev: LogPosition,
  sent: ReadonlyArray<LogEntry<string>> = [],
  { commit = 0, round = 0 } = {}
): Message => ({ _tag: "AppendEntries", term: Term(term), prev, entries: sent, leaderCommit: Index(commit), round })
/** The first start of a replica that counts and has applied nothing: who answers, where that is not the subject. */
export const anybody: Messages.Sender = { incarnation: 1, admitted: true, version: 1, patienceMillis: 0, applied: [] }
export const matched = (term: number, matchIndex: number, round = 0, sender = anybody): Message => ({
  _tag: "AppendEntriesReply",
  term: Term(term),
  round,
  result: { _tag: "Matched", matchIndex: Index(matchIndex) },
  sender
})
export const conflict = (term: number, prevIndex: number, hint: LogPosition, round = 0, sender = anybody): Message => ({
  _tag: "AppendEntriesReply",
  term: Term(term),
  round,
  result: { _tag: "Conflict", prevIndex: Index(prevIndex), hint },
  sender
})
export const forwardRefused = (
  term: number,
  reason: Effects.Refusal,
  ...requests: ReadonlyArray<RequestId>
): Message => ({ _tag: "ForwardRefused", term: Term(term), requests, reason })
export const introduce = (term: number, incarnation: number): Message => ({
  _tag: "Introduce",
  term: Term(term),
  incarnation
})
export const forward = (term: number, ...requests: ReadonlyArray<Messages.Request<string>>): Message => ({
  _tag: "Forward",
  term: Term(term),
  requests
})
export const readIndex = (term: number, number: number): Message => ({ _tag: "ReadIndex", term: Term(term), number })
export const readIndexReply = (term: number, number: number, index: number): Message => ({
  _tag: "ReadIndexReply",
  term: Term(term),
  number,
  index: Index(index)
})

export const send = (to: ReplicaId, message: Message): RaftEffect => ({ _tag: "Send", to, message })
export const persist = (
  hardState: { readonly term: number; readonly votedFor: ReplicaId | undefined } | undefined,
  log?: { readonly from: number; readonly entries: ReadonlyArray<LogEntry<string>> },
  more: { readonly admitted?: boolean; readonly base?: LogPosition } = {}
): Effects.Persist<string> => ({
  _tag: "Persist",
  hardState: hardState && { currentTerm: Term(hardState.term), votedFor: hardState.votedFor },
  admitted: more.admitted,
  base: more.base,
  log: log && { from: Index(log.from), entries: log.entries }
})
/** A record that only lengthens the log: what is on its way to the disk begins at `index`. */
export const recordFrom = (index: number): Effects.Persist<string> => persist(undefined, { from: index, entries: [] })
export const reply = (sequence: number, outcome: Effects.Outcome<number, string>): RaftEffect => ({
  _tag: "Reply",
  request: request(sequence),
  outcome
})
export const applied = (sequence: number, result: number): RaftEffect => reply(sequence, { _tag: "Applied", result })
export const answered = (sequence: number, answer: string): RaftEffect => reply(sequence, { _tag: "Answered", answer })
export const refused = (sequence: number, reason: Effects.Refusal): RaftEffect =>
  reply(sequence, { _tag: "Refused", reason })
export const leaderChanged = (to: ReplicaId, term: number): RaftEffect => ({
  _tag: "LeaderChanged",
  leader: to,
  term: Term(term)
})
export const quorumLost: RaftEffect = { _tag: "QuorumLost" }

/** Reduces, and requires of the step and of both its ends that no invariant is broken. */
export const step = (
  state: ServerState,
  events: RaftEvent | ReadonlyArray<RaftEvent>,
  by: Raft = raft
): readonly [ServerState, ReadonlyArray<RaftEffect>] => {
  expect(Invariants.ofState(state)).toEqual([])
  const [next, effects] = by.reduceAll(state, [events].flat())
  expect(Invariants.ofState(next)).toEqual([])
  expect(Invariants.ofStep(state, effects, next)).toEqual([])
  expect(Invariants.ofLog(next.stateMachine.log)).toEqual([])
  return [next, effects]
}

/** What was sent, or of it what one peer was. */
export const sent = (effects: ReadonlyArray<RaftEffect>, to?: ReplicaId): ReadonlyArray<Message> =>
  effects.flatMap((effect) =>
    effect._tag === "Send" && (to === undefined || effect.to === to) ? [effect.message] : []
  )

/** The log of a state, by its terms; what stands before its base is not in it. */
export const terms = (state: ServerState): ReadonlyArray<number> =>
  Logs.slice(state.stateMachine.log, Index(1), state.stateMachine.log.length).map((one) => one.term)

/** A replica that starts from this disk; from an empty one of a member, where nothing else is said. */
export const start = (
  given: {
    readonly term?: number
    readonly votedFor?: ReplicaId | undefined
    readonly log?: ReadonlyArray<LogEntry<string>>
  } & Partial<Omit<Replica.Start<Value, string>, "hardState" | "entries">> = {},
  by: Raft = raft
): ServerState => {
  const { term, votedFor, log, ...rest } = given
  return by.init({
    id: A,
    incarnation: 1,
    configuration: Configurations.of(members(3)),
    at: now,
    seed: 1,
    hardState: { currentTerm: Term(term ?? 0), votedFor },
    admitted: true,
    image: undefined,
    base: origin,
    entries: log ?? [],
    snapshots: [],
    ...rest
  })
}

/** A state without what is drawn or told by the clock: what a test compares when time is not its subject. */
export const timeless = (state: ServerState) => {
  const { seed: _, ...rest } = state
  switch (rest._tag) {
    case "Follower":
      return { ...rest, electionDeadline: undefined, leaderHeardAt: undefined }
    case "PreCandidate":
    case "Candidate":
      return { ...rest, electionDeadline: undefined }
    case "Leader": {
      const progress = [...rest.progress].map(([peer, one]) => [peer, { ...one, sentAt: 0, heardAt: 0 }])
      return { ...rest, progress }
    }
  }
}
