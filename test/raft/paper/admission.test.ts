/**
 * Figure 2 takes it for granted that what is persistent persists. Who has lost its disk, or never had
 * one, has promised nothing that it knows of, and makes no promise until it has caught up.
 */
import * as Succession from "../../../src/raft/Succession.ts"
import * as Configurations from "../../../src/raft/Configuration.ts"
import { describe, expect, test } from "vitest"
import type { Progress } from "../../../src/raft/Progress.ts"
import { Index, Term } from "../../../src/raft/LogEntry.ts"
import {
  A,
  after,
  append,
  B,
  C,
  conflict,
  D,
  deadline,
  E,
  entriesFrom,
  follower,
  introduce,
  type Leader,
  leader,
  matched,
  members,
  type Message,
  now,
  persist,
  position,
  preCandidate,
  preVote,
  preVoteReply,
  probe,
  queried,
  raft,
  received,
  replicate,
  requestVote,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  start,
  step
} from "../builders.ts"
import { arrived, forgotten, imageOf, introduced, snapshotAt } from "../images.ts"

const origin = position(0, 0)
const progress = (state: ServerState, of = B): Progress => (state as Leader).progress.get(of)!
/** How one answers that does not count, or is another start of itself. */
const wiped = (incarnation = 2) => ({ incarnation, admitted: false, version: 1, patienceMillis: 0, applied: [] })
const again = (incarnation = 2) => ({ incarnation, admitted: true, version: 1, patienceMillis: 0, applied: [] })

describe("at a cluster's beginning nobody is admitted", () => {
  test("one without a disk is not, and one that has its disk is what that says", () => {
    for (const admitted of [true, false]) expect(start({ admitted }).admitted).toBe(admitted)
  })

  test("with an empty log it stands all the same, and a majority of such elects: that admits, durably", () => {
    const blank = follower({ term: 0, admitted: false })
    const [asking, asked] = step(blank, deadline(after(700)))
    expect(asking).toMatchObject({ _tag: "PreCandidate", admitted: false })
    expect(sent(asked, B)).toEqual([preVote(0, origin)])
    const granted = [B, C].map((id) => received(id, preVoteReply(0, 0, true, false), after(700)))
    const [standing, effects] = step(asking, granted)
    expect(standing).toMatchObject({ _tag: "Candidate", admitted: true })
    expect(effects[0]).toEqual(persist({ term: 1, votedFor: A }, undefined, { admitted: true }))
    expect(step(standing, received(B, requestVoteReply(1, true), after(700)))[0]._tag).toBe("Leader")
  })

  test("with an empty log it votes for one with an empty log, and is admitted by that before anybody hears of it", () => {
    const blank = follower({ term: 0, admitted: false })
    expect(sent(step(blank, received(B, preVote(0, origin)))[1])).toEqual([preVoteReply(0, 0, true, false)])
    const [next, effects] = step(blank, received(B, requestVote(1, origin)))
    expect(next.admitted).toBe(true)
    expect(effects).toEqual([
      persist({ term: 1, votedFor: B }, undefined, { admitted: true }),
      send(B, requestVoteReply(1, true))
    ])
  })

  test("a refusal admits nobody", () => {
    const [next] = step(follower({ term: 1, votedFor: C, admitted: false }), received(B, requestVote(1, origin)))
    expect(next.admitted).toBe(false)
  })

  test("a replica alone needs nobody", () => {
    const [next] = step(start({ admitted: undefined, configuration: Configurations.of([A]) }), deadline(now))
    expect(next).toMatchObject({ _tag: "Leader", admitted: true })
  })
})

