/**
 * §6 and thesis §4: members that change while the cluster runs, by joint consensus. Sentences of the paper and the thesis
 * are quoted from memory.
 */
import { describe, expect, test } from "vitest"
import { leave } from "../../../src/raft/Amendment.ts"
import * as Configurations from "../../../src/raft/Configuration.ts"
import * as Logs from "../../../src/raft/Log.ts"
import { Index, type ReplicaId } from "../../../src/raft/LogEntry.ts"
import { amending, changing, configured, forwardAmendment, notAMember } from "../amendments.ts"
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
  forwardRefused,
  type Leader,
  leader,
  logged,
  makeRaft,
  matched,
  members,
  now,
  persist,
  position,
  preCandidate,
  preVoteReply,
  type RaftEffect,
  received,
  refused,
  replicate,
  reply,
  request,
  requestVoteReply,
  send,
  sent,
  type ServerState,
  start,
  step,
  submitted
} from "../builders.ts"
import { arrived, imageOf, snapshotAt, takeSnapshot } from "../images.ts"

const three = Configurations.of(members(3))
const joint = (voters: ReadonlyArray<ReplicaId>, outgoing: ReadonlyArray<ReplicaId>): Configurations.Configuration => ({
  ...Configurations.of(voters),
  outgoing,
  autoLeave: true
})
const without = joint([A, B], members(3))
const lastOf = ({ stateMachine: { log } }: ServerState): number => Logs.lastIndex(log)
const remove = (id: ReplicaId) => changing({ _tag: "Remove", id })
const amended = (sequence: number): RaftEffect => reply(sequence, { _tag: "Amended" })
const configurationsSent = (effects: ReadonlyArray<RaftEffect>, to: ReplicaId) =>
  sent(effects, to).flatMap((message) =>
    message._tag === "AppendEntries"
      ? message.entries.flatMap(({ payload }) => (payload._tag === "Configuration" ? [payload.configuration] : []))
      : []
  )
/** A leads a cluster of three, and has committed an entry of its term. */
const led = leader({ term: 2, log: [2] })

