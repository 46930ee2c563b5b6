/** §5.3 and Figure 2, the receiver of AppendEntries: what it takes, what it drops, what it may call committed. */
import { describe, expect, test } from "vitest"
import {
  anybody,
  append,
  B,
  C,
  candidate,
  conflict,
  deadline,
  entries,
  entriesFrom,
  follower,
  leaderChanged,
  matched,
  noOp,
  persist,
  position,
  raft,
  received,
  send,
  sent,
  start,
  step,
  submitted,
  forward,
  request,
  logged,
  applied,
  terms,
  timeless
} from "../builders.ts"

const follow = { leader: B, term: 4 } as const

describe("§5.3", () => {
  test('Figure 2: "append any new entries not already in the log"; the acknowledgement leaves after they are on disk', () => {
    const state = follower({ ...follow, log: [1, 1] })
    const [next, effects] = step(state, received(B, append(4, position(2, 1), entriesFrom(3, 4, 4), { round: 5 })))
    expect(terms(next)).toEqual([1, 1, 4, 4])
    expect(effects).toEqual([persist(undefined, { from: 3, entries: entriesFrom(3, 4, 4) }), send(B, matched(4, 4, 5))])
  })

  test("[49] a heartbeat brings nothing and confirms what it asks about", () => {
    const state = follower({ ...follow, log: [1, 1, 4] })
    const [next, effects] = step(state, received(B, append(4, position(2, 1))))
    expect(timeless(next)).toEqual(timeless(state))
    expect(effects).toEqual([send(B, matched(4, 2))])
  })

  test("[49] a heartbeat is refused where the logs differ", () => {
    const state = follower({ ...follow, log: [1, 2] })
    expect(step(state, received(B, append(4, position(2, 1))))[1]).toEqual([send(B, conflict(4, 2, position(1, 1)))])
  })

  const refusals = [
    { name: "[40] a gap", log: [1, 1], prev: position(5, 4), hint: position(2, 1) },
    { name: "[40] an empty log", log: [], prev: position(5, 4), hint: position(0, 0) },
    { name: "[41] another term at that index", log: [1, 2, 2, 2], prev: position(3, 4), hint: position(3, 2) },
    {
      name: "[41] [45] a later term there: nothing of it can match",
      log: [1, 3, 3, 3],
      prev: position(4, 2),
      hint: position(1, 1)
    },
    { name: "[45] longer, all of later terms", log: [3, 3, 3], prev: position(2, 2), hint: position(0, 0) }
  ]
  for (const { name, log, prev, hint } of refusals) {
    test(`"if the follower does not find an entry in its log with the same index and term, then it refuses": ${name}`, () => {
      const state = follower({ ...follow, log })
      const [next, effects] = step(
        state,
        received(B, append(4, prev, entriesFrom(prev.index + 1, 4), { commit: 9, round: 3 }))
      )
      expect(timeless(next)).toEqual(timeless(state))
      expect(effects).toEqual([send(B, conflict(4, prev.index, hint, 3))])
    })
  }

  test('[42] "if an existing entry conflicts with a new one", "delete the existing entry and all that follow it"', () => {
    const state = follower({ ...follow, log: [1, 1, 2, 2, 2] })
    const [next, effects] = step(state, received(B, append(4, position(1, 1), entriesFrom(2, 1, 3))))
    expect(terms(next)).toEqual([1, 1, 3])
    expect(effects).toEqual([persist(undefined, { from: 3, entries: entriesFrom(3, 3) }), send(B, matched(4, 3))])
  })

  test("[42] what agrees is kept as it is: only the change is stored", () => {
    const state = follower({ ...follow, log: [1, 1, 2, 2] })
    const [, effects] = step(state, received(B, append(4, position(0, 0), entries(1, 1, 2, 4))))
    expect(effects[0]).toEqual(persist(undefined, { from: 4, entries: entriesFrom(4, 4) }))
  })

  test("[43] an old or doubled append shortens nothing", () => {
    const state = follower({ ...follow, log: [1, 1, 4, 4, 4] })
    for (const [prev, old] of [
      [position(0, 0), entries(1)],
      [position(1, 1), entriesFrom(2, 1, 4)],
      [position(2, 1), []],
      [position(2, 1), entriesFrom(3, 4, 4, 4)]
    ] as const) {
      const [next, effects] = step(state, received(B, append(4, prev, old)))
      expect(next.stateMachine).toBe(state.stateMachine)
      // Figure 2: it vouches for what this message covers, not for what happens to follow.
      expect(effects).toEqual([send(B, matched(4, prev.index + old.length))])
    }
  })

  test("two appends of one batch are stored in one write, and acknowledged behind it", () => {
    const state = follower({ ...follow, log: [1] })
    const [next, effects] = step(state, [
      received(B, append(4, position(1, 1), entriesFrom(2, 4))),
      received(B, append(4, position(2, 4), entriesFrom(3, 4)))
    ])
    expect(terms(next)).toEqual([1, 4, 4])
    expect(effects).toEqual([
      persist(undefined, { from: 2, entries: entriesFrom(2, 4, 4) }),
      send(B, matched(4, 2)),
      send(B, matched(4, 3))
    ])
  })

  test("entries of two leaders in one batch: what is stored is what stands", () => {
    const state = follower({ ...follow, log: [1] })
    const [next, effects] = step(state, [
      received(B, append(4, position(1, 1), entriesFrom(2, 4, 4))),
      received(C, append(5, position(1, 1), [noOp(2, 5)]))
    ])
    expect(terms(next)).toEqual([1, 5])
    expect(effects).toEqual([
      persist({ term: 5, votedFor: undefined }, { from: 2, entries: [noOp(2, 5)] }),
      send(B, matched(4, 3)),
      send(C, matched(5, 2)),
      leaderChanged(C, 5)
    ])
  })

  test("[13] what is committed is never replaced, whoever asks (Leader Completeness)", () => {
    const state = follower({ ...follow, log: [1, 1, 2], commit: 2 })
    const [next] = step(state, received(B, append(4, position(0, 0), entries(1, 3))))
    expect(next.stateMachine).toBe(state.stateMachine)
  })
})

