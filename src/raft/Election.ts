/**
 * How a leader comes to be: PreVote (thesis §9.6), RequestVote (§5.2), and the restriction
 * that a leader's log must hold all that is committed (§5.4.1).
 *
 * PreVote binds nobody: a replica that was cut off finds out that it could not win without
 * raising its term, so it does not depose a leader when it comes back.
 */
import * as Admission from "./Admission.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, type Received, send } from "./Core.ts"
import * as Logs from "./Log.ts"
import * as Leases from "./Lease.ts"
import { ClusterTime, Index, Instant, type LogEntry, type ReplicaId, Term } from "./LogEntry.ts"
import type { NotAMember, PreVote, PreVoteReply, RequestVote, RequestVoteReply, TimeoutNow } from "./Message.ts"
import * as Progresses from "./Progress.ts"
import { askAgain } from "./Reads.ts"
import {
  becomeFollower,
  type Candidate,
  common,
  drawElectionDeadline,
  type Leader,
  leaderOf,
  type Retry,
  type ServerState
} from "./ServerState.ts"
import type { StateMachine } from "./StateMachine.ts"
import * as Succession from "./Succession.ts"

/**
 * True while this replica has reason to believe in a leader. It then neither votes for
 * another nor enters its term: a replica that cannot hear the leader must not disturb
 * those that can (thesis §4.2.3).
 */
export const trustsLeader = <S, C, Q>(
  state: ServerState<S, C, Q>,
  electionTimeoutMillis: number,
  at: Instant
): boolean =>
  state._tag === "Leader" ||
  at < state.patientUntil ||
  (state._tag === "Follower" && state.leader !== undefined && at < state.leaderHeardAt + electionTimeoutMillis)

const nobody: ReadonlySet<ReplicaId> = new Set()

/** Asks all peers whether they would vote for this replica in the next term; the term stays. */
export const becomePreCandidate = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  if (state._tag === "PreCandidate" && Admission.mayBeginWith(state)) return becomeCandidate(core, state, at, batch)
  const self = new Set([state.id])
  const candidate: Candidate<S, C, Q> = {
    ...common(state),
    ...drawElectionDeadline(core.options, state.seed, at),
    _tag: "PreCandidate",
    reads: askAgain(state.reads, []),
    votes: self,
    doubtful: state.admitted ? nobody : self,
    heard: self,
    // Whom a whole round has not reached the next one reaches by luck only: once is enough.
    retry: retryFrom(missedQuorum(state) ? Number.POSITIVE_INFINITY : core.options.voteRetryMillis, at),
    quorumLost: missedQuorum(state)
  }
  if (Configurations.isQuorum(state.configuration, self)) return becomeCandidate(core, candidate, at, batch)
  askForVotes(candidate, batch)
  return candidate
}

/** Each time it waits so many times as long. */
const retryGrowth = 1000

const retryFrom = (afterMillis: number, at: Instant): Retry => ({ afterMillis, deadline: Instant(at + afterMillis) })

/** Asks every voter that has not answered yet. */
const askForVotes = <S, C, R, Q, A>(state: Candidate<S, C, Q>, batch: Batch<C, Q, R, A>, transfer = false): void => {
  const { currentTerm: term } = state
  const last = Logs.last(state.stateMachine.log)
  const message: PreVote | RequestVote =
    state._tag === "PreCandidate" ? { _tag: "PreVote", term, last } : { _tag: "RequestVote", term, last, transfer }
  for (const peer of Configurations.otherVoters(state.configuration, state.id)) {
    if (!state.heard.has(peer)) send(batch, peer, message)
  }
}

