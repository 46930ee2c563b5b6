/**
 * Figure 3, State Machine Safety, is about what is applied, and not about what became of it: memory
 * and disks change bits. Replicas compare, and who differs stops serving.
 */
import { describe, expect, test } from "vitest"
import * as Chain from "../../../src/raft/Chain.ts"
import { Index, Term } from "../../../src/raft/LogEntry.ts"
import type { Progress } from "../../../src/raft/Progress.ts"
import * as StateMachines from "../../../src/raft/StateMachine.ts"
import {
  A,
  after,
  append,
  applied,
  anybody,
  B,
  C,
  D,
  deadline,
  E,
  entries,
  entriesFrom,
  follower,
  forward,
  type Leader,
  leader,
  logged,
  machine,
  matched,
  members,
  type Message,
  now,
  position,
  preVote,
  probe,
  queried,
  received,
  refused,
  replicate,
  reply,
  request,
  requestVote,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  step,
  submitted
} from "../builders.ts"
import { arrived, checkpoint, divergedAt, imageIn, imageOf, senderOf, snapshotAt } from "../images.ts"

const hashOf = (...log: ReadonlyArray<number>): number => follower({ log, commit: log.length }).stateMachine.hash

describe("the chain over what is applied", () => {
  test("[115] is the same for the same entries, whatever the steps in which they were applied", () => {
    const whole = StateMachines.commitTo(StateMachines.make(machine.initial, entries(1, 1, 2, 2)), Index(4))
    let inSteps = whole
    for (let at = 0; at < 4; at++) inSteps = StateMachines.apply(inSteps, machine, () => {}, 1)
    expect(inSteps).toEqual(StateMachines.apply(whole, machine, () => {}))
    expect(inSteps.hash).toBe(hashOf(1, 1, 2, 2))
    expect(Number.isInteger(inSteps.hash) && inSteps.hash >= 0 && inSteps.hash < 2 ** 32).toBe(true)
  })

  test("[115] goes on from a snapshot as if nothing had been dropped", () => {
    const [installed] = step(follower({ term: 2, leader: B, log: [1] }), arrived(snapshotAt(3, 2), imageOf(1, 1, 2)))
    const [next] = step(installed, received(B, append(2, position(3, 2), entriesFrom(4, 2), { commit: 4 })))
    const { hash, applied: marks, value } = follower({ log: [1, 1, 2, 2], commit: 4 }).stateMachine
    expect(next.stateMachine).toMatchObject({ hash, applied: marks, value })
  })

  test("differs with the order, the place, the term, the command and the result", () => {
    const chain = (...links: ReadonlyArray<readonly [number, number, number]>): number =>
      links.reduce((hash, [index, term, digest]) => Chain.extend(hash, Index(index), Term(term), digest), 0)
    const all = [
      chain([1, 1, 5], [2, 1, 6]),
      chain([1, 1, 6], [2, 1, 5]),
      chain([1, 1, 5], [3, 1, 6]),
      chain([1, 1, 5], [2, 2, 6]),
      chain([1, 1, 5], [2, 1, 7]),
      chain([1, 1, 4], [2, 1, 6]),
      chain([1, 1, 5])
    ]
    expect(new Set(all).size).toBe(all.length)
    const one = (result: number, command: string): number => {
      const by = { ...machine, apply: (): readonly [ReadonlyArray<string>, number] => [[], result] }
      const made = StateMachines.make(machine.initial, [logged(1, 1, request(1), command)])
      return StateMachines.apply(StateMachines.commitTo(made, Index(1)), by, () => {}).hash
    }
    expect(new Set([one(1, "x"), one(2, "x"), one(1, "y")]).size).toBe(3)
  })

  test("a request that is skipped is a link of it, too: others skip it as well", () => {
    const twice = [logged(1, 1, request(1), "x"), logged(2, 1, request(1), "x")]
    const state = follower({ log: twice, commit: 2 })
    expect(state.stateMachine.hash).toBe(
      Chain.extend(follower({ log: twice, commit: 1 }).stateMachine.hash, Index(2), Term(1), 0)
    )
  })

  test("checkpoints at every 64th entry, 64 of them, and the last of all: enough to meet", () => {
    const log = Array.from({ length: 64 * 70 + 5 }, () => 1)
    const { stateMachine } = follower({ log, commit: log.length })
    expect(stateMachine.marks.length).toBe(64)
    expect(stateMachine.marks.map(({ index }) => index % 64)).toEqual(Array.from({ length: 64 }, () => 0))
    expect(stateMachine.marks.at(-1)!.index).toBe(64 * 70)
    const tip = { index: log.length, hash: stateMachine.hash }
    expect(StateMachines.checkpoints(stateMachine)).toEqual([stateMachine.marks.at(-1), tip])
    expect(StateMachines.hashAt(stateMachine, Index(64 * 7))).toBe(stateMachine.marks[0]!.hash)
    expect(StateMachines.hashAt(stateMachine, Index(64 * 6))).toBe(undefined)
    expect(StateMachines.hashAt(stateMachine, Index(64 * 70 + 4))).toBe(undefined)
    expect(StateMachines.hashAt(stateMachine, Index(log.length))).toBe(stateMachine.hash)
    const [even] = [follower({ log, commit: 128 }).stateMachine]
    expect(StateMachines.checkpoints(even)).toEqual([{ index: 128, hash: even.hash }])
    expect(StateMachines.checkpoints(follower({ log }).stateMachine)).toEqual([])
  })
})

