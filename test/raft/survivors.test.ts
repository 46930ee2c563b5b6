/**
 * What no other test would have noticed: each of these was written because a bug put into
 * the core on purpose (test/mutants, or mutation testing as docs/testing.md tells) survived.
 */
import { describe, expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import {
  A,
  after,
  answered,
  append,
  B,
  C,
  candidate,
  conflict,
  deadline,
  entriesFrom,
  follower,
  forward,
  type Leader,
  leader,
  makeRaft,
  matched,
  members,
  position,
  probe,
  queried,
  quorumLost,
  raft,
  type RaftEffect,
  readIndex,
  received,
  refused,
  replicate,
  request,
  requestVoteReply,
  sent,
  type ServerState,
  step,
  submitted
} from "./builders.ts"
import { senderOf } from "./images.ts"

const others = { request: request(1, C), command: "x" }

describe("a batch in which a leader falls", () => {
  test("[56] what others forwarded to it is not passed on to the next leader", () => {
    const state = leader({ term: 4, log: [4] })
    const [next, effects] = step(state, [
      received(C, forward(4, others)),
      submitted(1, "y"),
      received(B, append(5, position(1, 4)))
    ])
    expect(next).toMatchObject({ _tag: "Follower", leader: B })
    expect(sent(effects, B)).toContainEqual(forward(5, { request: request(1, A), command: "y" }))
    expect(sent(effects).filter(({ _tag }) => _tag === "Forward")).toHaveLength(1)
  })

  test("[32] without a majority its own clients are refused, and nobody else's", () => {
    const state = leader({ term: 4, log: [4] })
    const at = after(500)
    const [, effects] = step(state, [received(C, forward(4, others), at), submitted(1, "y", at), deadline(at)])
    expect(effects).toEqual([refused(1, "NoQuorum"), quorumLost])
  })
})

test("[139] get safety within a batch: a round that is confirmed before the write is committed answers nothing yet", () => {
  const [asking] = step(leader({ term: 2, log: [2] }), [submitted(1, "w"), queried(2, "q")])
  const [confirmed, early] = step(asking, received(C, matched(2, 1, 1)))
  expect(early).toEqual([])
  const [, effects] = step(confirmed, received(C, matched(2, 2, 1)))
  expect(effects).toContainEqual(answered(2, "q:1.2,w"))
})

describe("who refused and grants later", () => {
  test("has voted, and counts: a refusal is not the last word", () => {
    const [next] = step(candidate({ term: 3, heard: [B] }), received(B, requestVoteReply(3, true)))
    expect(next._tag).toBe("Leader")
  })

  test("a second refusal changes nothing", () => {
    const state = candidate({ term: 3, heard: [B] })
    expect(step(state, received(B, requestVoteReply(3, false)))).toEqual([state, []])
    expect(step(state, received(B, requestVoteReply(3, false)))[0]).toBe(state)
  })
})

test("[35] one answer of five does not end the loss of the majority, and the second does", () => {
  const lost: ServerState = { ...candidate({ voters: members(5), term: 3 }), quorumLost: true }
  const [one] = step(lost, received(B, requestVoteReply(3, false)))
  expect(one).toMatchObject({ quorumLost: true })
  expect(step(one, received(C, requestVoteReply(3, false)))[0]).toMatchObject({ quorumLost: false })
})

test("[52] a probe that matches below where it asked goes on from the match", () => {
  const state = leader({ term: 4, log: [4, 4, 4, 4, 4], progress: { B: probe(5), C: probe(6) } })
  const [next, effects] = step(state, received(B, matched(4, 2)))
  expect(next).toMatchObject({ _tag: "Leader", stateMachine: { commitIndex: 2 } })
  expect(sent(effects, B)).toEqual([append(4, position(2, 4), entriesFrom(3, 4, 4, 4), { commit: 2 })])
})

test("[53] a window that is full to the byte is full", () => {
  const by = makeRaft({ maxAppendEntries: 1, maxInflightBytes: 3 })
  const state = leader({ term: 4, log: [4, 4, 4, 4], progress: { B: replicate(0), C: probe(5) } })
  expect(sent(step(state, received(B, matched(4, 0)), by)[1], B)).toHaveLength(1)
})

test("[19] a request in the name of a stranger is logged, and nobody keeps books on the stranger", () => {
  const named = { request: request(1, ReplicaId("Z")), command: "x" }
  const [next, effects] = step(leader({ term: 4, log: [4] }), received(C, forward(4, named)))
  expect(next).toMatchObject({ _tag: "Leader", progress: new Map([B, C].map((peer) => [peer, expect.anything()])) })
  expect(effects.filter(({ _tag }) => _tag === "Persist")).toHaveLength(1)
  expect((next as Leader).progress.size).toBe(2)
})

test("reads that arrive one after the other while a round is under way are answered in that order", () => {
  const by = makeRaft({ maxReadRounds: 1 })
  let state: ServerState = leader({ term: 2, log: [2] })
  for (const sequence of [1, 2, 3, 4]) [state] = step(state, queried(sequence, "q"), by)
  const [next, first] = step(state, received(C, matched(2, 1, 1)), by)
  expect(first.filter(({ _tag }) => _tag === "Reply")).toEqual([answered(1, "q:1.2")])
  const [, rest] = step(next, received(C, matched(2, 1, 2)), by)
  expect(rest).toEqual([answered(2, "q:1.2"), answered(3, "q:1.2"), answered(4, "q:1.2")])
})

test("one event is a batch of one, and none is nothing", () => {
  const state = leader({ term: 2, log: [2] })
  expect(raft.reduce(state, queried(1, "q"))).toEqual(raft.reduceAll(state, [queried(1, "q")]))
  expect(raft.reduceAll(state, [])).toEqual([state, []])
})

test("[13] who is asked to replace what is committed says that it does not match, and where its log ends", () => {
  const state = follower({ term: 3, leader: B, log: [1, 1, 2], commit: 2 })
  const [next, effects] = step(state, received(B, append(3, position(1, 1), entriesFrom(2, 3))))
  expect(next.stateMachine).toBe(state.stateMachine)
  expect(sent(effects, B)).toEqual([conflict(3, 1, position(3, 2), 0, senderOf(next))])
})

describe("limits, to the point", () => {
  test("[58] what just fits is taken", () => {
    const by = makeRaft({ maxUncommittedBytes: 4 })
    const [, effects] = step(
      leader({ term: 4, log: [4] }),
      [submitted(1, "xx"), submitted(2, "yy"), submitted(3, "z")],
      by
    )
    expect(effects.filter(({ _tag }) => _tag === "Reply")).toEqual([refused(3, "UncommittedBytes")])
  })

  test("[54] an append is filled to the byte", () => {
    const by = makeRaft({ maxAppendBytes: 6 })
    const state = leader({ term: 4, log: [4, 4, 4], progress: { B: replicate(0), C: probe(4) } })
    const [, effects] = step(state, received(B, matched(4, 0)), by)
    expect(sent(effects, B).map((message) => "entries" in message && message.entries.length)).toEqual([2, 1])
  })

  test("[56] commands are forwarded in messages no larger than an append", () => {
    const by = makeRaft({ maxAppendBytes: 4 })
    const batch = ["aa", "bb", "c", "dddddd", "e"].map((command, at) => submitted(at + 1, command))
    const [, effects] = step(follower({ term: 4, leader: B }), batch, by)
    const pieces = sent(effects, B).flatMap((message) =>
      message._tag === "Forward" ? [message.requests.map(({ command }) => command).join(" ")] : []
    )
    expect(pieces).toEqual(["aa bb", "c", "dddddd", "e"])
  })

  test("reads that wait already count towards the limit", () => {
    const by = makeRaft({ maxWaitingReads: 2 })
    const [one] = step(leader({ term: 2, log: [2] }), queried(1, "q"), by)
    const [, effects] = step(one, [queried(2, "q"), queried(3, "q")], by)
    expect(effects.filter(({ _tag }) => _tag === "Reply")).toEqual([refused(3, "WaitingReads")])
  })

  test("[141] a follower has no more questions open than there may be rounds", () => {
    const by = makeRaft({ maxReadRounds: 1 })
    const [one, asked] = step(follower({ term: 2, leader: B }), queried(1, "q"), by)
    expect(sent(asked, B)).toHaveLength(1)
    expect(step(one, queried(2, "q"), by)[1]).toEqual([])
  })
})

describe("questions that wait for a round", () => {
  const by = makeRaft({ maxReadRounds: 1 })
  const ask = (state: ServerState, ...asks: ReadonlyArray<readonly [ReplicaId, number]>): ServerState =>
    asks.reduce((before, [from, number]) => step(before, received(from, readIndex(2, number)), by)[0], state)
  const answers = (effects: ReadonlyArray<RaftEffect>): ReadonlyArray<unknown> =>
    effects.flatMap((one) =>
      one._tag === "Send" && one.message._tag === "ReadIndexReply" ? [[one.to, one.message.number]] : []
    )

  test("[141] all get their answer: of different followers under one number, of one under two", () => {
    const [asking] = step(leader({ term: 2, log: [2] }), queried(1, "q"), by)
    const waiting = ask(asking, [B, 7], [C, 7], [B, 8], [B, 7])
    const [next] = step(waiting, received(C, matched(2, 1, 1)), by)
    const [, effects] = step(next, received(C, matched(2, 1, 2)), by)
    expect(answers(effects)).toEqual([
      [B, 7],
      [C, 7],
      [B, 8]
    ])
  })
})
