/** §5.1: terms are a logical clock; whoever is behind catches up, whoever is ahead is believed. */
import * as Configurations from "../../../src/raft/Configuration.ts"
import { describe, expect, test } from "vitest"
import { forwardAmendment, forwardTransfer, heartbeat, heartbeatReply, notAMember, timeoutNow } from "../amendments.ts"
import {
  A,
  append,
  B,
  C,
  candidate,
  conflict,
  deadline,
  entries,
  follower,
  forward,
  forwardRefused,
  introduce,
  leader,
  leaderChanged,
  matched,
  type Message,
  makeRaft,
  noOp,
  now,
  persist,
  position,
  preCandidate,
  preVote,
  preVoteReply,
  raft,
  readIndex,
  readIndexReply,
  received,
  requestVote,
  requestVoteReply,
  request,
  send,
  type ServerState,
  start,
  step,
  timeless
} from "../builders.ts"
import { chunk, divergedAt, forgotten, held, introduced, snapshotAt } from "../images.ts"

const first = position(1, 1)
const of = {
  PreVote: (term: number) => preVote(term, first),
  PreVoteReply: (term: number) => preVoteReply(term, 1, false),
  RequestVote: (term: number) => requestVote(term, position(9, 9)),
  RequestVoteReply: (term: number) => requestVoteReply(term, false),
  AppendEntries: (term: number) => append(term, first),
  AppendEntriesReply: (term: number) => matched(term, 1),
  Forward: (term: number) => forward(term),
  ReadIndex: (term: number) => readIndex(term, 1),
  ReadIndexReply: (term: number) => readIndexReply(term, 1, 1),
  ForwardRefused: (term: number) => forwardRefused(term, "NoSpace", request(1, C)),
  InstallSnapshot: (term: number) => chunk(term, snapshotAt(9, 1), 0),
  InstallSnapshotReply: (term: number) => held(term, snapshotAt(9, 1), 0),
  Introduce: (term: number) => introduce(term, 1),
  IntroduceReply: (term: number) => introduced(term, 1, 1),
  Forgotten: (term: number) => forgotten(term, 1, 9),
  Diverged: (term: number) => divergedAt(term, 1, 1),
  Heartbeat: (term: number) => heartbeat(term),
  HeartbeatReply: (term: number) => heartbeatReply(term),
  TimeoutNow: (term: number) => timeoutNow(term),
  ForwardTransfer: (term: number) => forwardTransfer(term),
  ForwardAmendment: (term: number) => forwardAmendment(term, request(1, C), { _tag: "Version", ceiling: 1 }),
  // Of before all that anybody knows here.
  NotAMember: (term: number) => notAMember(term, -1)
} satisfies Record<Message["_tag"], (term: number) => Message>
const messages = Object.entries(of)
/** What a replica of an earlier term is told of this one. */
const isAnsweredInAnyTerm = new Set([
  "PreVote",
  "RequestVote",
  "AppendEntries",
  "InstallSnapshot",
  "Introduce",
  "Heartbeat"
])