describe("who is not admitted", () => {
  const blank = follower({ term: 3, admitted: false })
  const some = follower({ term: 3, log: [1, 2], admitted: false })
  const emptied = follower({ term: 3, admitted: false, pristine: false })

  for (const [name, state, last] of [
    ["with an empty log does not vote for one with a log", blank, position(5, 3)],
    ["with a log votes for nobody", some, position(5, 3)],
    ["with a log does not vote for one with an empty log", some, origin],
    ["with a log that it gave up does not either: it has been in terms", emptied, origin]
  ] as const) {
    test(name, () => {
      expect(sent(step(state, received(B, preVote(3, last)))[1])).toEqual([preVoteReply(3, 3, false, false)])
      const [next, effects] = step(state, received(B, requestVote(4, last)))
      expect(next).toMatchObject({ admitted: false, votedFor: undefined, currentTerm: 4 })
      expect(sent(effects)).toEqual([requestVoteReply(4, false)])
    })
  }

  test("with a log does not stand: it makes itself known to all, and waits for a leader", () => {
    const [next, effects] = step(some, deadline(after(700)))
    expect(next).toMatchObject({ _tag: "Follower", leader: undefined, quorumLost: true })
    expect(sent(effects, B)).toEqual([introduce(3, 1)])
    expect(sent(effects, C)).toEqual([introduce(3, 1)])
    expect(raft.nextDeadline(next)).toBeGreaterThanOrEqual(after(1_200))
  })

  test("does not stand with a log that it gave up", () => {
    const [next] = step(emptied, deadline(after(700)))
    expect(next).toMatchObject({ _tag: "Follower", leader: undefined, currentTerm: 3 })
    expect(step(follower({ term: 3, admitted: false }), deadline(after(700)))[0]._tag).toBe("PreCandidate")
  })

  test("and has given one up, if its disk says whether it is admitted", () => {
    for (const admitted of [true, false]) expect(start({ admitted, term: 3 }).pristine).toBe(false)
    // A term alone is none: one that waits for its first election may hear of it.
    expect(start({ admitted: undefined, term: 3 })).toMatchObject({ pristine: true, admitted: false })
  })

  test("follows and stores as all do; its answers say that it does not count", () => {
    const [next, effects] = step(blank, received(B, append(3, origin, entriesFrom(1, 1, 3), { commit: 1 })))
    expect(next.stateMachine.log.length).toBe(2)
    expect(sent(effects)).toEqual([matched(3, 2, 0, wiped(1)), introduce(3, 1), introduce(3, 1)])
  })

  test("a pre-candidate that is sent a log, or a snapshot, stands no more", () => {
    const standing = { ...preCandidate({ term: 3 }), admitted: false }
    const [next] = step(standing, arrived(snapshotAt(2, 2), imageOf(1, 2)))
    expect(next).toMatchObject({ _tag: "Follower", admitted: false })
    expect(step(next, received(B, preVoteReply(3, 3, true)))[0]._tag).toBe("Follower")
  })
})

