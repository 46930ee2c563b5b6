/**
 * A message read from the words in which Narration tells it, so that a script can say what
 * no replica would: a late, a foreign or an impossible message. It must read back as it was
 * written. Entries are not understood, and neither are requests, snapshots and checkpoints. What names
 * a start of a replica names the given one.
 */
import { Index, type LogPosition, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { AppendResult, Sender } from "../raft/Message.ts"
import * as Narration from "./Narration.ts"
import * as Notes from "./Notes.ts"
import type { AnyMessage } from "./Subject.ts"

export const read = (words: string, incarnation: (of: "sender" | "receiver") => number): AnyMessage => {
  const found = message(words, incarnation)
  const told = found === undefined ? "nothing" : Narration.message(found, Notes.show)
  if (found === undefined || told !== words) throw new Error(`no message: ${words} (understood: ${told})`)
  return found
}

const message = (words: string, incarnation: (of: "sender" | "receiver") => number): AnyMessage | undefined => {
  const after = (word: string): number => Number(new RegExp(`${word} (\\d+)`).exec(words)?.[1] ?? 0)
  const at = (word: string): LogPosition => {
    const [, index, term] = new RegExp(`${word} (\\d+)@(\\d+)`).exec(words) ?? []
    return { index: Index(Number(index)), term: Term(Number(term)) }
  }
  const term = Term(after("term"))
  const round = after("round")
  const granted = words.includes("granted")
  const tag = words.split(" ")[0] as AnyMessage["_tag"]
  switch (tag) {
    case "PreVote":
      return { _tag: tag, term, last: at("last") }
    case "RequestVote":
      return { _tag: tag, term, last: at("last"), transfer: words.includes("transfer") }
    case "PreVoteReply":
      return { _tag: tag, term, granted, admitted: true, askedIn: Term(after("asked in")) }
    case "RequestVoteReply":
      return { _tag: tag, term, granted }
    case "AppendEntries":
      return { _tag: tag, term, prev: at("prev"), entries: [], leaderCommit: Index(after("commit")), round }
    case "AppendEntriesReply": {
      const conflict: AppendResult = { _tag: "Conflict", prevIndex: Index(after("conflict at")), hint: at("hint") }
      const matched: AppendResult = { _tag: "Matched", matchIndex: Index(after("matched")) }
      const result = words.includes("conflict") ? conflict : matched
      return {
        _tag: tag,
        term,
        round,
        result,
        sender: sender(words, incarnation("sender"))
      }
    }
    case "ReadIndex":
      return { _tag: tag, term, number: number(words) }
    case "ReadIndexReply":
      return { _tag: tag, term, number: number(words), index: Index(after("index")) }
    case "Introduce":
      return { _tag: tag, term, incarnation: incarnation("sender") }
    case "IntroduceReply":
      return {
        _tag: tag,
        term,
        incarnation: incarnation("receiver"),
        leads: words.includes("leads"),
        commitIndex: Index(after("commit"))
      }
    case "Forgotten":
      return { _tag: tag, term, incarnation: incarnation("receiver"), index: Index(after("index")) }
    case "Heartbeat":
      return { _tag: tag, term, round }
    case "HeartbeatReply":
      return { _tag: tag, term, round, sender: sender(words, incarnation("sender")) }
    case "TimeoutNow":
      return { _tag: tag, term }
    case "NotAMember":
      return { _tag: tag, term, index: Index(after("as of")) }
    case "ForwardTransfer":
      return { _tag: tag, term, to: target(words) }
    case "ForwardAmendment":
    case "Forward":
    case "ForwardRefused":
    case "InstallSnapshot":
    case "InstallSnapshotReply":
    case "Diverged":
      return undefined
  }
}

const number = (words: string): number => {
  const [, incarnation, count] = /number (\d+)\.(\d+)/.exec(words) ?? []
  return Number(incarnation) * Narration.numbersApart + Number(count)
}

const sender = (words: string, incarnation: number): Sender => ({
  incarnation,
  admitted: !words.includes("not admitted"),
  version: 1,
  patienceMillis: Number(/patient for (\d+)/.exec(words)?.[1] ?? 0),
  applied: []
})

const target = (words: string): ReplicaId | undefined => {
  const to = / to ([A-Z])$/.exec(words)?.[1]
  return to === undefined ? undefined : ReplicaId(to)
}
