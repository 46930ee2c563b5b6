/** §5.4.2 and §8: what a leader may call committed, and when. */
import { describe, expect, test } from "vitest"
import * as Configurations from "../../../src/raft/Configuration.ts"
import type { ReplicaId } from "../../../src/raft/LogEntry.ts"
import {
  A,
  applied,
  B,
  C,
  candidate,
  leader,
  leaderChanged,
  logged,
  matched,
  members,
  noOp,
  persist,
  probe,
  received,
  replicate,
  request,
  requestVoteReply,
  type ServerState,
  step,
  submitted,
  terms
} from "../builders.ts"

const commitOf = (state: ServerState): number => state.stateMachine.commitIndex

describe("§5.3", () => {
  for (let size = 2; size <= 7; size++) {
    test(`[65] "committed once the leader that created the entry has replicated it on a majority": ${size} replicas`, () => {
      const voters = members(size)
      let [state] = step(leader({ voters, term: 2, log: [2] }), submitted(1, "x"))
      const acknowledgements = Math.floor(size / 2)
      for (let count = 1; count <= acknowledgements; count++) {
        expect(commitOf(state)).toBe(1)
        state = step(state, received(voters[count]!, matched(2, 2)))[0]
        state = step(state, received(voters[count]!, matched(2, 2)))[0]
      }
      expect(commitOf(state)).toBe(2)
    })
  }

  test("[65] the greatest index that a majority holds", () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<number>, number]> = [
      [[3], 3],
      [[3, 1], 1],
      [[5, 3, 1], 3],
      [[5, 5, 1], 5],
      [[4, 3, 2, 1], 2],
      [[9, 9, 2, 1], 2],
      [[5, 4, 3, 2, 1], 3],
      [[0, 0, 0], 0]
    ]
    for (const [held, expected] of cases) {
      const voters = members(held.length)
      const valueOf = (id: ReplicaId) => held[voters.indexOf(id)]!
      expect(Configurations.quorumValue(Configurations.of(voters), valueOf)).toBe(expected)
    }
  })

  test("a majority is more than half, of members only", () => {
    for (let size = 1; size <= 7; size++) {
      const configuration = Configurations.of(members(size))
      expect(Configurations.majority(size) * 2).toBeGreaterThan(size)
      for (let count = 0; count <= size; count++) {
        expect(Configurations.isQuorum(configuration, new Set(members(count)))).toBe(count * 2 > size)
      }
      expect(Configurations.isQuorum(Configurations.of(members(3)), new Set(members(7).slice(2)))).toBe(false)
    }
  })

  test("[68] a leader does not count on what is not on its disk: a batch commits nothing that it logged", () => {
    const state = leader({ term: 2, log: [2, 2], progress: { B: replicate(1), C: probe(3) }, commit: 1 })
    const [next, effects] = step(state, [submitted(1, "x"), received(B, matched(2, 3)), received(B, matched(2, 2))])
    expect(commitOf(next)).toBe(2)
    expect(effects.at(-1)).toEqual(persist(undefined, { from: 3, entries: [logged(3, 2, request(1), "x")] }))
  })

  test("[68] a sole voter's answer stands behind its write", () => {
    const state = leader({ voters: [A], term: 2, log: [2] })
    const [next, effects] = step(state, submitted(1, "x"))
    expect(commitOf(next)).toBe(2)
    expect(effects).toEqual([persist(undefined, { from: 2, entries: [logged(2, 2, request(1), "x")] }), applied(1, 2)])
  })
})

describe("§5.4.2", () => {
  test('[66] "Raft never commits log entries from previous terms by counting replicas" (Figure 8 c)', () => {
    // S1 leads term 4 and has replicated its entry of term 2 on a majority; S5 may still win with term 3.
    const state = leader({
      voters: members(5),
      term: 4,
      log: [1, 2, 4],
      progress: { B: replicate(2), C: probe(3), D: probe(4), E: probe(4) },
      commit: 1
    })
    const [next, effects] = step(state, received(C, matched(4, 2)))
    expect(commitOf(next)).toBe(1)
    expect(effects.filter(({ _tag }) => _tag === "Reply")).toEqual([])
  })

  test('[67] "once an entry from the current term has been committed in this way, then all prior entries are committed indirectly" (Figure 8 e)', () => {
    const state = leader({
      voters: members(5),
      term: 4,
      log: [1, 2, 4],
      progress: { B: replicate(3), C: replicate(2), D: probe(4), E: probe(4) },
      commit: 1
    })
    const [next] = step(state, received(C, matched(4, 3)))
    expect(next.stateMachine).toMatchObject({ commitIndex: 3, value: ["1.1", "2.2", "3.4"] })
  })

  test("[72] it is the greatest index that a majority holds, not the last one or the next one", () => {
    const state = leader({
      voters: members(5),
      term: 4,
      log: [1, 4, 4, 4, 4],
      progress: { B: replicate(5), C: replicate(1), D: probe(6), E: probe(6) },
      commit: 1
    })
    expect(commitOf(step(state, received(C, matched(4, 3)))[0])).toBe(3)
  })

  test("[70] the commit index of a leader never goes back", () => {
    const state = leader({ term: 4, log: [4, 4, 4], progress: { B: probe(4), C: probe(4) }, commit: 3 })
    expect(commitOf(step(state, received(B, matched(4, 1)))[0])).toBe(3)
  })
})

describe("§8", () => {
  test('[22] [67] "a blank no-op entry into the log at the start of its term": committing it commits what it inherited', () => {
    const [elected, effects] = step(candidate({ term: 3, log: [1, 2] }), received(B, requestVoteReply(3, true)))
    expect(effects.at(-1)).toEqual(leaderChanged(A, 3))
    expect(terms(elected)).toEqual([1, 2, 3])
    // A majority holds all that it inherited: not enough.
    const [inherited] = step(elected, received(B, matched(3, 2)))
    expect(commitOf(inherited)).toBe(0)
    const [committed] = step(inherited, received(B, matched(3, 3)))
    expect(committed.stateMachine).toMatchObject({ commitIndex: 3, lastApplied: 3, value: ["1.1", "2.2"] })
  })

  test("[146] the client of a leader that inherited its command is answered when the no-op commits", () => {
    const own = logged(1, 2, request(1), "x")
    const [elected] = step(candidate({ term: 3, log: [own] }), received(B, requestVoteReply(3, true)))
    const [, effects] = step(elected, received(B, matched(3, 2)))
    expect(effects).toEqual([applied(1, 1)])
  })

  test("[146] others' clients are answered where they are", () => {
    const others = [logged(1, 2, request(1, C), "x"), logged(2, 2, request(1, A, 0), "y"), noOp(3, 2)]
    const state = leader({ term: 2, log: others, progress: { B: replicate(0), C: probe(4) } })
    const [next, effects] = step(state, received(B, matched(2, 3)))
    expect(next.stateMachine.value).toEqual(["x", "y"])
    expect(effects).toEqual([])
  })
})
