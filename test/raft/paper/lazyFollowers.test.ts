/** §5.3: how often a leader speaks to which follower is its own business, as long as a majority comes to hold its log. */
import { describe, expect, test } from "vitest"
import { Index, Instant } from "../../../src/raft/LogEntry.ts"
import {
  A,
  after,
  anybody,
  append,
  B,
  C,
  D,
  deadline,
  E,
  entriesFrom,
  follower,
  type Leader,
  leader,
  makeRaft,
  matched,
  members,
  now,
  position,
  received,
  replicate,
  sent,
  step,
  submitted
} from "../builders.ts"

const lazy = makeRaft({
  lazyFollowers: true,
  appendPatienceMillis: 4,
  heartbeatMillis: 400,
  electionTimeoutMillis: 500
})

/** Who was spoken to longest ago has its turn: C, then E. */
const quiet = (): Leader =>
  leader({
    term: 2,
    voters: members(5),
    log: [2, 2],
    commit: 2,
    progress: {
      B: replicate(2, { sentAt: Instant(now - 10), sentCommit: Index(2), incarnation: 1 }),
      C: replicate(2, { sentAt: Instant(now - 40), sentCommit: Index(2), incarnation: 1 }),
      D: replicate(2, { sentAt: Instant(now - 20), sentCommit: Index(2), incarnation: 1 }),
      E: replicate(2, { sentAt: Instant(now - 30), sentCommit: Index(2), incarnation: 1 })
    }
  })

const everybody = [B, C, D, E]
const spokenTo = (effects: Parameters<typeof sent>[0]) => everybody.filter((peer) => sent(effects, peer).length > 0)

describe("a lazy leader", () => {
  test("sends a command to no more followers than make a majority, taking turns", () => {
    const [first, effects] = step(quiet(), submitted(1, "x"), lazy)
    expect(spokenTo(effects)).toEqual([C, E])
    const answers = [C, E].map((peer) => received(peer, matched(2, 3), after(1)))
    const [second] = step(first, answers, lazy)
    expect(second.stateMachine.commitIndex).toBe(3)
    const [, further] = step(second, submitted(2, "y", after(2)), lazy)
    expect(spokenTo(further)).toEqual([B, D])
  })

  test("one that is asked in its turn gets all that it lacks", () => {
    const [first] = step(quiet(), submitted(1, "x"), lazy)
    const [second] = step(
      first,
      [C, E].map((peer) => received(peer, matched(2, 3), after(1))),
      lazy
    )
    const [, effects] = step(second, submitted(2, "y", after(2)), lazy)
    const [message] = sent(effects, B)
    expect(message).toMatchObject({ _tag: "AppendEntries", prev: position(2, 2), leaderCommit: 3 })
    expect(message?._tag === "AppendEntries" && message.entries.map(({ index }) => index)).toEqual([3, 4])
  })

  test("whoever does not answer in time is replaced, and asked again from where it is known to be", () => {
    const [first] = step(quiet(), submitted(1, "x"), lazy)
    const [second] = step(first, received(C, matched(2, 3), after(1)), lazy)
    expect(lazy.nextDeadline(second)).toBe(after(4))
    const [third, effects] = step(second, deadline(after(4)), lazy)
    expect(spokenTo(effects)).toEqual([D])
    const [fourth, others] = step(third, deadline(after(8)), lazy)
    expect(spokenTo(others)).toEqual([B])
    const [, again] = step(fourth, deadline(after(12)), lazy)
    expect(spokenTo(again)).toEqual([E])
    expect(sent(again, E)).toEqual([expect.objectContaining({ prev: position(2, 2) })])
  })

  test("speaks to whoever has not been heard for a heartbeat, and soon again if that is lost", () => {
    const [first, effects] = step(quiet(), deadline(after(400)), lazy)
    expect(spokenTo(effects)).toEqual(everybody)
    const [second] = step(
      first,
      [B, C, D].map((peer) => received(peer, matched(2, 2), after(401))),
      lazy
    )
    expect(lazy.nextDeadline(second)).toBe(after(404))
    const [, again] = step(second, deadline(after(404)), lazy)
    expect(spokenTo(again)).toEqual([E])
  })

  test("asks the more followers the fewer answer", () => {
    const lossy = { ...quiet(), answers: { rate: 0.5, millis: 1 } }
    expect(spokenTo(step(lossy, submitted(1, "x"), lazy)[1])).toEqual(everybody)
  })

  test("waits longer for answers that take longer", () => {
    const slow = { ...quiet(), answers: { rate: 1, millis: 5 } }
    const [first] = step(slow, submitted(1, "x"), lazy)
    expect(lazy.nextDeadline(first)).toBe(after(15))
  })
})

describe("one that is not lazy", () => {
  test("speaks to all", () => {
    const [, effects] = step(quiet(), submitted(1, "x"), makeRaft())
    expect(spokenTo(effects)).toEqual(everybody)
  })
})

describe("an answer to what was said in an earlier term", () => {
  test("confirms no round of this one, for the same replica may lead both", () => {
    const state = follower({ id: B, term: 3, leader: A, log: [1] })
    const [, effects] = step(state, received(A, append(2, position(1, 1), entriesFrom(2, 2), { round: 9 })))
    expect(sent(effects, A)).toEqual([
      {
        _tag: "AppendEntriesReply",
        term: 3,
        round: 0,
        result: { _tag: "Conflict", prevIndex: 1, hint: position(1, 1) },
        sender: anybody
      }
    ])
  })
})