describe("§6, joint consensus", () => {
  const [entering, effects] = step(led, amending(1, remove(C)))

  test('"it stores the configuration for joint consensus (C-old,new) as a log entry and replicates that entry"', () => {
    expect(effects).toContainEqual(
      persist(undefined, {
        from: 2,
        entries: [configured(2, 2, { ...without, learners: [], addresses: [] }, request(1))]
      })
    )
    for (const peer of [B, C]) expect(configurationsSent(effects, peer)).toEqual([without])
  })

  test('[121] "uses that configuration for all future decisions (a server always uses the latest configuration in its log, regardless of whether the entry is committed)"', () => {
    expect(entering.configuration).toEqual(without)
    expect(entering.stateMachine.commitIndex).toBe(1)
    const [next] = step(
      follower({ term: 2, log: [2], leader: B }),
      received(B, append(2, position(1, 2), [configured(2, 2, without)]))
    )
    expect(next.configuration).toEqual(without)
  })

  test('[73] [119] "agreement requires separate majorities from both the old and new configurations"', () => {
    // Of A, B and C two would do, of A and B it takes both.
    const [hears] = step(entering, received(C, matched(2, 2)))
    expect(hears.stateMachine.commitIndex).toBe(1)
    const [next, more] = step(hears, received(B, matched(2, 2)))
    expect(next.stateMachine.commitIndex).toBe(2)
    // And then C-new follows at once, by itself; whoever asked is not told before that is committed.
    expect(next.configuration).toEqual(leave(without))
    expect(configurationsSent(more, B)).toEqual([leave(without)])
    expect(more.some(({ _tag }) => _tag === "Reply")).toBe(false)
    const [done, last] = step(next, received(B, matched(2, 3)))
    expect(done.stateMachine.commitIndex).toBe(3)
    expect(last).toContainEqual(amended(1))
    // Who has gone is not supplied any more.
    expect((done as Leader).progress.has(C)).toBe(false)
  })

  test("[73] neither majority is enough by itself, of votes as of acknowledgements", () => {
    const both = joint([A, D, E], members(3))
    for (const [ids, isEnough] of [
      [[A, B, C], false],
      [[A, D, E], false],
      [[B, C, D], false],
      [[B, C, D, E], true],
      [[A, B, D], true]
    ] as const) {
      expect(Configurations.isQuorum(both, new Set(ids))).toBe(isEnough)
      expect(Configurations.quorumValue(both, (id) => ((ids as ReadonlyArray<ReplicaId>).includes(id) ? 7 : 3))).toBe(
        isEnough ? 7 : 3
      )
    }
    const standing = candidate({ term: 3, log: [entry(1, 2), configured(2, 2, both)] })
    const [two] = step(standing, [received(B, requestVoteReply(3, true)), received(C, requestVoteReply(3, true))])
    expect(two._tag).toBe("Candidate")
    expect(step(two, received(D, requestVoteReply(3, true)))[0]._tag).toBe("Leader")
  })

  test("[123] an election meanwhile asks the voters of both", () => {
    const log = [entry(1, 2), configured(2, 2, joint([A, D], members(3)))]
    const [, asked] = step(follower({ term: 2, log }), deadline(after(700)))
    expect(asked.flatMap((effect) => (effect._tag === "Send" ? [effect.to] : []))).toEqual([D, B, C])
    const [, stands] = step(preCandidate({ term: 2, log, votes: [B] }), received(D, preVoteReply(2, 2, true)))
    expect(stands.flatMap((effect) => (effect._tag === "Send" ? [effect.to] : []))).toEqual([D, B, C])
  })

  test("[123] the next leader ends what the one before began", () => {
    const log = [entry(1, 2), configured(2, 2, without, request(1, C))]
    const [elected] = step(candidate({ term: 3, log, commit: 1 }), [
      received(B, requestVoteReply(3, true)),
      received(C, requestVoteReply(3, true))
    ])
    const [next, more] = step(elected, received(B, matched(3, 3)))
    expect(next.configuration).toEqual(leave(without))
    expect(configurationsSent(more, B)).toEqual([leave(without)])
  })

  test("[119] one that is not left by itself stays until it is told to leave", () => {
    const [asked] = step(led, amending(1, { ...remove(C), autoLeave: false }))
    const [next, told] = step(asked, received(B, matched(2, 2)))
    expect(next.configuration).toMatchObject({ outgoing: members(3), autoLeave: false })
    expect(told).toContainEqual(amended(1))
    expect(step(next, amending(2, remove(B)))[1]).toContainEqual(refused(2, "ChangePending"))
    const [left] = step(next, amending(3, changing({ _tag: "Leave" })))
    expect(left.configuration).toEqual(Configurations.of([A, B]))
    expect(step(left, received(B, matched(2, 3)))[1]).toContainEqual(amended(3))
  })

  test("[124] voters that do not overlap: the old ones and the new ones have to agree, both", () => {
    const apart = joint([D, E], [A, B])
    expect(Configurations.isQuorum(apart, new Set([A, B]))).toBe(false)
    expect(Configurations.isQuorum(apart, new Set([D, E]))).toBe(false)
    expect(Configurations.isQuorum(apart, new Set([A, B, D, E]))).toBe(true)
  })
})

