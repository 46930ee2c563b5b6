/**
 * Steps in words, for golden scripts and for the last moments of a failed run. A position
 * in a log is written `index@term`, a sender and a receiver `A -> B`.
 */
import { amendment, configuration } from "./MemberText.ts"
import type { Sender } from "../raft/Message.ts"
import * as Logs from "../raft/Log.ts"
import { Index, type LogEntry, type LogPosition, type RequestId } from "../raft/LogEntry.ts"
import * as Reads from "../raft/Reads.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import type { AnyEffect, AnyEvent, AnyMessage, State } from "./Subject.ts"

export type Show = (value: unknown) => string

/** What one step of a replica changed and said, a line each. */
export const step = (before: State, after: State, effects: ReadonlyArray<AnyEffect>, show: Show): Array<string> => [
  ...change(before, after),
  ...effects.map((one) => effect(after.id, one, show))
]

export const change = (before: State, after: State): Array<string> => {
  const { id } = after
  const lines: Array<string> = []
  if (role(before) !== role(after)) lines.push(`${id}: ${role(before)} becomes ${role(after)}`)
  const [committed, earlier] = [after.stateMachine.commitIndex, before.stateMachine.commitIndex]
  if (committed !== earlier) lines.push(`${id}: commits and applies up to ${committed}`)
  return lines
}

export const effect = (id: string, one: AnyEffect, show: Show): string => `${id}: ${said(one, show)}`

export const role = (state: State): string => {
  const term = `of term ${state.currentTerm}`
  switch (state._tag) {
    case "Follower":
      if (state.leader !== undefined) return `follower of ${state.leader} ${term}`
      return `follower ${term}${state.quorumLost ? ", no quorum" : ""}`
    case "PreCandidate":
      return `pre-candidate ${term}${state.quorumLost ? ", no quorum" : ""}`
    case "Candidate":
      return `candidate ${term}${state.quorumLost ? ", no quorum" : ""}`
    case "Leader":
      return `leader ${term}`
  }
}

const said = (effect: AnyEffect, show: Show): string => {
  switch (effect._tag) {
    case "Persist": {
      const parts: Array<string> = []
      const { hardState, admitted, base, log } = effect
      if (hardState !== undefined) parts.push(`term ${hardState.currentTerm}, vote ${hardState.votedFor ?? "none"}`)
      if (admitted !== undefined) parts.push(admitted ? "admitted" : "not admitted")
      if (base !== undefined) parts.push(`log after ${position(base)}`)
      if (log !== undefined) parts.push(`log from ${log.from}: ${entries(log.entries, show)}`)
      return `persists ${parts.join("; ")}`
    }
    case "Send":
      return `-> ${effect.to} ${message(effect.message, show)}`
    case "Reply":
      return `answers ${request(effect.request)}: ${outcome(effect.outcome, show)}`
    case "LeaderChanged":
      return `tells its clients that ${effect.leader} leads term ${effect.term}`
    case "QuorumLost":
      return "tells its clients that no majority is in reach"
    case "DivergenceFound":
      return `tells its clients that it differs from the others at ${effect.at.index}`
    case "TakeSnapshot":
      return `takes a snapshot at ${position(effect.image.last)}`
    case "SendChunk": {
      const { to, snapshot, offset, length } = effect
      return `reads ${length} bytes from ${offset} of ${snapshotText(snapshot)} for ${to}`
    }
    case "StoreChunk": {
      const { snapshot, offset, bytes } = effect
      return `keeps ${bytes.length} bytes from ${offset} of ${snapshotText(snapshot)}`
    }
    case "SnapshotInstalled": {
      const upTo = effect.upTo === undefined ? "none of their requests" : `their requests up to ${request(effect.upTo)}`
      return `tells its clients that a snapshot stands for ${upTo}`
    }
  }
}

/** Its length is as good as made up, and no reader's concern. */
const snapshotText = ({ last }: Snapshot): string => `snapshot ${position(last)}`

