/** Marks about terms: which messages of an old one were ignored or answered, and which of a new one were heeded. */
import type { AnyMessage } from "./Subject.ts"
import type { Taken } from "./Taken.ts"

type Tag = AnyMessage["_tag"]

/** Forgotten and Diverged are too rare to count on one that is late. */
const stale = {
  PreVote: "a PreVote of an old term",
  PreVoteReply: "a PreVoteReply of an old term",
  RequestVote: "a RequestVote of an old term",
  RequestVoteReply: "a RequestVoteReply of an old term",
  AppendEntries: "an AppendEntries of an old term",
  AppendEntriesReply: "an AppendEntriesReply of an old term",
  Forward: "a Forward of an old term",
  ReadIndex: "a ReadIndex of an old term",
  ReadIndexReply: "a ReadIndexReply of an old term",
  ForwardRefused: "a ForwardRefused of an old term",
  InstallSnapshot: "an InstallSnapshot of an old term",
  InstallSnapshotReply: "an InstallSnapshotReply of an old term",
  Introduce: "an Introduce of an old term",
  IntroduceReply: "an IntroduceReply of an old term"
} as const satisfies { readonly [Kind in Tag]?: string }

/**
 * Forward and what belongs to ReadIndex pass between replicas that have agreed on a term. The replies
 * to an old leader and to an old candidate are one mark: the latter alone is too rare to count on.
 */
const newer = {
  PreVote: "a PreVote of a new term, not entered",
  PreVoteReply: "a new term by PreVoteReply",
  RequestVote: "a new term by RequestVote",
  RequestVoteReply: "a new term by the reply to an older one",
  AppendEntries: "a new term by AppendEntries",
  AppendEntriesReply: "a new term by the reply to an older one"
} as const satisfies { readonly [Kind in Tag]?: string }

export const marks = [
  ...Object.values(stale),
  ...new Set(Object.values(newer)),
  "a leader deposed by a higher term",
  "a term skipped"
] as const

export const onStep = ({ events, before, after }: Taken, mark: (name: (typeof marks)[number]) => void): void => {
  for (const event of events) {
    if (event._tag !== "MessageReceived") continue
    const { message } = event
    if (message.term < before.currentTerm && message._tag in stale) mark(stale[message._tag as keyof typeof stale])
    if (message.term > before.currentTerm && message._tag in newer) mark(newer[message._tag as keyof typeof newer])
  }
  if (after.currentTerm === before.currentTerm) return
  if (before._tag === "Leader") mark("a leader deposed by a higher term")
  if (after.currentTerm > before.currentTerm + 1) mark("a term skipped")
}