/** A question or its answer may be lost. Asking twice asks for nothing more than asking once. */
export const onRetry = <S, C, R, Q, A>(
  state: Candidate<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Candidate<S, C, Q> => {
  if (at < state.retry.deadline) return state
  askForVotes(state, batch)
  return { ...state, retry: retryFrom(retryGrowth * state.retry.afterMillis, at) }
}

/** The leader hands over to this replica, which asks nobody first whether it could win (thesis §3.10). */
export const onTimeoutNow = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, at }: Received<TimeoutNow>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  if (state._tag !== "Follower" || state.leader !== from || !state.admitted || !Admission.mayStand(state)) return state
  const nobodyYet = { votes: nobody, doubtful: nobody, heard: nobody, quorumLost: false }
  const { electionDeadline } = state
  const reads = askAgain(state.reads, [])
  const retry = retryFrom(core.options.voteRetryMillis, at)
  const candidate = { ...common(state), ...nobodyYet, _tag: "PreCandidate" as const, electionDeadline, retry, reads }
  return becomeCandidate(core, candidate, at, batch, true)
}

/** Whether the round that ends now has shown that no majority is in reach. A first round shows nothing yet. */
const missedQuorum = <S, C, Q>(state: ServerState<S, C, Q>): boolean => {
  switch (state._tag) {
    case "Leader":
      return false
    case "Follower":
      return state.quorumLost
    case "PreCandidate":
    case "Candidate":
      return !Configurations.isQuorum(state.configuration, state.heard)
  }
}

/** Stands for election: a new term, a vote for itself (§5.2). Both are on disk before anybody is asked. */
const becomeCandidate = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Candidate<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>,
  transfer = false
): ServerState<S, C, Q> => {
  const term = Term(state.currentTerm + 1)
  const self = new Set([state.id])
  const candidate: Candidate<S, C, Q> = {
    ...state,
    ...drawElectionDeadline(core.options, state.seed, at),
    _tag: "Candidate",
    currentTerm: term,
    votedFor: state.id,
    admitted: true,
    votes: self,
    doubtful: nobody,
    heard: self,
    retry: retryFrom(core.options.voteRetryMillis, at)
  }
  if (Configurations.isQuorum(state.configuration, self)) return becomeLeader(candidate, at)
  askForVotes(candidate, batch, transfer)
  return candidate
}

/**
 * Leads. Its first entry is a no-op: only by committing an entry of its own term does a
 * leader learn that what it inherited is committed too (§5.4.2, §8).
 */
const becomeLeader = <S, C, Q>(state: Candidate<S, C, Q>, at: Instant): Leader<S, C, Q> => {
  const { log } = state.stateMachine
  const lastIndex = Logs.lastIndex(log)
  const noOp: LogEntry<C> = { index: Index(lastIndex + 1), term: state.currentTerm, payload: { _tag: "NoOp" } }
  const progress = Progresses.initial({ lastIndex, at })
  const { configuration } = state
  return {
    ...common(state),
    _tag: "Leader",
    stateMachine: { ...state.stateMachine, log: Logs.append(log, [noOp]) },
    progress: new Map(Configurations.peers(configuration, state.id).map((peer) => [peer, progress])),
    round: 0,
    rounds: [],
    prompt: new Set(),
    asks: [],
    uncommittedBytes: 0,
    clock: { time: lastTime(state.stateMachine), at },
    lease: Leases.none,
    transfer: undefined,
    answers: { rate: 1, millis: 0 },
    announced: noOp.index,
    amended: state.configurations.flatMap(({ request }) => (request === undefined ? [] : [request])),
    catchUps: new Map()
  }
}

/** The cluster's time goes on from where the log's last stamp has left it. */
const lastTime = <S, C>({ log, lastApplied, time }: StateMachine<S, C>): ClusterTime => {
  for (let index = Logs.lastIndex(log); index > lastApplied; index = Index(index - 1)) {
    const payload = Logs.get(log, index)?.payload
    if (payload?._tag === "Command") return ClusterTime(Math.max(payload.time, time))
  }
  return time
}

/** "Would you vote for me?" Yes, if no leader is known to live and the asker's log is good enough. */
export const onPreVote = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<PreVote>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const granted =
    Admission.mayVote(state, message.last) &&
    message.term >= state.currentTerm &&
    !trustsLeader(state, core.options.electionTimeoutMillis, at) &&
    Logs.upToDate(message.last, Logs.last(state.stateMachine.log))
  const { currentTerm: term, admitted } = state
  send(batch, from, { _tag: "PreVoteReply", term, askedIn: message.term, granted, admitted })
  if (!granted) tellOutsider(state, from, batch)
  return state
}

