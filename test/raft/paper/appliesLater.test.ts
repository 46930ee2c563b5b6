/** With `appliesLater` a step that logs entries leaves what was committed before to the next step, which may be taken while the disk works. */
import { describe, expect, test } from "vitest"
import * as Overtaking from "../../../src/raft/Overtaking.ts"
import {
  A,
  append,
  applied,
  B,
  deadline,
  entry,
  follower,
  leader,
  logged,
  makeRaft,
  matched,
  now,
  persist,
  position,
  type RaftEffect,
  received,
  recordFrom,
  request,
  type ServerState,
  step,
  submitted
} from "../builders.ts"

const by = makeRaft({ appliesLater: true })
const isAnswer = ({ _tag }: RaftEffect): boolean => _tag === "Reply"
const indexes = ({ stateMachine: { commitIndex, lastApplied } }: ServerState) => [commitIndex, lastApplied]

describe("a step that logs entries", () => {
  test("of a leader commits, and applies in the next one, which needs no disk", () => {
    const [first] = step(leader({ term: 2, log: [2] }), submitted(1, "x"), by)
    const [second, effects] = step(first, [received(B, matched(2, 2)), submitted(2, "y")], by)
    expect(indexes(second)).toEqual([2, 1])
    expect(effects.filter(isAnswer)).toEqual([])
    expect(by.nextDeadline(second)).toBe(0)
    const taken = Overtaking.attempt(by, second, [deadline(now)], recordFrom(3))
    expect(taken?.[1]).toEqual([applied(1, 2)])
    expect(indexes(taken![0])).toEqual([2, 2])
  })

  test("of a follower likewise", () => {
    const own = logged(2, 2, request(1), "x")
    const before = follower({ term: 2, leader: B, log: [entry(1, 2), own], commit: 1 })
    const [next, effects] = step(before, received(B, append(2, position(2, 2), [entry(3, 2)], { commit: 2 })), by)
    expect(indexes(next)).toEqual([2, before.stateMachine.lastApplied])
    expect(effects.filter(isAnswer)).toEqual([])
    expect(Overtaking.attempt(by, next, [deadline(now)], recordFrom(3))?.[1]).toEqual([applied(1, 2)])
  })

  test("leaves nothing a second time, however much comes", () => {
    const [first] = step(leader({ term: 2, log: [2] }), submitted(1, "x"), by)
    const [second] = step(first, [received(B, matched(2, 2)), submitted(2, "y")], by)
    const [third, effects] = step(second, [received(B, matched(2, 3)), submitted(3, "z")], by)
    expect(indexes(third)).toEqual([3, 3])
    expect(effects.filter(isAnswer)).toEqual([applied(1, 2), expect.objectContaining({ request: request(2) })])
  })

  test("of a sole voter applies what it has just logged, behind its disk", () => {
    const [, effects] = step(leader({ voters: [A], term: 2, log: [2] }), submitted(1, "x"), by)
    expect(effects).toEqual([persist(undefined, { from: 2, entries: [logged(2, 2, request(1), "x")] }), applied(1, 2)])
  })
})

test("a step that logs nothing applies at once", () => {
  const [first] = step(leader({ term: 2, log: [2] }), submitted(1, "x"), by)
  expect(indexes(step(first, received(B, matched(2, 2)), by)[0])).toEqual([2, 2])
})

test("a follower whose time is over does not stand for election while its disk works", () => {
  const state = follower({ term: 2, leader: B, log: [entry(1, 2)], commit: 1 })
  expect(Overtaking.attempt(by, state, [deadline(state.electionDeadline)], recordFrom(2))).toBeUndefined()
})
