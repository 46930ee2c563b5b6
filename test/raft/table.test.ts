/** Every event in every role, as the table has it. */
import { describe, expect, test } from "vitest"
import {
  amending,
  changing,
  forwardAmendment,
  forwardTransfer,
  heartbeat,
  heartbeatReply,
  notAMember,
  timeoutNow,
  transferring
} from "./amendments.ts"
import {
  append,
  B,
  C,
  candidate,
  deadline,
  follower,
  forward,
  forwardRefused,
  introduce,
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
import {
  arrived,
  chunk,
  diskIs,
  divergedAt,
  failed,
  forgotten,
  held,
  imageOf,
  introduced,
  missing,
  snapshotAt,
  spoiled,
  stored
} from "./images.ts"
import { type Column, type Row, steps } from "./table.ts"

const states: Readonly<Record<Column, ServerState>> = {
  Follower: follower({ term: 2, log: [1, 2], commit: 1 }),
  "Follower of B": follower({ term: 2, log: [1, 2], leader: B, commit: 1 }),
  PreCandidate: preCandidate({ term: 2, log: [1, 2], commit: 1 }),
  Candidate: candidate({ term: 2, log: [1, 2], commit: 1 }),
  Leader: leader({ term: 2, log: [1, 2] })
}

const removeC = changing({ _tag: "Remove", id: C })
const messages: { readonly [Tag in Message["_tag"]]: (term: number) => Message } = {
  PreVote: (term) => preVote(term, position(2, 2)),
  PreVoteReply: (term) => preVoteReply(term, 2, true),
  RequestVote: (term) => requestVote(term, position(2, 2)),
  RequestVoteReply: (term) => requestVoteReply(term, true),
  AppendEntries: (term) => append(term, position(2, 2)),
  AppendEntriesReply: (term) => matched(term, 2),
  Forward: (term) => forward(term, { request: request(1, B), command: "x" }),
  ReadIndex: (term) => readIndex(term, 1),
  ReadIndexReply: (term) => readIndexReply(term, 1, 1),
  ForwardRefused: (term) => forwardRefused(term, "NoSpace", request(1)),
  InstallSnapshot: (term) => chunk(term, snapshotAt(3, 2), 0),
  InstallSnapshotReply: (term) => held(term, snapshotAt(3, 2), 5),
  Introduce: (term) => introduce(term, 2),
  IntroduceReply: (term) => introduced(term, 1, 1),
  Forgotten: (term) => forgotten(term, 1, 3),
  Diverged: (term) => divergedAt(term, 1, 9),
  Heartbeat: (term) => heartbeat(term),
  HeartbeatReply: (term) => heartbeatReply(term),
  TimeoutNow: (term) => timeoutNow(term),
  ForwardTransfer: (term) => forwardTransfer(term, C),
  ForwardAmendment: (term) => forwardAmendment(term, request(1, B), removeC),
  NotAMember: (term) => notAMember(term, 1)
}

const late = raft.nextDeadline(states.Follower)
const events: { readonly [Tag in Exclude<RaftEvent["_tag"], "MessageReceived">]: RaftEvent } = {
  DeadlineReached: deadline(late),
  CommandSubmitted: submitted(1, "x"),
  QuerySubmitted: queried(1, "q"),
  SnapshotStored: stored(snapshotAt(1, 1)),
  SnapshotFailed: failed(1, 1),
  SnapshotReceived: arrived(snapshotAt(3, 2), imageOf(1, 2, 2)),
  SnapshotSpoiled: spoiled(snapshotAt(3, 2)),
  SnapshotMissing: missing(snapshotAt(1, 1)),
  DiskSpaceChanged: diskIs(true),
  AmendmentSubmitted: amending(1, removeC),
  TransferRequested: transferring(C)
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
            : next._tag === "Candidate" && column !== "Candidate"
              ? 3
              : 2
        )
      })
    }
  })
}
