/** Thesis §4.2.1, from memory: new servers join "as non-voting members", and catch up "in rounds" before they vote. */
import { describe, expect, test } from "vitest"
import * as Configurations from "../../../src/raft/Configuration.ts"
import { Index } from "../../../src/raft/LogEntry.ts"
import type { CatchUp } from "../../../src/raft/ServerState.ts"
import { amending, changing } from "../amendments.ts"
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
  entries,
  follower,
  type Leader,
  leader,
  matched,
  members,
  now,
  position,
  queried,
  raft,
  received,
  refused,
  replicate,
  sent,
  type ServerState,
  step,
  submitted
} from "../builders.ts"

const learning = (promote: boolean): Configurations.Configuration => ({
  ...Configurations.of(members(3)),
  learners: [{ id: D, promote }]
})
const add = (promote = true) => changing({ _tag: "Add", id: D, address: "d:1", promote })
const catchUp = (more: Partial<CatchUp> = {}): ReadonlyMap<typeof D, CatchUp> =>
  new Map([[D, { round: 1, target: Index(1), since: now, done: false, ...more }]])
const caughtUpOf = (state: ServerState): CatchUp | undefined => (state as Leader).catchUps.get(D)

describe("[64] a learner", () => {
  test('"the leader replicates log entries to it", as to anybody', () => {
    const [next, effects] = step(leader({ term: 2, log: [2] }), amending(1, add()))
    expect(next.configuration.learners).toEqual([{ id: D, promote: true }])
    expect(Configurations.isJoint(next.configuration)).toBe(false)
    expect(sent(effects, D)).toMatchObject([{ _tag: "AppendEntries" }])
    // Nothing is known of it yet.
    expect((next as Leader).progress.get(D)).toMatchObject({ _tag: "Probe", matchIndex: 0, incarnation: 0 })
  })

  test('"is not yet counted towards majorities for voting or commitment purposes"', () => {
    const state = leader({
      term: 2,
      log: [2, 2],
      commit: 1,
      configuration: learning(false),
      progress: { B: replicate(1), C: replicate(1), D: replicate(1) }
    })
    expect(step(state, received(D, matched(2, 2)))[0].stateMachine.commitIndex).toBe(1)
    expect(step(state, received(C, matched(2, 2)))[0].stateMachine.commitIndex).toBe(2)
  })

  test("confirms no read round, and keeps no leader in office", () => {
    const state = leader({ term: 2, log: [2], configuration: learning(false) })
    const [asking] = step(state, queried(1, "q"))
    expect(step(asking, received(D, matched(2, 1, 1)))[1].filter(({ _tag }) => _tag === "Reply")).toEqual([])
    const [heard] = step(state, received(D, matched(2, 1), after(499)))
    expect(step(heard, deadline(after(500)))[0]._tag).toBe("Follower")
  })

  test("does not stand, and is not asked for its vote", () => {
    const state = follower({ id: D, term: 2, log: [2], configuration: learning(true) })
    const [next, effects] = step(state, deadline(after(1_000)))
    expect(next._tag).toBe("Follower")
    expect(sent(effects)).toEqual([])
    const [, asked] = step(follower({ term: 2, log: [2], configuration: learning(true) }), deadline(after(1_000)))
    expect(sent(asked, D)).toEqual([])
    expect(sent(asked, B)).toHaveLength(1)
  })

  test("[141] forwards what its clients want, and serves their reads like a follower", () => {
    const state = follower({ id: D, term: 2, log: [2], configuration: learning(true), leader: A })
    expect(sent(step(state, submitted(1, "x", now, D))[1], A)).toMatchObject([{ _tag: "Forward" }])
    expect(sent(step(state, queried(1, "q", now, D))[1], A)).toMatchObject([{ _tag: "ReadIndex" }])
  })

  test("one that has not heard of itself yet follows, and learns", () => {
    const state = follower({ id: D, configuration: Configurations.of(members(3)) })
    const [next] = step(state, received(A, append(2, position(0, 0), entries(2))))
    expect(next).toMatchObject({ leader: A, stateMachine: { log: { length: 1 } } })
  })
})

