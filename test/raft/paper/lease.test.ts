/**
 * Thesis §6.4.1, from memory: "once the leader's heartbeats were acknowledged by a majority of the cluster, the leader
 * would assume that no other server will become leader for about an election timeout".
 */
import { describe, expect, test } from "vitest"
import * as Configurations from "../../../src/raft/Configuration.ts"
import type { Instant } from "../../../src/raft/LogEntry.ts"
import type * as Messages from "../../../src/raft/Message.ts"
import { configured, heartbeat, timeoutNow, transferring } from "../amendments.ts"
import {
  A,
  after,
  answered,
  anybody,
  append,
  B,
  C,
  D,
  deadline,
  entry,
  follower,
  type Leader,
  leader,
  makeRaft,
  matched,
  members,
  now,
  position,
  preVote,
  preVoteReply,
  queried,
  raft,
  type RaftEffect,
  readIndex,
  readIndexReply,
  received,
  replicate,
  requestVote,
  requestVoteReply,
  sent,
  type ServerState,
  start,
  step
} from "../builders.ts"

const leasing = makeRaft({ leaseReads: true, maxClockDrift: 0 })
const patient: Messages.Sender = { ...anybody, patienceMillis: 500 }
const replies = (effects: ReadonlyArray<RaftEffect>) => effects.filter(({ _tag }) => _tag === "Reply")
const lease = (state: ServerState) => (state as Leader).lease
const roundOf = (effects: ReadonlyArray<RaftEffect>) =>
  sent(effects, B).flatMap((message) => (message._tag === "AppendEntries" ? [message.round] : []))
const led = leader({ term: 2, log: [2] })
/** Round 1 has left at `now`, and was acknowledged by B so long after. */
const [begun] = step(led, deadline(now), leasing)
const acknowledged = (millis: number, sender = patient, by = leasing): ServerState =>
  step(begun, received(B, matched(2, 1, 1, sender), after(millis)), by)[0]