describe("one change at a time", () => {
  const uncommitted = { ...Configurations.of(members(3)), learners: [{ id: D, promote: false }] }
  const changingNow = leader({ term: 2, log: [entry(1, 2), configured(2, 2, uncommitted)], commit: 1, progress: {} })

  test('[119] "not yet committed": another one is refused, whatever it is', () => {
    for (const one of [remove(B), changing({ _tag: "Add", id: E, address: undefined, promote: false })]) {
      const [next, effects] = step(changingNow, amending(1, one))
      expect(next.configuration).toEqual(uncommitted)
      expect(effects).toContainEqual(refused(1, "ChangePending"))
    }
  })

  test("[119] of two in one batch the second is refused", () => {
    const [, effects] = step(led, [amending(1, remove(C)), amending(2, remove(B))])
    expect(effects).toContainEqual(refused(2, "ChangePending"))
    expect(effects).not.toContainEqual(refused(1, "ChangePending"))
  })

  test("[120] none before an entry of the leader's own term is committed (Ongaro, raft-dev 2015)", () => {
    const fresh = leader({ term: 3, log: [2, 3], commit: 1, progress: {} })
    const [next, effects] = step(fresh, amending(1, remove(C)))
    expect(next.configuration).toEqual(three)
    expect(effects).toContainEqual(refused(1, "NotReady"))
    const [later] = step(next, [received(B, matched(3, 2)), amending(2, remove(C))])
    // The commit is only known when the batch is settled; the next one may.
    const [changed] = step(later, amending(3, remove(C)))
    expect(changed.configuration).toEqual(without)
  })

  test("while the disk is full none is logged, and a joint one stays", () => {
    expect(step({ ...led, diskFull: true }, amending(1, remove(C)))[1]).toContainEqual(refused(1, "NoSpace"))
    const [entering] = step(led, amending(1, remove(C)))
    const [full] = step({ ...entering, diskFull: true }, received(B, matched(2, 2)))
    expect(full.configuration).toEqual(without)
    const [again] = step({ ...full, diskFull: false }, received(B, matched(2, 2)))
    expect(again.configuration).toEqual(leave(without))
  })
})