const log = [2, 2, 2, 2]
const says = (hash: number, index = 4, match = 4): Message =>
  matched(2, match, 0, {
    incarnation: 1,
    admitted: true,
    version: 1,
    patienceMillis: 0,
    applied: [checkpoint(index, hash)]
  })
const good = hashOf(...log)
const bad = (good ^ 1) >>> 0
const progress = (state: ServerState, of = B): Progress => (state as Leader).progress.get(of)!
const three = leader({ term: 2, log })
const hears = (state: ServerState, ...messages: ReadonlyArray<readonly [typeof A, Message]>) =>
  step(
    state,
    messages.map(([from, message]) => received(from, message))
  )
/** The index at which they differ, and what the leader has there. */
const isTold = divergedAt(2, 4, good)

describe("the leader compares what its followers have applied with its own", () => {
  test("where they agree, nobody is told anything", () => {
    const [next, effects] = hears(three, [B, says(good)], [C, says(good)])
    expect(effects).toEqual([])
    expect(progress(next)).toMatchObject({ compared: { index: 4, agrees: true } })
  })

  test("one of three differs, and the majority is right: it is told, once, and the others go on", () => {
    const [waiting, none] = hears(three, [B, says(bad)])
    expect(none).toEqual([])
    expect(waiting._tag).toBe("Leader")
    const [next, effects] = hears(waiting, [C, says(good)])
    expect(effects).toEqual([send(B, isTold)])
    expect(progress(next)).toMatchObject({ compared: { agrees: false, told: true } })
    expect(hears(next, [C, says(good)])[1]).toEqual([])
    expect(step(next, submitted(1, "x"))[1]).toHaveLength(3)
  })

  test("one that says so again has not heard it: it is told again; one that says nothing has", () => {
    const [told] = hears(three, [C, says(good)], [B, says(bad)])
    expect(hears(told, [B, says(bad)])[1]).toEqual([send(B, isTold)])
    expect(hears(told, [B, matched(2, 4)])[1]).toEqual([])
  })

  test("the leader is the one that differs: it leads no more, and serves nobody", () => {
    const asking = step(three, [queried(1, "q"), submitted(2, "x")])[0]
    const [next, effects] = hears(asking, [B, says(bad)], [C, says(bad)])
    expect(next).toMatchObject({ _tag: "Follower", leader: undefined, diverged: { index: 4, hash: good } })
    expect(effects).toContainEqual({ _tag: "DivergenceFound", at: checkpoint(4, good) })
    expect(effects).toContainEqual(refused(1, "Diverged"))
    expect(sent(effects)).toEqual([])
  })

  test("two of five differ: both are told; three of five: the leader stops", () => {
    const five = leader({ voters: members(5), term: 2, log })
    const [two, told] = hears(five, [B, says(bad)], [C, says(bad)], [D, says(good)], [E, says(good)])
    expect(told).toEqual([send(B, isTold), send(C, isTold)])
    expect(two._tag).toBe("Leader")
    expect(hears(five, [B, says(bad)], [C, says(bad)], [D, says(bad)])[0]).toMatchObject({ diverged: { index: 4 } })
  })

  test("a tie of two: nobody can tell who is right, so both stop", () => {
    const two = leader({ voters: [A, B], term: 2, log })
    const [next, effects] = hears(two, [B, says(bad)])
    expect(next).toMatchObject({ _tag: "Follower", diverged: { index: 4 } })
    expect(sent(effects, B)).toEqual([isTold])
  })

  test("three that differ from each other stop, all of them", () => {
    // By the time that the second is heard, two of three differ from the leader: it is in the minority.
    const [next] = hears(three, [B, says(bad)], [C, says((good ^ 2) >>> 0)])
    expect(next).toMatchObject({ _tag: "Follower", diverged: { index: 4 } })
  })

  test("while one that could decide is heard of, nothing is done; when it is away, the follower stops", () => {
    const [waiting] = hears(three, [B, says(bad)])
    expect(step(waiting, [received(C, matched(2, 4), after(300)), deadline(after(300))])[1]).not.toContainEqual(
      send(B, isTold)
    )
    const away = leader({
      term: 2,
      log,
      progress: { B: replicate(4), C: probe(5, { heardAt: after(-499) }) },
      commit: 4
    })
    expect(sent(hears(away, [B, says(bad)])[1], B)).toEqual([])
    const gone = leader({
      term: 2,
      log,
      progress: { B: replicate(4), C: probe(5, { heardAt: after(-500) }) },
      commit: 4
    })
    expect(sent(hears(gone, [B, says(bad)])[1], B)).toContainEqual(isTold)
  })

  test("only what both know is compared: not what the leader has not applied, or has no hash of any more", () => {
    for (const index of [1, 3, 5]) {
      const [next, effects] = hears(three, [B, says(bad, index)], [C, says(good)])
      expect(effects).toEqual([])
      expect(progress(next).compared).toBe(undefined)
    }
    const [later] = hears(three, [B, says(good)], [C, says(good)])
    expect(progress(hears(later, [B, says(bad, 3)])[0])).toMatchObject({ compared: { index: 4, agrees: true } })
  })

  test("of a checkpoint that both passed it is enough that it was the same then", () => {
    const long = Array.from({ length: 70 }, () => 2)
    const state = leader({ term: 2, log: long })
    const [mark] = state.stateMachine.marks
    const told = matched(2, 70, 0, {
      ...anybody,
      applied: [checkpoint(64, mark!.hash ^ 1), checkpoint(69, 1)]
    })
    const [, effects] = hears(state, [C, says(state.stateMachine.hash, 70, 70)], [B, told])
    expect(effects).toEqual([send(B, divergedAt(2, 64, mark!.hash))])
  })

  test("an answer that comes late says nothing about what was compared since", () => {
    const state = leader({ term: 2, log: Array.from({ length: 70 }, () => 2) })
    const [later] = hears(state, [B, says(state.stateMachine.hash, 70, 70)], [C, says(state.stateMachine.hash, 70, 70)])
    const [next, effects] = hears(later, [B, says(1, 64, 70)])
    expect(effects).toEqual([])
    expect(progress(next)).toMatchObject({ compared: { index: 70, agrees: true } })
  })

  test("another start of it begins anew", () => {
    const [told] = hears(three, [C, says(good)], [B, says(bad)])
    const [next] = hears(told, [
      B,
      matched(2, 4, 0, { incarnation: 2, admitted: true, version: 1, patienceMillis: 0, applied: [] })
    ])
    expect(progress(next).compared).toBe(undefined)
  })
})