/**
 * Who was removed may not have heard of it, and would ask for votes for ever. It cannot win: it lacks the committed
 * entry that removed it (§5.4.1).
 */
const tellOutsider = <S, C, R, Q, A>(state: ServerState<S, C, Q>, to: ReplicaId, batch: Batch<C, Q, R, A>): void => {
  const { index } = Succession.last(state.configurations)
  if (Configurations.isMember(state.configuration, to) || index > state.stateMachine.commitIndex || index === 0) return
  send(batch, to, { _tag: "NotAMember", term: state.currentTerm, index })
}

/**
 * A voter knows better who is a member, unless it only has not heard of something that this replica has. What
 * stands at that index here is the very configuration, of which this replica did not know that it is committed, or one
 * that never will be. One that trusts a leader believes it of that one only.
 */
export const onNotAMember = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<NotAMember>
): ServerState<S, C, Q> => {
  const isNews = state._tag !== "Leader" && message.index >= Succession.last(state.configurations).index
  const isMistrusted = leaderOf(state) !== from && trustsLeader(state, core.options.electionTimeoutMillis, at)
  if (!isNews || isMistrusted) return state
  const removed = { ...state, removedAt: message.index }
  return becomeFollower(removed, core.options, { term: state.currentTerm, leader: undefined, at, quorumLost: true })
}

export const onPreVoteReply = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<PreVoteReply>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  if (state._tag !== "PreCandidate" || message.askedIn !== state.currentTerm) return state
  if (!Configurations.isVoter(state.configuration, from)) return state
  const { granted, admitted } = message
  const voted = count(state, from, granted)
  const counted = granted && !admitted ? { ...voted, doubtful: new Set(voted.doubtful).add(from) } : voted
  const isWon = Configurations.isQuorum(state.configuration, counted.votes) && Admission.knowsEnough(counted)
  return isWon ? becomeCandidate(core, counted, at, batch) : counted
}

/**
 * A vote, in the term that this replica has just entered or was in. At most one a term
 * (§5.2), only for a log at least as up-to-date as its own (§5.4.1). The vote is on disk
 * before the reply leaves, because everything right of `Persist` is.
 *
 * Patience is asked for here as well: this term may have been learnt from another message than the request.
 */
export const onRequestVote = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<RequestVote>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const granted =
    Admission.mayVote(state, message.last) &&
    state._tag === "Follower" &&
    state.leader === undefined &&
    (message.transfer || at >= state.patientUntil) &&
    (state.votedFor === undefined || state.votedFor === from) &&
    Logs.upToDate(message.last, Logs.last(state.stateMachine.log))
  send(batch, from, { _tag: "RequestVoteReply", term: state.currentTerm, granted })
  return granted
    ? { ...state, ...drawElectionDeadline(core.options, state.seed, at), votedFor: from, admitted: true }
    : state
}

export const onRequestVoteReply = <S, C, Q>(
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<RequestVoteReply>
): ServerState<S, C, Q> => {
  if (state._tag !== "Candidate" || !Configurations.isVoter(state.configuration, from)) return state
  const counted = count(state, from, message.granted)
  return Configurations.isQuorum(state.configuration, counted.votes) ? becomeLeader(counted, at) : counted
}

/** Sets, not counters: a doubled reply changes nothing. */
const count = <S, C, Q>(state: Candidate<S, C, Q>, from: ReplicaId, granted: boolean): Candidate<S, C, Q> => {
  if (state.heard.has(from) && (!granted || state.votes.has(from))) return state
  const heard = new Set(state.heard).add(from)
  const votes = granted ? new Set(state.votes).add(from) : state.votes
  return {
    ...state,
    heard,
    votes,
    quorumLost: state.quorumLost && !Configurations.isQuorum(state.configuration, heard)
  }
}