const outcome = (outcome: (AnyEffect & { readonly _tag: "Reply" })["outcome"], show: Show): string => {
  switch (outcome._tag) {
    case "Applied":
      return `applied, ${show(outcome.result)}`
    case "Answered":
      return show(outcome.answer)
    case "Superseded":
      return "superseded"
    case "Amended":
      return "amended"
    case "Refused":
      return `refused, ${outcome.reason}`
    case "Declined":
      return `declined, ${outcome.reason}`
  }
}

export const message = (message: AnyMessage, show: Show): string => {
  const head = `${message._tag} term ${message.term}`
  switch (message._tag) {
    case "PreVote":
      return `${head}, last ${position(message.last)}`
    case "RequestVote":
      return `${head}, last ${position(message.last)}${message.transfer ? ", transfer" : ""}`
    case "PreVoteReply":
      return `${head}, ${message.granted ? "granted" : "refused"}, asked in ${message.askedIn}`
    case "RequestVoteReply":
      return `${head}, ${message.granted ? "granted" : "refused"}`
    case "AppendEntries": {
      const round = message.round === 0 ? "" : `, round ${message.round}`
      const sent = message.entries.length === 0 ? "" : `, ${entries(message.entries, show)}`
      return `${head}, prev ${position(message.prev)}${sent}, commit ${message.leaderCommit}${round}`
    }
    case "AppendEntriesReply": {
      const { result } = message
      const round = message.round === 0 ? "" : `, round ${message.round}`
      const from = sender(message.sender)
      if (result._tag === "Matched") return `${head}, matched ${result.matchIndex}${round}${from}`
      return `${head}, conflict at ${result.prevIndex}, hint ${position(result.hint)}${round}${from}`
    }
    case "Forward":
      return `${head}: ${message.requests.map((one) => `${request(one.request)} ${show(one.command)}`).join(", ")}`
    case "ReadIndex":
      return `${head}, number ${number(message.number)}`
    case "ReadIndexReply":
      return `${head}, number ${number(message.number)}, index ${message.index}`
    case "ForwardRefused":
      return `${head}, ${message.reason}: ${message.requests.map(request).join(", ")}`
    case "InstallSnapshot": {
      const { snapshot, offset, bytes } = message
      return `${head}, ${snapshotText(snapshot)}, ${bytes.length} bytes from ${offset} of ${snapshot.bytes}`
    }
    case "InstallSnapshotReply":
      return `${head}, ${snapshotText(message.snapshot)}, held ${message.held} of ${message.snapshot.bytes}`
    case "Introduce":
      return head
    case "IntroduceReply":
      return `${head}, ${message.leads ? "leads, " : ""}commit ${message.commitIndex}`
    case "Forgotten":
      return `${head}, index ${message.index}`
    case "Diverged":
      return `${head}, at ${message.at.index}`
    case "Heartbeat":
      return message.round === 0 ? head : `${head}, round ${message.round}`
    case "HeartbeatReply":
      return `${head}${message.round === 0 ? "" : `, round ${message.round}`}${sender(message.sender)}`
    case "TimeoutNow":
      return head
    case "ForwardTransfer":
      return message.to === undefined ? head : `${head} to ${message.to}`
    case "ForwardAmendment":
      return `${head}: ${request(message.request)} ${amendment(message.amendment)}`
    case "NotAMember":
      return `${head}, as of ${message.index}`
  }
}

const sender = ({ admitted, patienceMillis }: Sender): string =>
  `${admitted ? "" : ", not admitted"}${patienceMillis === 0 ? "" : `, patient for ${patienceMillis}`}`

/** Read numbers begin anew, so far apart, in each incarnation. */
export const numbersApart = Reads.initial(1).number

const number = (value: number): string => `${Math.floor(value / numbersApart)}.${value % numbersApart}`

const request = ({ replica, incarnation, sequence }: RequestId): string => `${replica}${incarnation}.${sequence}`

