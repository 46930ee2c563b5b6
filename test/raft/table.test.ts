/**
 * Every event in every role: what a replica becomes, and what it says, in order. The types
 * require a cell for each, so a new role or message does not compile until somebody has
 * decided what it means everywhere.
 *
 * Term 2, log 1 2, three voters; messages come from B. `-` is the very same state and silence;
 * `same` is the very same state; `+` and `-` behind a reply say whether it grants or matches.
 */
import { describe, expect, test } from "vitest"
import {
  append,
  B,
  candidate,
  deadline,
  follower,
  forward,
  leader,
  matched,
  type Message,
  now,
  position,
  preCandidate,
  preVote,
  preVoteReply,
  queried,
  type RaftEffect,
  type RaftEvent,
  raft,
  readIndex,
  readIndexReply,
  received,
  request,
  requestVote,
  requestVoteReply,
  type ServerState,
  step,
  submitted
} from "./builders.ts"

/** The followers' reasons to answer differ by whether they hear a leader. */
type Column = ServerState["_tag"] | "Follower of B"
type Row = Exclude<RaftEvent["_tag"], "MessageReceived"> | `${Message["_tag"]}, ${"lower" | "equal" | "higher"} term`

const states: Readonly<Record<Column, ServerState>> = {
  Follower: follower({ term: 2, log: [1, 2] }),
  "Follower of B": follower({ term: 2, log: [1, 2], leader: B }),
  PreCandidate: preCandidate({ term: 2, log: [1, 2] }),
  Candidate: candidate({ term: 2, log: [1, 2] }),
  Leader: leader({ term: 2, log: [1, 2] })
}

const messages: { readonly [Tag in Message["_tag"]]: (term: number) => Message } = {
  PreVote: (term) => preVote(term, position(2, 2)),
  PreVoteReply: (term) => preVoteReply(term, 2, true),
  RequestVote: (term) => requestVote(term, position(2, 2)),
  RequestVoteReply: (term) => requestVoteReply(term, true),
  AppendEntries: (term) => append(term, position(2, 2)),
  AppendEntriesReply: (term) => matched(term, 2),
  Forward: (term) => forward(term, { request: request(1, B), command: "x" }),
  ReadIndex: (term) => readIndex(term, 1),
  ReadIndexReply: (term) => readIndexReply(term, 1, 1)
}

const late = raft.nextDeadline(states.Follower)
const events: { readonly [Tag in Exclude<RaftEvent["_tag"], "MessageReceived">]: RaftEvent } = {
  DeadlineReached: deadline(late),
  CommandSubmitted: submitted(1, "x"),
  QuerySubmitted: queried(1, "q")
}

