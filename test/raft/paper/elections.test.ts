/** §5.2: who stands for election, who votes, who wins. */
import { describe, expect, test } from "vitest"
import type { ReplicaId } from "../../../src/raft/LogEntry.ts"
import {
  A,
  after,
  append,
  B,
  C,
  candidate,
  deadline,
  follower,
  leader,
  leaderChanged,
  makeRaft,
  matched,
  members,
  noOp,
  now,
  persist,
  position,
  preCandidate,
  preVote,
  preVoteReply,
  raft,
  received,
  requestVote,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  start,
  step,
  terms
} from "../builders.ts"

describe("§5.2", () => {
  test('"a server remains in follower state as long as it receives valid RPCs from a leader"', () => {
    const state = follower({ term: 2, log: [1], leader: B, heardAt: after(-400) })
    const [next] = step(state, received(B, append(2, position(1, 1)), after(600)))
    expect(next).toMatchObject({ _tag: "Follower", leader: B, leaderHeardAt: after(600) })
    expect(raft.nextDeadline(next)).toBeGreaterThanOrEqual(after(1_100))
    expect(step(next, deadline(after(1_099)))).toEqual([next, []])
  })

  test('[2] "if a follower receives no communication" for an election timeout, it asks who would vote for it', () => {
    const state = follower({ term: 2, log: [1], leader: B })
    expect(step(state, deadline(after(699)))).toEqual([state, []])
    const [next, effects] = step(state, deadline(after(700)))
    expect(next).toMatchObject({ _tag: "PreCandidate", currentTerm: 2, votedFor: undefined, votes: new Set([A]) })
    expect(effects).toEqual([send(B, preVote(2, position(1, 1))), send(C, preVote(2, position(1, 1)))])
  })

  test('[2] "increments its current term", "votes for itself and issues RequestVote RPCs": after both are on disk', () => {
    const state = preCandidate({ term: 2, log: [1], votedFor: C })
    const [next, effects] = step(state, received(B, preVoteReply(2, 2, true)))
    expect(next).toMatchObject({ _tag: "Candidate", currentTerm: 3, votedFor: A, votes: new Set([A]) })
    expect(effects).toEqual([
      persist({ term: 3, votedFor: A }),
      send(B, requestVote(3, position(1, 1))),
      send(C, requestVote(3, position(1, 1)))
    ])
  })

  for (let size = 2; size <= 7; size++) {
    test(`[4] "votes from a majority of the servers in the full cluster": ${size} replicas`, () => {
      const voters = members(size)
      const needed = Math.floor(size / 2) + 1
      let state: ServerState = candidate({ voters, term: 3 })
      for (let votes = 2; votes < needed; votes++) {
        state = step(state, received(voters[votes - 1]!, requestVoteReply(3, true)))[0]
        expect(state._tag).toBe("Candidate")
      }
      const [next] = step(state, received(voters[needed - 1]!, requestVoteReply(3, true)))
      expect(next._tag).toBe("Leader")
    })
  }

  test('[22] "once a candidate wins an election, it becomes leader. It then sends heartbeat messages": with its no-op (§8)', () => {
    const state = candidate({ term: 3, log: [1, 2] })
    const [next, effects] = step(state, received(C, requestVoteReply(3, true)))
    expect(next).toMatchObject({ _tag: "Leader", currentTerm: 3, votedFor: A })
    expect(terms(next)).toEqual([1, 2, 3])
    // Figure 2: nextIndex is "initialized to leader last log index + 1", matchIndex to 0. Term and vote were on
    // disk before, so the appends may leave first.
    const hello = append(3, position(2, 2), [noOp(3, 3)])
    expect(effects).toEqual([
      send(B, hello),
      send(C, hello),
      persist(undefined, { from: 3, entries: [noOp(3, 3)] }),
      leaderChanged(A, 3)
    ])
  })

  test("a leader of the same batch that raised the term says nothing before Persist", () => {
    const state = preCandidate({ term: 2, log: [1] })
    const [next, effects] = step(state, [received(B, preVoteReply(2, 2, true)), received(B, requestVoteReply(3, true))])
    expect(next._tag).toBe("Leader")
    expect(effects[0]).toEqual(persist({ term: 3, votedFor: A }, { from: 2, entries: [noOp(2, 3)] }))
  })

  test('[7] "each server will vote for at most one candidate in a given term, on a first-come-first-served basis"', () => {
    const state = follower({ term: 3 })
    const [voted, effects] = step(state, received(B, requestVote(3, position(0, 0))))
    expect(voted).toMatchObject({ votedFor: B, currentTerm: 3 })
    expect(effects).toEqual([persist({ term: 3, votedFor: B }), send(B, requestVoteReply(3, true))])
    expect(step(voted, received(C, requestVote(3, position(9, 3))))).toEqual([
      voted,
      [send(C, requestVoteReply(3, false))]
    ])
  })

  test("[7] the same candidate is granted again, for its reply may have been lost; nothing new is stored", () => {
    const [next, effects] = step(follower({ term: 3, votedFor: B }), received(B, requestVote(3, position(0, 0))))
    expect(next.votedFor).toBe(B)
    expect(effects).toEqual([send(B, requestVoteReply(3, true))])
  })

  test("a vote is a reason to wait: the voter draws a new election deadline", () => {
    const [next] = step(follower({ term: 3 }), received(B, requestVote(3, position(0, 0)), after(600)))
    expect(raft.nextDeadline(next)).toBeGreaterThanOrEqual(after(1_100))
  })

  test("in a later term the vote is free again", () => {
    const [next, effects] = step(follower({ term: 3, votedFor: B }), received(C, requestVote(4, position(0, 0))))
    expect(next).toMatchObject({ votedFor: C, currentTerm: 4 })
    expect(effects).toEqual([persist({ term: 4, votedFor: C }), send(C, requestVoteReply(4, true))])
  })

  test("[8] a candidate of an earlier term is refused", () => {
    const state = follower({ term: 5 })
    expect(step(state, received(B, requestVote(4, position(9, 4))))).toEqual([
      state,
      [send(B, requestVoteReply(5, false))]
    ])
  })

  for (const state of [candidate({ term: 3 }), leader({ term: 3, log: [3] })]) {
    test(`[18] a ${state._tag} has given its vote to itself`, () => {
      const [next, effects] = step(state, received(B, requestVote(3, position(9, 3))))
      expect(next).toBe(state)
      expect(sent(effects)).toEqual([requestVoteReply(3, false)])
    })
  }

  test("[18] a former candidate cannot vote twice: its vote for itself outlives the candidacy", () => {
    const [fallen] = step(candidate({ term: 3 }), received(B, append(3, position(0, 0))))
    expect(fallen).toMatchObject({ _tag: "Follower", votedFor: A, leader: B })
    expect(
      sent(step({ ...fallen, leader: undefined } as ServerState, received(C, requestVote(3, position(9, 3))))[1])
    ).toEqual([requestVoteReply(3, false)])
  })

  test("[20] a vote that was stored and never sent binds after a restart", () => {
    const [, effects] = step(follower({ term: 3 }), received(B, requestVote(4, position(0, 0))))
    const [stored] = effects
    if (stored?._tag !== "Persist" || stored.hardState === undefined) throw new Error("the vote was not stored first")
    const restarted = start({ incarnation: 2, term: stored.hardState.currentTerm, votedFor: stored.hardState.votedFor })
    expect(sent(step(restarted, received(C, requestVote(4, position(9, 4))))[1])).toEqual([requestVoteReply(4, false)])
  })

  test('[10] [14] a leader\'s term "at least as large as the candidate\'s current term": it "returns to follower state"', () => {
    for (const state of [candidate({ term: 3, log: [1] }), preCandidate({ term: 3, log: [1] })]) {
      for (const term of [3, 4]) {
        const [next, effects] = step(state, received(B, append(term, position(1, 1), [], { commit: 1, round: 2 })))
        expect(next).toMatchObject({ _tag: "Follower", leader: B, currentTerm: term })
        expect(terms(next)).toEqual([1])
        expect(next.votedFor).toBe(term === 3 ? state.votedFor : undefined)
        expect(sent(effects)).toEqual([matched(term, 1, 2)])
        expect(effects.at(-1)).toEqual(leaderChanged(B, term))
      }
    }
  })

  test('[10] "if the term in the RPC is smaller", it "rejects the RPC and continues in candidate state"', () => {
    const state = candidate({ term: 3 })
    expect(step(state, received(B, append(2, position(0, 0))))[0]).toBe(state)
  })

  test("[15] a doubled vote counts once", () => {
    const voters = members(5)
    const [once] = step(candidate({ voters, term: 3 }), received(B, requestVoteReply(3, true)))
    const [twice, effects] = step(once, [
      received(B, requestVoteReply(3, true)),
      received(B, requestVoteReply(3, true))
    ])
    expect(twice).toBe(once)
    expect(effects).toEqual([])
  })

  test("[15] a doubled willingness counts once", () => {
    const [once] = step(preCandidate({ voters: members(5), term: 3 }), received(B, preVoteReply(3, 3, true)))
    expect(step(once, received(B, preVoteReply(3, 3, true)))).toEqual([once, []])
    expect(once._tag).toBe("PreCandidate")
  })

  test("[16] [17] a vote of an earlier candidacy does not count in this one, nor for who has given up", () => {
    for (const state of [candidate({ term: 4 }), follower({ term: 4 }), preCandidate({ term: 4 })]) {
      expect(step(state, received(B, requestVoteReply(3, true)))).toEqual([state, []])
    }
    for (const state of [follower({ term: 4 }), preCandidate({ term: 4 }), leader({ term: 4, log: [4] })]) {
      expect(step(state, received(B, requestVoteReply(4, true)))).toEqual([state, []])
    }
  })

  test('[6] with a split vote "each candidate will time out and start a new election by incrementing its term"', () => {
    const split = candidate({ voters: members(4), term: 3, log: [1], votes: [B], heard: [C] })
    const [asking] = step(split, deadline(after(700)))
    expect(asking).toMatchObject({ _tag: "PreCandidate", currentTerm: 3, votedFor: A })
    const [standing] = step(
      asking,
      [B, C].map((id: ReplicaId) => received(id, preVoteReply(3, 3, true), after(700)))
    )
    expect(standing).toMatchObject({ _tag: "Candidate", currentTerm: 4 })
  })

  test('[3] "election timeouts are chosen randomly from a fixed interval": one to two timeouts, evenly, replica by replica', () => {
    const spread = new Set<number>()
    for (let seed = 0; seed < 200; seed++) {
      const state = start({ seed })
      const wait = raft.nextDeadline(state) - now
      expect(wait).toBeGreaterThanOrEqual(500)
      expect(wait).toBeLessThan(1_000)
      spread.add(Math.floor(wait / 50))
    }
    expect(spread.size).toBe(10)
  })

  test("[3] each attempt draws anew", () => {
    let state: ServerState = follower({ term: 1 })
    const waits = new Set<number>()
    for (let round = 0; round < 20; round++) {
      const at = raft.nextDeadline(state)
      state = step(state, deadline(at))[0]
      waits.add(raft.nextDeadline(state) - at)
    }
    expect(waits.size).toBe(20)
  })

  test("two leaders in one term cannot be; a second claimant is not obeyed (Election Safety)", () => {
    const led = follower({ term: 3, log: [1], leader: B })
    const own = leader({ term: 3, log: [1, 3] })
    for (const state of [led, own]) {
      const [next, effects] = step(state, received(C, append(3, position(1, 1), [noOp(2, 3)])))
      expect(next).toBe(state)
      expect(effects).toEqual([])
    }
  })

  test("two voters: one vote more than its own is a majority", () => {
    const [next] = step(candidate({ voters: [A, B], term: 3 }), received(B, requestVoteReply(3, true)))
    expect(next._tag).toBe("Leader")
    expect(makeRaft().nextDeadline(next)).toBe(after(100))
  })
})

describe("§5.4.1", () => {
  const cases = [
    { own: [1, 1], last: position(2, 1), granted: true, why: "equal" },
    { own: [1, 1], last: position(3, 1), granted: true, why: "same term, longer" },
    { own: [1, 1, 1], last: position(2, 1), granted: false, why: "same term, shorter" },
    { own: [1, 1, 1], last: position(2, 2), granted: true, why: "later term, shorter" },
    { own: [1, 2], last: position(9, 1), granted: false, why: "earlier term, longer" },
    { own: [], last: position(0, 0), granted: true, why: "both empty" }
  ]
  for (const { own, last, granted, why } of cases) {
    test(`[9] "the voter denies its vote if its own log is more up-to-date": the candidate's is ${why}`, () => {
      const [next, effects] = step(follower({ term: 4, log: own }), received(B, requestVote(5, last)))
      expect(next).toMatchObject({ currentTerm: 5, votedFor: granted ? B : undefined })
      expect(sent(effects)).toEqual([requestVoteReply(5, granted)])
      const asked = step(follower({ term: 4, log: own }), received(B, preVote(4, last)))
      expect(sent(asked[1])).toEqual([preVoteReply(4, 4, granted)])
    })
  }
})