export const position = ({ index, term }: LogPosition): string => `${index}@${term}`

const entries = (all: ReadonlyArray<LogEntry<unknown>>, show: Show): string =>
  all.length === 0 ? "nothing" : `[${all.map((entry) => entryText(entry, show)).join(", ")}]`

const entryText = (entry: LogEntry<unknown>, show: Show): string =>
  `${position(entry)} ${payloadText(entry.payload, show)}`

const payloadText = (payload: LogEntry<unknown>["payload"], show: Show): string => {
  switch (payload._tag) {
    case "NoOp":
      return "no-op"
    case "Command":
      return show(payload.command)
    case "Configuration":
      return configuration(payload.configuration)
    case "Version": {
      const { version, ceiling } = payload
      return `version ${version}${ceiling === undefined ? "" : ` of at most ${ceiling}`}`
    }
  }
}

/** What came in. */
export const event = (event: AnyEvent, show: Show): string => {
  switch (event._tag) {
    case "DeadlineReached":
      return "deadline"
    case "MessageReceived":
      return `<- ${event.from} ${message(event.message, show)}`
    case "CommandSubmitted":
      return `client ${request(event.request)}: ${show(event.command)}`
    case "QuerySubmitted":
      return `client ${request(event.request)}: read ${show(event.query)}`
    case "AmendmentSubmitted":
      return `client ${request(event.request)}: ${amendment(event.amendment)}`
    case "TransferRequested":
      return event.to === undefined ? "shall hand over" : `shall hand over to ${event.to}`
    case "SnapshotStored":
      return `${snapshotText(event.snapshot)} is stored`
    case "SnapshotFailed":
      return `snapshot ${position(event.last)} cannot be stored`
    case "SnapshotReceived":
      return `${snapshotText(event.snapshot)} is whole`
    case "SnapshotSpoiled":
      return `${snapshotText(event.snapshot)} is spoiled`
    case "SnapshotMissing":
      return `${snapshotText(event.snapshot)} cannot be read`
    case "DiskSpaceChanged":
      return event.full ? "the disk is full" : "the disk has room again"
  }
}

/** All that a replica is, on one line. */
export const status = (state: State): string => {
  const { log, commitIndex } = state.stateMachine
  const { base, length } = log
  const terms = Logs.slice(log, Index(base.index + 1), length).map((entry) => entry.term)
  const vote = state.votedFor === undefined ? "" : `, voted for ${state.votedFor}`
  const before = base.index === 0 ? "" : `after ${position(base)}: `
  // A replica with an empty log that has not voted yet is never admitted.
  const admitted = state.admitted || Logs.lastIndex(log) === 0 ? "" : ", not admitted"
  const differs = state.diverged === undefined ? "" : `, differs at ${state.diverged.index}`
  const { id } = state
  return `${id}: ${role(state)}${vote}, log ${before}${terms.length === 0 ? "empty" : terms.join(" ")}, committed ${commitIndex}${admitted}${differs}`
}

/** What a leader believes about its followers, a line each. */
export const progress = (state: State): ReadonlyArray<string> => {
  if (state._tag !== "Leader") return [`${state.id}: does not lead`]
  return [...state.progress].map(([peer, of]) => {
    const admitted = of.admitted ? "" : ", not admitted"
    const head = `${state.id}: of ${peer}: ${of._tag}, matched ${of.matchIndex}, next ${of.nextIndex}${admitted}`
    if (of._tag === "Snapshot")
      return `${head}, ${snapshotText(of.snapshot)}, held ${of.offset} of ${of.snapshot.bytes}`
    if (of._tag === "Probe") return `${head}, ${of.asked ? "asked" : "not asked"}`
    const bytes = of.inflight.reduce((sum, append) => sum + append.bytes, 0)
    return `${head}, in flight ${of.inflight.length} of ${bytes} bytes`
  })
}
