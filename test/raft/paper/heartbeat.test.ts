/** §5.2 and §5.6: a sign of life must not wait behind what takes long to arrive. */
import { describe, expect, test } from "vitest"
import { Index } from "../../../src/raft/LogEntry.ts"
import { heartbeat, heartbeatReply } from "../amendments.ts"
import {
  after,
  anybody,
  append,
  B,
  C,
  D,
  deadline,
  follower,
  type Leader,
  leader,
  leaderChanged,
  makeRaft,
  position,
  queried,
  raft,
  received,
  replicate,
  send,
  sent,
  step
} from "../builders.ts"

const busy = (bytes: number): Leader =>
  leader({
    term: 2,
    log: [2, 2],
    commit: 2,
    progress: { B: replicate(1, { nextIndex: Index(3), inflight: [{ last: Index(2), bytes }] }), C: replicate(2) }
  })

describe("beside a large append", () => {
  test("a heartbeat goes as a message of its own, and an append behind the data as before", () => {
    const [, effects] = step(busy(64 * 1024 + 1), deadline(after(100)))
    expect(sent(effects, B)).toEqual([heartbeat(2), append(2, position(2, 2), [], { commit: 2 })])
    expect(sent(effects, C)).toEqual([append(2, position(2, 2), [], { commit: 2 })])
  })

  test("not beside a small one: that says more", () => {
    const [, effects] = step(busy(64 * 1024), deadline(after(100)))
    expect(sent(effects, B)).toEqual([append(2, position(2, 2), [], { commit: 2 })])
  })

  test("a read round goes with it at once", () => {
    const [, effects] = step(busy(100_000), queried(1, "q"))
    expect(sent(effects, B)[0]).toEqual(heartbeat(2, 1))
  })

  test("how much is large is an option", () => {
    const [, effects] = step(busy(10), deadline(after(100)), makeRaft({ heartbeatBesideBytes: 9 }))
    expect(sent(effects, B)[0]).toEqual(heartbeat(2))
  })
})

describe("a follower that hears one", () => {
  test("has a leader, waits for it anew, and answers", () => {
    const [next, effects] = step(follower({ term: 2, log: [2] }), received(B, heartbeat(2, 4), after(600)))
    expect(next).toMatchObject({ leader: B, leaderHeardAt: after(600), quorumLost: false })
    expect(raft.nextDeadline(next)).toBeGreaterThanOrEqual(after(1_100))
    expect(effects).toEqual([send(B, heartbeatReply(2, 4)), leaderChanged(B, 2)])
  })

  test("commits nothing by it: it vouches for no log", () => {
    const [next] = step(follower({ term: 2, log: [2, 2], commit: 1 }), received(B, heartbeat(2)))
    expect(next.stateMachine.commitIndex).toBe(1)
  })

  test("of an earlier term it tells its own; of one that claims to lead a term that has a leader it hears nothing", () => {
    const state = follower({ term: 3, log: [2], leader: C })
    expect(step(state, received(B, heartbeat(2, 4)))).toEqual([state, [send(B, heartbeatReply(3, 0))]])
    expect(step(state, received(B, heartbeat(3)))).toEqual([state, []])
  })

  test("of a later term it follows", () => {
    const [next] = step(leader({ term: 2, log: [2] }), received(B, heartbeat(3)))
    expect(next).toMatchObject({ _tag: "Follower", currentTerm: 3, leader: B })
  })
})

describe("its answer", () => {
  test("is a sign of life, and confirms the round; it says nothing about the log", () => {
    const [asking] = step(busy(100_000), queried(1, "q"))
    const [next] = step(asking, received(B, heartbeatReply(2, 1), after(50)))
    expect((next as Leader).progress.get(B)).toMatchObject({ heardAt: after(50), confirmedRound: 1, matchIndex: 1 })
    expect((next as Leader).rounds).toEqual([])
  })

  test("of a round that never was, of an earlier start, and of a stranger it is not heard", () => {
    const state = busy(10)
    expect(step(state, received(B, heartbeatReply(2, 9)))[0]).toBe(state)
    expect(step(state, received(B, heartbeatReply(2, 0, { ...anybody, incarnation: 0 })))[0]).toBe(state)
    expect(step(state, received(D, heartbeatReply(2)))[0]).toBe(state)
  })

  test("of another start makes it known: what the one before acknowledged is not counted", () => {
    const [next] = step(busy(10), received(B, heartbeatReply(2, 0, { ...anybody, incarnation: 2 })))
    expect((next as Leader).progress.get(B)).toMatchObject({ incarnation: 2, matchIndex: 0 })
  })

  test("of one that is not admitted confirms nothing", () => {
    const [asking] = step(busy(100_000), queried(1, "q"))
    const [next] = step(asking, received(B, heartbeatReply(2, 1, { ...anybody, admitted: false })))
    expect((next as Leader).rounds).toHaveLength(1)
  })

  test("keeps the leader in office though no append is answered", () => {
    const state = leader({ term: 2, log: [2], voters: [busy(1).id, B] })
    const [heard] = step(state, received(B, heartbeatReply(2), after(400)))
    expect(step(heard, deadline(after(500)))[0]._tag).toBe("Leader")
    expect(step(heard, deadline(after(900)))[0]._tag).toBe("Follower")
    expect(step(state, deadline(after(500)))[0]._tag).toBe("Follower")
  })
})
