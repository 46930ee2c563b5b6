/**
 * When a cluster may begin. Its first election takes place among empty logs, and so would one of replicas
 * that have lost their disks: who stands with an empty log asks all others first (see Admission).
 */
import { describe, expect, test } from "vitest"
import { Instant } from "../../../src/raft/LogEntry.ts"
import {
  A,
  after,
  append,
  B,
  C,
  D,
  deadline,
  E,
  entriesFrom,
  F,
  matched,
  follower,
  introduce,
  members,
  type Message,
  persist,
  position,
  preCandidate,
  preVote,
  preVoteReply,
  raft,
  type RaftEffect,
  received,
  requestVote,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  step
} from "../builders.ts"
import { chunk, introduced, snapshotAt } from "../images.ts"

const origin = position(0, 0)

describe("with an empty log a replica asks all before it stands", () => {
  const asks = (voters = members(3)): ServerState =>
    step({ ...follower({ voters, term: 0 }), admitted: false }, deadline(after(700)))[0]
  /** Of one that is not admitted either, as all are before the first vote. */
  const answer = (from: typeof A, granted: boolean, admitted = false) =>
    received(from, preVoteReply(0, 0, granted, admitted), after(710))

  test("of three, a majority is for it: it waits for the third, who may hold the data", () => {
    const [next, effects] = step(asks(), [answer(B, true), answer(B, true)])
    expect(next).toMatchObject({ _tag: "PreCandidate", currentTerm: 0, votes: new Set([A, B]) })
    expect(effects).toEqual([])
  })

  test("when all are for it, it stands at once", () => {
    const [next, effects] = step(asks(), [answer(B, true), answer(C, true)])
    expect(next).toMatchObject({ _tag: "Candidate", currentTerm: 1, votedFor: A, admitted: true })
    expect(sent(effects)).toEqual([requestVote(1, origin), requestVote(1, origin)])
  })

  test("at its deadline it stands with a majority, where nobody was against it: without asking anew, and not before", () => {
    const [waiting] = step(asks(), answer(B, true))
    const at = raft.nextDeadline(waiting)
    expect(step(waiting, deadline(Instant(at - 1)))).toEqual([waiting, []])
    const [next, effects] = step(waiting, deadline(at))
    expect(next).toMatchObject({ _tag: "Candidate", currentTerm: 1, votes: new Set([A]), heard: new Set([A]) })
    expect(effects).toEqual([
      persist({ term: 1, votedFor: A }, undefined, { admitted: true }),
      send(B, requestVote(1, origin)),
      send(C, requestVote(1, origin))
    ])
  })

  for (const [name, size, answers] of [
    ["one of three was against it", 3, [answer(B, true), answer(C, false)]],
    ["one of five was against it", 5, [answer(B, true), answer(C, true), answer(D, true), answer(E, false)]],
    ["no majority was for it", 5, [answer(B, true)]],
    ["nobody has answered", 3, []]
  ] as const) {
    test(`but if ${name}, it asks again`, () => {
      const [waiting] = step(asks(members(size)), answers)
      expect(waiting._tag).toBe("PreCandidate")
      const [next, effects] = step(waiting, deadline(raft.nextDeadline(waiting)))
      expect(next).toMatchObject({ _tag: "PreCandidate", currentTerm: 0, votes: new Set([A]), heard: new Set([A]) })
      expect(sent(effects)).toEqual(Array.from({ length: size - 1 }, () => preVote(0, origin)))
    })
  }

  test("a majority that has forgotten nothing needs nobody else: nothing can be committed", () => {
    const admitted = preCandidate({ term: 1, votedFor: A, votes: [] })
    const [next] = step(admitted, [
      received(C, preVoteReply(1, 1, false, false)),
      received(B, preVoteReply(1, 1, true, true))
    ])
    expect(next).toMatchObject({ _tag: "Candidate", currentTerm: 2 })
  })

  test("one that is for it and may have forgotten something does not count for that", () => {
    const admitted = preCandidate({ term: 1, votedFor: A })
    const [next] = step(admitted, received(B, preVoteReply(1, 1, true, false)))
    expect(next).toMatchObject({ _tag: "PreCandidate", votes: new Set([A, B]) })
  })

  test("nor is it enough for one that may itself have forgotten a vote, in this very term", () => {
    const [next] = step(asks(members(5)), [answer(E, false, true), ...[B, C, D].map((id) => answer(id, true, true))])
    expect(next).toMatchObject({ _tag: "PreCandidate", currentTerm: 0, votedFor: undefined })
  })

  test("with a log it never waits for more than a majority", () => {
    const [next] = step(preCandidate({ log: [1] }), received(B, preVoteReply(1, 1, true)))
    expect(next._tag).toBe("Candidate")
  })

  test("one that has heard of a history in the meantime does not stand, whoever was for it", () => {
    const [told] = step(asks(), [answer(B, true), received(C, preVote(0, position(1, 1)), after(710))])
    expect(told).toMatchObject({ _tag: "PreCandidate", pristine: false })
    const [late] = step(told, answer(C, true))
    expect(late).toMatchObject({ admitted: false, votedFor: undefined, currentTerm: 0 })
    expect(step(late, deadline(raft.nextDeadline(late)))[0]).toMatchObject({ _tag: "Follower", admitted: false })
  })

  for (const [name, order] of [
    ["its answers come last", [C, B, A]],
    ["its answers come first", [A, B, C]]
  ] as const) {
    test(`[95] while A holds the data and is connected, B, whose disk was lost, and C, who is new, elect nobody: ${name}`, () => {
      const states = new Map<typeof A, ServerState>([
        [A, follower({ id: A, log: [1, 1], commit: 1 })],
        [B, follower({ id: B, term: 0, admitted: false })],
        [C, follower({ id: C, term: 0, admitted: false })]
      ])
      let under: Array<{ readonly from: typeof A; readonly to: typeof A; readonly message: Message }> = []
      let at = after(700)
      const feed = (id: typeof A, event: ReturnType<typeof deadline>): void => {
        const [next, effects] = step(states.get(id)!, event)
        states.set(id, next)
        for (const one of effects) if (one._tag === "Send") under.push({ from: id, to: one.to, message: one.message })
        if (id !== A) expect(next).toMatchObject({ admitted: false, votedFor: undefined })
        expect(next.currentTerm).toBeLessThanOrEqual(1)
      }
      for (let round = 0; round < 12; round++) {
        const asking = round % 3 === 0 ? [B, C] : [[B], [C]][round % 2]!
        for (const id of asking) {
          at = Instant(Math.max(at, raft.nextDeadline(states.get(id)!)))
          feed(id, deadline(at))
        }
        while (under.length > 0) {
          const first = order.find((id) => under.some(({ from }) => from === id))!
          const { from, to, message } = under.find((one) => one.from === first)!
          under = under.filter((one) => one.message !== message || one.to !== to)
          feed(to, received(from, message, at))
        }
      }
      expect([B, C].map((id) => states.get(id)!.currentTerm)).toEqual([1, 1])
    })
  }
})

