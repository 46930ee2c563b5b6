/**
 * A replica is a function: state and events in, state and effects out. This file is the
 * way in, and the map of the rest.
 *
 *     reduceAll = decide (each event) , settle (once) , seal (once)
 *
 * *decide* is the protocol of Figure 2, a message at a time. *settle* draws the consequences
 * for a whole batch: log, commit, apply, answer, replicate. *seal* (Durability.ts) derives
 * what must be on disk and puts the effects in order. Many events share one `Persist`.
 */
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, batch as newBatch, type Core, send } from "./Core.ts"
import { seal } from "./Durability.ts"
import * as Election from "./Election.ts"
import { Instant, type LogEntry, type ReplicaId } from "./LogEntry.ts"
import type { Machine } from "./Machine.ts"
import type { Message } from "./Message.ts"
import { defaults, type Options } from "./Options.ts"
import type { HardState, RaftEffect } from "./RaftEffect.ts"
import type { RaftEvent } from "./RaftEvent.ts"
import * as Reads from "./Reads.ts"
import * as Replication from "./Replication.ts"
import type { Seed } from "./Seed.ts"
import { becomeFollower, drawElectionDeadline, type Leader, type ServerState } from "./ServerState.ts"
import { settle } from "./Settling.ts"
import * as StateMachines from "./StateMachine.ts"

/** What a replica starts from: its disk, empty on the first start. */
export interface Start<C> {
  readonly id: ReplicaId
  readonly incarnation: number
  readonly configuration: Configuration
  readonly at: Instant
  readonly seed: Seed
  readonly hardState: HardState
  /** Consecutive from index 1. */
  readonly entries: ReadonlyArray<LogEntry<C>>
}

export interface Replica<S, C, R, Q, A> {
  readonly options: Options
  /** A follower that knows no leader (§5.2); nothing is committed until a leader says so. */
  readonly init: (start: Start<C>) => ServerState<S, C, Q>
  readonly reduce: (
    state: ServerState<S, C, Q>,
    event: RaftEvent<C, Q>
  ) => readonly [ServerState<S, C, Q>, ReadonlyArray<RaftEffect<C, R, A>>]
  /** All events share one `Persist`. An event that does not apply leaves the very same state. */
  readonly reduceAll: (
    state: ServerState<S, C, Q>,
    events: ReadonlyArray<RaftEvent<C, Q>>
  ) => readonly [ServerState<S, C, Q>, ReadonlyArray<RaftEffect<C, R, A>>]
  /** When to deliver `DeadlineReached`, if nothing happens before. */
  readonly nextDeadline: (state: ServerState<S, C, Q>) => Instant
}

export const make = <S, C, R, Q, A>(
  machine: Machine<S, C, R, Q, A>,
  options: Partial<Options> = {}
): Replica<S, C, R, Q, A> => {
  const core: Core<S, C, R, Q, A> = { machine, options: { ...defaults, ...options } }
  const reduceAll: Replica<S, C, R, Q, A>["reduceAll"] = (before, events) => {
    const last = events.at(-1)
    if (last === undefined) return [before, []]
    const batch = newBatch<C, Q, R, A>()
    let state = before
    for (const event of events) state = decide(core, state, event, batch)
    state = settle(core, state, last.at, batch)
    return [state, seal(before, state, batch.said)]
  }
  return {
    options: core.options,
    init: (start) => init(core, start),
    reduce: (state, event) => reduceAll(state, [event]),
    reduceAll,
    nextDeadline: (state) => nextDeadline(core.options, state)
  }
}

const init = <S, C, R, Q, A>(core: Core<S, C, R, Q, A>, start: Start<C>): ServerState<S, C, Q> => {
  const { id, incarnation, configuration, at } = start
  const drawn = drawElectionDeadline(core.options, start.seed, at)
  // A sole voter has nobody to wait for.
  const alone = Configurations.isQuorum(configuration, new Set([id]))
  return {
    _tag: "Follower",
    id,
    incarnation,
    configuration,
    currentTerm: start.hardState.currentTerm,
    votedFor: start.hardState.votedFor,
    stateMachine: StateMachines.make(core.machine.initial, start.entries),
    reads: Reads.initial(incarnation),
    seed: drawn.seed,
    leader: undefined,
    leaderHeardAt: at,
    electionDeadline: alone ? at : drawn.electionDeadline,
    quorumLost: false
  }
}

/** One event, by what it is. Commands and queries are only gathered here; `settle` knows by then who leads. */
const decide = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  event: RaftEvent<C, Q>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  switch (event._tag) {
    case "DeadlineReached":
      return onDeadline(core, state, event.at, batch)
    case "MessageReceived":
      return onMessage(core, state, event, batch)
    case "CommandSubmitted":
      batch.commands.push({ request: event.request, command: event.command })
      return state
    case "QuerySubmitted":
      batch.reads.push({ request: event.request, query: event.query })
      return state
  }
}