describe("[117] catching up", () => {
  const state = leader({
    term: 2,
    log: [2, 2],
    configuration: learning(true),
    commit: 2,
    progress: { B: replicate(2), C: replicate(2), D: replicate(1) },
    catchUps: catchUp({ target: Index(2) })
  })

  test('"each round replicates all the log entries present in the leader\'s log at the start of the round"', () => {
    const first = leader({
      term: 2,
      log: [2, 2],
      configuration: learning(true),
      commit: 2,
      progress: { D: replicate(1) }
    })
    const [began] = step(first, received(B, matched(2, 2)))
    expect(caughtUpOf(began)).toEqual({ round: 1, target: 2, since: now, done: false })
    // What is logged meanwhile belongs to the next round.
    const [more] = step(began, submitted(1, "x"))
    expect(caughtUpOf(more)).toEqual({ round: 1, target: 2, since: now, done: false })
  })

  test('"if the last round lasted less than an election timeout", it becomes a voter, and by itself', () => {
    const [next] = step(state, received(D, matched(2, 2), after(499)))
    expect(next.configuration).toMatchObject({ voters: [...members(3), D], outgoing: members(3), learners: [] })
  })

  test("if it took longer, another round begins, of what has been logged since", () => {
    const [longer] = step(state, [submitted(1, "x"), received(B, matched(2, 2))])
    const [next] = step(longer, received(D, matched(2, 2), after(500)))
    expect(next.configuration).toEqual(learning(true))
    expect(caughtUpOf(next)).toEqual({ round: 2, target: 3, since: after(500), done: false })
    const alive = [B, C].map((peer) => received(peer, matched(2, 2), after(600)))
    // The round is short this time. What it acknowledges is committed by that, and so nothing is pending.
    const [voter] = step(next, [
      ...alive,
      received(D, matched(2, 3), after(600)),
      received(B, matched(2, 3), after(600))
    ])
    expect(Configurations.isVoter(voter.configuration, D)).toBe(true)
  })

  test("until it has reached the round's end it is none", () => {
    const [next] = step(state, received(D, matched(2, 1)))
    expect(next.configuration).toEqual(learning(true))
    expect(caughtUpOf(next)?.done).toBe(false)
  })

  test("one that is not admitted, or not in reach, is none: it could vote no more than before", () => {
    const [unknown] = step(state, received(D, matched(2, 2, 0, { ...anybody, admitted: false })))
    expect(unknown.configuration).toEqual(learning(true))
    const silent = leader({
      term: 2,
      log: [2],
      configuration: learning(true),
      progress: { B: replicate(1), C: replicate(1), D: replicate(1, { heardAt: after(-500) }) },
      commit: 1,
      catchUps: catchUp({ done: true })
    })
    const [next] = step(silent, received(B, matched(2, 1)))
    expect(next.configuration).toEqual(learning(true))
    // And once it speaks again, it begins anew.
    expect(caughtUpOf(next)).toMatchObject({ round: 1, done: false })
  })

  test("one that has is not kept waiting by another that has not", () => {
    const learners = [D, E].map((id) => ({ id, promote: true }))
    const both = leader({
      term: 2,
      log: [2],
      configuration: { ...Configurations.of(members(3)), learners },
      progress: { E: replicate(0) },
      commit: 1,
      catchUps: catchUp({ done: true })
    })
    const [next] = step(both, received(D, matched(2, 1)))
    expect(next.configuration).toMatchObject({ voters: [...members(3), D], learners: [{ id: E, promote: true }] })
  })

  test("one that is to stay a learner does", () => {
    const stays = leader({ term: 2, log: [2], configuration: learning(false), catchUps: catchUp({ done: true }) })
    expect(step(stays, received(D, matched(2, 1)))[0].configuration).toEqual(learning(false))
    // It may be promoted by hand.
    const [next] = step(stays, amending(1, changing({ _tag: "Promote", id: D })))
    expect(next.configuration.voters).toEqual([...members(3), D])
  })

  test("promoted by hand before that, it is refused; with force it is not", () => {
    const behind = leader({
      term: 2,
      log: [2, 2],
      commit: 2,
      configuration: learning(false),
      progress: { B: replicate(2), C: replicate(2), D: replicate(1) },
      catchUps: catchUp({ target: Index(2) })
    })
    const promote = changing({ _tag: "Promote", id: D })
    expect(step(behind, amending(1, promote))[1]).toContainEqual(refused(1, "NotCaughtUp"))
    expect(step(behind, amending(1, { ...promote, force: true }))[0].configuration.voters).toEqual([...members(3), D])
  })

  test("not while another change is under way, nor while handing over", () => {
    const to = { to: B, deadline: after(500), askedAt: now }
    const handing = { ...state, transfer: to }
    expect(step(handing, received(D, matched(2, 2)))[0].configuration).toEqual(learning(true))
    // What was measured is not lost by that.
    expect(caughtUpOf(step(handing, received(D, matched(2, 2)))[0])?.done).toBe(true)
  })

  test("not if the voters in reach would be no majority with it", () => {
    const alone = leader({
      term: 2,
      log: [2],
      configuration: { ...Configurations.of([A, B]), learners: [{ id: D, promote: true }] },
      progress: { B: replicate(1, { heardAt: after(-450) }), D: replicate(1, { heardAt: after(-450) }) },
      commit: 1,
      catchUps: catchUp({ done: true })
    })
    expect(step(alone, received(D, matched(2, 1)))[0].configuration.voters).toEqual([A, B, D])
    expect(raft.options.electionTimeoutMillis).toBe(500)
  })

  test("who is no learner any more is not measured", () => {
    const [next] = step(leader({ term: 2, log: [2], configuration: learning(true), catchUps: catchUp() }), [
      amending(1, changing({ _tag: "Remove", id: D }))
    ])
    expect((next as Leader).catchUps.size).toBe(0)
    expect((next as Leader).progress.has(D)).toBe(false)
    expect((next as Leader).progress.has(C)).toBe(true)
  })
})
