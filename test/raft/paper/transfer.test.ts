/** Thesis §3.10, from memory: handing over the leadership. */
import { describe, expect, test } from "vitest"
import * as Configurations from "../../../src/raft/Configuration.ts"
import { amending, changing, forwardTransfer, timeoutNow, transferring } from "../amendments.ts"
import {
  A,
  after,
  append,
  B,
  C,
  candidate,
  D,
  deadline,
  E,
  follower,
  forward,
  type Leader,
  leader,
  leaderChanged,
  matched,
  members,
  now,
  persist,
  position,
  preCandidate,
  queried,
  raft,
  type RaftEffect,
  received,
  refused,
  replicate,
  request,
  requestVote,
  requestVoteReply,
  send,
  sent,
  step,
  submitted
} from "../builders.ts"

const told = (effects: ReadonlyArray<RaftEffect>) =>
  effects.flatMap((effect) => (effect._tag === "Send" && effect.message._tag === "TimeoutNow" ? [effect.to] : []))
const behind = leader({ term: 2, log: [2, 2], commit: 2, progress: { B: replicate(1), C: replicate(2) } })

describe("thesis §3.10, the leader that hands over", () => {
  test('[131] "sends a TimeoutNow request to the target server" that holds all of its log', () => {
    const [next, effects] = step(behind, transferring(C))
    expect(told(effects)).toEqual([C])
    expect(next).toMatchObject({ _tag: "Leader", transfer: { to: C, deadline: after(500), askedAt: now } })
  })

  test('[131] first it "fully updates the target server\'s log"', () => {
    const [next, effects] = step(behind, transferring(B))
    expect(told(effects)).toEqual([])
    expect(told(step(next, received(B, matched(2, 2)))[1])).toEqual([B])
  })

  test("[131] one that is being sent a snapshot, or is not admitted, is waited for", () => {
    const odd = leader({
      term: 2,
      log: [2],
      commit: 1,
      progress: { B: replicate(1, { admitted: false }), C: replicate(1) }
    })
    const [next, effects] = step(odd, transferring(B))
    expect(told(effects)).toEqual([])
    expect(told(step(next, received(B, matched(2, 1)))[1])).toEqual([B])
  })

  test("[131] to itself, to a stranger, to a learner: nothing happens", () => {
    const configuration = { ...Configurations.of(members(3)), learners: [{ id: D, promote: false }] }
    const state = leader({ term: 2, log: [2], configuration })
    for (const to of [A, D, E]) {
      const [next, effects] = step(state, transferring(to))
      expect(next).toMatchObject({ _tag: "Leader", transfer: undefined })
      expect(effects).toEqual([])
      // And nobody's command is dropped for it.
      expect(step(state, [transferring(to), submitted(1, "x")])[0].stateMachine.log.length).toBe(2)
    }
  })

  test("to nobody in particular: to the voter in reach that holds most", () => {
    expect(told(step(behind, transferring())[1])).toEqual([C])
    const silent = leader({
      term: 2,
      log: [2, 2],
      commit: 2,
      progress: { B: replicate(1), C: replicate(2, { heardAt: after(-500) }) }
    })
    expect(step(silent, transferring())[0]).toMatchObject({ transfer: { to: B } })
    const learner = leader({
      term: 2,
      log: [2],
      commit: 1,
      configuration: { ...Configurations.of([A, B]), learners: [{ id: C, promote: false }] },
      progress: { B: replicate(0), C: replicate(1) }
    })
    expect(step(learner, transferring())[0]).toMatchObject({ transfer: { to: B } })
    const alone = leader({ term: 2, log: [2], voters: [A] })
    expect(step(alone, transferring())[0]).toBe(alone)
  })

  test('[133] "stops accepting new client requests": nothing is logged, its own or another\'s', () => {
    const [handing] = step(behind, transferring(B))
    const [next, effects] = step(handing, [
      submitted(1, "x"),
      received(C, forward(2, { request: request(1, C), command: "y" }))
    ])
    expect(next.stateMachine.log).toBe(handing.stateMachine.log)
    expect(effects.filter(({ _tag }) => _tag === "Reply" || _tag === "Persist")).toEqual([])
  })

  test("[133] a command that comes with the request to hand over is not logged any more", () => {
    const [next] = step(behind, [submitted(1, "x"), transferring(B)])
    expect(next.stateMachine.log).toBe(behind.stateMachine.log)
  })

  test("[133] members do not change meanwhile", () => {
    const [handing] = step(behind, transferring(B))
    expect(step(handing, amending(1, changing({ _tag: "Remove", id: C })))[1]).toContainEqual(refused(1, "NotReady"))
  })

  test("[133] reads go on: they need no log, and a round shows that it still leads", () => {
    const [handing] = step(leader({ term: 2, log: [2] }), transferring(B))
    const [asking] = step(handing, queried(1, "q"))
    expect(step(asking, received(C, matched(2, 1, 1)))[1]).toContainEqual(
      expect.objectContaining({ _tag: "Reply", outcome: { _tag: "Answered", answer: "q:1.2" } })
    )
  })

  test('[132] "if leadership transfer does not complete after about an election timeout", it "resumes accepting client requests"', () => {
    const [handing] = step(behind, transferring(B))
    expect(raft.nextDeadline(handing)).toBeLessThanOrEqual(after(500))
    const alive = [B, C].map((peer) => received(peer, matched(2, 1), after(499)))
    const [still] = step(handing, alive)
    expect(still).toMatchObject({ transfer: { to: B } })
    const [next, effects] = step(still, deadline(after(500)))
    expect(next).toMatchObject({ _tag: "Leader", transfer: undefined })
    // Whoever has waited submits again.
    expect(effects).toContainEqual(leaderChanged(A, 2))
    expect(step(next, submitted(1, "x", after(501)))[0].stateMachine.log.length).toBe(3)
  })

  test("the word may be lost: it is said again with each heartbeat, and no oftener", () => {
    const [handing] = step(behind, transferring(C))
    expect(told(step(handing, deadline(after(99)))[1])).toEqual([])
    const [next, effects] = step(handing, deadline(after(100)))
    expect(told(effects)).toEqual([C])
    expect(raft.nextDeadline(next)).toBeLessThanOrEqual(after(200))
  })

  test("[134] a second request takes the place of the first; the same again changes nothing", () => {
    const [handing] = step(behind, transferring(B))
    const [other, effects] = step(handing, transferring(C, after(10)))
    expect(other).toMatchObject({ transfer: { to: C, deadline: after(510) } })
    expect(told(effects)).toEqual([C])
    const [same] = step(other, transferring(C, after(20)))
    expect(same).toMatchObject({ transfer: { to: C, deadline: after(510) } })
    const [latest] = step(behind, [transferring(B), transferring(C)])
    expect(latest).toMatchObject({ transfer: { to: C } })
  })

  test("[134] it is given up for one that votes no more", () => {
    const state = leader({ term: 2, log: [2], transfer: { to: B, deadline: after(500), askedAt: now } })
    const configuration = { ...Configurations.of([A, C]), learners: [{ id: B, promote: false }] }
    const demoted = { ...state, configuration, configurations: [{ ...state.configurations[0]!, configuration }] }
    const [next] = raft.reduce(demoted, deadline(after(100)))
    expect(next).toMatchObject({ _tag: "Leader", transfer: undefined })
  })

  test("whoever is asked for it passes it on to the leader", () => {
    const state = follower({ term: 2, log: [2], leader: B })
    expect(step(state, transferring(C))[1]).toEqual([send(B, forwardTransfer(2, C))])
    expect(step(state, transferring())[1]).toEqual([send(B, forwardTransfer(2))])
    expect(told(step(behind, received(B, forwardTransfer(2, C)))[1])).toEqual([C])
  })
})

