/** §7, Figure 13: InstallSnapshot, what its receiver keeps of it, and what it installs. */
import { describe, expect, test } from "vitest"
import * as Configurations from "../../../src/raft/Configuration.ts"
import { Index } from "../../../src/raft/LogEntry.ts"
import {
  A,
  after,
  append,
  conflict,
  B,
  C,
  candidate,
  entriesFrom,
  follower,
  leader,
  leaderChanged,
  logged,
  matched,
  type Message,
  persist,
  position,
  preCandidate,
  probe,
  queried,
  raft,
  readIndexReply,
  received,
  request,
  send,
  sent,
  type ServerState,
  step,
  terms
} from "../builders.ts"
import {
  arrived,
  bytesAt,
  chunk,
  held,
  imageIn,
  imageOf,
  senderOf,
  snapshotAt,
  spoiled,
  storeChunk,
  stored
} from "../images.ts"

const snapshot = snapshotAt(4, 2)
const image = imageOf(1, 1, 2, 2)

describe("Figure 13, the receiver", () => {
  const state = follower({ term: 3, leader: B, log: [1] })
  const had = (so: number, of = snapshot): ServerState => ({ ...state, incoming: { snapshot: of, held: so } })
  const hears = (from: ServerState, message: Message, by = B) => step(from, received(by, message))

  test('"create new snapshot file if first chunk", "write data into snapshot file at given offset", "reply"', () => {
    const [one, first] = hears(state, chunk(3, snapshot, 0))
    expect(first).toEqual([storeChunk(snapshot, 0), send(B, held(3, snapshot, 5))])
    const [two, second] = hears(one, chunk(3, snapshot, 5))
    expect(second).toEqual([storeChunk(snapshot, 5), send(B, held(3, snapshot, 10))])
    expect(two.incoming).toEqual({ snapshot, held: 10 })
    expect(two.stateMachine).toBe(state.stateMachine)
  })

  const odd = [
    { name: "one that comes twice", before: 5, offset: 0 },
    { name: "one that comes before those that precede it", before: 0, offset: 5 },
    { name: "one that overlaps what is there", before: 5, offset: 3 },
    { name: "one that leaves a gap", before: 3, offset: 5 },
    { name: "one beyond the end", before: 8, offset: 8 },
    { name: "one when all is there", before: 10, offset: 10 },
    { name: "an empty one, which asks how much is there", before: 5, offset: 5, bytes: bytesAt(0, 0) }
  ]
  for (const { name, before, offset, bytes } of odd) {
    test(`[102] ${name} is not stored; the answer says how much is there`, () => {
      const [next, effects] = hears(had(before), chunk(3, snapshot, offset, bytes))
      expect(effects).toEqual([send(B, held(3, snapshot, before))])
      expect(next.incoming).toEqual({ snapshot, held: before })
    })
  }

  test("[102] the last byte may be the last of a chunk", () => {
    expect(hears(had(7), chunk(3, snapshot, 7, bytesAt(7, 3)))[1]).toContainEqual(
      storeChunk(snapshot, 7, bytesAt(7, 3))
    )
    expect(hears(had(7), chunk(3, snapshot, 7, bytesAt(7, 4)))[1]).toEqual([send(B, held(3, snapshot, 7))])
  })

  for (const [name, other] of Object.entries({
    "another index": snapshotAt(5, 2),
    "another term": snapshotAt(4, 3),
    "another length": snapshotAt(4, 2, { bytes: 11 }),
    "another checksum": snapshotAt(4, 2, { checksum: 8 })
  })) {
    test(`[103] [109] a snapshot of ${name} is another one: it begins at its beginning`, () => {
      const [next, effects] = hears(had(5), chunk(3, other, 5))
      expect(effects).toEqual([send(B, held(3, other, 0))])
      expect(next.incoming).toEqual({ snapshot: other, held: 0 })
      expect(hears(had(5), chunk(3, other, 0))[1]).toContainEqual(storeChunk(other, 0))
    })
  }

  test("[103] the very same from a new leader goes on where it was", () => {
    const [next, effects] = hears(had(5), chunk(4, snapshot, 5), C)
    expect(next).toMatchObject({ currentTerm: 4, leader: C, incoming: { held: 10 } })
    expect(effects).toEqual([
      persist({ term: 4, votedFor: undefined }),
      storeChunk(snapshot, 5),
      send(C, held(4, snapshot, 10)),
      leaderChanged(C, 4)
    ])
  })

  test('"reply immediately if term < currentTerm"; and nobody obeys a second leader of a term', () => {
    expect(hears(state, chunk(2, snapshot, 0))).toEqual([state, [send(B, held(3, snapshot, 0))]])
    expect(hears(state, chunk(3, snapshot, 0), C)).toEqual([state, []])
    const led = leader({ term: 3, log: [3] })
    expect(hears(led, chunk(3, snapshot, 0))).toEqual([led, []])
  })

  test("[10] [113] it is a sign of life: a candidate follows, and nobody stands meanwhile", () => {
    for (const standing of [candidate({ term: 3 }), preCandidate({ term: 3 })]) {
      expect(hears(standing, chunk(3, snapshot, 0))[0]).toMatchObject({
        _tag: "Follower",
        leader: B,
        incoming: { held: 5 }
      })
    }
    const [next] = step(state, received(B, chunk(3, snapshot, 0), after(600)))
    expect(raft.nextDeadline(next)).toBeGreaterThanOrEqual(after(1_100))
  })

  test("[99] what it stands for is committed here: it matches that far, and asks for no more of it", () => {
    const done = {
      ...follower({ term: 3, leader: B, log: [1, 1, 2, 2, 2], commit: 5 }),
      incoming: { snapshot, held: 5 }
    }
    const [next, effects] = hears(done, chunk(3, snapshot, 5))
    expect(effects).toEqual([send(B, matched(3, 5, 0, senderOf(done)))])
    expect(next).toMatchObject({ incoming: undefined, stateMachine: done.stateMachine })
  })

  test("[99] its last entry is in the log: everything up to there is committed (fast forward)", () => {
    const behind = follower({ term: 3, leader: B, log: [1, 1, 2, 2, 2], commit: 1 })
    const [next, effects] = hears(behind, chunk(3, snapshot, 0))
    expect(effects).toEqual([send(B, matched(3, 4, 0, senderOf(behind)))])
    expect(next.stateMachine).toMatchObject({ commitIndex: 4, lastApplied: 4, log: behind.stateMachine.log })
  })

  test("[99] another entry at its index is no reason: it is stored", () => {
    const [next, effects] = hears(follower({ term: 3, leader: B, log: [1, 1, 1, 1] }), chunk(3, snapshot, 0))
    expect(effects[0]).toEqual(storeChunk(snapshot, 0))
    expect(next.stateMachine.commitIndex).toBe(0)
  })

  test("[105] what has arrived of one that is spoiled is forgotten, and of no other", () => {
    expect(step(had(10), spoiled(snapshot))[0].incoming).toBe(undefined)
    expect(step(had(5), spoiled(snapshotAt(4, 2, { checksum: 8 })))[0].incoming).toEqual({ snapshot, held: 5 })
  })
})