describe("who is not admitted and hears of a history", () => {
  const snapshot = snapshotAt(5, 2)
  const signs: ReadonlyArray<readonly [name: string, message: Message]> = [
    ["entries", append(2, origin, entriesFrom(1, 2))],
    ["entries that it cannot take", append(2, position(5, 2))],
    ["a leader of an earlier term", append(1, origin)],
    ["a chunk of a snapshot", chunk(2, snapshot, 0)],
    ["a question of one with a log", preVote(2, position(1, 1))],
    ["a candidate with a log", requestVote(3, position(1, 1))]
  ]
  const blank = follower({ term: 2, admitted: false })
  const persisted = (effects: ReadonlyArray<RaftEffect>): ReadonlyArray<boolean | undefined> =>
    effects.flatMap((one) => (one._tag === "Persist" && one.admitted !== undefined ? [one.admitted] : []))

  for (const [name, message] of signs) {
    test(`by ${name}: is not at a cluster's beginning, and stores that, once and before it answers`, () => {
      const [next, effects] = step(blank, received(B, message))
      expect(next).toMatchObject({ pristine: false, admitted: false })
      expect(persisted(effects)).toEqual([false])
      expect(effects.findIndex(({ _tag }) => _tag === "Persist")).toBeLessThan(
        effects.findIndex(({ _tag }) => _tag === "Send")
      )
      expect(persisted(step(next, received(B, message, after(1)))[1])).toEqual([])
    })

    test(`by ${name}: neither votes for one with an empty log any more, nor stands`, () => {
      const [next] = step(blank, received(B, message))
      const later = after(5_000)
      expect(sent(step(next, received(C, preVote(9, origin), later))[1])).toMatchObject([{ granted: false }])
      const [asked, effects] = step(next, received(C, requestVote(9, origin), later))
      expect(asked).toMatchObject({ admitted: false, votedFor: undefined })
      expect(sent(effects)).toEqual([requestVoteReply(9, false)])
      expect(step(next, deadline(raft.nextDeadline(next)))[0]._tag).toBe("Follower")
    })
  }

  for (const [name, from, message] of [
    ["one with an empty log asks", B, preVote(2, origin)],
    ["one refuses, in a later term", B, preVoteReply(5, 2, false)],
    ["one makes itself known", B, introduce(2, 3)],
    ["a stranger answers", F, matched(2, 4)]
  ] as const) {
    test(`when ${name}, that is no sign of one`, () => {
      const [next, effects] = step(blank, received(from, message))
      expect(next.pristine).toBe(true)
      expect(persisted(effects)).toEqual([])
    })
  }

  test("one that is admitted knows what it has promised, and need not mind", () => {
    for (const [, message] of signs) {
      const [next, effects] = step(follower({ term: 2 }), received(B, message))
      expect(next).toMatchObject({ admitted: true, pristine: true })
      expect(persisted(effects)).toEqual([])
    }
  })

  test("who is admitted later forgets it", () => {
    const [told] = step(blank, received(B, append(2, origin, entriesFrom(1, 2))))
    const known = [received(B, introduced(2, 1, 1, true)), received(C, introduced(2, 1, 0))]
    const [next, effects] = step(step(told, known)[0], received(B, append(2, position(1, 2), [], { commit: 1 })))
    expect(next.admitted).toBe(true)
    expect(persisted(effects)).toEqual([true])
  })
})