describe("it is admitted", () => {
  const state = { ...follower({ term: 3, leader: B, log: [1, 2, 3, 3], admitted: false }) }
  const leaderSays = introduced(3, 1, 3, true)
  const hears = (...messages: ReadonlyArray<readonly [typeof A, Message]>): ServerState =>
    messages.reduce<ServerState>((before, [from, message]) => step(before, received(from, message))[0], state)
  const commit = (index: number, term = 3): Message => append(term, position(4, 3), [], { commit: index })

  test("when all others have told their terms, its leader as leader, and an entry of this term and all that was known is committed", () => {
    const ready = hears([B, leaderSays], [C, introduced(2, 1, 9)])
    const [next, effects] = step(ready, received(B, commit(3)))
    expect(next.admitted).toBe(true)
    expect(effects[0]).toEqual(persist(undefined, undefined, { admitted: true }))
    expect(sent(effects)).toMatchObject([{ _tag: "AppendEntriesReply", sender: { admitted: true } }])
  })

  for (const [name, told, message] of [
    ["one has not answered", [[B, leaderSays]], commit(4)],
    ["its leader has not answered", [[C, introduced(3, 1, 0)]], commit(4)],
    [
      "its leader has answered when it did not lead",
      [
        [B, introduced(3, 1, 0)],
        [C, introduced(3, 1, 0)]
      ],
      commit(4)
    ],
    [
      "it was another term when its leader answered",
      [
        [B, introduced(2, 1, 3, true)],
        [C, introduced(3, 1, 0)]
      ],
      commit(4)
    ],
    [
      "not all that its leader knew to be committed is so here",
      [
        [B, introduced(3, 1, 4, true)],
        [C, introduced(3, 1, 0)]
      ],
      commit(3)
    ],
    [
      "nothing of this term is committed",
      [
        [B, introduced(3, 1, 0, true)],
        [C, introduced(3, 1, 0)]
      ],
      commit(2)
    ],
    [
      "the answer was to an earlier start of it",
      [
        [B, leaderSays],
        [C, introduced(3, 0, 0)]
      ],
      commit(4)
    ]
  ] as ReadonlyArray<readonly [string, ReadonlyArray<readonly [typeof A, Message]>, Message]>) {
    test(`not while ${name}`, () => {
      expect(step(hears(...told), received(B, message))[0].admitted).toBe(false)
    })
  }

  test("a later leader's answer stands for all before it, and must be met", () => {
    const ready = hears([B, leaderSays], [C, introduced(3, 1, 0)])
    const [moved] = step(ready, received(C, append(4, position(4, 3), entriesFrom(5, 4), { commit: 5 })))
    expect(moved).toMatchObject({ admitted: false, currentTerm: 4 })
    const [met] = step(moved, received(C, introduced(4, 1, 5, true)))
    expect(step(met, received(C, append(4, position(5, 4), [], { commit: 5 })))[0].admitted).toBe(true)
    // An answer of the leader before that comes late takes nothing back.
    const [late] = step(met, received(B, leaderSays))
    expect(late.introductions).toEqual(met.introductions)
  })

  test("the terms that it is told are terms that it is in", () => {
    const [next, effects] = step(state, received(C, introduced(5, 1, 0)))
    expect(next).toMatchObject({ currentTerm: 5, introductions: { by: new Set([C]) } })
    expect(effects).toEqual([persist({ term: 5, votedFor: undefined })])
  })

  test("it asks again whoever has not answered, whenever its leader speaks; and its leader in each term", () => {
    const known = hears([C, introduced(3, 1, 0)])
    expect(sent(step(known, received(B, commit(1)))[1])).toMatchObject([
      { _tag: "AppendEntriesReply" },
      introduce(3, 1)
    ])
    expect(sent(step(known, received(B, commit(1)))[1], C)).toEqual([])
    const both = hears([B, leaderSays], [C, introduced(3, 1, 0)])
    const [, effects] = step(both, received(C, append(4, position(4, 3), entriesFrom(5, 4))))
    expect(sent(effects, C)).toContainEqual(introduce(4, 1))
    expect(sent(effects, B)).toEqual([])
  })

  test("in a cluster of five, all four others are asked: it may have promised something to each", () => {
    const configuration = Configurations.of(members(5))
    const five = { ...state, configuration, configurations: Succession.begin(configuration, Index(0)) }
    let next: ServerState = step(five, received(B, leaderSays))[0]
    for (const one of [C, D]) next = step(next, received(one, introduced(3, 1, 0)))[0]
    expect(step(next, received(B, commit(4)))[0].admitted).toBe(false)
    next = step(next, received(E, introduced(3, 1, 0)))[0]
    expect(step(next, received(B, commit(4)))[0].admitted).toBe(true)
  })

  test("who asks is answered with the term, what is committed, and whether by the leader", () => {
    const [same, effects] = step(follower({ term: 4, log: [1, 2], commit: 2 }), received(B, introduce(3, 6)))
    expect(effects).toEqual([send(B, introduced(4, 6, 2))])
    expect(same.currentTerm).toBe(4)
    const [, told] = step(leader({ term: 4, log: [1, 4] }), received(B, introduce(3, 6)))
    expect(told[0]).toEqual(send(B, introduced(4, 6, 2, true)))
  })
})