describe("§7, a snapshot from the leader is whole", () => {
  const behind = { term: 3, leader: B, log: [1] } as const

  test('"reset state machine using snapshot contents (and load snapshot\'s cluster configuration)": "discard the entire log"', () => {
    const configuration = Configurations.of([A, B])
    const state = { ...follower({ ...behind, log: [1, 1, 1, 1, 1] }), incoming: { snapshot, held: 10 } }
    const [next, effects] = step(state, arrived(snapshot, { ...image, configuration }))
    expect(next).toMatchObject({
      configuration,
      stateMachine: { commitIndex: 4, lastApplied: 4, value: image.value, applied: image.applied, hash: image.hash },
      snapshots: { latest: snapshot, previous: undefined, begun: 4 },
      incoming: undefined
    })
    expect([next.stateMachine.log.base, next.stateMachine.log.length]).toEqual([position(4, 2), 0])
    expect(effects).toEqual([
      persist(undefined, undefined, { base: position(4, 2) }),
      { _tag: "SnapshotInstalled", upTo: undefined },
      send(B, matched(3, 4, 0, senderOf(next)))
    ])
  })

  test('[100] "if existing log entry has same index and term as snapshot\'s last included entry, retain log entries following it"', () => {
    const [next, effects] = step(follower({ ...behind, log: [1, 1, 2, 2, 3, 3] }), arrived(snapshot, image))
    expect(terms(next)).toEqual([3, 3])
    expect(next.stateMachine).toMatchObject({ commitIndex: 4, log: { base: position(4, 2) } })
    // The disk's log holds that entry, too, and keeps what follows it by itself.
    expect(effects[0]).toEqual(persist(undefined, undefined, { base: position(4, 2) }))
  })

  test("[101] then appends go on behind it", () => {
    const [installed] = step(follower(behind), arrived(snapshot, image))
    const [next, effects] = step(installed, received(B, append(3, position(4, 2), entriesFrom(5, 3), { commit: 5 })))
    expect(next.stateMachine.value).toEqual([...image.value, "5.3"])
    expect(effects).toEqual([
      persist(undefined, { from: 5, entries: entriesFrom(5, 3) }),
      send(B, matched(3, 5, 0, senderOf(installed)))
    ])
  })

  test("[101] even in one batch: base and entries are one write, and the acknowledgements stand behind it", () => {
    const [next, effects] = step(follower(behind), [
      arrived(snapshot, image),
      received(B, append(3, position(4, 2), entriesFrom(5, 3)))
    ])
    expect(next.stateMachine.log.base).toEqual(position(4, 2))
    expect(effects[0]).toEqual(persist(undefined, { from: 5, entries: entriesFrom(5, 3) }, { base: position(4, 2) }))
    expect(sent(effects)).toMatchObject([{ result: { matchIndex: 4 } }, { result: { matchIndex: 5 } }])
  })

  for (const commit of [4, 5]) {
    test(`[99] one that says nothing new is ignored: ${commit} is committed here (openraft#543)`, () => {
      const state = follower({
        ...behind,
        log: [1, 1, 2, 2, 2],
        commit,
        snapshots: [snapshotAt(4, 2, { checksum: 8 })]
      })
      expect(step(state, arrived(snapshot, image))).toEqual([state, []])
    })
  }

  test("[109] two in a short time, the older one last: the newer one stays", () => {
    const [newer] = step(follower(behind), arrived(snapshotAt(5, 2), imageOf(1, 1, 2, 2, 2)))
    expect(step(newer, arrived(snapshot, image))).toEqual([newer, []])
    const [older] = step(follower(behind), arrived(snapshot, image))
    const [both, effects] = step(older, arrived(snapshotAt(5, 2), imageOf(1, 1, 2, 2, 2)))
    expect(both).toMatchObject({
      stateMachine: { lastApplied: 5 },
      snapshots: { latest: snapshotAt(5, 2), previous: undefined }
    })
    expect(effects[0]).toEqual(persist(undefined, undefined, { base: position(5, 2) }))
  })

  test("[109] the leader fell while it was being checked: it is true all the same, and nobody is told", () => {
    const [next, effects] = step(follower({ term: 5, log: [1] }), arrived(snapshot, image))
    expect(next.stateMachine.lastApplied).toBe(4)
    expect(sent(effects)).toEqual([])
  })

  test("who leads by now holds all of it", () => {
    const state = leader({ term: 3, log: [1, 1, 2, 2, 3], commit: 0, progress: { B: probe(6), C: probe(6) } })
    expect(step(state, arrived(snapshot, image))).toEqual([state, []])
  })

  test("a snapshot of a term to come cannot be", () => {
    const state = follower({ term: 1, leader: B, log: [1] })
    expect(step(state, arrived(snapshot, image))).toEqual([state, []])
  })

  test("one that is being written meanwhile is overtaken by it", () => {
    const state = follower({ term: 3, leader: B, log: [1, 1], commit: 2 })
    const busy = { ...state, snapshots: { ...state.snapshots, taking: Index(2), begun: Index(2), begins: 1 } }
    const [next] = step(busy, [arrived(snapshot, image), stored(snapshotAt(2, 1))])
    expect(next.snapshots).toMatchObject({ latest: snapshot, previous: undefined, taking: undefined })
  })

  test("[139] reads whose index it covers are answered from it", () => {
    const [asking] = step(follower({ ...behind, commit: 1 }), queried(1, "q"))
    const [told] = step(asking, received(B, readIndexReply(3, asking.reads.number, 4)))
    const [, effects] = step(told, arrived(snapshot, image))
    expect(effects).toContainEqual({
      _tag: "Reply",
      request: request(1),
      outcome: { _tag: "Answered", answer: `q:${image.value.join(",")}` }
    })
  })

  test("[148] its clients' requests that it stands for: up to which it is said, of this start of the replica only", () => {
    for (const [incarnation, upTo] of [
      [1, request(2)],
      [2, undefined]
    ] as const) {
      const all = [logged(1, 1, request(2, A, 1), "x"), logged(2, 1, request(7, B, 1), "y")]
      const [, effects] = step(
        follower({ term: 3, leader: B, incarnation }),
        arrived(snapshotAt(2, 1), imageIn(follower({ term: 1, log: all, commit: 2 })))
      )
      expect(effects).toContainEqual({ _tag: "SnapshotInstalled", upTo })
      expect(effects.filter(({ _tag }) => _tag === "Reply")).toEqual([])
    }
  })
})

