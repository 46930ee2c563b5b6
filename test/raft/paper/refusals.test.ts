/** What a leader cannot log, for want of room on a disk or in memory, and how it is said to whom. */
import { describe, expect, test } from "vitest"
import {
  A,
  after,
  answered,
  append,
  applied,
  B,
  C,
  candidate,
  entriesFrom,
  follower,
  forward,
  forwardRefused,
  leader,
  makeRaft,
  matched,
  position,
  queried,
  received,
  refused,
  reply,
  request,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  step,
  submitted,
  terms
} from "../builders.ts"
import { diskIs } from "../images.ts"

const asked = (...sequences: ReadonlyArray<number>) =>
  sequences.map((sequence) => ({ request: request(sequence, B), command: `b${sequence}` }))

describe("[90] a leader whose disk is full", () => {
  const [full] = step(leader({ term: 2, log: [2, 2] }), diskIs(true))

  test("refuses its own clients' commands, and others' through those that forwarded them", () => {
    const [next, effects] = step(full, [
      submitted(1, "x"),
      received(B, forward(2, ...asked(1, 2))),
      received(C, forward(2, { request: request(7, C), command: "c" }))
    ])
    expect(next).toBe(full)
    expect(effects).toEqual([
      refused(1, "NoSpace"),
      send(B, forwardRefused(2, "NoSpace", request(1, B), request(2, B))),
      send(C, forwardRefused(2, "NoSpace", request(7, C)))
    ])
  })

  test("nobody is told who is no member", () => {
    const named = { request: request(1, "Z" as typeof A), command: "x" }
    expect(step(full, received(B, forward(2, named)))).toEqual([full, []])
  })

  test("goes on reading, leading and committing what is logged", () => {
    const [asking] = step(full, queried(1, "q"))
    expect(step(asking, received(B, matched(2, 2, 1)))[1]).toEqual([answered(1, "q:1.2,2.2")])
    const [logged] = step(leader({ term: 2, log: [2] }), submitted(1, "x"))
    const [filled] = step(logged, diskIs(true))
    expect(step(filled, received(B, matched(2, 2)))[1]).toContainEqual(applied(1, 2))
  })

  test("takes commands again when there is room", () => {
    const [free] = step(full, diskIs(false))
    expect(free).toEqual({ ...full, diskFull: false })
    expect(terms(step(free, submitted(1, "x"))[0])).toEqual([2, 2, 2])
  })

  test("the same news twice is none", () => {
    expect(step(full, diskIs(true))[0]).toBe(full)
    const state = leader({ term: 2, log: [2] })
    expect(step(state, diskIs(false))[0]).toBe(state)
  })

  test("what a follower stores, and the first entry of a term, must be", () => {
    const state = { ...follower({ term: 2, leader: B, log: [2] }), diskFull: true }
    expect(terms(step(state, received(B, append(2, position(1, 2), entriesFrom(2, 2))))[0])).toEqual([2, 2])
    const standing = { ...candidate({ term: 3, log: [2] }), diskFull: true }
    const [next] = step(standing, received(B, requestVoteReply(3, true)))
    expect(next).toMatchObject({ _tag: "Leader", diskFull: true })
    expect(terms(next)).toEqual([2, 3])
  })

  test("a follower with a full disk passes its clients' commands on: the leader has room", () => {
    const state = { ...follower({ term: 2, leader: B, log: [2] }), diskFull: true }
    expect(sent(step(state, submitted(1, "x"))[1])).toEqual([forward(2, { request: request(1), command: "x" })])
  })
})

describe("[58] too much that is uncommitted", () => {
  const by = makeRaft({ maxUncommittedBytes: 4 })

  test("who forwarded what did not fit is told which, and of what fitted nothing", () => {
    const [, effects] = step(leader({ term: 2, log: [2] }), received(B, forward(2, ...asked(1, 2, 3))), by)
    expect(sent(effects, B)).toMatchObject([
      { _tag: "AppendEntries", entries: [{ index: 2 }, { index: 3 }] },
      forwardRefused(2, "UncommittedBytes", request(3, B))
    ])
  })
})

describe("a follower that is told so", () => {
  const state: ServerState = follower({ term: 2, leader: B, log: [2] })

  test("tells its client that the leader did nothing with it, each of its own", () => {
    const [same, effects] = step(state, received(B, forwardRefused(2, "NoSpace", request(1), request(2))))
    expect(same).toBe(state)
    expect(effects).toEqual([1, 2].map((sequence) => reply(sequence, { _tag: "Declined", reason: "NoSpace" })))
  })

  test("and nobody else's, nor an earlier start's", () => {
    expect(step(state, received(B, forwardRefused(2, "NoSpace", request(1, C), request(1, A, 0))))).toEqual([state, []])
  })

  test("in a term that is over it is void: the client submits again by itself", () => {
    expect(step(state, received(B, forwardRefused(1, "NoSpace", request(1)), after(1)))).toEqual([state, []])
  })
})
