/** A request is applied at most once, however often it was submitted, forwarded, logged or delivered (thesis §6.3). */
import { describe, expect, test } from "vitest"
import { Index } from "../../src/raft/LogEntry.ts"
import * as StateMachines from "../../src/raft/StateMachine.ts"
import {
  A,
  append,
  applied,
  B,
  C,
  deadline,
  follower,
  forward,
  leader,
  logged,
  machine,
  makeRaft,
  matched,
  noOp,
  now,
  position,
  received,
  reply,
  request,
  type RaftEvent,
  send,
  sent,
  step,
  submitted
} from "./builders.ts"
import { Cluster } from "./cluster.ts"
import { senderOf } from "./images.ts"

describe("thesis §6.3", () => {
  test("[146] a command that is logged twice is applied once; the second is Superseded", () => {
    const told: Array<unknown> = []
    const twice = [logged(1, 1, request(1), "x"), noOp(2, 2), logged(3, 2, request(1), "x")]
    const made = StateMachines.commitTo(StateMachines.make(machine.initial, twice), Index(3))
    const state = StateMachines.apply(made, machine, (id, outcome) => told.push([id.sequence, outcome]))
    expect(state).toMatchObject({ lastApplied: 3, value: ["x"], applied: new Map([[A, request(1)]]) })
    expect(told).toEqual([
      [1, { _tag: "Applied", result: 1 }],
      [1, { _tag: "Superseded" }]
    ])
  })

  test("a long log is applied in pieces, and every step asks to go on at once until it is done", () => {
    const short = makeRaft({ maxApplyEntries: 2 })
    const many = [1, 2, 3, 4, 5].map((index) => logged(index, 1, request(index, B), `c${index}`))
    const before = follower({ term: 1, leader: B, log: many })
    let [state] = short.reduce(before, received(B, append(1, position(5, 1), [], { commit: 5 })))
    expect(state.stateMachine).toMatchObject({ commitIndex: 5, lastApplied: 2 })
    for (const applied of [4, 5]) {
      expect(short.nextDeadline(state)).toBeLessThanOrEqual(now)
      ;[state] = short.reduce(state, deadline(now))
      expect(state.stateMachine.lastApplied).toBe(applied)
    }
    expect(state.stateMachine.value).toEqual(["c1", "c2", "c3", "c4", "c5"])
    expect(short.nextDeadline(state)).toBeGreaterThan(now)
  })

  test("each replica's requests are counted on their own, and each incarnation's", () => {
    const all = [
      logged(1, 1, request(2, A, 1), "a2"),
      logged(2, 1, request(1, B, 1), "b1"),
      logged(3, 1, request(1, A, 1), "a1, too late"),
      logged(4, 1, request(1, A, 2), "a1, next run"),
      logged(5, 1, request(3, A, 1), "a3, former run"),
      logged(6, 1, request(2, B, 1), "b2")
    ]
    const made = StateMachines.commitTo(StateMachines.make(machine.initial, all), Index(6))
    expect(StateMachines.apply(made, machine, () => {}).value).toEqual(["a2", "b1", "a1, next run", "b2"])
  })

  test("[146] submitted again to a leader: logged twice, answered Applied and then Superseded, applied once", () => {
    const [once] = step(leader({ term: 2, log: [2] }), submitted(1, "x"))
    const [twice] = step(once, submitted(1, "x"))
    const [next, effects] = step(twice, received(B, matched(2, 3)))
    expect(next.stateMachine.value).toEqual(["1.2", "x"])
    expect(effects).toEqual([applied(1, 2), reply(1, { _tag: "Superseded" })])
  })

  test("[146] a Forward that is delivered twice is applied once", () => {
    const event = received(C, forward(2, { request: request(1, C), command: "x" }))
    const [twice] = step(leader({ term: 2, log: [2] }), [event, event])
    expect(step(twice, received(B, matched(2, 3)))[0].stateMachine.value).toEqual(["1.2", "x"])
  })

  test("one that comes after its successor is never applied, and says so: submitting it anew is safe", () => {
    const state = follower({ term: 2, leader: B, log: [2] })
    const all = [logged(2, 2, request(2), "y"), logged(3, 2, request(1), "x")]
    const [next, effects] = step(state, received(B, append(2, position(1, 2), all, { commit: 3 })))
    expect(next.stateMachine.value).toEqual(["1.2", "y"])
    expect(effects.slice(-2)).toEqual([applied(2, 2), reply(1, { _tag: "Superseded" })])
  })

  test("what is applied is the same after a restart, from the log alone", () => {
    const all = [logged(1, 1, request(1), "x"), logged(2, 1, request(1), "x"), logged(3, 1, request(2), "y")]
    const live = follower({ term: 1, log: all, commit: 3 })
    const [again] = step(
      follower({ term: 1, log: all, leader: B }),
      received(B, append(1, position(3, 1), [], { commit: 3 }))
    )
    expect(again.stateMachine).toEqual(live.stateMachine)
  })
})

describe("a message that comes twice", () => {
  /** States and messages out of the life of a cluster under faults, where every kind of either occurs. */
  test("an answer changes nothing the second time but when the sender was heard", () => {
    const seen = new Map<string, number>()
    for (let seed = 1; seed <= 25; seed++) {
      const cluster = new Cluster(3, { seed })
      cluster.faults = { lost: 10, doubled: 20, late: 10 }
      cluster.watch = (id, event) => {
        if (event._tag !== "MessageReceived" || !event.message._tag.endsWith("Reply")) return
        const [once] = step(cluster.state(id), event, cluster.raft)
        const [twice, effects] = step(once, event, cluster.raft)
        const tag = event.message._tag
        seen.set(tag, (seen.get(tag) ?? 0) + 1)
        expect(withoutTimes(twice)).toEqual(withoutTimes(once))
        expect(effects).toEqual([])
      }
      for (let turn = 1; turn <= 40; turn++) {
        const id = cluster.ids[cluster.draw(3)]!
        if (turn % 8 === 0) cluster.passes = (from, to) => from !== id && to !== id
        if (turn % 8 === 4) cluster.passes = () => true
        cluster.submit(id, turn, `c${turn}`)
        cluster.query(cluster.ids[cluster.draw(3)]!, 1_000 + turn)
        cluster.run(cluster.draw(150))
      }
    }
    expect([...seen.keys()].sort()).toEqual([
      "AppendEntriesReply",
      "IntroduceReply",
      "PreVoteReply",
      "ReadIndexReply",
      "RequestVoteReply"
    ])
  })

  test("an append is taken once; its answer is the same", () => {
    const event: RaftEvent = received(B, append(2, position(1, 2), [logged(2, 2, request(1, C), "x")], { commit: 2 }))
    const [once, first] = step(follower({ term: 2, leader: B, log: [2] }), event)
    const [twice, second] = step(once, event)
    expect(twice.stateMachine).toBe(once.stateMachine)
    // But that it has been applied meanwhile.
    expect(sent(first)).toEqual([matched(2, 2)])
    expect(second).toEqual([send(B, matched(2, 2, 0, senderOf(once)))])
  })
})

const withoutTimes = (state: Parameters<typeof step>[0]) =>
  state._tag === "Leader"
    ? { ...state, progress: [...state.progress].map(([peer, progress]) => [peer, { ...progress, heardAt: 0 }]) }
    : state
