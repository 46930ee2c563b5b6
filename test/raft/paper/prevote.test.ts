/** Thesis §9.6 (PreVote), §4.2.3 (stickiness) and §6.2 (a leader that hears no majority). */
import { describe, expect, test } from "vitest"
import {
  A,
  after,
  append,
  B,
  C,
  candidate,
  conflict,
  D,
  deadline,
  E,
  follower,
  leader,
  leaderChanged,
  matched,
  members,
  now,
  persist,
  position,
  preCandidate,
  preVote,
  preVoteReply,
  probe,
  queried,
  quorumLost,
  raft,
  received,
  refused,
  replicate,
  requestVote,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  step,
  submitted
} from "../builders.ts"

describe("thesis §9.6, PreVote", () => {
  test("[24] asking raises no term, spends no vote and stores nothing", () => {
    const state = follower({ term: 2, votedFor: C, log: [1, 2] })
    const [next, effects] = step(state, deadline(after(700)))
    expect(next).toMatchObject({ _tag: "PreCandidate", currentTerm: 2, votedFor: C })
    expect(effects).toEqual([send(B, preVote(2, position(2, 2))), send(C, preVote(2, position(2, 2)))])
  })

  test("[24] answering raises no term, spends no vote and stores nothing", () => {
    for (const state of [follower({ term: 2, votedFor: C }), preCandidate({ term: 2 }), candidate({ term: 2 })]) {
      for (const term of [2, 9]) {
        const [next, effects] = step(state, received(B, preVote(term, position(0, 0))))
        expect(next).toBe(state)
        expect(effects).toEqual([send(B, preVoteReply(2, term, true))])
      }
    }
  })

  test("whose log is not up-to-date enough learns so without a new term", () => {
    const state = follower({ term: 2, log: [1, 2] })
    expect(sent(step(state, received(B, preVote(2, position(1, 1))))[1])).toEqual([preVoteReply(2, 2, false)])
  })

  test("a majority that would vote makes a candidate", () => {
    const state = preCandidate({ voters: members(5), term: 2, log: [1] })
    const [one] = step(state, received(B, preVoteReply(2, 2, true)))
    expect(one).toMatchObject({ _tag: "PreCandidate", votes: new Set([A, B]) })
    const [two] = step(one, received(C, preVoteReply(1, 2, true)))
    expect(two).toMatchObject({ _tag: "Candidate", currentTerm: 3, votes: new Set([A]) })
  })

  test("[27] refusals make none: it asks again after another timeout, in the same term", () => {
    const state = preCandidate({ voters: members(4), term: 2, log: [1] })
    const [split] = step(state, [received(B, preVoteReply(2, 2, false)), received(C, preVoteReply(2, 2, true))])
    expect(split).toMatchObject({ _tag: "PreCandidate", votes: new Set([A, C]), heard: new Set([A, B, C]) })
    const [again, effects] = step(split, deadline(after(700)))
    expect(again).toMatchObject({ _tag: "PreCandidate", currentTerm: 2, votes: new Set([A]) })
    expect(sent(effects)).toHaveLength(3)
  })

  test("[28] an answer to the question of an earlier term does not count, nor one that comes too late", () => {
    for (const state of [
      preCandidate({ term: 3 }),
      candidate({ term: 3 }),
      follower({ term: 3 }),
      leader({ term: 3, log: [3] })
    ]) {
      expect(step(state, received(B, preVoteReply(2, 2, true)))).toEqual([state, []])
    }
    const standing = candidate({ term: 3 })
    expect(step(standing, received(B, preVoteReply(2, 3, true)))).toEqual([standing, []])
  })

  test("[30] who is behind learns the term from the refusal, and asks in it next time", () => {
    const [next, effects] = step(preCandidate({ term: 2 }), received(B, preVoteReply(6, 2, false)))
    expect(next).toMatchObject({ _tag: "Follower", currentTerm: 6, votedFor: undefined })
    expect(effects).toEqual([persist({ term: 6, votedFor: undefined })])
  })

  test("[30] a candidate in a later term than the leader's is freed: its refusal brings the leader down, with its term", () => {
    const stuck = candidate({ id: B, term: 9 })
    const [, refusal] = step(stuck, received(A, append(4, position(1, 4))))
    expect(refusal).toEqual([send(A, conflict(9, 1, position(1, 4)))])
    const [next] = step(leader({ term: 4, log: [4] }), received(B, sent(refusal)[0]!))
    expect(next).toMatchObject({ _tag: "Follower", currentTerm: 9, leader: undefined })
  })

  test("[29] [37] a vote of a later term without PreVote is heard once no leader is", () => {
    const state = follower({ term: 2, leader: B, heardAt: now })
    const [next] = step(state, received(C, requestVote(9, position(0, 0)), after(500)))
    expect(next).toMatchObject({ currentTerm: 9, votedFor: C, leader: undefined })
  })
})