const steps: Readonly<Record<Column, Readonly<Record<Row, string>>>> = {
  Follower: {
    DeadlineReached: "PreCandidate: PreVote PreVote",
    CommandSubmitted: "-",
    QuerySubmitted: "Follower:",
    "PreVote, lower term": "same: PreVoteReply-",
    "PreVote, equal term": "same: PreVoteReply+",
    "PreVote, higher term": "same: PreVoteReply+",
    "PreVoteReply, lower term": "-",
    "PreVoteReply, equal term": "-",
    "PreVoteReply, higher term": "Follower: Persist",
    "RequestVote, lower term": "same: RequestVoteReply-",
    "RequestVote, equal term": "Follower: Persist RequestVoteReply+",
    "RequestVote, higher term": "Follower: Persist RequestVoteReply+",
    "RequestVoteReply, lower term": "-",
    "RequestVoteReply, equal term": "-",
    "RequestVoteReply, higher term": "Follower: Persist",
    "AppendEntries, lower term": "same: AppendEntriesReply-",
    "AppendEntries, equal term": "Follower: AppendEntriesReply+ LeaderChanged",
    "AppendEntries, higher term": "Follower: Persist AppendEntriesReply+ LeaderChanged",
    "AppendEntriesReply, lower term": "-",
    "AppendEntriesReply, equal term": "-",
    "AppendEntriesReply, higher term": "Follower: Persist",
    "Forward, lower term": "-",
    "Forward, equal term": "-",
    "Forward, higher term": "Follower: Persist",
    "ReadIndex, lower term": "-",
    "ReadIndex, equal term": "-",
    "ReadIndex, higher term": "Follower: Persist",
    "ReadIndexReply, lower term": "-",
    "ReadIndexReply, equal term": "-",
    "ReadIndexReply, higher term": "Follower: Persist"
  },
  "Follower of B": {
    DeadlineReached: "PreCandidate: PreVote PreVote",
    CommandSubmitted: "same: Forward",
    QuerySubmitted: "Follower: ReadIndex",
    "PreVote, lower term": "same: PreVoteReply-",
    "PreVote, equal term": "same: PreVoteReply-",
    "PreVote, higher term": "same: PreVoteReply-",
    "PreVoteReply, lower term": "-",
    "PreVoteReply, equal term": "-",
    "PreVoteReply, higher term": "Follower: Persist",
    "RequestVote, lower term": "same: RequestVoteReply-",
    "RequestVote, equal term": "same: RequestVoteReply-",
    "RequestVote, higher term": "-",
    "RequestVoteReply, lower term": "-",
    "RequestVoteReply, equal term": "-",
    "RequestVoteReply, higher term": "Follower: Persist",
    "AppendEntries, lower term": "same: AppendEntriesReply-",
    "AppendEntries, equal term": "Follower: AppendEntriesReply+",
    "AppendEntries, higher term": "Follower: Persist AppendEntriesReply+ LeaderChanged",
    "AppendEntriesReply, lower term": "-",
    "AppendEntriesReply, equal term": "-",
    "AppendEntriesReply, higher term": "Follower: Persist",
    "Forward, lower term": "-",
    "Forward, equal term": "-",
    "Forward, higher term": "Follower: Persist",
    "ReadIndex, lower term": "-",
    "ReadIndex, equal term": "-",
    "ReadIndex, higher term": "Follower: Persist",
    "ReadIndexReply, lower term": "-",
    "ReadIndexReply, equal term": "-",
    "ReadIndexReply, higher term": "Follower: Persist"
  },
  PreCandidate: {
    DeadlineReached: "PreCandidate: PreVote PreVote QuorumLost",
    CommandSubmitted: "-",
    QuerySubmitted: "PreCandidate:",
    "PreVote, lower term": "same: PreVoteReply-",
    "PreVote, equal term": "same: PreVoteReply+",
    "PreVote, higher term": "same: PreVoteReply+",
    // A voter that is behind answers the question all the same.
    "PreVoteReply, lower term": "Candidate: Persist RequestVote RequestVote",
    "PreVoteReply, equal term": "Candidate: Persist RequestVote RequestVote",
    "PreVoteReply, higher term": "Follower: Persist",
    "RequestVote, lower term": "same: RequestVoteReply-",
    "RequestVote, equal term": "same: RequestVoteReply-",
    "RequestVote, higher term": "Follower: Persist RequestVoteReply+",
    "RequestVoteReply, lower term": "-",
    "RequestVoteReply, equal term": "-",
    "RequestVoteReply, higher term": "Follower: Persist",
    "AppendEntries, lower term": "same: AppendEntriesReply-",
    "AppendEntries, equal term": "Follower: AppendEntriesReply+ LeaderChanged",
    "AppendEntries, higher term": "Follower: Persist AppendEntriesReply+ LeaderChanged",
    "AppendEntriesReply, lower term": "-",
    "AppendEntriesReply, equal term": "-",
    "AppendEntriesReply, higher term": "Follower: Persist",
    "Forward, lower term": "-",
    "Forward, equal term": "-",
    "Forward, higher term": "Follower: Persist",
    "ReadIndex, lower term": "-",
    "ReadIndex, equal term": "-",
    "ReadIndex, higher term": "Follower: Persist",
    "ReadIndexReply, lower term": "-",
    "ReadIndexReply, equal term": "-",
    "ReadIndexReply, higher term": "Follower: Persist"
  },
  Candidate: {
    DeadlineReached: "PreCandidate: PreVote PreVote QuorumLost",
    CommandSubmitted: "-",
    QuerySubmitted: "Candidate:",
    "PreVote, lower term": "same: PreVoteReply-",
    "PreVote, equal term": "same: PreVoteReply+",
    "PreVote, higher term": "same: PreVoteReply+",
    "PreVoteReply, lower term": "-",
    "PreVoteReply, equal term": "-",
    "PreVoteReply, higher term": "Follower: Persist",
    "RequestVote, lower term": "same: RequestVoteReply-",
    "RequestVote, equal term": "same: RequestVoteReply-",
    "RequestVote, higher term": "Follower: Persist RequestVoteReply+",
    "RequestVoteReply, lower term": "-",
    "RequestVoteReply, equal term": "Leader: AppendEntries AppendEntries Persist LeaderChanged",
    "RequestVoteReply, higher term": "Follower: Persist",
    "AppendEntries, lower term": "same: AppendEntriesReply-",
    "AppendEntries, equal term": "Follower: AppendEntriesReply+ LeaderChanged",
    "AppendEntries, higher term": "Follower: Persist AppendEntriesReply+ LeaderChanged",
    "AppendEntriesReply, lower term": "-",
    "AppendEntriesReply, equal term": "-",
    "AppendEntriesReply, higher term": "Follower: Persist",
    "Forward, lower term": "-",
    "Forward, equal term": "-",
    "Forward, higher term": "Follower: Persist",
    "ReadIndex, lower term": "-",
    "ReadIndex, equal term": "-",
    "ReadIndex, higher term": "Follower: Persist",
    "ReadIndexReply, lower term": "-",
    "ReadIndexReply, equal term": "-",
    "ReadIndexReply, higher term": "Follower: Persist"
  },
  Leader: {
    // So late that no majority has been heard for an election timeout.
    DeadlineReached: "Follower: QuorumLost",
    CommandSubmitted: "Leader: AppendEntries AppendEntries Persist",
    QuerySubmitted: "Leader: AppendEntries AppendEntries",
    "PreVote, lower term": "same: PreVoteReply-",
    "PreVote, equal term": "same: PreVoteReply-",
    "PreVote, higher term": "same: PreVoteReply-",
    "PreVoteReply, lower term": "-",
    "PreVoteReply, equal term": "-",
    "PreVoteReply, higher term": "Follower: Persist",
    "RequestVote, lower term": "same: RequestVoteReply-",
    "RequestVote, equal term": "same: RequestVoteReply-",
    "RequestVote, higher term": "-",
    "RequestVoteReply, lower term": "-",
    "RequestVoteReply, equal term": "-",
    "RequestVoteReply, higher term": "Follower: Persist",
    "AppendEntries, lower term": "same: AppendEntriesReply-",
    // Cannot be; whoever claims it is not obeyed.
    "AppendEntries, equal term": "-",
    "AppendEntries, higher term": "Follower: Persist AppendEntriesReply+ LeaderChanged",
    "AppendEntriesReply, lower term": "-",
    "AppendEntriesReply, equal term": "Leader:",
    "AppendEntriesReply, higher term": "Follower: Persist",
    "Forward, lower term": "-",
    "Forward, equal term": "Leader: AppendEntries AppendEntries Persist",
    "Forward, higher term": "Follower: Persist",
    "ReadIndex, lower term": "-",
    "ReadIndex, equal term": "Leader: AppendEntries AppendEntries",
    "ReadIndex, higher term": "Follower: Persist",
    "ReadIndexReply, lower term": "-",
    "ReadIndexReply, equal term": "-",
    "ReadIndexReply, higher term": "Follower: Persist"
  }
}

