/** §7, for the replica's own log: when a snapshot is taken, of what, what is dropped, and how a replica starts from it. */
import * as Configurations from "../../../src/raft/Configuration.ts"
import { describe, expect, test } from "vitest"
import * as Logs from "../../../src/raft/Log.ts"
import { ClusterTime, Index } from "../../../src/raft/LogEntry.ts"
import * as Snapshots from "../../../src/raft/Snapshot.ts"
import {
  A,
  after,
  append,
  B,
  C,
  deadline,
  entries,
  entriesFrom,
  type Follower,
  follower,
  installing,
  type Leader,
  leader,
  logged,
  makeRaft,
  matched,
  now,
  persist,
  position,
  probe,
  type RaftEffect,
  received,
  replicate,
  request,
  sent,
  type ServerState,
  start,
  step,
  submitted,
  terms
} from "../builders.ts"
import { failed, imageIn, imageOf, missing, snapshotAt, stored, takeSnapshot } from "../images.ts"

const every = (entries: number, more = {}) => makeRaft({ snapshotLogEntries: entries, ...more })
const taken = (effects: ReadonlyArray<RaftEffect>) =>
  effects.flatMap((effect) => (effect._tag === "TakeSnapshot" ? [effect.image] : []))
/** B, its leader, has committed everything up to `index`. */
const commit = (term: number, index: number) => received(B, append(term, position(index, term), [], { commit: index }))

