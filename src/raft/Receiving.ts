/**
 * What comes from peers, by what it is: first the rules about terms, which are the same for all,
 * then the part of the protocol that it belongs to.
 */
import * as Admission from "./Admission.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, type Received, send } from "./Core.ts"
import * as Divergence from "./Divergence.ts"
import * as Election from "./Election.ts"
import * as Heartbeats from "./Heartbeats.ts"
import type { ReplicaId } from "./LogEntry.ts"
import type { Message } from "./Message.ts"
import * as Reads from "./Reads.ts"
import * as Replication from "./Replication.ts"
import { becomeFollower, leaderOf, type ServerState } from "./ServerState.ts"
import { isOwn } from "./Settling.ts"
import * as Snapshotting from "./Snapshotting.ts"

/** The rules about terms (§5.1), then the message itself. */
export const onMessage = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: ServerState<S, C, Q>,
  received: Received<Message<C>>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const { from, message, at } = received
  if (from === before.id || !isHeard(before, from, message)) return before
  const state = Admission.hear(before, message)
  if (message.term > state.currentTerm && message._tag !== "PreVote") {
    const isDisturbing = message._tag === "RequestVote" && !message.transfer
    if (isDisturbing && Election.trustsLeader(state, core.options.electionTimeoutMillis, at)) return state
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

/**
 * A leader or candidate may be a member by a configuration that this replica does not have yet (thesis §4.1): whatever may
 * lead to that one is heard from anybody, and what a majority is made of only from members.
 */
const isHeard = <S, C, Q>(state: ServerState<S, C, Q>, from: ReplicaId, message: Message<C>): boolean => {
  switch (message._tag) {
    case "PreVote":
    case "RequestVote":
    case "AppendEntries":
    case "Heartbeat":
    case "InstallSnapshot":
    case "Introduce":
    case "IntroduceReply":
    case "NotAMember":
      return true
    case "PreVoteReply":
    case "RequestVoteReply":
    case "AppendEntriesReply":
    case "InstallSnapshotReply":
    case "HeartbeatReply":
    case "TimeoutNow":
    case "Forward":
    case "ForwardRefused":
    case "ForwardTransfer":
    case "ForwardAmendment":
    case "ReadIndex":
    case "ReadIndexReply":
    case "Forgotten":
    case "Diverged":
      // A leader that is being removed leads until that is committed.
      return Configurations.isMember(state.configuration, from) || leaderOf(state) === from
  }
}

/** A message of this replica's term, or one to which terms do not apply. */
const onCurrent = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<Message<C>>,
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
      return Replication.onAppendEntriesReply(state, { from, message, at }, batch)
    case "Heartbeat":
      return Heartbeats.onHeartbeat(core, state, { from, message, at }, batch)
    case "HeartbeatReply":
      return Heartbeats.onHeartbeatReply(state, { from, message, at })
    case "TimeoutNow":
      return Election.onTimeoutNow(core, state, { from, message, at }, batch)
    case "NotAMember":
      return Election.onNotAMember(core, state, { from, message, at })
    case "ForwardTransfer":
      if (state._tag === "Leader") batch.transfers.push(message.to)
      return state
    case "ForwardAmendment": {
      const { request, amendment } = message
      if (state._tag === "Leader") batch.amendments.push({ request, amendment })
      return state
    }
    case "InstallSnapshot":
      return Snapshotting.onInstallSnapshot(core, state, { from, message, at }, batch)
    case "InstallSnapshotReply":
      return Snapshotting.onInstallSnapshotReply(core.options, state, { from, message, at })
    case "Introduce":
      return Replication.onIntroduce(state, { from, message, at }, batch)
    case "IntroduceReply":
      return Admission.onIntroduceReply(state, { from, message })
    case "Forgotten":
      return Admission.onForgotten(state, { from, message })
    case "Diverged":
      return Divergence.onDiverged(state, { from, message })
    case "ForwardRefused": {
      const { requests, reason } = message
      for (const request of requests) {
        if (isOwn(state, { request }))
          batch.said.push({ _tag: "Reply", request, outcome: { _tag: "Declined", reason } })
      }
      return state
    }
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
  received: Received<Message<C>>,
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
      const { prev } = message
      send(batch, from, {
        _tag: "AppendEntriesReply",
        term,
        // The same replica may lead this term, too: to its rounds of this one, that one's say nothing.
        round: 0,
        result: { _tag: "Conflict", prevIndex: prev.index, hint: prev },
        sender: Admission.sender(core, state)
      })
      return state
    }
    case "Heartbeat":
      send(batch, from, { _tag: "HeartbeatReply", term, round: 0, sender: Admission.sender(core, state) })
      return state
    case "NotAMember":
      return Election.onNotAMember(core, state, { from, message, at })
    case "InstallSnapshot":
      send(batch, from, { _tag: "InstallSnapshotReply", term, snapshot: message.snapshot, held: 0 })
      return state
    case "Introduce":
      return Replication.onIntroduce(state, { from, message, at }, batch)
    case "IntroduceReply":
      return Admission.onIntroduceReply(state, { from, message })
    case "RequestVoteReply":
    case "AppendEntriesReply":
    case "Forward":
    case "ForwardRefused":
    case "ReadIndex":
    case "ReadIndexReply":
    case "InstallSnapshotReply":
    case "Forgotten":
    case "Diverged":
    case "HeartbeatReply":
    case "TimeoutNow":
    case "ForwardTransfer":
    case "ForwardAmendment":
      return state
  }
}