/** Time has passed: perhaps nobody leads any more. Early news of it changes nothing. */
const onDeadline = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  switch (state._tag) {
    case "Follower":
    case "PreCandidate":
    case "Candidate":
      return at < state.electionDeadline ? state : Election.becomePreCandidate(core, state, at, batch)
    case "Leader":
      return at < Replication.quorumDeadline(state, core.options)
        ? state
        : becomeFollower(state, core.options, { term: state.currentTerm, leader: undefined, at, quorumLost: true })
  }
}

/** The rules about terms (§5.1), then the message itself. Who is no member is not heard. */
const onMessage = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  received: { readonly from: ReplicaId; readonly message: Message<C>; readonly at: Instant },
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const { from, message, at } = received
  if (from === state.id || !Configurations.isMember(state.configuration, from)) return state
  if (message.term > state.currentTerm && message._tag !== "PreVote") {
    if (message._tag === "RequestVote" && Election.trustsLeader(state, core.options.electionTimeoutMillis, at))
      return state
    const follower = becomeFollower(state, core.options, {
      term: message.term,
      leader: undefined,
      at,
      quorumLost: false
    })
    return onCurrent(core, follower, received, batch)
  }
  return message.term < state.currentTerm
    ? onStale(core, state, received, batch)
    : onCurrent(core, state, received, batch)
}

/** A message of this replica's term, or one to which terms do not apply. */
const onCurrent = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: { readonly from: ReplicaId; readonly message: Message<C>; readonly at: Instant },
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  switch (message._tag) {
    case "PreVote":
      return Election.onPreVote(core, state, { from, message, at }, batch)
    case "PreVoteReply":
      return Election.onPreVoteReply(core, state, { from, message, at }, batch)
    case "RequestVote":
      return Election.onRequestVote(core, state, { from, message, at }, batch)
    case "RequestVoteReply":
      return Election.onRequestVoteReply(state, { from, message, at })
    case "AppendEntries":
      return Replication.onAppendEntries(core, state, { from, message, at }, batch)
    case "AppendEntriesReply":
      return Replication.onAppendEntriesReply(state, { from, message, at })
    case "Forward":
      // What a leader of this term is asked to log. Anybody else drops it: its sender hears of the new leader.
      if (state._tag === "Leader") for (const request of message.requests) batch.commands.push(request)
      return state
    case "ReadIndex":
      if (state._tag === "Leader") batch.asks.push({ from, number: message.number })
      return state
    case "ReadIndexReply": {
      const reads = Reads.onIndex(state.reads, message.number, message.index)
      return reads === state.reads ? state : { ...state, reads }
    }
  }
}

/** An older term: its requests are answered with this replica's term, so that their sender catches up; the rest is void. */
const onStale = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  received: { readonly from: ReplicaId; readonly message: Message<C>; readonly at: Instant },
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const { from, message, at } = received
  const term = state.currentTerm
  switch (message._tag) {
    case "PreVote":
      return Election.onPreVote(core, state, { from, message, at }, batch)
    case "PreVoteReply":
      // The voter is behind, but its answer is to the question that was asked.
      return Election.onPreVoteReply(core, state, { from, message, at }, batch)
    case "RequestVote":
      send(batch, from, { _tag: "RequestVoteReply", term, granted: false })
      return state
    case "AppendEntries": {
      const { round, prev } = message
      send(batch, from, {
        _tag: "AppendEntriesReply",
        term,
        round,
        result: { _tag: "Conflict", prevIndex: prev.index, hint: prev }
      })
      return state
    }
    case "RequestVoteReply":
    case "AppendEntriesReply":
    case "Forward":
    case "ReadIndex":
    case "ReadIndexReply":
      return state
  }
}

const nextDeadline = <S, C, Q>(options: Options, state: ServerState<S, C, Q>): Instant => {
  // There is more to apply than one step may: go on at once.
  if (state.stateMachine.lastApplied < state.stateMachine.commitIndex) return Instant(0)
  switch (state._tag) {
    case "Follower": {
      let deadline: number = state.electionDeadline
      for (const { askedAt } of state.reads.asked) deadline = Math.min(deadline, askedAt + options.readRetryMillis)
      return Instant(deadline)
    }
    case "PreCandidate":
    case "Candidate":
      return state.electionDeadline
    case "Leader":
      return leaderDeadline(options, state)
  }
}

const leaderDeadline = <S, C, Q>(options: Options, state: Leader<S, C, Q>): Instant => {
  let deadline: number = Replication.quorumDeadline(state, options)
  for (const { sentAt } of state.progress.values()) deadline = Math.min(deadline, sentAt + options.heartbeatMillis)
  return Instant(deadline)
}
