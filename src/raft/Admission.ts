/**
 * A replica that has lost its disk has forgotten what it promised: whom it voted for, and what it
 * acknowledged. It may not break a promise that it does not know, so until it has caught up it is
 * not *admitted*: it follows and stores, but does not vote, does not stand, and what it acknowledges
 * counts for nothing. The same goes for one that never had a disk, as it cannot tell the difference.
 *
 * It is admitted when every other voter has told it its term, in this life of it, the leader of the
 * present term among them, with what it knew to be committed; and when it has since seen an entry of
 * that term committed, and all of that. Then it is in a term as high as any in which it can have voted,
 * for whoever it voted for is among those it heard; and it holds all that it can have helped to
 * commit: the leader of its term was elected without it, so that leader's log held everything that
 * older terms had committed, and what was committed in this term rested on acknowledgements that
 * this leader had counted when it answered (it counts none of an earlier life after that, and one that
 * has restarted, and forgotten what it counted, does not lead the term any more).
 *
 * At a cluster's beginning nobody is admitted. A replica with an empty log therefore votes for one
 * with an empty log, and is admitted by that. (A transport must not deliver to a replica what was sent to
 * an earlier life of it: see Transport. A request for a vote of the very first election would be taken for a new one.)
 * What this cannot tell from a beginning: that all voters in
 * reach, a majority, have empty logs, one of them because its disk was lost, while those who hold
 * the cluster's data are away. Membership in the log, with a name for each disk, will close this.
 */
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, type Received, send } from "./Core.ts"
import * as Logs from "./Log.ts"
import { Index, type LogPosition, type ReplicaId, Term } from "./LogEntry.ts"
import type { Forgotten, Introduce, IntroduceReply, Message, Sender } from "./Message.ts"
import { versionOf } from "./Machine.ts"
import { type Candidate, leaderOf, type ServerState } from "./ServerState.ts"
import * as StateMachines from "./StateMachine.ts"
import * as Succession from "./Succession.ts"

/** Who has answered in this life of the replica, and what a leader knew to be committed when it did. */
export interface Introductions {
  readonly by: ReadonlySet<ReplicaId>
  /** The latest term whose leader has answered, and its commit index then. */
  readonly term: Term
  readonly floor: Index
}

export const none: Introductions = { by: new Set(), term: Term(0), floor: Index(0) }

const isBlank = <S, C, Q>(state: ServerState<S, C, Q>): boolean => Logs.lastIndex(state.stateMachine.log) === 0

/** Whether this may be a cluster's beginning. Whoever gave up a log knows that it is not. */
const mayBegin = <S, C, Q>(state: ServerState<S, C, Q>): boolean =>
  state.pristine && isBlank(state) && Configurations.isVoter(state.configuration, state.id)

/** Whoever has heard that there is a history is not at a beginning, and remembers that: see `seal`. */
export const hear = <S, C, Q>(state: ServerState<S, C, Q>, message: Message<C>): ServerState<S, C, Q> =>
  state.pristine && !state.admitted && showsHistory(message) ? { ...state, pristine: false } : state

const showsHistory = <C>(message: Message<C>): boolean => {
  switch (message._tag) {
    case "AppendEntries":
    case "InstallSnapshot":
      return true
    case "PreVote":
    case "RequestVote":
      return message.last.index > 0
    default:
      return false
  }
}

/** Whether it may vote for a candidate whose log ends at `last`. */
export const mayVote = <S, C, Q>(state: ServerState<S, C, Q>, last: LogPosition): boolean =>
  state.admitted || (mayBegin(state) && last.index === 0)

export const mayStand = <S, C, Q>(state: ServerState<S, C, Q>): boolean =>
  state.diverged === undefined &&
  state.removedAt === undefined &&
  state.stateMachine.outdated === undefined &&
  Succession.isVoter(state.configurations, state.id) &&
  (state.admitted || mayBegin(state))

/**
 * Whether a pre-candidate that a majority would vote for may stand at once. One with an empty log needs for that
 * a majority of replicas that have forgotten nothing, itself among them, which shows that nothing was ever
 * committed; or every voter. Otherwise somebody who knows better may only be slow.
 */
