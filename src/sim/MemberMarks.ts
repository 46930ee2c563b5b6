/** Marks about who the members are, who takes over, what rests on leases, and which version counts. */
import * as Configurations from "../raft/Configuration.ts"
import type { ServerState } from "../raft/ServerState.ts"
import * as Succession from "../raft/Succession.ts"
import type { AnyEvent, State } from "./Subject.ts"
import type { Taken } from "./Taken.ts"

export const marks = [
  "a joint configuration entered",
  "a joint configuration left by itself",
  "a joint configuration left when told",
  "a learner promoted by itself",
  "several voters changed at once",
  "a leader removed that stepped down",
  "a configuration dropped with its entry",
  "an uncommitted configuration found at start",
  "a configuration that came with a snapshot",
  "a removed replica was told so",
  "a follower of a leader that it does not know",
  "a leader handed over",
  "a leader handed over from a follower's request",
  "a transfer given up",
  "a transfer overridden",
  "a target told again to stand",
  "TimeoutNow that comes too late",
  "a vote given though its leader is trusted",
  "a read answered by lease",
  "a lease that has run out",
  "a lease given up",
  "a vote refused out of patience alone",
  "the version raised",
  "the version limited",
  "a Heartbeat beside data"
] as const

type Marker = (name: (typeof marks)[number]) => void
type Leading = Extract<ServerState<unknown, unknown, unknown>, { readonly _tag: "Leader" }>

export const onStep = (step: Taken, mark: Marker): void => {
  const { before, after, events, effects } = step
  for (const event of events) onEvent(step, event, mark)
  for (const effect of effects) {
    if (effect._tag !== "Send") continue
    if (effect.message._tag === "Heartbeat") mark("a Heartbeat beside data")
  }
  if (before === after) return
  if (before.configurations !== after.configurations) onConfigurations(step, mark)
  if (before.stateMachine.version < after.stateMachine.version) mark("the version raised")
  if (before.stateMachine.ceiling !== after.stateMachine.ceiling) mark("the version limited")
  if (before.removedAt === undefined && after.removedAt !== undefined) mark("a removed replica was told so")
  const follows = after._tag === "Follower" ? after.leader : undefined
  if (follows !== undefined && !Configurations.isMember(after.configuration, follows)) {
    mark("a follower of a leader that it does not know")
  }
  if (before._tag === "Leader") onLeader(step, before, mark)
}

const onEvent = ({ before, after, effects, options }: Taken, event: AnyEvent, mark: Marker): void => {
  if (event._tag !== "MessageReceived") return
  const { from, message, at } = event
  if (message._tag === "TimeoutNow" && after === before) mark("TimeoutNow that comes too late")
  if (message._tag === "ForwardTransfer" && before._tag === "Leader" && after._tag === "Leader" && after.transfer) {
    mark("a leader handed over from a follower's request")
  }
  if (message._tag === "RequestVote" && message.transfer && before._tag === "Follower" && after.votedFor === from) {
    if (before.leader !== undefined && at < before.leaderHeardAt + options.electionTimeoutMillis) {
      mark("a vote given though its leader is trusted")
    }
  }
  const alone = before._tag === "Follower" && before.leader === undefined && at < before.patientUntil
  const refused = effects.some(
    (effect) => effect._tag === "Send" && effect.message._tag === "PreVoteReply" && !effect.message.granted
  )
  if (message._tag === "PreVote" && alone && refused) mark("a vote refused out of patience alone")
}

const onConfigurations = ({ before, after }: Taken, mark: Marker): void => {
  const [was, is] = [Succession.last(before.configurations), Succession.last(after.configurations)]
  if (is.index < was.index) {
    const installed = after.stateMachine.log.base.index > before.stateMachine.lastApplied
    return mark(installed ? "a configuration that came with a snapshot" : "a configuration dropped with its entry")
  }
  if (after.stateMachine.log.base.index >= is.index && is.index > was.index) {
    return mark("a configuration that came with a snapshot")
  }
  if (after._tag !== "Leader" || is.index === was.index) return
  const joint = Configurations.isJoint(is.configuration)
  const added = is.configuration.voters.filter((id) => !was.configuration.voters.includes(id))
  if (joint) mark("a joint configuration entered")
  if (joint && Math.abs(is.configuration.voters.length - was.configuration.voters.length) > 1) {
    mark("several voters changed at once")
  }
  if (joint && is.request === undefined && added.length > 0) mark("a learner promoted by itself")
  if (Configurations.isJoint(was.configuration) && !joint) {
    mark(was.configuration.autoLeave ? "a joint configuration left by itself" : "a joint configuration left when told")
  }
}

const onLeader = ({ before, after, events, effects, options }: Taken, led: Leading, mark: Marker): void => {
  const { at } = events.at(-1)!
  const isGone = after._tag === "Follower" && !Configurations.isVoter(after.configuration, after.id)
  if (isGone && after.currentTerm === before.currentTerm) mark("a leader removed that stepped down")
  const { transfer } = led
  if (transfer !== undefined && after._tag === "Leader") {
    // While it hands over a leader changes no members: its target stays a voter.
    if (after.transfer === undefined) mark("a transfer given up")
    else if (after.transfer.to !== transfer.to) mark("a transfer overridden")
    else if (after.transfer.askedAt !== transfer.askedAt && transfer.askedAt !== undefined) {
      mark("a target told again to stand")
    }
  }
  if (transfer !== undefined && after._tag !== "Leader" && after.currentTerm > before.currentTerm) {
    mark("a leader handed over")
  }
  if (after._tag !== "Leader" || !options.leaseReads) return
  if (after.lease.void && !led.lease.void) mark("a lease given up")
  const reads = events.some(({ _tag }) => _tag === "QuerySubmitted")
  const rests = after.round === led.round && after.rounds.length === led.rounds.length
  const answered = effects.some((effect) => effect._tag === "Reply" && effect.outcome._tag === "Answered")
  if (events.length === 1 && reads && rests && answered && after.progress.size > 0) mark("a read answered by lease")
  const ranOut = led.lease.until > 0 && at >= led.lease.until
  if (reads && ranOut && !led.lease.void && after.rounds.length > led.rounds.length) mark("a lease that has run out")
}

/** It has just read its disk. */
export const onStart = ({ configurations, stateMachine }: State, committed: number): boolean =>
  Succession.last(configurations).index > Math.max(committed, stateMachine.commitIndex)