describe("thesis §3.10, the target", () => {
  const state = follower({ term: 2, log: [2], leader: B })

  test('"starts a new election": it "increments its term and becomes candidate", asking nobody before', () => {
    const [next, effects] = step(state, received(B, timeoutNow(2)))
    expect(next).toMatchObject({ _tag: "Candidate", currentTerm: 3, votedFor: A })
    const ask = requestVote(3, position(1, 2), true)
    expect(effects).toEqual([persist({ term: 3, votedFor: A }), send(B, ask), send(C, ask)])
  })

  test('"a special flag" lets "other servers believe a leader exists" and vote all the same (thesis §4.2.3)', () => {
    const hearing = follower({ term: 2, log: [2], leader: B })
    const [next] = step(hearing, received(C, requestVote(3, position(1, 2), true)))
    expect(next).toMatchObject({ currentTerm: 3, votedFor: C })
    expect(step(hearing, received(C, requestVote(3, position(1, 2), false)))[0]).toBe(hearing)
    const [deposed] = step(leader({ term: 2, log: [2] }), received(C, requestVote(3, position(1, 2), true)))
    expect(deposed).toMatchObject({ _tag: "Follower", currentTerm: 3, votedFor: C })
  })

  test("the flag makes no log better than it is", () => {
    const [next, effects] = step(
      follower({ term: 2, log: [2, 2], leader: B }),
      received(C, requestVote(3, position(1, 2), true))
    )
    expect(next.votedFor).toBe(undefined)
    expect(sent(effects, C)).toEqual([requestVoteReply(3, false)])
  })

  test("who stands of its own accord does not claim to be asked to", () => {
    const [, effects] = step(
      preCandidate({ term: 2, log: [2] }),
      received(B, {
        _tag: "PreVoteReply",
        term: state.currentTerm,
        askedIn: state.currentTerm,
        granted: true,
        admitted: true
      })
    )
    expect(sent(effects, B)).toEqual([requestVote(3, position(1, 2), false)])
  })

  test("[135] a TimeoutNow of an earlier term, or of one that does not lead, is void", () => {
    const later = follower({ term: 3, log: [2], leader: C })
    expect(step(later, received(B, timeoutNow(2)))).toEqual([later, []])
    expect(step(later, received(B, timeoutNow(3)))).toEqual([later, []])
    const [next] = step(follower({ term: 2, log: [2] }), received(B, timeoutNow(3)))
    expect(next).toMatchObject({ _tag: "Follower", currentTerm: 3, leader: undefined })
    for (const one of [
      candidate({ term: 2, log: [2] }),
      preCandidate({ term: 2, log: [2] }),
      leader({ term: 2, log: [2] })
    ]) {
      expect(step(one, received(B, timeoutNow(2)))[0]).toBe(one)
    }
  })

  test("[134] who does not vote, or may not, does not stand", () => {
    const configuration = { ...Configurations.of([B, C]), learners: [{ id: A, promote: false }] }
    for (const one of [
      follower({ term: 2, log: [2], leader: B, configuration }),
      follower({ term: 2, log: [2], leader: B, admitted: false, pristine: false })
    ]) {
      expect(step(one, received(B, timeoutNow(2)))[0]).toBe(one)
    }
  })

  test("a sole voter that is told to stand leads at once", () => {
    const one = follower({ term: 2, log: [2], leader: B, voters: [A] })
    expect(step(one, received(B, timeoutNow(2)))[0]._tag).toBe("Leader")
  })

  test("the old leader follows the new one, and so ends its handing over", () => {
    const [handing] = step(behind, transferring(C))
    const [next] = step(handing, received(C, append(3, position(2, 2), [], { commit: 2 })))
    expect(next).toMatchObject({ _tag: "Follower", leader: C, currentTerm: 3 })
    expect((next as unknown as Leader).transfer).toBe(undefined)
  })
})
