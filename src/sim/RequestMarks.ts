/** Marks about what clients ask: commands and reads, and the ways in which they are put off. */
import { leaderOf } from "../raft/ServerState.ts"
import type { AnyEffect, State } from "./Subject.ts"
import type { Taken } from "./Taken.ts"

export const marks = [
  "a superseded request",
  "refused: UncommittedBytes",
  "refused: WaitingReads",
  "refused: NoQuorum",
  "refused: NoSpace",
  "refused: Diverged",
  "refused: Removed",
  "refused: NotAMember",
  "refused: LastVoter",
  "refused: ChangePending",
  "refused: NotJoint",
  "refused: NotReady",
  "refused: WouldLoseQuorum",
  "refused: NotCaughtUp",
  "refused: UnknownVersion",
  "ForwardRefused",
  "a command declined by its leader",
  "a request whose end a snapshot hides",
  "QuorumLost",
  "LeaderChanged while requests wait",
  "a command dropped for want of a leader",
  "a command forwarded",
  "a Forward to who leads no more",
  "a read answered on a follower",
  "a leader's client answered while its disk works",
  "a follower's client answered while its disk works",
  "a read asked again",
  "a read moved to a new leader",
  "a read of a deposed leader",
  "a read waits for what is not applied",
  "the limit on read rounds reached",
  "the limit on questions reached",
  "a round shared by several",
  "an index that nobody waits for",
  "a read right behind an uncommitted write"
] as const

type Marker = (name: (typeof marks)[number]) => void

export const onStep = (step: Taken, mark: Marker): void => {
  const { before, after, events, effects } = step
  for (const effect of effects) onEffect(step, effect, mark)
  for (const event of events) {
    if (event._tag === "CommandSubmitted" && after._tag !== "Leader" && leaderOf(after) === undefined) {
      mark("a command dropped for want of a leader")
    }
    if (event._tag !== "MessageReceived") continue
    const { message } = event
    if (message._tag === "ForwardRefused") mark("ForwardRefused")
    if (message._tag === "Forward" && before._tag !== "Leader") mark("a Forward to who leads no more")
    if (message._tag === "ReadIndexReply" && !before.reads.asked.some(({ number }) => number === message.number)) {
      mark("an index that nobody waits for")
    }
  }
  if (before !== after) onReads(step, mark)
  if (answersEarly(effects)) {
    if (after._tag === "Leader") mark("a leader's client answered while its disk works")
    else if (after._tag === "Follower") mark("a follower's client answered while its disk works")
  }
}

/** Whether clients are told of what was done before a record that is still to be written. */
export const answersEarly = (effects: ReadonlyArray<AnyEffect>): boolean => {
  const written = effects.findIndex(({ _tag }) => _tag === "Persist")
  return effects.some((effect, place) => place < written && effect._tag === "Reply" && done.has(effect.outcome._tag))
}

const done: ReadonlySet<string> = new Set(["Applied", "Answered", "Amended"])

const onEffect = ({ before, after }: Taken, effect: AnyEffect, mark: Marker): void => {
  switch (effect._tag) {
    case "Reply":
      if (effect.outcome._tag === "Superseded") mark("a superseded request")
      if (effect.outcome._tag === "Refused" && effect.outcome.reason !== "Outdated") {
        mark(`refused: ${effect.outcome.reason}`)
      }
      if (effect.outcome._tag === "Declined") mark("a command declined by its leader")
      if (effect.outcome._tag === "Answered" && after._tag === "Follower") mark("a read answered on a follower")
      return
    case "QuorumLost":
      return mark("QuorumLost")
    case "LeaderChanged":
      if (waits(before)) mark("LeaderChanged while requests wait")
      return
    case "Send": {
      const { message } = effect
      if (message._tag === "Forward") mark("a command forwarded")
      if (message._tag !== "ReadIndex") return
      if (before.reads.asked.some(({ number }) => number === message.number)) mark("a read asked again")
      return
    }
    case "SnapshotInstalled":
      if (effect.upTo !== undefined) mark("a request whose end a snapshot hides")
      return
    default:
      return
  }
}

const waits = ({ reads }: State): boolean => reads.waiting > 0

const onReads = ({ options, before, after }: Taken, mark: Marker): void => {
  const moved = before.currentTerm !== after.currentTerm || leaderOf(before) !== leaderOf(after)
  if (moved && after.reads.asked.length > 0 && before.reads.waiting > 0) mark("a read moved to a new leader")
  if (before._tag === "Leader" && after._tag !== "Leader" && before.rounds.some(({ reads }) => reads.length > 0)) {
    mark("a read of a deposed leader")
  }
  if (after.reads.known.length > 0) mark("a read waits for what is not applied")
  if (after.reads.arrived !== undefined && after.reads.asked.length >= options.maxReadRounds) {
    mark("the limit on questions reached")
  }
  if (after._tag !== "Leader") return
  if (after.rounds.length >= options.maxReadRounds && (after.reads.arrived !== undefined || after.asks.length > 0)) {
    mark("the limit on read rounds reached")
  }
  const round = after.rounds.at(-1)
  if (round === undefined || (before._tag === "Leader" && before.rounds.at(-1) === round)) return
  if (round.reads.length + round.asks.length > 1) mark("a round shared by several")
  if (round.index > after.stateMachine.commitIndex) mark("a read right behind an uncommitted write")
}