describe("what cannot be is refused, and what is so already is no error", () => {
  const withLearner = leader({
    term: 2,
    log: [2],
    configuration: { ...three, learners: [{ id: D, promote: false }], addresses: [{ id: D, address: "d:1" }] }
  })
  const add = (id: ReplicaId, more: { address?: string; promote?: boolean } = {}) =>
    changing({ _tag: "Add", id, address: more.address, promote: more.promote ?? false })

  for (const [what, amendment, reason] of [
    ["promote a stranger", changing({ _tag: "Promote", id: E }), "NotAMember"],
    ["demote a stranger", changing({ _tag: "Demote", id: E }), "NotAMember"],
    ["move a stranger", changing({ _tag: "Move", id: E, address: "e:1" }), "NotAMember"],
    ["leave what is not joint", changing({ _tag: "Leave" }), "NotJoint"],
    ["remove all", changing(...members(3).map((id) => ({ _tag: "Remove" as const, id }))), "LastVoter"],
    ["all or none", changing({ _tag: "Remove", id: C }, { _tag: "Promote", id: E }), "NotAMember"]
  ] as const)
    test(what, () => {
      const [next, effects] = step(withLearner, amending(1, amendment))
      expect(next.configuration).toEqual(withLearner.configuration)
      expect(effects).toEqual([refused(1, reason)])
    })

  for (const [what, amendment] of [
    ["a voter is added", add(B)],
    ["a voter is promoted", changing({ _tag: "Promote", id: B })],
    ["a learner is added", add(D)],
    ["a learner is demoted", changing({ _tag: "Demote", id: D })],
    ["a stranger is removed", remove(E)]
  ] as const)
    test(`[128] ${what}: the configuration is logged as it is`, () => {
      const [next] = step(withLearner, amending(1, amendment))
      expect(next.configuration).toEqual(withLearner.configuration)
      expect(step(next, received(B, matched(2, 2)))[1]).toContainEqual(amended(1))
    })

  test("[128] where a member is, and that it is to vote, may be said later", () => {
    const [moved] = step(withLearner, amending(1, changing({ _tag: "Move", id: D, address: "d:2" })))
    expect(Configurations.addressOf(moved.configuration, D)).toBe("d:2")
    const [wanted] = step(withLearner, amending(1, add(D, { promote: true })))
    expect(wanted.configuration.learners).toEqual([{ id: D, promote: true }])
    // Nothing is taken back by not saying it again.
    expect(Configurations.addressOf(wanted.configuration, D)).toBe("d:1")
    const [again] = step(leader({ term: 2, log: [2], configuration: wanted.configuration }), amending(1, add(D)))
    expect(again.configuration.learners).toEqual([{ id: D, promote: true }])
  })

  test("[128] a demoted voter is a learner once that is left, and is sent everything all along", () => {
    const [next] = step(led, amending(1, changing({ _tag: "Demote", id: C })))
    expect(next.configuration).toEqual({ ...without, learners: [{ id: C, promote: false }] })
    expect(Configurations.isVoter(next.configuration, C)).toBe(true)
    const [left] = step(next, received(B, matched(2, 2)))
    expect(Configurations.isLearner(left.configuration, C)).toBe(true)
    expect([...(left as Leader).progress.keys()]).toEqual([B, C])
  })

  test("who leaves is reached until it has left", () => {
    const addresses = [{ id: C, address: "c:1" }]
    const [next] = step(leader({ term: 2, log: [2], configuration: { ...three, addresses } }), amending(1, remove(C)))
    expect(Configurations.addressOf(next.configuration, C)).toBe("c:1")
    expect(leave(next.configuration).addresses).toEqual([])
  })

  test("a change after which the voters in reach would be no majority takes force", () => {
    const silent = leader({
      term: 2,
      log: [2],
      commit: 1,
      progress: { B: replicate(1, { heardAt: after(-500) }), C: replicate(1) }
    })
    expect(step(silent, amending(1, remove(C)))[1]).toContainEqual(refused(1, "WouldLoseQuorum"))
    expect(step(silent, amending(1, { ...remove(C), force: true }))[0].configuration).toEqual(without)
    // Who was heard just before, and who goes itself, is no reason.
    expect(step(silent, amending(1, remove(B)))[0].configuration).toEqual(joint([A, C], members(3)))
  })

  test("who has not been heard in this term, or is not admitted, is not in reach", () => {
    for (const odd of [{ incarnation: 0 }, { admitted: false }]) {
      const state = leader({ term: 2, log: [2], commit: 1, progress: { B: replicate(1, odd), C: replicate(1) } })
      expect(step(state, amending(1, remove(C)))[1]).toContainEqual(refused(1, "WouldLoseQuorum"))
    }
  })

  test("a follower asks the leader, which answers through it", () => {
    const state = follower({ term: 2, log: [2], leader: B })
    expect(step(state, amending(1, remove(C)))[1]).toEqual([send(B, forwardAmendment(2, request(1), remove(C)))])
    const asked = received(B, forwardAmendment(2, request(7, B), changing({ _tag: "Leave" })))
    expect(step(led, asked)[1]).toEqual([send(B, forwardRefused(2, "NotJoint", request(7, B)))])
    const [, told] = step(state, received(B, forwardRefused(2, "NotJoint", request(1))))
    expect(told).toEqual([reply(1, { _tag: "Declined", reason: "NotJoint" })])
  })

  test("a request that the network has doubled is not carried out again, though others have changed it back", () => {
    const asked = received(
      B,
      forwardAmendment(2, request(1, B), changing({ _tag: "Add", id: D, address: "d:1", promote: false }))
    )
    const [added] = step(led, asked)
    const [settled] = step(added, received(B, matched(2, lastOf(added))))
    const [back] = step(settled, amending(2, changing({ _tag: "Remove", id: D })))
    const [again] = step(back, received(B, matched(2, lastOf(back))))
    expect(Configurations.isMember(again.configuration, D)).toBe(false)
    expect(step(again, asked)).toEqual([again, []])
    const another = received(
      B,
      forwardAmendment(2, request(2, B), changing({ _tag: "Add", id: D, address: "d:1", promote: false }))
    )
    expect(Configurations.isMember(step(again, another)[0].configuration, D)).toBe(true)
  })

  test("who is removed is told as soon as that is committed: a learner would never ask", () => {
    const [added] = step(led, amending(1, changing({ _tag: "Add", id: D, address: "d:1", promote: false })))
    const [settled] = step(added, received(B, matched(2, lastOf(added))))
    const [removing, early] = step(settled, amending(2, changing({ _tag: "Remove", id: D })))
    expect(sent(early, D)).toEqual([])
    const [, late] = step(removing, received(B, matched(2, lastOf(removing))))
    expect(sent(late, D)).toEqual([notAMember(2, lastOf(removing))])
  })

  test("whoever waits at a follower hears of it there, when it is committed and applied", () => {
    const state = follower({ term: 2, log: [entry(1, 2), configured(2, 2, without, request(1))], leader: B, commit: 1 })
    const [next, early] = step(
      state,
      received(B, append(2, position(2, 2), [configured(3, 2, leave(without), request(1))], { commit: 2 }))
    )
    expect(early.some(({ _tag }) => _tag === "Reply")).toBe(false)
    expect(step(next, received(B, append(2, position(3, 2), [], { commit: 3 })))[1]).toContainEqual(amended(1))
  })
})