describe("thesis §6.4.1, the leader", () => {
  test("a round begins with each heartbeat, whether or not anybody reads", () => {
    const [first, effects] = step(led, deadline(now), leasing)
    expect(roundOf(effects)).toEqual([1])
    expect(lease(first).sent).toEqual([{ round: 1, at: now }])
    expect(roundOf(step(first, deadline(after(99)), leasing)[1])).toEqual([])
    expect(roundOf(step(first, deadline(after(100)), leasing)[1])).toEqual([2])
  })

  test('[142] while a majority has promised, it "can reply to read-only queries without communication"', () => {
    const [next, effects] = step(acknowledged(10), queried(1, "q", after(20)), leasing)
    expect(replies(effects)).toEqual([answered(1, "q:1.2")])
    expect(sent(effects)).toEqual([])
    expect(next.reads.waiting).toBe(0)
    const [, asked] = step(acknowledged(10), received(C, readIndex(2, 7), after(20)), leasing)
    expect(sent(asked, C)).toContainEqual(readIndexReply(2, 7, 1))
  })

  test("[142] where it is not opted for, it asks as before", () => {
    const [, effects] = step(acknowledged(10, patient, raft), queried(1, "q", after(20)))
    expect(replies(effects)).toEqual([])
    expect(lease(acknowledged(10, patient, raft)).until).toBe(0)
    expect(step(led, deadline(now))[0]).toBe(led)
  })

  test("[142] the promise is counted from when the heartbeat left, not from when its acknowledgement came", () => {
    const late = acknowledged(300)
    expect(lease(late).until).toBe(after(500))
    expect(replies(step(late, queried(1, "q", after(499)), leasing)[1])).toHaveLength(1)
    expect(replies(step(late, queried(1, "q", after(500)), leasing)[1])).toEqual([])
  })

  test("[143] a leader that was paused for longer answers nothing from its lease", () => {
    const paused = acknowledged(10)
    const [next, effects] = step(paused, [queried(1, "q", after(5_000))], leasing)
    expect(replies(effects)).toEqual([])
    expect(next.reads.waiting).toBe(1)
  })

  test("[142] clocks may differ: of a promise only so much is counted", () => {
    for (const [maxClockDrift, share] of [
      [0, 500],
      [0.05, 500 * (0.95 / 1.05)],
      [0.2, 500 * (0.8 / 1.2)]
    ] as const) {
      const drifting = makeRaft({ leaseReads: true, maxClockDrift })
      expect(lease(acknowledged(10, patient, drifting)).until).toBeCloseTo(now + share)
    }
  })

  test("a clock that is slow by the bound does not outlast one that is fast by it", () => {
    const drift = 0.1
    const { until } = lease(acknowledged(0, patient, makeRaft({ leaseReads: true, maxClockDrift: drift })))
    // In real time: the leader's clock is slow, the follower's fast.
    expect((until - now) / (1 - drift)).toBeLessThanOrEqual(500 / (1 + drift) + 1e-9)
  })

  test("who promises nothing, or is not admitted, binds nobody", () => {
    for (const sender of [anybody, { ...patient, admitted: false }]) {
      expect(lease(acknowledged(10, sender)).until).toBeLessThanOrEqual(now)
    }
    expect(lease(acknowledged(10, { ...patient, patienceMillis: 200 })).until).toBe(after(200))
  })

  test("an acknowledgement of an earlier round is of when that one left", () => {
    const [second] = step(begun, deadline(after(100)), leasing)
    const [first] = step(second, received(B, matched(2, 1, 1, patient), after(110)), leasing)
    expect(lease(first).until).toBe(after(500))
    const [latest] = step(first, received(B, matched(2, 1, 2, patient), after(120)), leasing)
    expect(lease(latest).until).toBe(after(600))
  })

  test("[138] not before an entry of its own term is committed", () => {
    const fresh = leader({ term: 3, log: [2, 3], commit: 1, progress: { B: replicate(1), C: replicate(1) } })
    const [asking] = step(fresh, deadline(now), leasing)
    const [bound] = step(asking, received(B, matched(3, 1, 1, patient), after(1)), leasing)
    expect(lease(bound).until).toBe(after(500))
    expect(replies(step(bound, queried(1, "q", after(2)), leasing)[1])).toEqual([])
  })

  test("[139] a write that is not committed yet is waited for, as ever", () => {
    const state = { ...acknowledged(10) } as Leader
    const [next, effects] = step(
      state,
      [
        { _tag: "CommandSubmitted", request: { replica: A, incarnation: 1, sequence: 1 }, command: "x", at: after(20) },
        queried(2, "q", after(20))
      ],
      leasing
    )
    expect(replies(effects)).toEqual([])
    const [, told] = step(next, received(B, matched(2, 2, 1, patient), after(30)), leasing)
    expect(replies(told)).toContainEqual(answered(2, "q:1.2,x"))
  })

  test("[145] alone it need ask nobody; in a joint configuration both majorities are bound", () => {
    const [, effects] = step(leader({ term: 2, log: [2], voters: [A] }), queried(1, "q"), leasing)
    expect(replies(effects)).toEqual([answered(1, "q:1.2")])
    const both = { ...Configurations.of([A, D]), outgoing: members(3), autoLeave: false }
    const state = leader({ term: 2, log: [entry(1, 2), configured(2, 2, both)] })
    const [asking] = step(state, deadline(now), leasing)
    const [one] = step(asking, received(B, matched(2, 2, 1, patient), after(1)), leasing)
    expect(lease(one).until).toBe(0)
    const [two] = step(one, received(D, matched(2, 2, 1, patient), after(1)), leasing)
    expect(lease(two).until).toBe(after(500))
  })

  test("it is counted anew when the members change: another configuration has other majorities", () => {
    const bound = acknowledged(10) as Leader
    const configuration = Configurations.of(members(4))
    const wider = { ...bound, configuration, configurations: [{ ...bound.configurations[0]!, configuration }] }
    const [next, effects] = step(
      { ...wider, progress: new Map(bound.progress).set(D, replicate(1)) },
      queried(1, "q", after(20)),
      leasing
    )
    expect(lease(next).until).toBe(0)
    expect(replies(effects)).toEqual([])
  })

  test("rounds that reads begin one after the other are not all remembered", () => {
    let state: ServerState = led
    for (let at = 0; at < 1_000; at++) {
      const round = (state as Leader).round
      const alive = received(C, matched(2, 1, round), after(at))
      state = step(state, [alive, queried(at + 1, "q", after(at))], leasing)[0]
    }
    expect((state as Leader).round).toBeGreaterThan(900)
    expect(lease(state).sent.length).toBeLessThanOrEqual(41)
  })

  test("what it remembers of rounds is bounded", () => {
    let state: ServerState = led
    for (let at = 0; at < 5_000; at += 100) {
      state = step(state, [received(B, matched(2, 1, 0, patient), after(at)), deadline(after(at))], leasing)[0]
    }
    expect(lease(state).sent.length).toBeLessThanOrEqual(11)
  })
})

describe("[136] handing over", () => {
  test("voids the lease for the rest of the term: the target's request releases who has promised", () => {
    const [handing] = step(acknowledged(10), transferring(C, after(20)), leasing)
    expect(lease(handing)).toEqual({ sent: [], until: 0, void: true })
    expect(replies(step(handing, queried(1, "q", after(30)), leasing)[1])).toEqual([])
    const alive = [B, C].map((peer) => received(peer, matched(2, 1, 1, patient), after(400)))
    const [over] = step(step(handing, alive, leasing)[0], deadline(after(520)), leasing)
    expect(over).toMatchObject({ _tag: "Leader", transfer: undefined, lease: { void: true, until: 0 } })
    const [asking, effects] = step(over, queried(2, "q", after(530)), leasing)
    expect(replies(effects)).toEqual([])
    expect(
      replies(step(asking, received(B, matched(2, 1, (asking as Leader).round, patient), after(540)), leasing)[1])
    ).toHaveLength(1)
    expect(lease(step(asking, received(B, matched(2, 1, 2, patient), after(540)), leasing)[0]).until).toBe(0)
  })

  test("from the moment it is asked for nothing is answered from it", () => {
    const state = leader({
      term: 2,
      log: [2, 2],
      commit: 2,
      progress: { B: replicate(1), C: replicate(2) },
      lease: { sent: [{ round: 1, at: now }], until: after(500), void: false },
      round: 1
    })
    const [next] = step(state, received(C, matched(2, 2, 0, patient), after(1)), leasing)
    const [, effects] = step(next, [transferring(B, after(20)), queried(1, "q", after(20))], leasing)
    expect(replies(effects)).toEqual([])
  })
})