describe("what counts for a leader", () => {
  const log = [2, 2, 2]
  const given = { term: 2, log, commit: 1, progress: { B: replicate(1), C: probe(4) } }

  test("an acknowledgement by one that is not admitted commits nothing; it is sent entries all the same", () => {
    const [next, effects] = step(leader(given), received(B, matched(2, 2, 0, { ...wiped(1) })))
    expect(next.stateMachine.commitIndex).toBe(1)
    expect(progress(next)).toMatchObject({ matchIndex: 2, admitted: false })
    expect(sent(effects, B)).toHaveLength(1)
    const [counts] = step(next, received(B, matched(2, 3)))
    expect(counts.stateMachine.commitIndex).toBe(3)
  })

  test("it confirms no read round: it may have voted for another and not know it", () => {
    const [asking] = step(leader({ term: 2, log }), queried(1, "q"))
    const [next, none] = step(asking, received(B, matched(2, 3, 1, wiped(1))))
    expect(none).toEqual([])
    expect(progress(next)).toMatchObject({ confirmedRound: 0 })
    // Nor later, when it is admitted: that round was asked of one that was not.
    expect(step(next, received(B, matched(2, 3, 0)))[1]).toEqual([])
    expect(step(next, received(B, matched(2, 3, 1)))[1]).toHaveLength(1)
  })

  test("that it is heard does not keep a leader leading", () => {
    const state = leader({ term: 2, log })
    const at = after(500)
    const [kept] = step(state, [received(B, matched(2, 3), at), deadline(at)])
    expect(kept._tag).toBe("Leader")
    const [fallen] = step(state, [received(B, matched(2, 3, 0, wiped(1)), at), deadline(at)])
    expect(fallen).toMatchObject({ _tag: "Follower", quorumLost: true })
  })

  test("unless all voters are heard: then it will be admitted soon, and without a leader it never would be", () => {
    const state = leader({ term: 2, log })
    const at = after(500)
    const heard = [received(B, matched(2, 3, 0, wiped(1)), at), received(C, matched(2, 3, 0, wiped(1)), at)]
    expect(step(state, [...heard, deadline(at)])[0]._tag).toBe("Leader")
    const two = leader({ term: 2, log, voters: [A, B] })
    expect(step(two, [heard[0]!, deadline(at)])[0]._tag).toBe("Leader")
    expect(step(two, deadline(at))[0]._tag).toBe("Follower")
  })
})

describe("another start of a follower", () => {
  const log = [2, 2, 2, 2]
  const known = { matchIndex: Index(2), nextIndex: Index(5), inflight: [{ last: Index(4), bytes: 6 }] }
  const state = leader({ term: 2, log, commit: 2, progress: { B: replicate(2, known), C: probe(5) } })

  test("is asked what it holds: what the former acknowledged may be lost", () => {
    const [next, effects] = step(state, received(B, conflict(2, 4, position(2, 2), 0, again())))
    expect(progress(next)).toMatchObject({
      _tag: "Probe",
      incarnation: 2,
      matchIndex: 0,
      acknowledged: 2,
      nextIndex: 3
    })
    expect(sent(effects, B)).toMatchObject([append(2, position(2, 2), entriesFrom(3, 2, 2), { commit: 2 })])
  })

  test("that has its disk matches at once, and is sent what follows", () => {
    const [next, effects] = step(state, received(B, matched(2, 2, 0, again())))
    expect(progress(next)).toMatchObject({ _tag: "Replicate", incarnation: 2, matchIndex: 2, acknowledged: 0 })
    expect(sent(effects, B)).toMatchObject([append(2, position(2, 2), entriesFrom(3, 2, 2), { commit: 2 })])
  })

  test("a late acknowledgement of the former one does not count", () => {
    const [next] = step(state, received(B, conflict(2, 4, position(2, 2), 0, again())))
    const [same, effects] = step(next, received(B, matched(2, 4)))
    expect(same).toBe(next)
    expect(effects).toEqual([])
  })

  for (const term of [2, 1]) {
    test(`nor one that comes when the new one has only made itself known, in term ${term}`, () => {
      const [next, effects] = step(state, received(B, introduce(term, 2)))
      expect(effects[0]).toEqual(send(B, introduced(2, 2, 2, true)))
      expect(progress(next)).toMatchObject({ incarnation: 2, admitted: false, matchIndex: 0, acknowledged: 2 })
      expect(step(next, received(B, matched(2, 4)))[0]).toBe(next)
    })
  }

  test("the same start that makes itself known again changes nothing", () => {
    expect(step(state, received(B, introduce(2, 1)))[0]).toBe(state)
  })

  test("that one of five restarts takes back no commit, and the next rests on what it holds now", () => {
    const five = leader({
      voters: members(5),
      term: 2,
      log,
      commit: 3,
      progress: { B: replicate(3), C: replicate(3), D: probe(5), E: probe(5) }
    })
    const [next] = step(five, received(B, conflict(2, 4, position(1, 2), 0, wiped())))
    expect(next.stateMachine.commitIndex).toBe(3)
    expect(step(next, received(C, matched(2, 4)))[0].stateMachine.commitIndex).toBe(3)
  })

  test("the first that a new leader hears of is taken as it is", () => {
    const fresh = leader({ term: 2, log, commit: 0, progress: { B: probe(5, { incarnation: 0 }), C: probe(5) } })
    const [next] = step(fresh, received(B, matched(2, 4, 0, again(7))))
    expect(progress(next)).toMatchObject({ _tag: "Replicate", matchIndex: 4, incarnation: 7 })
    expect(next.stateMachine.commitIndex).toBe(4)
  })
})