describe("[127] small clusters", () => {
  test("from one to two and back: what is logged alone is never told before the disk has it", () => {
    const withLearner = { ...Configurations.of([A]), learners: [{ id: B, promote: false }] }
    const one = leader({
      term: 2,
      log: [2],
      configuration: withLearner,
      catchUps: new Map([[B, { round: 1, target: Index(1), since: now, done: true }]])
    })
    const [joined, effects] = step(one, amending(1, changing({ _tag: "Promote", id: B })))
    expect(joined.configuration).toEqual(joint([A, B], [A]))
    expect(joined.stateMachine.commitIndex).toBe(1)
    const [left] = step(joined, received(B, matched(2, 2)))
    expect(left.configuration).toEqual(Configurations.of([A, B]))
    const [two] = step(left, received(B, matched(2, 3)))
    expect(two.stateMachine.commitIndex).toBe(3)
    expect(effects[0]?._tag).toBe("Send")
    // Back: both must agree to the way out, and then A alone commits its end.
    const [leaving] = step(two, amending(2, remove(B)))
    expect(leaving.stateMachine.commitIndex).toBe(3)
    const [alone, last] = step(leaving, received(B, matched(2, 4)))
    expect(alone.configuration).toEqual(Configurations.of([A]))
    expect(alone.stateMachine.commitIndex).toBe(5)
    expect(last[0]?._tag).toBe("Persist")
    expect(last).toContainEqual(amended(2))
  })

  test("a sole voter with a learner commits in the step that logs, so nothing leaves before its disk has it", () => {
    const one = leader({
      term: 2,
      log: [2],
      configuration: { ...Configurations.of([A]), learners: [{ id: B, promote: false }] }
    })
    const [next, effects] = step(one, submitted(1, "x"))
    expect(next.stateMachine.commitIndex).toBe(2)
    expect(effects.map(({ _tag }) => _tag)).toEqual(["Persist", "Send", "Reply"])
    expect(sent(effects, B)).toEqual([append(2, position(1, 2), [logged(2, 2, request(1), "x")], { commit: 2 })])
  })

  test("[127] nor does anything when that commit makes it a sole voter no more, in the same step", () => {
    const one = leader({
      term: 2,
      log: [2],
      configuration: { ...Configurations.of([A]), learners: [{ id: B, promote: true }] },
      catchUps: new Map([[B, { round: 1, target: Index(1), since: now, done: true }]])
    })
    const [next, effects] = step(one, submitted(1, "x"))
    expect(next.configuration).toEqual(joint([A, B], [A]))
    expect(next.stateMachine.commitIndex).toBe(2)
    expect(effects.map(({ _tag }) => _tag)).toEqual(["Persist", "Send", "Reply"])
  })

  test("one whose voters are two and whose other is gone goes on by the way out that was committed", () => {
    const log = [entry(1, 2), configured(2, 2, joint([A], [A, B])), configured(3, 2, Configurations.of([A]))]
    const [next] = step(start({ term: 2, log, configuration: Configurations.of([A, B]) }), deadline(now))
    expect(next).toMatchObject({ _tag: "Leader", stateMachine: { commitIndex: 4 } })
  })

  test("[129] with fewer voters, what waits is committed by those that are left", () => {
    const state = leader({
      term: 2,
      voters: members(4),
      log: [entry(1, 2), configured(2, 2, joint([A, B], members(4))), entry(3, 2)],
      commit: 1,
      progress: { B: replicate(3), C: replicate(1), D: replicate(1) }
    })
    const [next] = step(state, received(C, matched(2, 2)))
    expect(next).toMatchObject({ configuration: Configurations.of([A, B]), stateMachine: { commitIndex: 3 } })
  })
})

