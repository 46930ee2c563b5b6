/** Thesis §6.4: linearizable reads without writing to the log. */
import { describe, expect, test } from "vitest"
import type { Index } from "../../../src/raft/LogEntry.ts"
import {
  A,
  after,
  answered,
  append,
  applied,
  B,
  C,
  candidate,
  conflict,
  D,
  deadline,
  entriesFrom,
  follower,
  type Leader,
  leader,
  leaderChanged,
  makeRaft,
  matched,
  members,
  now,
  position,
  preVoteReply,
  probe,
  queried,
  raft,
  readIndex,
  readIndexReply,
  received,
  refused,
  replicate,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  start,
  step,
  submitted
} from "../builders.ts"

const first = 4096 + 1
const replies = (effects: ReturnType<typeof step>[1]) => effects.filter(({ _tag }) => _tag === "Reply")

describe("thesis §6.4, the leader", () => {
  test('[137] "issues a new round of heartbeats and waits for their acknowledgments from a majority"', () => {
    const state = leader({ term: 2, log: [2] })
    const [asking, effects] = step(state, [queried(1, "p"), queried(2, "q")])
    const round = append(2, position(1, 2), [], { commit: 1, round: 1 })
    expect(effects).toEqual([send(B, round), send(C, round)])
    const [next, answers] = step(asking, received(C, matched(2, 1, 1)))
    expect(answers).toEqual([answered(1, "p:1.2"), answered(2, "q:1.2")])
    expect(next.reads.waiting).toBe(0)
  })

  test("[137] an acknowledgement of what was sent before the read arrived says nothing about now", () => {
    const [asking] = step(leader({ term: 2, log: [2] }), queried(1, "q"))
    const [next, effects] = step(asking, [received(B, matched(2, 1, 0)), received(C, matched(2, 1, 0))])
    expect(effects).toEqual([])
    expect(next.reads.waiting).toBe(1)
  })

  test("[137] it takes a majority, counted once each", () => {
    const [asking] = step(leader({ voters: members(5), term: 2, log: [2] }), queried(1, "q"))
    const [one] = step(asking, [received(B, matched(2, 1, 1)), received(B, matched(2, 1, 1))])
    expect(one.reads.waiting).toBe(1)
    expect(step(one, received(D, conflict(2, 1, position(0, 0), 1)))[1]).toContainEqual(answered(1, "q:1.2"))
  })

  test("[137] an acknowledgement of a later round confirms earlier ones", () => {
    const [one] = step(leader({ term: 2, log: [2] }), queried(1, "q"))
    const [two] = step(one, queried(2, "q"))
    expect((two as Leader).rounds.map(({ number }) => number)).toEqual([1, 2])
    expect(replies(step(two, received(B, matched(2, 1, 1)))[1])).toEqual([answered(1, "q:1.2")])
    expect(replies(step(two, received(B, matched(2, 1, 2)))[1])).toHaveLength(2)
  })

  test("reads beyond the rounds under way share the next", () => {
    const by = makeRaft({ maxReadRounds: 1 })
    const [one] = step(leader({ term: 2, log: [2] }), queried(1, "q"), by)
    const [waiting, nothing] = step(one, [queried(2, "q"), queried(3, "q")], by)
    expect(nothing).toEqual([])
    expect(step(waiting, deadline(now), by)[0]).toBe(waiting)
    const [next, effects] = step(waiting, received(B, matched(2, 1, 1)), by)
    expect(replies(effects)).toEqual([answered(1, "q:1.2")])
    const [last] = step(next, deadline(now), by)
    expect((last as Leader).rounds).toMatchObject([{ number: 2, reads: [{}, {}] }])
  })

  test('[138] "if the leader has not yet marked an entry from its current term committed, it waits until it has done so"', () => {
    const [elected] = step(candidate({ term: 3, log: [1, 2] }), received(B, requestVoteReply(3, true)))
    const [asking] = step(elected, queried(1, "q"))
    const [confirmed, early] = step(asking, received(B, matched(3, 2, 1)))
    expect(replies(early)).toEqual([])
    expect(confirmed).toMatchObject({ rounds: [], reads: { known: [{ index: 3 }] } })
    const [, effects] = step(confirmed, received(C, matched(3, 3, 0)))
    expect(replies(effects)).toEqual([answered(1, "q:1.1,2.2")])
  })

  test("[139] get safety: a read that follows an uncommitted write waits for its outcome", () => {
    const [written] = step(leader({ term: 2, log: [2] }), submitted(1, "x"))
    const [asking] = step(written, queried(2, "q"))
    const [confirmed, early] = step(asking, [received(B, matched(2, 1, 1)), received(C, matched(2, 1, 1))])
    expect(early).toEqual([])
    expect(step(confirmed, received(B, matched(2, 2, 1)))[1]).toEqual([applied(1, 2), answered(2, "q:1.2,x")])
  })

  test("[139] a write after the read does not delay it", () => {
    const [asking] = step(leader({ term: 2, log: [2] }), queried(1, "q"))
    const [written] = step(asking, submitted(2, "x"))
    expect(replies(step(written, received(B, matched(2, 1, 1)))[1])).toEqual([answered(1, "q:1.2")])
  })

  test("[139] a write and a read of one batch: the read sees it", () => {
    const [asking] = step(leader({ term: 2, log: [2] }), [queried(2, "q"), submitted(1, "x")])
    expect(replies(step(asking, received(B, matched(2, 2, 1)))[1])).toEqual([applied(1, 2), answered(2, "q:1.2,x")])
  })

  test("[145] a single voter answers at once", () => {
    const [next, effects] = step(leader({ voters: [A], term: 2, log: [2] }), queried(1, "q"))
    expect(effects).toEqual([answered(1, "q:1.2")])
    expect(next.reads.waiting).toBe(0)
  })

  test("[140] a leader that falls answers nothing of its rounds: they ask the next leader", () => {
    const [asking] = step(leader({ term: 2, log: [2] }), queried(1, "q"))
    const [fallen, effects] = step(asking, received(B, append(3, position(1, 2), [], { commit: 1 })))
    expect(replies(effects)).toEqual([])
    expect(sent(effects, B)).toContainEqual(readIndex(3, first))
    expect(step(fallen, received(C, matched(2, 1, 1)))).toEqual([fallen, []])
    expect(step(fallen, received(B, readIndexReply(3, first, 1)))[1]).toEqual([answered(1, "q:1.2")])
  })

  test("beyond the limit on waiting reads further ones are refused", () => {
    const by = makeRaft({ maxWaitingReads: 2 })
    const [next, effects] = step(leader({ term: 2, log: [2] }), [queried(1, "q"), queried(2, "q"), queried(3, "q")], by)
    expect(next.reads.waiting).toBe(2)
    expect(effects[0]).toEqual(refused(3, "WaitingReads"))
  })
})