describe("§7, taking a snapshot", () => {
  const state = follower({ term: 2, leader: B, log: [1, 2, 2, 2, 2], commit: 2 })

  test('[97] of "its current state": of what is applied, not of what is logged; and when enough has been applied', () => {
    const by = every(3)
    const [one, none] = step(state, commit(2, 2), by)
    expect(taken(none)).toEqual([])
    const [two, effects] = step(one, commit(2, 3), by)
    expect(two.stateMachine.lastApplied).toBe(3)
    expect(taken(effects)).toEqual([imageIn(two)])
    expect(taken(effects)[0]).toMatchObject({ last: position(3, 2), value: ["1.1", "2.2", "3.2"] })
    expect(two.snapshots).toMatchObject({ taking: 3, begun: 3, latest: undefined })
  })

  test("[106] it holds the members, the last request of each replica, the chain's hash and the epoch", () => {
    const all = [logged(1, 1, request(4, B), "x"), logged(2, 1, request(2, C), "y"), logged(3, 1, request(5, B), "z")]
    const given = follower({ term: 1, leader: B, voters: [A, B], log: all })
    const [next, effects] = step(given, commit(1, 3), every(1))
    expect(taken(effects)).toEqual([
      {
        last: position(3, 1),
        configuration: Configurations.of([A, B]),
        applied: new Map([
          [B, request(5, B)],
          [C, request(2, C)]
        ]),
        hash: next.stateMachine.hash,
        epoch: 0,
        time: ClusterTime(0),
        version: 1,
        ceiling: undefined,
        value: ["x", "y", "z"]
      }
    ])
    expect(next.stateMachine.hash).not.toBe(0)
  })

  test("[107] an entry that is not committed is in no snapshot", () => {
    const [, effects] = step(leader({ term: 2, log: [2, 2] }), submitted(1, "x"), every(1))
    expect(taken(effects).map(({ value }) => value)).toEqual([["1.2", "2.2"]])
  })

  test("a step at a time: when the log is applied in pieces, what is applied so far is what it stands for", () => {
    const [next, effects] = step(state, commit(2, 5), every(1, { maxApplyEntries: 2 }))
    expect(next.stateMachine).toMatchObject({ commitIndex: 5, lastApplied: 4 })
    expect(taken(effects)).toMatchObject([{ last: position(4, 2) }])
  })

  test("it stands behind Persist: nobody may hear of what is not on this disk", () => {
    const [, effects] = step(
      follower({ term: 2, leader: B, log: [2] }),
      received(B, append(2, position(1, 2), entriesFrom(2, 2), { commit: 2 })),
      every(1)
    )
    expect(effects.map(({ _tag }) => _tag)).toEqual(["Persist", "Send", "TakeSnapshot"])
  })

  test("by bytes: of commands, and a quarter of the last snapshot where that is more", () => {
    const by = makeRaft({ snapshotLogBytes: 9, snapshotLogEntries: 1_000 })
    // Three bytes each.
    const [two, none] = step(follower({ term: 2, leader: B, log: [2, 2, 2, 2] }), commit(2, 2), by)
    expect(taken(none)).toEqual([])
    expect(taken(step(two, commit(2, 3), by)[1])).toMatchObject([{ last: position(3, 2) }])
    const large = follower({
      term: 2,
      leader: B,
      log: [2, 2, 2, 2, 2],
      commit: 1,
      snapshots: [snapshotAt(1, 2, { bytes: 40 })]
    })
    const fresh = { ...large, stateMachine: { ...large.stateMachine, appliedBytes: 0 } }
    const [four, still] = step(fresh, commit(2, 4), by)
    expect(taken(still)).toEqual([])
    expect(taken(step(four, commit(2, 5), by)[1])).toMatchObject([{ last: position(5, 2) }])
  })

  test("one at a time, and the next is counted from where it began", () => {
    const by = every(2)
    const [one, first] = step(state, commit(2, 3), by)
    expect(taken(first)).toHaveLength(1)
    const [two, none] = step(one, commit(2, 5), by)
    expect(taken(none)).toEqual([])
    const [, second] = step(two, stored(snapshotAt(3, 2)), by)
    expect(taken(second)).toMatchObject([{ last: position(5, 2) }])
  })

  test("bytes count anew from where it began", () => {
    const by = makeRaft({ snapshotLogBytes: 6, snapshotLogEntries: 1_000 })
    const [one] = step(follower({ term: 2, leader: B, log: [2, 2, 2, 2] }), commit(2, 2), by)
    const [two] = step(one, [stored(snapshotAt(2, 2)), commit(2, 3)], by)
    expect(two.snapshots).toMatchObject({ taking: undefined, latest: snapshotAt(2, 2) })
    expect(taken(step(two, commit(2, 4), by)[1])).toHaveLength(1)
  })

  test("[90] one that could not be stored is tried again when as much again has been applied", () => {
    const by = every(2)
    const [one] = step(state, commit(2, 3), by)
    const [two, none] = step(one, failed(3, 2), by)
    expect(two.snapshots).toMatchObject({ taking: undefined, latest: undefined })
    expect(none).toEqual([])
    const [three, still] = step(two, commit(2, 4), by)
    expect(taken(still)).toEqual([])
    expect(taken(step(three, commit(2, 5), by)[1])).toMatchObject([{ last: position(5, 2) }])
  })

  test("a failure of another one changes nothing", () => {
    const [one] = step(state, commit(2, 3), every(2))
    expect(step(one, failed(1, 1), every(2))).toEqual([one, []])
  })

  test("who differs from the others takes none", () => {
    const differing = { ...state, diverged: { index: Index(1), hash: 1 } }
    expect(taken(step(differing, commit(2, 5), every(1))[1])).toEqual([])
  })
})