describe("§5.1", () => {
  test('[1] "when servers start up, they begin as followers"; the term is the disk\'s', () => {
    const state = start({ incarnation: 3, term: 4, votedFor: B, log: entries(1, 1, 4) })
    expect(timeless(state)).toEqual(
      timeless({
        ...follower({ term: 4, votedFor: B, log: [1, 1, 4] }),
        incarnation: 3,
        patientUntil: now,
        pristine: false,
        reads: { ...state.reads, waiting: 0 }
      })
    )
    expect(state._tag === "Follower" && state.leader).toBe(undefined)
    expect(raft.nextDeadline(state)).toBeGreaterThanOrEqual(now + 500)
    expect(raft.nextDeadline(state)).toBeLessThan(now + 1_000)
  })

  const roles: ReadonlyArray<ServerState> = [
    follower({ term: 1, log: [1], votedFor: B }),
    preCandidate({ term: 1, log: [1], votedFor: B }),
    candidate({ term: 1, log: [1] })
  ]
  for (const state of [...roles, leader({ term: 1, log: [1] })]) {
    for (const [tag, message] of messages) {
      if (tag === "PreVote" || (tag === "RequestVote" && state._tag === "Leader")) continue
      test(`[11] a ${state._tag} hears ${tag}: "updates its current term to the larger value", and "reverts to follower state"`, () => {
        const [next, effects] = step(state, received(C, message(3)))
        expect(next).toMatchObject({ _tag: "Follower", currentTerm: 3, quorumLost: false })
        expect(next.votedFor).toBe(tag === "RequestVote" ? C : undefined)
        expect(effects[0]).toEqual(persist({ term: 3, votedFor: next.votedFor }))
      })
    }
    test(`[24] a ${state._tag} hears of a later term in a PreVote, and stays in its own: nobody has entered that term`, () => {
      const [next] = step(state, received(C, preVote(3, first)))
      expect(next).toBe(state)
    })
  }
  test("a leader stays through RequestVote of a later term: it hears its majority (thesis §4.2.3)", () => {
    const state = leader({ term: 1, log: [1] })
    expect(step(state, received(C, requestVote(3, position(9, 9))))).toEqual([state, []])
  })

  test('[12] "a server receives a request with a stale term number, it rejects"; and tells the term', () => {
    const state = follower({ term: 5, log: [1], leader: B })
    expect(step(state, received(C, requestVote(4, position(9, 4))))).toEqual([
      state,
      [send(C, requestVoteReply(5, false))]
    ])
    expect(step(state, received(C, append(4, position(1, 1), [], { round: 2 })))).toEqual([
      state,
      [send(C, conflict(5, 1, position(1, 1)))]
    ])
    expect(step(state, received(C, preVote(4, position(9, 4))))).toEqual([state, [send(C, preVoteReply(5, 4, false))]])
  })

  for (const state of [...roles, leader({ term: 1, log: [1] })].map((one) => ({
    ...one,
    currentTerm: leader({ term: 3 }).currentTerm
  }))) {
    for (const [tag, message] of messages) {
      if (isAnsweredInAnyTerm.has(tag)) continue
      test(`[12] [16] a ${state._tag} is left as it is by ${tag} of an earlier term`, () => {
        const [next, effects] = raft.reduce(state, received(C, message(2)))
        expect(next).toBe(state)
        expect(effects).toEqual([])
      })
    }
  }

  /** What may lead to a configuration in which its sender is a member (thesis §4.1). */
  const isHeardFromAnybody = new Set<string>([
    "PreVote",
    "RequestVote",
    "AppendEntries",
    "Heartbeat",
    "InstallSnapshot",
    "Introduce",
    "IntroduceReply",
    "NotAMember"
  ])

  test("[19] who is no member is not heard where majorities are made, and asks a leader for nothing", () => {
    const stranger = follower({ id: follower().id, voters: [A, B] })
    for (const state of [stranger, leader({ voters: [A, B], term: 1, log: [1] })]) {
      for (const [tag, message] of messages) {
        if (isHeardFromAnybody.has(tag)) continue
        const [next, effects] = step(state, received(C, message(7)))
        expect(next).toBe(state)
        expect(effects).toEqual([])
      }
    }
  })

  test("a message under the replica's own name is not heard", () => {
    const state = follower({ term: 1 })
    expect(step(state, received(A, requestVote(2, first)))).toEqual([state, []])
  })

  test("[5] a single voter has a majority at once: it elects itself, commits, and stores both in one write", () => {
    const alone = start({ configuration: Configurations.of([A]), term: 4, log: entries(1, 4) })
    expect(raft.nextDeadline(alone)).toBe(now)
    const [state, effects] = step(alone, deadline(now))
    expect(state).toMatchObject({ _tag: "Leader", currentTerm: 5, votedFor: A })
    expect(state.stateMachine).toMatchObject({ commitIndex: 3, lastApplied: 3, value: ["1.1", "2.4"] })
    expect(effects).toEqual([
      persist({ term: 5, votedFor: A }, { from: 3, entries: [noOp(3, 5)] }),
      leaderChanged(A, 5)
    ])
    expect(makeRaft().nextDeadline(state)).toBe(Number.POSITIVE_INFINITY)
  })
})