const eventOf = (row: Row): RaftEvent => {
  if (row in events) return events[row as keyof typeof events]
  const [tag, relation] = row.split(", ") as [Message["_tag"], string]
  const term = { "lower term": 1, "equal term": 2, "higher term": 3 }[relation]!
  return received(B, messages[tag](term), now)
}

const nameOf = (effect: RaftEffect): string => {
  if (effect._tag !== "Send") return effect._tag
  const { message } = effect
  if ("granted" in message) return `${message._tag}${message.granted ? "+" : "-"}`
  if ("result" in message) return `${message._tag}${message.result._tag === "Matched" ? "+" : "-"}`
  return message._tag
}

for (const [column, state] of Object.entries(states) as Array<[Column, ServerState]>) {
  describe(column, () => {
    for (const [row, expected] of Object.entries(steps[column]) as Array<[Row, string]>) {
      test(`${row} → ${expected}`, () => {
        const [next, effects] = step(state, eventOf(row))
        const said = [`${next === state ? "same" : next._tag}:`, ...effects.map(nameOf)].join(" ")
        expect(said === "same:" ? "-" : said).toBe(expected)
        expect(next.currentTerm).toBe(
          row.endsWith("higher term") && next !== state
            ? 3
            : next._tag === "Candidate" && column === "PreCandidate"
              ? 3
              : 2
        )
      })
    }
  })
}