describe('§7, "once a server completes writing a snapshot, it may delete all log entries up through the last included index"', () => {
  const [one, two] = [snapshotAt(2, 1), snapshotAt(4, 2)]
  const given = { term: 2, leader: B, log: [1, 1, 2, 2, 2], commit: 5 }

  test("[97] [105] up to the one before: if the latest is damaged, that one and the log give the same", () => {
    const [first, none] = step(follower(given), stored(one))
    expect(none).toEqual([])
    expect(first.snapshots).toMatchObject({ latest: one, previous: undefined })
    const [second, effects] = step(first, stored(two))
    expect(effects).toEqual([persist(undefined, undefined, { base: position(2, 1) })])
    expect(second.stateMachine.log.base).toEqual(position(2, 1))
    expect(terms(second)).toEqual([2, 2, 2])
    expect(second.snapshots).toMatchObject({ latest: two, previous: one })
  })

  test("[109] one that was overtaken while it was being written is of no use", () => {
    const state = follower({ ...given, base: 4, snapshots: [two] })
    const [next, effects] = step({ ...state, snapshots: { ...state.snapshots, taking: Index(2) } }, stored(one))
    expect(next.snapshots).toMatchObject({ latest: two, previous: undefined, taking: undefined })
    expect(effects).toEqual([])
  })

  test("an ordinary entry follows: the base and the entry are one write", () => {
    const [first] = step(follower({ ...given, snapshots: [one] }), [])
    const [, effects] = step(first, [stored(two), received(B, append(2, position(5, 2), entriesFrom(6, 2)))])
    expect(effects[0]).toEqual(persist(undefined, { from: 6, entries: entriesFrom(6, 2) }, { base: position(2, 1) }))
  })

  const log = Array.from({ length: 30 }, () => 2)
  const wide = [snapshotAt(20, 2), snapshotAt(18, 2)]
  const keeps = (progress: Parameters<typeof leader>[0] & object, at = now): number =>
    step(leader({ term: 2, log, commit: 30, snapshots: wide, ...progress }), deadline(at))[0].stateMachine.log.base
      .index

  test("[112] a leader keeps what followers need that are a little behind, or on their way", () => {
    expect(keeps({ progress: { B: replicate(30), C: replicate(30) } })).toBe(18)
    expect(keeps({ progress: { B: replicate(30), C: replicate(16) } })).toBe(16)
    expect(keeps({ progress: { B: replicate(30), C: replicate(14) } })).toBe(14)
    expect(keeps({ progress: { B: replicate(30), C: installing(snapshotAt(7, 2)) } })).toBe(7)
    expect(keeps({ progress: { B: replicate(16), C: installing(snapshotAt(7, 2)) } })).toBe(7)
    // So far and no further: eight snapshots behind, it is sent another one.
    expect(keeps({ progress: { B: replicate(30), C: installing(snapshotAt(3, 2)) } })).toBe(3)
    expect(keeps({ progress: { B: replicate(30), C: installing(snapshotAt(1, 2)) } })).toBe(18)
    expect(keeps({ progress: { B: replicate(30), C: replicate(1, { catchingUp: true }) } })).toBe(18)
    // And not for one that cannot use what it is sent.
    expect(keeps({ progress: { B: replicate(30), C: installing(snapshotAt(7, 2), { failures: 1 }) } })).toBe(18)
  })

  test("[112] and what one needs that has just installed a snapshot, however far behind, until it has the latest", () => {
    expect(keeps({ progress: { B: replicate(30), C: replicate(7, { catchingUp: true }) } })).toBe(7)
    const state = leader({
      term: 2,
      log,
      commit: 30,
      snapshots: wide,
      progress: { B: replicate(30), C: replicate(7, { catchingUp: true }) }
    })
    const [behind] = step(state, received(C, matched(2, 19)))
    expect((behind as Leader).progress.get(C)).toMatchObject({ catchingUp: true })
    const [level] = step(behind, received(C, matched(2, 20)))
    expect((level as Leader).progress.get(C)).toMatchObject({ catchingUp: false })
  })

  test("[112] behind one that catches up the base moves by an eighth of what is kept, or all the way: each is a write", () => {
    const kept = { term: 2, log, base: 8, commit: 30, snapshots: wide }
    const at = (match: number): number =>
      step(
        leader({ ...kept, progress: { B: replicate(30), C: replicate(match, { catchingUp: true }) } }),
        deadline(now)
      )[0].stateMachine.log.base.index
    expect([8, 9, 10, 17, 18, 30].map(at)).toEqual([8, 8, 10, 17, 18, 18])
    const near = {
      ...kept,
      log: [...log, ...log],
      commit: 60,
      base: 17,
      snapshots: [snapshotAt(50, 2), snapshotAt(18, 2)]
    }
    expect(step(leader(near), deadline(now))[0].stateMachine.log.base.index).toBe(18)
  })

  test("[112] but not what one needs that is far behind: it is sent a snapshot", () => {
    expect(keeps({ progress: { B: replicate(30), C: replicate(13) } })).toBe(18)
    expect(keeps({ progress: { B: replicate(30), C: probe(3) } })).toBe(18)
  })

  test("[110] nor for one that has not spoken for long: it may never come back", () => {
    const by = makeRaft({ snapshotPatienceMillis: 400 })
    for (const [millis, base] of [
      [399, 7],
      [400, 18]
    ] as const) {
      const state = leader({
        term: 2,
        log,
        commit: 30,
        snapshots: wide,
        progress: { B: replicate(30, { heardAt: after(millis) }), C: installing(snapshotAt(7, 2)) }
      })
      expect(step(state, deadline(after(millis)), by)[0].stateMachine.log.base.index).toBe(base)
    }
  })

  test("a follower keeps nothing for others", () => {
    const state = follower({ term: 2, leader: B, log, commit: 30, snapshots: wide })
    expect(step(state, deadline(now))[0].stateMachine.log.base).toEqual(position(18, 2))
  })
})

