/**
 * §6 and thesis §4.2.2, §4.2.3: a leader that removes itself, and replicas that were removed and do not know it.
 * Sentences are quoted from memory.
 */
import { describe, expect, test } from "vitest"
import * as Configurations from "../../../src/raft/Configuration.ts"
import { type ReplicaId } from "../../../src/raft/LogEntry.ts"
import { amending, changing, configured, notAMember } from "../amendments.ts"
import {
  A,
  after,
  append,
  B,
  C,
  candidate,
  D,
  deadline,
  E,
  entriesFrom,
  entry,
  follower,
  leader,
  matched,
  members,
  now,
  position,
  preCandidate,
  preVote,
  preVoteReply,
  raft,
  type RaftEffect,
  received,
  refused,
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

const three = Configurations.of(members(3))
const joint = (voters: ReadonlyArray<ReplicaId>, outgoing: ReadonlyArray<ReplicaId>): Configurations.Configuration => ({
  ...Configurations.of(voters),
  outgoing,
  autoLeave: true
})
const remove = (id: ReplicaId) => changing({ _tag: "Remove", id })
const amended = (sequence: number): RaftEffect => reply(sequence, { _tag: "Amended" })
/** A leads a cluster of three, and has committed an entry of its term. */
const led = leader({ term: 2, log: [2] })

describe("a leader that is removed", () => {
  const [entering] = step(led, amending(1, remove(A)))

  test('[118] "it manages the cluster while it is not a member: it replicates log entries but does not count itself in majorities"', () => {
    expect(entering.configuration).toEqual(joint([B, C], members(3)))
    // A and B are a majority of the old voters, not of the new ones.
    const [one] = step(entering, received(B, matched(2, 2)))
    expect(one.stateMachine.commitIndex).toBe(1)
    const [both] = step(one, received(C, matched(2, 2)))
    expect(both).toMatchObject({ _tag: "Leader", configuration: Configurations.of([B, C]) })
    expect(both.stateMachine.commitIndex).toBe(2)
    const [half] = step(both, received(B, matched(2, 3)))
    expect(half).toMatchObject({ _tag: "Leader", stateMachine: { commitIndex: 2 } })
  })

  test('[118] "steps down (returns to follower state) once it has committed the C-new log entry", and tells another to stand', () => {
    const [both] = step(entering, [received(B, matched(2, 2)), received(C, matched(2, 2))])
    const [next, effects] = step(both, [received(B, matched(2, 3)), received(C, matched(2, 3))])
    expect(next).toMatchObject({ _tag: "Follower", leader: undefined, currentTerm: 2, quorumLost: true })
    expect(effects).toContainEqual(amended(1))
    expect(sent(effects).filter(({ _tag }) => _tag === "TimeoutNow")).toHaveLength(1)
  })

  test("from then on it serves nobody, stands no more, and votes for nobody who lacks what it has", () => {
    const [both] = step(entering, [received(B, matched(2, 2)), received(C, matched(2, 2))])
    const [next] = step(both, [received(B, matched(2, 3)), received(C, matched(2, 3))])
    expect(step(next, submitted(9, "x"))[1]).toContainEqual(refused(9, "Removed"))
    const [later] = step(next, deadline(after(5_000)))
    expect(later._tag).toBe("Follower")
    expect(sent(step(next, deadline(after(5_000)))[1])).toEqual([])
  })

  test("one whose removal is not committed stands all the same: it may be the only one that can commit it (thesis §4.2.2)", () => {
    const log = [entry(1, 2), configured(2, 2, joint([B, C], members(3))), configured(3, 2, Configurations.of([B, C]))]
    const [next] = step(follower({ term: 2, log, commit: 2 }), deadline(after(700)))
    expect(next._tag).toBe("PreCandidate")
    const [gone] = step(follower({ term: 2, log, commit: 3 }), deadline(after(700)))
    expect(gone._tag).toBe("Follower")
  })
})

describe("[38] [125] who was removed and has not heard of it", () => {
  const settled = [
    entry(1, 2),
    configured(2, 2, joint([A, B], members(3))),
    configured(3, 2, Configurations.of([A, B]))
  ]
  const voter = (commit: number): ServerState => follower({ term: 2, log: settled, commit, voters: members(3) })
  const outsider = follower({ id: C, term: 2, log: [2], voters: members(3) })

  test("asks for votes, gets none, and is told so by a voter that knows it for certain", () => {
    const asks = received(C, preVote(2, position(1, 2)), after(2_000))
    expect(step(voter(3), asks)[1]).toEqual([send(C, preVoteReply(2, 2, false)), send(C, notAMember(2, 3))])
    expect(sent(step(voter(2), asks)[1])).toEqual([preVoteReply(2, 2, false)])
  })

  test("a member is not told so, and a cluster that never changed tells nobody", () => {
    expect(sent(step(voter(3), received(B, preVote(2, position(1, 2)), after(2_000)))[1])).toEqual([
      preVoteReply(2, 2, false)
    ])
    const [, effects] = step(
      follower({ term: 2, log: [2], commit: 1 }),
      received(E, preVote(2, position(0, 0)), after(2_000))
    )
    expect(sent(effects)).toEqual([preVoteReply(2, 2, false)])
  })

  test("believes it: it stands no more, and refuses its clients", () => {
    const [next, effects] = step(outsider, received(A, notAMember(2, 3)), raft)
    expect(next).toMatchObject({ _tag: "Follower", removedAt: 3, quorumLost: true })
    expect(effects).toEqual([{ _tag: "QuorumLost" }])
    expect(step(next, deadline(after(9_000)))[0]._tag).toBe("Follower")
    expect(step(next, submitted(1, "x", now, C))[1]).toEqual([
      { _tag: "Reply", request: request(1, C), outcome: { _tag: "Refused", reason: "Removed" } }
    ])
    const [stood] = step(preCandidate({ id: C, term: 2, log: [2] }), received(A, notAMember(2, 3)))
    expect(stood).toMatchObject({ _tag: "Follower", removedAt: 3 })
  })

  test("not what is older than what it has, nor while it hears a leader", () => {
    const again = follower({ id: C, term: 2, log: [...settled, configured(4, 2, joint(members(3), [A, B]))] })
    expect(step(again, received(A, notAMember(2, 3)))[0]).toBe(again)
    // What is committed there is this very one, or this one never will be.
    expect(step(again, received(A, notAMember(2, 4)))[0].removedAt).toBe(4)
    const following = follower({ id: C, term: 2, log: [2], leader: B })
    expect(step(following, received(A, notAMember(2, 3)))[0]).toBe(following)
    const leading = leader({ id: C, term: 2, log: [2] })
    expect(step(leading, received(A, notAMember(2, 3)))[0]).toBe(leading)
  })

  test("[126] added again, it hears a leader and is as before", () => {
    const [removed] = step(outsider, received(A, notAMember(2, 3)))
    const [next] = step(removed, received(B, append(3, position(1, 2), settled.slice(1))))
    expect(next).toMatchObject({ removedAt: undefined, quorumLost: false, leader: B })
  })

  test("[38] deposes nobody by a later term: the leader and who hears it do not enter it (thesis §4.2.3)", () => {
    const ask = received(C, requestVote(9, position(1, 2)))
    expect(step(voter(3), ask)[0].currentTerm).toBe(9)
    const hearing = follower({ term: 2, log: settled, commit: 3, leader: B })
    expect(step(hearing, ask)[0]).toBe(hearing)
    const leading = leader({ term: 2, log: settled })
    expect(step(leading, ask)[0]).toBe(leading)
  })
})

describe("[19] [37] who is heard", () => {
  test("a candidate that the voter's log does not know yet may be voted for: it may have been added (thesis §4.1)", () => {
    const [next, effects] = step(
      follower({ term: 2, log: [2] }),
      received(D, requestVote(3, position(2, 2)), after(2_000))
    )
    expect(next).toMatchObject({ currentTerm: 3, votedFor: D })
    expect(sent(effects, D)).toEqual([requestVoteReply(3, true)])
  })

  test("a leader that the follower's log does not know yet is followed, and answered", () => {
    const [next, effects] = step(
      follower({ term: 2, log: [2] }),
      received(D, append(3, position(1, 2), entriesFrom(2, 3)))
    )
    expect(next).toMatchObject({ currentTerm: 3, leader: D })
    expect(sent(effects, D)).toMatchObject([{ _tag: "AppendEntriesReply", result: { _tag: "Matched", matchIndex: 2 } }])
  })

  test("a vote of one that is no voter counts for nothing", () => {
    const withLearner = { ...three, learners: [{ id: D, promote: false }] }
    const standing = candidate({ term: 3, log: [2], configuration: withLearner })
    for (const from of [D, E]) expect(step(standing, received(from, requestVoteReply(3, true)))[0]).toBe(standing)
    const asking = preCandidate({ term: 3, log: [2], configuration: withLearner })
    for (const from of [D, E]) expect(step(asking, received(from, preVoteReply(3, 3, true)))[0]).toBe(asking)
  })
})