describe("Figure 2: leaderCommit", () => {
  test('[69] "set commitIndex = min(leaderCommit, index of last new entry)"', () => {
    const cases = [
      { prev: position(2, 1), sent: entriesFrom(3, 4), commit: 9, committed: 3 },
      { prev: position(2, 1), sent: entriesFrom(3, 4), commit: 2, committed: 2 },
      // Entries 3 to 5 of the old log may be another leader's: this message does not speak for them.
      { prev: position(2, 1), sent: [], commit: 5, committed: 2 },
      { prev: position(1, 1), sent: entriesFrom(2, 1), commit: 5, committed: 2 }
    ]
    for (const { prev, sent: given, commit, committed } of cases) {
      const state = follower({ ...follow, log: [1, 1, 2, 2, 2], commit: 1 })
      const [next] = step(state, received(B, append(4, prev, given, { commit })))
      expect(next.stateMachine.commitIndex).toBe(committed)
    }
  })

  test('"once a follower learns that a log entry is committed, it applies the entry to its local state machine (in log order)"', () => {
    const state = follower({ ...follow, log: [1, 1, 4], commit: 1 })
    const [next] = step(state, received(B, append(4, position(3, 4), [], { commit: 3 })))
    expect(next.stateMachine).toMatchObject({ commitIndex: 3, lastApplied: 3, value: ["1.1", "2.1", "3.4"] })
  })

  test("[70] [71] an old append with an old leaderCommit takes nothing back", () => {
    const state = follower({ ...follow, log: [1, 1, 4], commit: 3 })
    const [next] = step(state, received(B, append(4, position(1, 1), [], { commit: 1 })))
    expect(next.stateMachine).toBe(state.stateMachine)
  })

  test("nothing is committed by a message that does not fit", () => {
    const state = follower({ ...follow, log: [1, 1] })
    const [next] = step(state, received(B, append(4, position(3, 4), [], { commit: 2 })))
    expect(next.stateMachine.commitIndex).toBe(0)
  })

  test("the client of a follower is answered there, behind the write", () => {
    const state = follower({ ...follow, log: [1] })
    const own = logged(2, 4, request(1), "x")
    const [, effects] = step(state, received(B, append(4, position(1, 1), [own], { commit: 2 })))
    expect(effects).toEqual([persist(undefined, { from: 2, entries: [own] }), send(B, matched(4, 2)), applied(1, 2)])
  })
})

describe("clients of a follower", () => {
  test("[56] their commands go to the leader, a batch in one message", () => {
    const state = follower({ ...follow, log: [1] })
    const [next, effects] = step(state, [submitted(1, "x"), submitted(2, "y")])
    expect(next).toBe(state)
    expect(effects).toEqual([
      send(B, forward(4, { request: request(1), command: "x" }, { request: request(2), command: "y" }))
    ])
  })

  test("[57] without a leader they are not answered: LeaderChanged says when to submit again", () => {
    for (const state of [follower({ term: 4 }), candidate({ term: 4 })]) {
      expect(step(state, submitted(1, "x"))).toEqual([state, []])
    }
  })

  test("[56] others' commands are not passed on: they would go round in circles", () => {
    const state = follower({ ...follow, log: [1] })
    expect(step(state, received(C, forward(4, { request: request(1, C), command: "x" })))).toEqual([state, []])
  })

  test("[2] time and a leader that speaks in one batch: the leader is obeyed", () => {
    const state = follower({ ...follow, log: [1] })
    const at = raft.nextDeadline(state)
    const [next] = step(state, [received(B, append(4, position(1, 1)), at), deadline(at)])
    expect(next).toMatchObject({ _tag: "Follower", leader: B })
  })

  test("[63] after a restart the log is the disk's, and nothing is committed until a leader says so", () => {
    const state = start({ incarnation: 2, term: 4, log: entries(1, 1, 4) })
    expect(state.stateMachine).toMatchObject({ commitIndex: 0, lastApplied: 0, value: [] })
    const [next, effects] = step(state, received(B, append(4, position(3, 4), [], { commit: 2 })))
    expect(next.stateMachine).toMatchObject({ commitIndex: 2, value: ["1.1", "2.1"] })
    // What it has applied by the time it answers is what the batch before has led to: nothing.
    expect(sent(effects)).toEqual([matched(4, 3, 0, { ...anybody, incarnation: 2 })])
  })
})
