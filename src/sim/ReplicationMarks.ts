/** Marks about the log: how followers take entries, how leaders follow them, what is committed and when. */
import * as Configurations from "../raft/Configuration.ts"
import * as Logs from "../raft/Log.ts"
import type { AppendEntries } from "../raft/Message.ts"
import type { Progress } from "../raft/Progress.ts"
import type { Leader } from "../raft/ServerState.ts"
import type { State } from "./Subject.ts"
import { answerTo, onlyMessage, type Taken } from "./Taken.ts"

export const marks = [
  "a conflict, the log is too short",
  "a conflict of terms",
  "a conflict that skips a term at once",
  "an uncommitted suffix truncated",
  "an append that was known already",
  "an older append leaves a longer log alone",
  "an append of which part is known",
  "a commit no further than the message vouches for",
  "an old commit index ignored",
  "back to probing after a lost append",
  "a stale conflict ignored",
  "a stale match ignored",
  "a window full of messages",
  "a window full of bytes",
  "entries left before they were on the own disk",
  "entries of an old term committed by a later one",
  "entries of an old term not counted",
  "several entries committed at once",
  "several events under one Persist",
  "more is committed than one step may apply"
] as const

type Marker = (name: (typeof marks)[number]) => void

export const onStep = (step: Taken, mark: Marker): void => {
  const { before, after, events, effects } = step
  const written = effects.findIndex((effect) => effect._tag === "Persist")
  const persist = effects[written]
  if (persist?._tag === "Persist") {
    if (written > 0) mark("entries left before they were on the own disk")
    if (events.length > 1) mark("several events under one Persist")
    const last = Logs.lastIndex(before.stateMachine.log)
    if (persist.log !== undefined && persist.log.from <= last) mark("an uncommitted suffix truncated")
  }
  const [commitIndex, earlier] = [after.stateMachine.commitIndex, before.stateMachine.commitIndex]
  if (commitIndex > earlier + 1) mark("several entries committed at once")
  if (after.stateMachine.lastApplied < commitIndex) mark("more is committed than one step may apply")
  if (after._tag === "Leader") onLeader(before, after, mark)
  const received = onlyMessage(step)
  if (received === undefined || received.message.term !== after.currentTerm) return
  const { message, from } = received
  if (message._tag === "AppendEntries") onAppend(step, message, from, mark)
  if (message._tag !== "AppendEntriesReply" || before._tag !== "Leader" || after._tag !== "Leader") return
  const [was, is] = [before, after].map(({ progress }) => [...progress].find(([peer]) => peer === from)?.[1])
  if (was !== undefined && is !== undefined) onReply(step, { was, is, result: message.result }, mark)
}

const onLeader = (before: State, after: Leader<unknown, unknown, unknown>, mark: Marker): void => {
  const { log, commitIndex } = after.stateMachine
  const next = Logs.get(log, (before.stateMachine.commitIndex + 1) as typeof commitIndex)
  if (next === undefined || next.term === after.currentTerm) return
  if (commitIndex > before.stateMachine.commitIndex) {
    mark("entries of an old term committed by a later one")
    return
  }
  const held = Configurations.quorumValue(after.configuration, (id) =>
    id === after.id ? Logs.lastIndex(log) : (after.progress.get(id)?.matchIndex ?? 0)
  )
  if (held > commitIndex) mark("entries of an old term not counted")
}

const onAppend = (
  step: Taken,
  { prev, entries, leaderCommit }: AppendEntries<unknown>,
  from: string,
  mark: Marker
): void => {
  const { log, commitIndex } = step.before.stateMachine
  if (leaderCommit < commitIndex) mark("an old commit index ignored")
  const answer = answerTo(step, from)
  if (answer?._tag !== "AppendEntriesReply") return
  if (answer.result._tag === "Conflict") {
    const { hint } = answer.result
    mark(Logs.lastIndex(log) < prev.index ? "a conflict, the log is too short" : "a conflict of terms")
    if (hint.term < prev.term && hint.index < prev.index - 1) mark("a conflict that skips a term at once")
    return
  }
  if (leaderCommit > answer.result.matchIndex) mark("a commit no further than the message vouches for")
  if (entries.length === 0) return
  const known = entries.filter((entry) => Logs.termAt(log, entry.index) === entry.term).length
  if (known === entries.length) {
    mark("an append that was known already")
    if (answer.result.matchIndex < Logs.lastIndex(log)) mark("an older append leaves a longer log alone")
  } else if (known > 0) mark("an append of which part is known")
}

const onReply = (
  { options, after }: Taken,
  {
    was,
    is,
    result
  }: {
    readonly was: Progress
    readonly is: Progress
    readonly result: { readonly _tag: string; readonly matchIndex?: number; readonly prevIndex?: number }
  },
  mark: Marker
): void => {
  if (was._tag === "Replicate" && is._tag === "Probe") mark("back to probing after a lost append")
  if (result._tag === "Conflict" && is._tag === was._tag && is.nextIndex === was.nextIndex) {
    mark("a stale conflict ignored")
  }
  if ((result.matchIndex ?? Number.POSITIVE_INFINITY) < was.matchIndex) mark("a stale match ignored")
  if (is._tag !== "Replicate" || is.nextIndex > Logs.lastIndex(after.stateMachine.log)) return
  if (is.inflight.length >= options.maxInflightAppends) mark("a window full of messages")
  else if (is.inflight.length > 0) mark("a window full of bytes")
}