describe("thesis §4.2.3", () => {
  const led = follower({ term: 2, leader: B, heardAt: now })
  test('[26] [31] "if a server receives a RequestVote request within the minimum election timeout of hearing from a current leader, it does not update its term or grant its vote"', () => {
    const [next, effects] = step(led, received(C, requestVote(9, position(9, 9)), after(499)))
    expect(next).toBe(led)
    expect(effects).toEqual([])
  })
  test("[25] [26] nor does it encourage anybody in a PreVote", () => {
    expect(step(led, received(C, preVote(9, position(9, 9)), after(499)))).toEqual([
      led,
      [send(C, preVoteReply(2, 9, false))]
    ])
    expect(sent(step(led, received(C, preVote(2, position(9, 9)), after(500)))[1])).toEqual([preVoteReply(2, 2, true)])
  })
  test("[25] [38] a leader that hears its majority is disturbed by neither", () => {
    const state = leader({ term: 2, log: [2] })
    expect(step(state, received(C, requestVote(9, position(9, 9))))).toEqual([state, []])
    expect(step(state, received(C, preVote(9, position(9, 9))))).toEqual([state, [send(C, preVoteReply(2, 9, false))]])
  })
  test("only a leader counts as one: other messages do not prolong the trust", () => {
    const [next] = step(led, [
      received(B, preVoteReply(2, 2, false), after(400)),
      received(C, matched(2, 0), after(400))
    ])
    expect(sent(step(next, received(C, preVote(2, position(0, 0)), after(500)))[1])).toEqual([preVoteReply(2, 2, true)])
  })
})

describe("thesis §6.2, CheckQuorum", () => {
  const five = (heard: ReadonlyArray<number>) =>
    leader({
      voters: members(5),
      term: 2,
      log: [2],
      progress: Object.fromEntries(
        [B, C, D, E].map((id, at) => [id, replicate(1, { heardAt: after(heard[at]!), sentAt: after(450) })])
      ),
      commit: 1
    })

  test('[32] [35] a leader "steps down if an election timeout elapses without a successful round of heartbeats to a majority"', () => {
    const state = five([100, 0, 0, 0])
    expect(step(state, deadline(after(499)))).toEqual([state, []])
    expect(raft.nextDeadline(state)).toBe(after(500))
    const [next, effects] = step(state, deadline(after(500)))
    expect(next).toMatchObject({ _tag: "Follower", currentTerm: 2, votedFor: A, leader: undefined, quorumLost: true })
    expect(effects).toEqual([quorumLost])
  })

  test("[33] a leader that hears a majority stays, whoever it is", () => {
    const state = five([0, 100, 0, 200])
    expect(step(state, deadline(after(500)))[0]._tag).toBe("Leader")
    expect(step(state, deadline(after(600)))[0]._tag).toBe("Follower")
  })

  test("[34] questions of others are no answers: a leader that only receives steps down", () => {
    const state = leader({ term: 2, log: [2], progress: { B: probe(2), C: probe(2) } })
    const [next] = step(state, [
      received(B, preVote(2, position(1, 2)), after(400)),
      received(C, preVote(2, position(1, 2)), after(450)),
      deadline(after(500))
    ])
    expect(next._tag).toBe("Follower")
  })

  test("[33] a refusal is an answer too", () => {
    const state = leader({ term: 2, log: [2], progress: { B: probe(2), C: probe(2) } })
    const [next] = step(state, [received(B, conflict(2, 9, position(0, 0)), after(400)), deadline(after(500))])
    expect(next._tag).toBe("Leader")
    expect(raft.nextDeadline(next)).toBeLessThanOrEqual(after(900))
  })

  test("without a majority requests are refused at once, and the reads that waited", () => {
    const [waiting] = step(leader({ term: 2, log: [2] }), queried(1, "q"))
    const [lost, effects] = step(waiting, deadline(after(500)))
    expect(effects).toEqual([refused(1, "NoQuorum"), quorumLost])
    const [next, refusals] = step(lost, [submitted(2, "x", after(510)), queried(3, "q", after(510))])
    expect(next).toEqual(lost)
    expect(refusals).toEqual([refused(2, "NoQuorum"), refused(3, "NoQuorum")])
  })

  test("a follower says so after a whole round of PreVote in which no majority answered", () => {
    const [asking] = step(follower({ term: 2 }), [deadline(after(700)), queried(1, "q", after(700))])
    expect(asking).toMatchObject({ _tag: "PreCandidate", quorumLost: false })
    const [next, effects] = step(asking, deadline(raft.nextDeadline(asking)))
    expect(next).toMatchObject({ _tag: "PreCandidate", quorumLost: true })
    expect(effects.slice(-2)).toEqual([refused(1, "NoQuorum"), quorumLost])
    // A majority that refuses is in reach.
    const [reached] = step(next, received(B, preVoteReply(2, 2, false)))
    expect(reached).toMatchObject({ quorumLost: false })
  })

  test("a majority that answers, even with refusals, is a majority in reach", () => {
    const [next, effects] = step(preCandidate({ term: 2, heard: [B] }), deadline(after(700)))
    expect(next).toMatchObject({ quorumLost: false })
    expect(effects).not.toContainEqual(quorumLost)
  })

  test("hearing a leader ends it", () => {
    const lost: ServerState = { ...preCandidate({ term: 2, log: [2] }), quorumLost: true }
    const [next, effects] = step(lost, received(B, append(2, position(1, 2))))
    expect(next).toMatchObject({ _tag: "Follower", quorumLost: false, leader: B })
    expect(effects.at(-1)).toEqual(leaderChanged(B, 2))
  })

  test("two voters: the loss of either is the loss of the majority", () => {
    const state = leader({ voters: [A, B], term: 2, log: [2] })
    expect(step(state, deadline(after(500)))[1]).toEqual([quorumLost])
    const [next] = step(
      { ...candidate({ voters: [A, B], term: 3 }), quorumLost: true },
      received(B, requestVoteReply(3, true))
    )
    expect(next._tag).toBe("Leader")
  })
})