describe("[105] a snapshot that cannot be read", () => {
  const given = { term: 2, log: [2, 2, 2, 2], commit: 4 }
  const [previous, latest] = [snapshotAt(1, 2), snapshotAt(3, 2)]

  test("another is taken at once, though nothing else is due", () => {
    const [next, effects] = step(leader({ ...given, snapshots: [latest, previous] }), missing(latest))
    expect(taken(effects)).toEqual([imageIn(next)])
    expect(taken(step(next, missing(latest))[1])).toEqual([])
  })

  test("even where nothing was applied since: it takes the place of the one that is damaged", () => {
    const state = leader({ ...given, snapshots: [snapshotAt(4, 2), previous] })
    const [taking, effects] = step(state, missing(snapshotAt(4, 2)))
    expect(effects).toContainEqual(takeSnapshot(imageIn(state)))
    const anew = snapshotAt(4, 2, { checksum: 8 })
    expect(step(taking, stored(anew))[0].snapshots).toMatchObject({ latest: anew, previous })
  })

  test("one that is not the latest is no reason", () => {
    expect(taken(step(leader({ ...given, snapshots: [latest, previous] }), missing(snapshotAt(2, 2)))[1])).toEqual([])
  })

  test("while one is being taken already, the next follows it", () => {
    const state = leader({ ...given, snapshots: [latest, previous] })
    const busy = { ...state, snapshots: { ...state.snapshots, taking: Index(4), begun: Index(4) } }
    const [waiting, none] = step(busy, missing(latest))
    expect(taken(none)).toEqual([])
    expect(taken(step(waiting, failed(4, 2))[1])).toHaveLength(1)
  })
})