describe("thesis §6.4, a follower's reads", () => {
  const led = follower({ term: 2, leader: B, log: [2], commit: 1 })

  test("[141] the follower asks the leader for an index: a batch in one question", () => {
    const [next, effects] = step(led, [queried(1, "p"), queried(2, "q")])
    expect(effects).toEqual([send(B, readIndex(2, first))])
    expect(next.reads).toMatchObject({ number: first, asked: [{ number: first, askedAt: now }], waiting: 2 })
  })

  test("[139] [141] it answers when that much is applied here", () => {
    const [asking] = step(led, queried(1, "q"))
    const [told, early] = step(asking, received(B, readIndexReply(2, first, 2)))
    expect(early).toEqual([])
    const [, effects] = step(told, received(B, append(2, position(1, 2), entriesFrom(2, 2), { commit: 2 })))
    expect(effects.at(-1)).toEqual(answered(1, "q:1.2,2.2"))
    expect(step(asking, received(B, readIndexReply(2, first, 1)))[1]).toEqual([answered(1, "q:1.2")])
  })

  test("[141] the leader answers a question like its own reads: after a round, with its last index", () => {
    const state = leader({ term: 2, log: [2, 2], progress: { B: replicate(1), C: replicate(2) }, commit: 1 })
    const [asking, effects] = step(
      { ...state, progress: new Map(state.progress).set(C, replicate(1)) },
      received(C, readIndex(2, 7))
    )
    expect(sent(effects).filter(({ _tag }) => _tag === "ReadIndexReply")).toEqual([])
    const [, told] = step(asking, received(B, matched(2, 1, 1)))
    expect(told).toEqual([send(C, readIndexReply(2, 7, 2))])
  })

  test("[141] and tells it of the commit at once", () => {
    const state = leader({ term: 2, log: [2, 2], progress: { B: replicate(1), C: probe(3) }, commit: 1 })
    const [asking] = step(state, received(C, readIndex(2, 7)))
    const [told] = step(asking, received(B, matched(2, 1, 1)))
    const [, effects] = step(told, received(B, matched(2, 2, 1)))
    expect(effects).toEqual([send(C, append(2, position(2, 2), [], { commit: 2, round: 1 }))])
  })

  test("[140] a doubled question is one; a doubled answer is none", () => {
    const [asking] = step(leader({ term: 2, log: [2] }), [received(C, readIndex(2, 7)), received(C, readIndex(2, 7))])
    expect((asking as Leader).rounds).toMatchObject([{ asks: [{ from: C, number: 7 }] }])
    const [waiting] = step(led, queried(1, "q"))
    const [once] = step(waiting, received(B, readIndexReply(2, first, 5)))
    expect(step(once, received(B, readIndexReply(2, first, 1)))).toEqual([once, []])
  })

  test("[141] who does not lead does not answer", () => {
    for (const state of [led, candidate({ term: 2 })]) {
      expect(step(state, received(C, readIndex(2, 7)))).toEqual([state, []])
    }
  })

  test("[140] a question that is not answered is asked again: the same one, so either answer counts, and once", () => {
    const [asking] = step(led, queried(1, "q"))
    expect(raft.nextDeadline(asking)).toBe(after(250))
    const [again, effects] = step(asking, deadline(after(250)))
    expect(effects).toEqual([send(B, readIndex(2, first))])
    expect(again.reads).toMatchObject({ asked: [{ number: first, askedAt: after(250) }], waiting: 1 })
    const [told, answer] = step(again, received(B, readIndexReply(2, first, 1), after(251)))
    expect(answer).toEqual([answered(1, "q:1.2")])
    expect(step(told, received(B, readIndexReply(2, first, 1), after(252)))).toEqual([told, []])
  })

  test("[140] what arrives meanwhile does not slip into an attempt that is under way", () => {
    const [asking] = step(led, queried(1, "q"))
    const [both, effects] = step(asking, [queried(2, "q", after(250)), deadline(after(250))])
    expect(effects).toEqual([send(B, readIndex(2, first)), send(B, readIndex(2, first + 1))])
    expect(step(both, received(B, readIndexReply(2, first, 1), after(251)))[1]).toEqual([answered(1, "q:1.2")])
  })

  test("[143] numbers are fresh across restarts: an answer to the former incarnation is not taken for this one's", () => {
    const restart = (incarnation: number): ServerState => start({ incarnation, term: 2, log: entriesFrom(1, 2) })
    const numbers = new Set<number>()
    for (let incarnation = 1; incarnation <= 3; incarnation++) {
      const [following] = step(restart(incarnation), received(B, append(2, position(1, 2), [], { commit: 1 })))
      for (const [at, state] of [following, step(following, queried(1, "q"))[0]].entries()) {
        const [next] = step(state, queried(2 + at, "q"))
        numbers.add(next.reads.number)
        expect(Number.isSafeInteger(next.reads.number)).toBe(true)
      }
    }
    expect(numbers.size).toBe(6)
  })

  test("[140] another leader: everything asks again, under fresh numbers", () => {
    const [asking] = step(led, queried(1, "q"))
    const [moved, effects] = step(asking, received(C, append(3, position(1, 2), [], { commit: 1 })))
    expect(effects.filter((effect) => effect._tag === "Send" && effect.message._tag === "ReadIndex")).toEqual([
      send(C, readIndex(3, first + 1))
    ])
    expect(step(moved, received(B, readIndexReply(2, first, 1)))).toEqual([moved, []])
    expect(effects.at(-1)).toEqual(leaderChanged(C, 3))
  })

  test("[140] so does a read whose index is known: the next leader's log may never get there", () => {
    const [asking] = step(led, queried(1, "q"))
    const [told] = step(asking, received(B, readIndexReply(2, first, 9)))
    const [moved] = step(told, received(C, append(3, position(1, 2), entriesFrom(2, 3), { commit: 1 })))
    expect(moved.reads).toMatchObject({ known: [], asked: [{ number: first + 1 }], waiting: 1 })
    const [, effects] = step(moved, received(C, readIndexReply(3, first + 1, 1)))
    expect(effects).toEqual([answered(1, "q:1.2")])
  })

  test("an index once learnt from a leader that still leads is kept when another question is lost", () => {
    const [asking] = step(led, queried(1, "q"))
    const [told] = step(asking, received(B, readIndexReply(2, first, 9)))
    const [both] = step(told, queried(2, "q", after(10)))
    const [again] = step(both, deadline(after(260)))
    expect(again.reads).toMatchObject({ known: [{ index: 9 as Index }], asked: [{ number: first + 1 }], waiting: 2 })
  })

  test("without a leader reads wait, and ask the first that is heard", () => {
    const [waiting, nothing] = step(follower({ term: 2, log: [2] }), queried(1, "q"))
    expect(nothing).toEqual([])
    const [, effects] = step(waiting, received(B, append(2, position(1, 2), [], { commit: 1 })))
    expect(sent(effects)).toEqual([matched(2, 1), readIndex(2, first)])
  })

  test("one that becomes leader answers them itself, after its own round and its no-op", () => {
    const [asking] = step(led, [queried(1, "q"), deadline(after(700))])
    const [standing] = step(asking, received(B, preVoteReply(2, 2, true), after(700)))
    const [leading, effects] = step(standing, received(B, requestVoteReply(3, true), after(700)))
    expect(sent(effects, B)).toMatchObject([{ _tag: "AppendEntries", round: 1, entries: [{ index: 2, term: 3 }] }])
    expect(step(leading, received(B, matched(3, 2, 1), after(701)))[1]).toEqual([answered(1, "q:1.2")])
  })
})
