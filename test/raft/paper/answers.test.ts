/**
 * etcd#14370: what a client was told must not be lost with a disk that was still at work. An answer stands left of `Persist`
 * only where all that is committed was on disk before: the record lengthens the log behind it, and does nothing else.
 */
import { describe, expect, test } from "vitest"
import type { ReplicaId } from "../../../src/raft/LogEntry.ts"
import {
  A,
  answered,
  append,
  applied,
  B,
  C,
  entry,
  follower,
  leader,
  leaderChanged,
  logged,
  makeRaft,
  matched,
  type Message,
  persist,
  position,
  queried,
  type RaftEffect,
  received,
  refused,
  replicate,
  request,
  send,
  type ServerState,
  step,
  submitted
} from "../builders.ts"
import { snapshotAt, stored } from "../images.ts"

const own = (index: number, term: number, sequence: number) => logged(index, term, request(sequence), `x${sequence}`)
const hears = (state: ServerState, message: Message, from: ReplicaId = B): ReadonlyArray<RaftEffect> =>
  step(state, received(from, message))[1]
const isAnswer = ({ _tag }: RaftEffect): boolean => _tag === "Reply"
/** The answers left of `Persist`, and those right of it. */
const sides = (effects: ReadonlyArray<RaftEffect>) => {
  const written = effects.findIndex(({ _tag }) => _tag === "Persist")
  expect(written).toBeGreaterThanOrEqual(0)
  return { early: effects.slice(0, written).filter(isAnswer), late: effects.slice(written + 1).filter(isAnswer) }
}

describe("while the disk works", () => {
  test("a leader answers what is committed, and logs what has come meanwhile", () => {
    const [first] = step(leader({ term: 2, log: [2] }), submitted(1, "x"))
    const [, effects] = step(first, [received(B, matched(2, 2)), submitted(2, "y")])
    const more = [logged(3, 2, request(2), "y")]
    expect(effects).toEqual([
      send(B, append(2, position(2, 2), more, { commit: 2 })),
      send(C, append(2, position(2, 2), more, { commit: 2 })),
      applied(1, 2),
      persist(undefined, { from: 3, entries: more })
    ])
  })

  test("a read is answered from what is applied, while writes behind it are stored", () => {
    const [asked] = step(leader({ term: 2, log: [2] }), queried(1, "q"))
    const [, effects] = step(asked, [received(B, matched(2, 1, 1)), submitted(2, "y")])
    expect(sides(effects)).toEqual({ early: [answered(1, "q:1.2")], late: [] })
  })

  test("a follower answers its own client, and acknowledges what has come only when it is stored", () => {
    const state = follower({ term: 2, leader: B, log: [entry(1, 2), own(2, 2, 1)], commit: 1 })
    const entries = [entry(3, 2)]
    expect(hears(state, append(2, position(2, 2), entries, { commit: 2 }))).toEqual([
      applied(1, 2),
      persist(undefined, { from: 3, entries }),
      expect.objectContaining({ to: B, message: expect.objectContaining({ result: expect.anything() }) })
    ])
  })

  test("a follower whose tail is replaced answers what stands before it", () => {
    const state = follower({ term: 2, leader: B, log: [entry(1, 1), own(2, 1, 1), entry(3, 1)], commit: 1 })
    const effects = hears(state, append(2, position(2, 1), [entry(3, 2)], { commit: 2 }))
    expect(sides(effects)).toEqual({ early: [applied(1, 2)], late: [] })
  })

  test("who is refused need not wait for anybody's disk", () => {
    const by = makeRaft({ maxUncommittedBytes: 4 })
    const [, effects] = step(leader({ term: 2, log: [2] }), [submitted(1, "abcd"), submitted(2, "e")], by)
    expect(sides(effects)).toEqual({ early: [refused(2, "UncommittedBytes")], late: [] })
  })
})

describe("only when the disk is done", () => {
  test("a sole voter answers what it has just logged", () => {
    const alone = leader({ voters: [A], term: 2, log: [2] })
    expect(step(alone, submitted(1, "x"))[1]).toEqual([
      persist(undefined, { from: 2, entries: [logged(2, 2, request(1), "x")] }),
      applied(1, 2)
    ])
    // A read that came behind the write sees it, and waits for it.
    expect(sides(step(alone, [submitted(1, "x"), queried(2, "q")])[1])).toEqual({
      early: [],
      late: [applied(1, 2), answered(2, "q:1.2,x")]
    })
  })

  for (const [name, log] of Object.entries({
    "its first entry": [own(2, 2, 1)],
    several: [own(2, 2, 1), own(3, 2, 2)]
  })) {
    test(`a follower answers what replaces its tail and is committed already: ${name}`, () => {
      const state = follower({ term: 2, leader: B, log: [1, 1, 1], commit: 1 })
      const effects = hears(state, append(2, position(1, 1), log, { commit: 1 + log.length }))
      expect(sides(effects)).toEqual({ early: [], late: log.map((_, at) => applied(at + 1, at + 2)) })
    })
  }

  test("a follower answers what it hears of only now, and what stands before that with it", () => {
    const state = follower({ term: 2, leader: B, log: [entry(1, 2), own(2, 2, 1)], commit: 1 })
    const effects = hears(state, append(2, position(2, 2), [own(3, 2, 2)], { commit: 3 }))
    expect(sides(effects)).toEqual({ early: [], late: [applied(1, 2), applied(2, 3)] })
  })

  test("nothing is answered in a term that is not on disk", () => {
    const state = follower({ term: 2, leader: B, log: [entry(1, 2), own(2, 2, 1)], commit: 1 })
    expect(hears(state, append(3, position(2, 2), [], { commit: 2 }), C)).toEqual([
      persist({ term: 3, votedFor: undefined }),
      expect.objectContaining({ to: C }),
      applied(1, 2),
      leaderChanged(C, 3)
    ])
  })

  test("nothing is answered while the log's beginning moves", () => {
    const state = leader({
      term: 2,
      log: [entry(1, 2), entry(2, 2), own(3, 2, 1)],
      commit: 2,
      progress: { B: replicate(2), C: replicate(2) },
      snapshots: [snapshotAt(1, 2)]
    })
    const [, effects] = step(state, [received(B, matched(2, 3)), stored(snapshotAt(2, 2))])
    expect(effects.find(({ _tag }) => _tag === "Persist")).toMatchObject({ base: { index: 1 } })
    expect(sides(effects)).toEqual({ early: [], late: [applied(1, 3)] })
  })
})