describe("thesis §6.4.1, a follower", () => {
  const hearing = (by = leasing): ServerState =>
    step(follower({ term: 2, log: [2] }), received(B, append(2, position(1, 2))), by)[0]
  const candidacy = (at: Instant) => received(C, requestVote(3, position(9, 2)), at)

  test("says for how long it votes for nobody, and then votes for nobody", () => {
    const [next, effects] = step(follower({ term: 2, log: [2] }), received(B, append(2, position(1, 2))), leasing)
    expect(sent(effects, B)).toMatchObject([{ sender: { patienceMillis: 500 } }])
    expect(next.patientUntil).toBe(after(500))
    expect(step(next, candidacy(after(499)), leasing)[0]).toBe(next)
    expect(step(next, candidacy(after(500)), leasing)[0].votedFor).toBe(C)
    expect(sent(step(next, received(C, preVote(2, position(9, 2)), after(499)), leasing)[1])).toEqual([
      preVoteReply(2, 2, false)
    ])
  })

  test("a heartbeat beside appends binds it as well, and so does a piece of a snapshot", () => {
    const [next] = step(follower({ term: 2, log: [2] }), received(B, heartbeat(2, 3)), leasing)
    expect(next.patientUntil).toBe(after(500))
  })

  test("it promises nothing where leases are not opted for", () => {
    const [next, effects] = step(follower({ term: 2, log: [2] }), received(B, append(2, position(1, 2))))
    expect(sent(effects, B)).toMatchObject([{ sender: { patienceMillis: 0 } }])
    expect(next.patientUntil).toBe(0)
  })

  test("the promise outlasts whatever else it hears of a later term", () => {
    const [later] = step(hearing(), received(C, preVoteReply(3, 2, false)), leasing)
    expect(later).toMatchObject({ currentTerm: 3, leader: undefined })
    expect(step(later, received(C, requestVote(4, position(9, 2)), after(499)), leasing)[0]).toBe(later)
    expect(step(later, received(C, requestVote(4, position(9, 2)), after(500)), leasing)[0].votedFor).toBe(C)
  })

  test("the promise holds against a request of the very term that it was told of by another message", () => {
    const [later] = step(hearing(), received(C, preVoteReply(3, 2, false)), leasing)
    const [refusing, effects] = step(later, candidacy(after(499)), leasing)
    expect(refusing.votedFor).toBeUndefined()
    expect(sent(effects, C)).toEqual([requestVoteReply(3, false)])
    expect(step(later, candidacy(after(500)), leasing)[0].votedFor).toBe(C)
    const released = received(C, requestVote(3, position(9, 2), true), after(1))
    expect(step(later, released, leasing)[0].votedFor).toBe(C)
  })

  test("it does not stand before that, either", () => {
    const state = hearing()
    expect(leasing.nextDeadline(state)).toBeGreaterThanOrEqual(state.patientUntil)
  })

  test("a request that its leader has asked for releases it", () => {
    const [next] = step(hearing(), received(C, requestVote(3, position(9, 2), true), after(1)), leasing)
    expect(next.votedFor).toBe(C)
    const [stands] = step(hearing(), received(B, timeoutNow(2), after(1)), leasing)
    expect(stands._tag).toBe("Candidate")
  })

  test("after a restart it is patient, as it may have promised that just before", () => {
    const state = start({ term: 2, log: [entry(1, 2)] }, leasing)
    expect(state.patientUntil).toBe(after(500))
    expect(step(state, candidacy(after(499)), leasing)[0]).toBe(state)
    expect(step(state, candidacy(after(500)), leasing)[0].votedFor).toBe(C)
    expect(start({ term: 2, configuration: Configurations.of([A]) }, leasing).patientUntil).toBe(now)
    expect(step(start({ term: 2, log: [entry(1, 2)] }), candidacy(now))[0].votedFor).toBe(C)
  })

  test("after a restart the sole voter is patient, too, with a leader that may not know yet that it is no voter", () => {
    const joint = { ...Configurations.of([A]), outgoing: [A, B], autoLeave: true }
    const log = [entry(1, 2), configured(2, 2, joint), configured(3, 2, Configurations.of([A]))]
    const configuration = Configurations.of([A, B])
    const state = start({ term: 2, log, configuration }, leasing)
    expect(state.patientUntil).toBe(after(500))
    expect(leasing.nextDeadline(state)).toBeGreaterThanOrEqual(after(500))
    expect(raft.nextDeadline(start({ term: 2, log, configuration }))).toBe(now)
  })
})