describe("[63] [76] [114] a replica that starts from a snapshot", () => {
  const image = imageOf(1, 1, 2)
  const given = { term: 3, image, snapshots: [snapshotAt(3, 2)] }

  test("has applied what that stands for, and no more is known to be committed", () => {
    const state = start({ ...given, base: position(3, 2), log: entriesFrom(4, 2, 3) })
    const live = follower({ term: 3, log: [1, 1, 2, 2, 3], commit: 3 })
    expect(state.stateMachine).toEqual({
      ...live.stateMachine,
      log: Logs.make(position(3, 2), entriesFrom(4, 2, 3)),
      marks: [],
      appliedBytes: 0
    })
    expect(state).toMatchObject({ snapshots: { latest: snapshotAt(3, 2), previous: undefined, begun: 3 } })
  })

  test("its log may go back further, to the snapshot before: what is applied is not applied again", () => {
    const snapshots = [snapshotAt(3, 2), snapshotAt(1, 1)]
    const state = start({ ...given, snapshots, base: position(1, 1), log: entriesFrom(2, 1, 2, 2) })
    const [next] = step(state, commit(3, 3))
    expect(next.stateMachine.value).toEqual(["1.1", "2.1", "3.2"])
    const [later] = step(state, received(B, append(3, position(4, 2), [], { commit: 4 })))
    expect(later.stateMachine.value).toEqual(["1.1", "2.1", "3.2", "4.2"])
    expect(later.stateMachine.hash).toBe(follower({ log: [1, 1, 2, 2], commit: 4 }).stateMachine.hash)
  })

  test("[116] with an empty log after it: it stands with the position of the snapshot", () => {
    const state = start({ ...given, base: position(3, 2) }) as Follower
    const [, effects] = step(state, deadline(state.electionDeadline))
    expect(sent(effects, B)).toEqual([{ _tag: "PreVote", term: 3, last: position(3, 2) }])
    const [, answer] = step(state, received(B, append(3, position(3, 2), entriesFrom(4, 3))))
    expect(sent(answer)).toMatchObject([{ result: { _tag: "Matched", matchIndex: 4 } }])
  })

  test("[107] its members are those of the snapshot", () => {
    const two = { ...image, configuration: Configurations.of([A, B]) }
    expect(start({ ...given, image: two, base: position(3, 2) }).configuration).toEqual(Configurations.of([A, B]))
  })

  test("alone it leads at once, and goes on from there", () => {
    const one = { ...image, configuration: Configurations.of([A]) }
    const state = start({ ...given, image: one, base: position(3, 2), log: entriesFrom(4, 2) })
    const [next, effects] = step(state, deadline(now))
    expect(next).toMatchObject({ _tag: "Leader", currentTerm: 4 })
    expect(next.stateMachine).toMatchObject({ commitIndex: 5, value: ["1.1", "2.1", "3.2", "4.2"] })
    expect(effects[0]).toMatchObject({ _tag: "Persist", base: undefined, log: { from: 5 } })
  })

  test("[146] a request that it stands for is not applied again, though its entry is gone", () => {
    const all = [logged(1, 1, request(1), "x"), logged(2, 1, request(2), "y")]
    const before: ServerState = follower({ term: 1, log: all, commit: 2 })
    const state = start({ term: 1, image: imageIn(before), base: position(2, 1), snapshots: [snapshotAt(2, 1)] })
    const again = [logged(3, 1, request(1), "x"), logged(4, 1, request(3), "z")]
    const [next] = step(state, received(B, append(1, position(2, 1), again, { commit: 4 })))
    expect(next.stateMachine.value).toEqual(["x", "y", "z"])
  })

  test("[97] the leader's log begins after it: what it still has it sends, to whoever holds the base", () => {
    const state = leader({
      term: 2,
      log: [1, 1, 2, 2],
      base: 2,
      commit: 4,
      snapshots: [snapshotAt(3, 2), snapshotAt(2, 1)],
      progress: { B: probe(3), C: replicate(4) }
    })
    const [, effects] = step(state, received(B, matched(2, 2)))
    expect(sent(effects, B)).toMatchObject([append(2, position(2, 1), entries(1, 1, 2, 2).slice(2), { commit: 4 })])
  })
})

test("two snapshots of one position on a disk, of two leaders, are not two to fall back on (etcd 18055)", () => {
  const one = snapshotAt(8, 2)
  const other = { ...one, checksum: one.checksum + 1 }
  expect(Snapshots.recovered([one, other])).toMatchObject({ latest: one, previous: undefined })
  expect(Snapshots.recovered([one, other, snapshotAt(4, 1)])).toMatchObject({ latest: one, previous: snapshotAt(4, 1) })
})