export const knowsEnough = <S, C, Q>(state: Candidate<S, C, Q>): boolean => {
  const { configuration, doubtful, votes } = state
  if (!mayStand(state)) return false
  if (!isBlank(state) || Configurations.allVoters(configuration).every((id) => votes.has(id))) return true
  return state.admitted && Configurations.isQuorum(configuration, new Set([...votes].filter((id) => !doubtful.has(id))))
}

/** With an empty log, after an election timeout in which a majority was for it, and nobody who can be reached against. */
export const mayBeginWith = <S, C, Q>(state: Candidate<S, C, Q>): boolean =>
  isBlank(state) &&
  mayStand(state) &&
  Configurations.isQuorum(state.configuration, state.votes) &&
  state.heard.size === state.votes.size

/** Asks those who have not answered yet. Called whenever the leader speaks, and when nobody does. */
export const introduce = <S, C, Q, R, A>(state: ServerState<S, C, Q>, batch: Batch<C, Q, R, A>): void => {
  if (state.admitted || mayBegin(state)) return
  const { by, term } = state.introductions
  const leader = leaderOf(state)
  const voters = Succession.otherVoters(state.configurations, state.id)
  for (const peer of leader === undefined || voters.includes(leader) ? voters : [...voters, leader]) {
    const isKnown = by.has(peer) && (peer !== leader || term === state.currentTerm)
    if (isKnown) continue
    send(batch, peer, { _tag: "Introduce", term: state.currentTerm, incarnation: state.incarnation })
  }
}

/** A leader no longer counts what an earlier life of the asker acknowledged late: see Progress. */
export const onIntroduce = <S, C, Q, R, A>(
  state: ServerState<S, C, Q>,
  { from, message }: Pick<Received<Introduce>, "from" | "message">,
  batch: Batch<C, Q, R, A>
): void => {
  const { commitIndex } = state.stateMachine
  const { incarnation } = message
  const leads = state._tag === "Leader"
  send(batch, from, { _tag: "IntroduceReply", term: state.currentTerm, incarnation, leads, commitIndex })
}

export const onIntroduceReply = <S, C, Q>(
  state: ServerState<S, C, Q>,
  { from, message }: Pick<Received<IntroduceReply>, "from" | "message">
): ServerState<S, C, Q> => {
  if (state.admitted || message.incarnation !== state.incarnation) return state
  const known = { ...state.introductions, by: new Set(state.introductions.by).add(from) }
  const isNews = message.leads && message.term >= known.term
  const introductions = isNews ? { ...known, term: message.term, floor: message.commitIndex } : known
  return { ...state, introductions }
}

/** Whether a follower that has just heard its leader has caught up with all that it can have promised. */
export const isAdmitted = <S, C, Q>(state: ServerState<S, C, Q>): boolean => {
  if (state.admitted) return true
  const { log, commitIndex } = state.stateMachine
  return (
    // Of every configuration that may be in force: it may have voted, or may be counted, in any of them.
    Succession.otherVoters(state.configurations, state.id).every((peer) => state.introductions.by.has(peer)) &&
    state.introductions.term === state.currentTerm &&
    commitIndex >= state.introductions.floor &&
    Logs.termAt(log, commitIndex) === state.currentTerm
  )
}

/** How a replica makes itself known in what it acknowledges. One that differs has been told, and need not be compared. */
export const sender = <S, C, R, Q, A>(
  { machine, options }: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>
): Sender => ({
  incarnation: state.incarnation,
  admitted: state.admitted,
  version: versionOf(machine),
  patienceMillis: options.leaseReads ? options.electionTimeoutMillis : 0,
  applied: state.diverged === undefined ? StateMachines.checkpoints(state.stateMachine) : []
})

/** The leader remembers an acknowledgement for which there is nothing here: the disk is not what it was. */
export const onForgotten = <S, C, Q>(
  state: ServerState<S, C, Q>,
  { from, message }: Pick<Received<Forgotten>, "from" | "message">
): ServerState<S, C, Q> => {
  const isMeant =
    state._tag === "Follower" &&
    state.leader === from &&
    message.incarnation === state.incarnation &&
    message.index > Logs.lastIndex(state.stateMachine.log)
  return isMeant && state.admitted ? { ...state, admitted: false, introductions: none } : state
}