describe("who is told that it differs", () => {
  const state = follower({ term: 2, leader: B, log, commit: 4 })
  const wrong = divergedAt(2, 4, bad)

  test("serves nobody any more: what waits is refused, and what comes", () => {
    const [asking] = step(state, queried(1, "q"))
    const [next, effects] = step(asking, received(B, wrong))
    expect(next).toMatchObject({ diverged: { index: 4, hash: bad }, reads: { waiting: 0 } })
    expect(effects).toEqual([refused(1, "Diverged"), { _tag: "DivergenceFound", at: checkpoint(4, bad) }])
    const [, more] = step(next, [queried(2, "q"), submitted(3, "x")])
    expect(more).toEqual([refused(3, "Diverged"), refused(2, "Diverged")])
  })

  const [stopped] = step(state, received(B, wrong))

  test("stores, applies and votes for the others' sake; its clients are not told what it thinks came of it", () => {
    const own = logged(5, 2, request(1), "x")
    const [next, effects] = step(stopped, received(B, append(2, position(4, 2), [own], { commit: 5 })))
    expect(next.stateMachine).toMatchObject({ lastApplied: 5, log: { length: 5 } })
    expect(effects.filter(({ _tag }) => _tag === "Reply")).toEqual([])
    expect(sent(effects)).toMatchObject([{ result: { matchIndex: 5 }, sender: { applied: [] } }])
    const voter = { ...stopped, leader: undefined }
    expect(sent(step(voter as ServerState, received(C, requestVote(3, position(4, 2))))[1])).toEqual([
      requestVoteReply(3, true)
    ])
    // In a healthy one they are.
    expect(step(state, received(B, append(2, position(4, 2), [own], { commit: 5 })))[1]).toContainEqual(applied(1, 5))
  })

  test("does not stand", () => {
    const [next, effects] = step(stopped, deadline(after(700)))
    expect(next).toMatchObject({ _tag: "Follower", leader: undefined })
    expect(sent(effects)).toEqual([])
    expect(sent(step(state, deadline(after(700)))[1], B)).toEqual([preVote(2, position(4, 2))])
  })

  test("is healed by a snapshot of the leader", () => {
    const long = follower({ log: [...log, 2, 2], commit: 6 })
    const [next] = step(stopped, arrived(snapshotAt(6, 2), imageIn(long)))
    expect(next.diverged).toBe(undefined)
    expect(sent(step(next, submitted(1, "x"))[1])).toEqual([forward(2, { request: request(1), command: "x" })])
    expect(senderOf(next).applied).toEqual([checkpoint(6, long.stateMachine.hash)])
  })

  for (const [name, from, message] of [
    ["by another than its leader", C, wrong],
    ["of an earlier start of it", B, divergedAt(2, 4, bad, 0)],
    ["of what it cannot compare", B, divergedAt(2, 3, bad)],
    ["where it does not", B, divergedAt(2, 4, good)],
    ["in an earlier term", B, divergedAt(1, 4, bad)]
  ] as const) {
    test(`${name} knows better`, () => {
      expect(step(state, received(from, message))).toEqual([state, []])
    })
  }

  test("once is enough", () => {
    expect(step(stopped, received(B, divergedAt(2, 4, (bad ^ 8) >>> 0)))).toEqual([stopped, []])
  })
})

test("a leader that fell with answers still out: Superseded is no answer of a replica that differs either", () => {
  const state = { ...follower({ term: 2, leader: B, log: [2], commit: 1 }), diverged: checkpoint(1, 1) }
  const all = [logged(2, 2, request(2), "y"), logged(3, 2, request(1), "x")]
  const [, effects] = step(state, received(B, append(2, position(1, 2), all, { commit: 3 }), now))
  expect(effects).not.toContainEqual(reply(1, { _tag: "Superseded" }))
})