describe("[95] a disk that is not what it was", () => {
  const log = [2, 2, 2, 2]
  const given = { term: 2, log, commit: 3, progress: { B: replicate(3), C: replicate(4) } }
  const told = { _tag: "Forgotten", term: Term(2), incarnation: 2, index: Index(3) } as const

  test("one that has its vote and not all that it acknowledged is told so", () => {
    const [next, effects] = step(leader(given), received(B, conflict(2, 3, position(2, 2), 0, again())))
    expect(sent(effects, B)[0]).toEqual(told)
    expect(progress(next)).toMatchObject({ acknowledged: 3 })
    // Every time that it says so: the message may be lost.
    expect(sent(step(next, received(B, conflict(2, 2, position(1, 2), 0, again())))[1], B)[0]).toEqual(told)
  })

  test("when it holds all of it again, it is not told any more", () => {
    const [next] = step(leader(given), received(B, conflict(2, 3, position(2, 2), 0, again())))
    const [back] = step(next, received(B, matched(2, 4, 0, again())))
    expect(progress(back)).toMatchObject({ acknowledged: 0 })
    const [some] = step(next, received(B, matched(2, 2, 0, again())))
    expect(progress(some)).toMatchObject({ acknowledged: 3 })
  })

  test("nobody is told who has never acknowledged more, or holds it all", () => {
    for (const state of [leader(given), leader({ ...given, progress: { B: probe(5), C: replicate(4) } })]) {
      const [, effects] = step(state, received(B, conflict(2, 4, position(3, 2))))
      expect(sent(effects).filter(({ _tag }) => _tag === "Forgotten")).toEqual([])
    }
  })

  const lost = follower({ term: 2, leader: B, log: [2, 2], incarnation: 2 })
  test("who is told is not admitted any more, durably, and knows nobody", () => {
    const before = { ...lost, introductions: { ...lost.introductions, by: new Set([B, C]) } }
    const [next, effects] = step(before, received(B, forgotten(2, 2, 3)))
    expect(next).toMatchObject({ admitted: false, introductions: { by: new Set() } })
    expect(effects).toEqual([persist(undefined, undefined, { admitted: false })])
  })

  for (const [name, from, message] of [
    ["by another than its leader", C, forgotten(2, 2, 3)],
    ["of another start of it", B, forgotten(2, 1, 3)],
    ["of what it holds", B, forgotten(2, 2, 2)]
  ] as const) {
    test(`who is told ${name} knows better`, () => {
      expect(step(lost, received(from, message))).toEqual([lost, []])
    })
  }
})

test("a restart with the disk that it had needs no admission: it votes, stands and answers as before", () => {
  const state = start({ incarnation: 2, term: 3, votedFor: B, log: entriesFrom(1, 1, 3) })
  expect(sent(step(state, received(B, requestVote(3, position(2, 3))))[1])).toEqual([requestVoteReply(3, true)])
  const [, effects] = step(state, received(B, append(3, position(2, 3), [], { commit: 2 })))
  expect(sent(effects)).toEqual([matched(3, 2, 0, again())])
  expect(sent(step(state, deadline(after(1_000)))[1], B)).toEqual([preVote(3, position(2, 3))])
})