describe("a configuration that is not committed", () => {
  const log = [entry(1, 2), configured(2, 2, without)]

  test('[121] goes with its entry: "the configuration falls back to the previous one in the log" (thesis §4.1)', () => {
    const state = follower({ term: 2, log, commit: 1 })
    expect(state.configuration).toEqual(without)
    const [next] = step(state, received(C, append(3, position(1, 2), entriesFrom(2, 3))))
    expect(next.configuration).toEqual(three)
    expect(next.configurations).toHaveLength(1)
  })

  test("[121] with two of them dropped, the one before both is in force", () => {
    const state = follower({ term: 2, log: [...log, configured(3, 2, leave(without))], commit: 1 })
    const [next] = step(state, received(C, append(3, position(1, 2), entriesFrom(2, 3))))
    expect(next.configuration).toEqual(three)
    const [half] = step(state, received(C, append(3, position(2, 2), entriesFrom(3, 3))))
    expect(half.configuration).toEqual(without)
  })

  test("[121] one that replaces it is in force at once", () => {
    const other = joint([A, C], members(3))
    const [next] = step(
      follower({ term: 2, log, commit: 1 }),
      received(C, append(3, position(1, 2), [configured(2, 3, other)]))
    )
    expect(next.configuration).toEqual(other)
  })

  test("[122] is found again at a restart", () => {
    expect(start({ term: 2, log }).configuration).toEqual(without)
    const found = start({ term: 2, log: [...log, configured(3, 2, leave(without))] })
    expect(found.configuration).toEqual(leave(without))
    expect(found.configurations.map(({ index }) => index)).toEqual([0, 2, 3])
    // And what is dropped then falls back as before.
    const [next] = step(found, received(C, append(3, position(1, 2), entriesFrom(2, 3))))
    expect(next.configuration).toEqual(three)
  })

  test("[122] those after a snapshot are, and those that it stands for are not", () => {
    const image = { ...imageOf(2, 2), configuration: without }
    const later = configured(3, 2, leave(without))
    const found = start({
      term: 2,
      image,
      base: position(1, 2),
      log: [configured(2, 2, without), later],
      snapshots: [snapshotAt(2, 2)]
    })
    expect(found.configuration).toEqual(leave(without))
    expect(found.configurations.map(({ index }) => index)).toEqual([2, 3])
  })

  test("[107] is in no snapshot", () => {
    const state = leader({ term: 2, log: [2, 2], progress: { B: replicate(1), C: replicate(1) }, commit: 1 })
    const every = makeRaft({ snapshotLogEntries: 1 })
    const [, effects] = step({ ...state, stateMachine: { ...led.stateMachine } }, amending(1, remove(C)), every)
    const [taken] = effects.flatMap((effect) => (effect._tag === "TakeSnapshot" ? [effect.image] : []))
    expect(taken).toMatchObject({ last: position(1, 2), configuration: three })
    expect(effects.at(-1)).toEqual(takeSnapshot(taken!))
  })
})

describe("[108] a snapshot's configuration", () => {
  test("takes the place of the log's, even if that was logged later in an earlier term", () => {
    const state = follower({
      term: 2,
      leader: B,
      log: [entry(1, 1), configured(2, 1, joint([A, D], members(3)))],
      commit: 1
    })
    const image = { ...imageOf(1, 2, 2), configuration: without }
    const [next] = step(state, arrived(snapshotAt(3, 2), image))
    expect(next.configuration).toEqual(without)
    expect(next.configurations.map(({ index }) => index)).toEqual([3])
  })

  test("gives way to what follows it in a log that both have", () => {
    const log = [entry(1, 2), entry(2, 2), configured(3, 2, without)]
    const [next] = step(follower({ term: 2, leader: B, log, commit: 1 }), arrived(snapshotAt(2, 2), imageOf(2, 2)))
    expect(next.configuration).toEqual(without)
    expect(next.configurations.map(({ index }) => index)).toEqual([2, 3])
  })
})