describe("[97] an append from before what is kept of the log", () => {
  const state = follower({
    term: 3,
    leader: B,
    log: [1, 1, 2, 2, 3],
    base: 3,
    commit: 4,
    snapshots: [snapshotAt(3, 2)]
  })
  const hears = (message: Message) => step(state, received(B, message))

  for (const [name, message, matches] of [
    ["asks about what was dropped", append(3, position(1, 1)), 1],
    ["asks about the beginning", append(3, position(0, 0)), 0],
    ["brings what was dropped", append(3, position(1, 1), entriesFrom(2, 1)), 2],
    ["ends where the log begins", append(3, position(1, 1), entriesFrom(2, 1, 2)), 3],
    ["reaches into the log", append(3, position(1, 1), entriesFrom(2, 1, 2, 2)), 4]
  ] as const) {
    test(`${name}: what was committed is the leader's as well (§5.4.3), as far as the message goes`, () => {
      const [next, effects] = hears(message)
      expect(next.stateMachine).toBe(state.stateMachine)
      expect(effects).toEqual([send(B, matched(3, matches, 0, senderOf(state)))])
    })
  }

  test("who names the base by another term is of another history, and nothing of it is taken", () => {
    const [next, effects] = hears(append(3, position(1, 1), entriesFrom(2, 1, 1, 2, 3, 3), { commit: 6 }))
    expect(next.stateMachine).toBe(state.stateMachine)
    expect(effects).toEqual([send(B, conflict(3, 1, position(1, 1), 0, senderOf(state)))])
  })

  test("what goes beyond the log is taken", () => {
    const [next, effects] = hears(append(3, position(1, 1), entriesFrom(2, 1, 2, 2, 3, 3), { commit: 6 }))
    expect(terms(next)).toEqual([2, 3, 3])
    expect(next.stateMachine.commitIndex).toBe(6)
    expect(effects[0]).toEqual(persist(undefined, { from: 6, entries: entriesFrom(6, 3) }))
  })

  test("[45] a refusal reaches back to the base and no further", () => {
    const [, effects] = step(
      follower({ term: 4, leader: B, log: [1, 1, 2, 3, 3], base: 3, snapshots: [snapshotAt(3, 2)] }),
      received(B, append(4, position(5, 2)))
    )
    expect(sent(effects)).toMatchObject([{ result: { _tag: "Conflict", prevIndex: 5, hint: position(3, 2) } }])
  })
})
