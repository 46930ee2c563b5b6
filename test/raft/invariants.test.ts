/** Each invariant is broken once: a check that never fails guards nothing. */
import { describe, expect, test } from "vitest"
import * as Invariants from "../../src/raft/Invariants.ts"
import * as Logs from "../../src/raft/Log.ts"
import { leave } from "../../src/raft/Amendment.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import * as Succession from "../../src/raft/Succession.ts"
import { ClusterTime, type Index, Instant, type LogEntry, Term } from "../../src/raft/LogEntry.ts"
import type { Known } from "../../src/raft/Reads.ts"
import * as Snapshots from "../../src/raft/Snapshot.ts"
import { configured, heartbeat, timeoutNow, versioned } from "./amendments.ts"
import {
  A,
  answered,
  append,
  B,
  C,
  candidate,
  D,
  E,
  entriesFrom,
  entry,
  follower,
  installing,
  leader,
  logged,
  matched,
  noOp,
  now,
  persist,
  position,
  preCandidate,
  type RaftEffect,
  replicate,
  requestVote,
  requestVoteReply,
  request,
  send,
  type ServerState
} from "./builders.ts"
import { checkpoint, imageIn, snapshotAt, takeSnapshot } from "./images.ts"

const index = (value: number) => value as Index
const led = leader({ term: 2, log: [1, 2] })
const followed = follower({ term: 2, log: [1, 2], leader: B, commit: 1 })
const standing = candidate({ term: 2, log: [1] })
const known = { index: index(1), reads: [{ request: request(1), query: "q" }] } satisfies Known<string>
const attempt = (number: number) => ({ number, askedAt: now, reads: [] })
const progress = (one: ReturnType<typeof replicate>): ServerState => ({
  ...led,
  progress: new Map(led.progress).set(B, one)
})
const machine = (state: ServerState, change: Partial<ServerState["stateMachine"]>): ServerState => ({
  ...state,
  stateMachine: { ...state.stateMachine, ...change }
})
const log = (state: ServerState, ...terms: ReadonlyArray<number>): ServerState =>
  machine(state, { log: Logs.of(entriesFrom(1, ...terms)) })

const holding = (state: ServerState, ...[latest, previous]: ReadonlyArray<Snapshots.Snapshot>): ServerState => ({
  ...state,
  snapshots: { ...Snapshots.recovered([]), latest, previous }
})
const dropped = (state: ServerState, upTo: number): ServerState =>
  machine(state, {
    log: Logs.compact(state.stateMachine.log, position(upTo, Logs.termAt(led.stateMachine.log, index(upTo))!))
  })

/** A, B and C on the way to A, B, C and D. */
/** Equal but for its command. */
const asAnother = (one: LogEntry<string>): LogEntry<string> =>
  one.payload._tag === "Command" ? { ...one, payload: { ...one.payload, command: "another" } } : one
const abcd = { ...Configurations.of([A, B, C, D]), outgoing: [A, B, C], autoLeave: true }
const withLearner = { ...Configurations.of([A]), learners: [{ id: B, promote: false }] }

const states: Readonly<Record<Invariants.StateRule, ServerState>> = {
  "commitIndex is in the log": machine(followed, { commitIndex: index(3) }),
  "lastApplied is committed": machine(followed, { lastApplied: index(2) }),
  "the log holds no term to come": { ...followed, currentTerm: Term(1) },
  "who stands or leads has voted for itself": { ...led, votedFor: B },
  "votes are by voters who answered": { ...standing, heard: new Set([A, D]) },
  "a majority of votes makes a leader": { ...standing, votes: new Set([A, B]), heard: new Set([A, B]) },
  "a follower follows another": { ...followed, leader: A },
  "a leader's log ends in its term": { ...led, currentTerm: Term(3) },
  "a leader keeps progress for each peer": { ...led, progress: new Map([[B, replicate(2)]]) },
  "matchIndex < nextIndex <= lastIndex + 1": progress(replicate(2, { nextIndex: index(2) })),
  "in flight lies between matchIndex and nextIndex": progress(
    replicate(2, { inflight: [{ last: index(2), bytes: 1 }] })
  ),
  "read rounds are numbered in order": {
    ...led,
    rounds: [{ number: 1, index: index(2), askedAt: Instant(0), reads: [], asks: [] }]
  },
  "waiting counts the reads held": { ...led, reads: { ...led.reads, waiting: 1 } },
  "read attempts are numbered in order": {
    ...followed,
    reads: { ...followed.reads, asked: [attempt(followed.reads.number + 1)] }
  },
  "only a follower of a leader asks": { ...standing, reads: { ...standing.reads, asked: [attempt(1)] } },
  "no read waits for what is applied": { ...followed, reads: { ...followed.reads, known: [known], waiting: 1 } },
  "without a quorum no read waits": {
    ...standing,
    quorumLost: true,
    reads: { ...standing.reads, arrived: { reads: known.reads, older: undefined }, waiting: 1 }
  },
  "what is dropped of the log was applied": machine(followed, { log: Logs.make(position(2, 2), []) }),
  "the log goes back to a snapshot": holding(followed, snapshotAt(2, 2)),
  "a snapshot arrives from its beginning": { ...followed, incoming: { snapshot: snapshotAt(9, 2), held: 11 } },
  "who is not admitted does not stand": { ...standing, admitted: false },
  "who differs does not lead": { ...led, diverged: checkpoint(1, 1) },
  "uncommitted bytes are not negative": { ...led, uncommittedBytes: -1 },
  "each configuration stands in the log": { ...led, configuration: Configurations.of([A, B]) },
  "the configuration at what is applied is kept": {
    ...followed,
    configurations: Succession.begin(followed.configuration, index(2))
  },
  "voters change through a joint configuration": follower({
    log: [configured(1, 2, abcd), configured(2, 2, leave(abcd)), configured(3, 2, Configurations.of([A, B, D]))]
  }),
  "who is no voter does not lead beyond that": leader({ term: 2, log: [2], configuration: Configurations.of([B]) }),
  "a leader hands over to another voter": { ...led, transfer: { to: D, deadline: now, askedAt: undefined } },
  "a lease that was given up is none": { ...led, lease: { sent: [], until: now, void: true } },
  "who is outdated does not lead": machine(led, { outdated: 2 }),
  "the version is not above its ceiling": machine(led, { version: 2, ceiling: 1 })
}

type Step = readonly [before: ServerState, effects: ReadonlyArray<RaftEffect>, after: ServerState]
const voted = { ...followed, leader: undefined, votedFor: C }
const grown = log(led, 1, 2, 2)
const handing = leader({ term: 2, log: [1, 2], transfer: { to: B, deadline: now, askedAt: undefined } })
const store = persist(undefined, { from: 3, entries: Logs.slice(grown.stateMachine.log, index(3), 9) })
/** The same log but for its end: what it keeps, it shares. */
const after = (state: ServerState, ...terms: ReadonlyArray<number>): ServerState => {
  const old = state.stateMachine.log
  const keep = terms.findIndex((term, at) => Logs.termAt(old, index(at + 1)) !== term)
  const kept = Logs.truncate(old, index((keep === -1 ? terms.length : keep) + 1))
  return machine(state, { log: Logs.append(kept, entriesFrom(kept.length + 1, ...terms.slice(kept.length))) })
}

const steps: Readonly<Record<Invariants.StepRule, Step>> = {
  "the identity stays": [followed, [], { ...followed, incarnation: 2 }],
  "currentTerm never goes back": [followed, [], { ...followed, currentTerm: Term(1) }],
  "at most one vote a term": [voted, [persist({ term: 2, votedFor: B })], { ...voted, votedFor: B }],
  "commitIndex never goes back": [followed, [], machine(followed, { commitIndex: index(0) })],
  "lastApplied never goes back": [followed, [], machine(followed, { lastApplied: index(0) })],
  "the value changes by applying": [followed, [], machine(followed, { value: ["x"] })],
  "what is committed stays": [followed, [], after(followed)],
  "a leader only appends": [
    leader({ term: 2, log: [2, 2], commit: 0 }),
    [],
    after(leader({ term: 2, log: [2, 2], commit: 0 }), 2)
  ],
  "new entries continue the log": [
    followed,
    [],
    machine(followed, { log: Logs.append(followed.stateMachine.log, [entry(4, 2)]) })
  ],
  "matchIndex never goes back in a term": [led, [], progress(replicate(1))],
  "read rounds never go back in a term": [{ ...led, round: 2 }, [], { ...led, round: 1 }],
  "read numbers never go back": [followed, [], { ...followed, reads: { ...followed.reads, number: 0 } }],
  "a leader counts entries of its own term": [
    leader({ term: 2, log: [1, 2], commit: 0 }),
    [],
    leader({ term: 2, log: [1, 2], commit: 1 })
  ],
  "a leader's commit is held by a majority": [
    leader({ term: 2, log: [2, 2], commit: 1, progress: { B: replicate(1), C: replicate(1) } }),
    [],
    leader({ term: 2, log: [2, 2], commit: 2, progress: { B: replicate(1), C: replicate(1) } })
  ],
  "a leader commits what was on disk": [leader({ term: 2, log: [2] }), [], leader({ term: 2, log: [2, 2] })],
  "at most one Persist": [led, [store, store], after(led, 1, 2, 2)],
  "Persist is what changed": [followed, [], { ...followed, currentTerm: Term(3) }],
  "only a leader's appends, and answers, leave before Persist": [
    led,
    [send(B, matched(2, 2)), store],
    after(led, 1, 2, 2)
  ],
  "an early answer tells of what was on disk": [
    followed,
    [answered(1, "x"), store],
    machine(after(followed, 1, 2, 2), { commitIndex: index(3) })
  ],
  "nothing leaves before a new term or vote": [
    followed,
    [send(B, append(3, position(2, 2))), persist({ term: 3, votedFor: A })],
    { ...followed, currentTerm: Term(3), votedFor: A }
  ],
  "messages carry terms passed through": [followed, [send(B, requestVote(9, position(2, 2)))], followed],
  "a granted vote is recorded": [followed, [send(B, requestVoteReply(2, true))], followed],
  "an acknowledgement is in the log": [followed, [send(B, matched(2, 3))], followed],
  "base and snapshot never go back": [holding(led, snapshotAt(2, 2)), [], holding(led, snapshotAt(1, 1))],
  "what is dropped is kept elsewhere": [led, [], dropped(led, 1)],
  "a snapshot is of what is applied": [followed, [takeSnapshot(imageIn(led))], followed],
  "a vote is given by who may": [
    { ...followed, admitted: false },
    [send(B, requestVoteReply(2, true))],
    { ...followed, admitted: false }
  ],
  "the configuration is the last one that was logged": [
    followed,
    [],
    machine(followed, { log: Logs.append(followed.stateMachine.log, [configured(3, 2, abcd)]) })
  ],
  "at most one uncommitted configuration": [
    leader({ term: 2, log: [entry(1, 2), configured(2, 2, abcd)], commit: 1 }),
    [],
    leader({ term: 2, log: [entry(1, 2), configured(2, 2, abcd), configured(3, 2, leave(abcd))], commit: 1 })
  ],
  "no configuration before an own entry is committed": [
    leader({ term: 2, log: [entry(1, 1)], commit: 1 }),
    [],
    leader({ term: 2, log: [entry(1, 1), configured(2, 2, abcd)], commit: 1 })
  ],
  "only voters stand": [follower({ id: D, term: 2, log: [2] }), [], preCandidate({ id: D, term: 2, log: [2] })],
  "who hands over logs nothing": [handing, [], { ...grown, transfer: handing.transfer } as ServerState],
  "a lease that was given up stays so": [{ ...led, lease: { ...led.lease, void: true } }, [], led],
  "who tells another to stand gives up its lease": [led, [send(B, timeoutNow(2))], led],
  "heartbeats and TimeoutNow are a leader's": [followed, [send(B, heartbeat(2))], followed],
  "time never falls": [machine(followed, { time: ClusterTime(1) }), [], followed],
  "a version is raised to what all members understand": [
    led,
    [],
    machine(led, { log: Logs.append(led.stateMachine.log, [versioned(3, 2, 2)]) })
  ],
  "appends are a leader's, from its log": [led, [send(B, append(2, position(1, 1), [asAnother(entry(2, 2))]))], led]
}

/** Rules that forbid more than one thing. */
const cut = (state: ServerState): ServerState =>
  machine(state, { log: Logs.truncate(state.stateMachine.log, index(2)) })
const moreStates: ReadonlyArray<readonly [Invariants.StateRule, ServerState]> = [
  ["the log goes back to a snapshot", holding(led, snapshotAt(1, 1), snapshotAt(2, 2))],
  ["the log goes back to a snapshot", dropped(led, 1)],
  ["the log goes back to a snapshot", dropped(holding(led, snapshotAt(2, 2), snapshotAt(1, 1)), 2)],
  ["a snapshot arrives from its beginning", progress(installing(snapshotAt(2, 2), { offset: 11 }))],
  ["a snapshot arrives from its beginning", progress(installing(snapshotAt(2, 2), { nextIndex: index(2) }))],
  ["who is not admitted does not stand", { ...led, admitted: false }],
  ["a leader hands over to another voter", { ...led, transfer: { to: A, deadline: now, askedAt: undefined } }],
  ["each configuration stands in the log", cut(follower({ log: [entry(1, 2), configured(2, 2, abcd)], commit: 1 }))],
  [
    "voters change through a joint configuration",
    follower({ log: [configured(1, 2, abcd), configured(2, 2, Configurations.of([A, B]))] })
  ],
  [
    "voters change through a joint configuration",
    follower({ log: [configured(1, 2, abcd), configured(2, 2, { ...abcd, learners: [{ id: E, promote: false }] })] })
  ],
  ["who is not admitted does not stand", { ...standing, _tag: "PreCandidate", admitted: false }],
  [
    "who differs does not lead",
    {
      ...followed,
      diverged: checkpoint(1, 1),
      reads: { ...followed.reads, arrived: { reads: known.reads, older: undefined }, waiting: 1 }
    }
  ]
]
const falling = [logged(1, 2, request(1), "x", ClusterTime(5)), logged(2, 2, request(2), "y", ClusterTime(4))]
const latest = holding(led, snapshotAt(2, 2))
const early: Invariants.StepRule = "an early answer tells of what was on disk"
const given: Step[1] = [answered(1, "x"), store]
const moreSteps: ReadonlyArray<readonly [Invariants.StepRule, Step]> = [
  [early, [followed, given, { ...after(followed, 1, 2, 2), currentTerm: Term(3) }]],
  [early, [followed, given, { ...after(followed, 1, 2, 2), votedFor: C }]],
  [early, [followed, given, { ...after(followed, 1, 2, 2), admitted: false }]],
  [early, [followed, given, { ...after(followed, 1, 2, 2), pristine: false }]],
  [early, [latest, given, dropped(after(latest, 1, 2, 2), 1)]],
  // The last entry is there, and is another one.
  [early, [followed, given, machine(after(followed, 1, 3), { commitIndex: index(2) })]],
  ["base and snapshot never go back", [dropped(latest, 2), [], dropped(latest, 1)]],
  ["a snapshot is of what is applied", [led, [takeSnapshot(imageIn(led)), store], after(led, 1, 2, 2)]],
  ["what is committed stays", [led, [], after(led, 1)]],
  ["heartbeats and TimeoutNow are a leader's", [followed, [send(B, timeoutNow(2))], followed]],
  ["heartbeats and TimeoutNow are a leader's", [led, [send(B, timeoutNow(1))], led]],
  ["time never falls", [follower({ term: 2 }), [], machine(follower({ term: 2 }), { log: Logs.of(falling) })]],
  // A learner's acknowledgement counts for nothing, and a sole voter's disk has not spoken yet.
  [
    "a leader commits what was on disk",
    [
      leader({ term: 2, log: [2], configuration: withLearner }),
      [send(B, append(2, position(1, 2))), store],
      leader({ term: 2, log: [2, 2], configuration: withLearner })
    ]
  ],
  ["Persist is what changed", [led, [persist(undefined, undefined, { admitted: true })], led]],
  ["Persist is what changed", [led, [persist({ term: 2, votedFor: A })], { ...led, admitted: false }]],
  ["Persist is what changed", [latest, [store], dropped(after(latest, 1, 2, 2), 1)]],
  [
    "nothing leaves before a new term or vote",
    [
      led,
      [send(B, append(2, position(2, 2))), persist(undefined, undefined, { admitted: false })],
      { ...led, admitted: false }
    ]
  ],
  [
    "a leader's commit is held by a majority",
    [
      leader({ term: 2, log: [2, 2], commit: 1, progress: { B: replicate(2, { admitted: false }), C: replicate(1) } }),
      [],
      leader({ term: 2, log: [2, 2], commit: 2, progress: { B: replicate(2, { admitted: false }), C: replicate(1) } })
    ]
  ]
]

describe("each rule is broken by what it forbids", () => {
  for (const [rule, state] of Object.entries(states)) {
    test(rule, () => expect(Invariants.ofState(state)).toContain(rule))
  }
  for (const [rule, [before, effects, next]] of Object.entries(steps)) {
    test(rule, () => expect(Invariants.ofStep(before, effects, next)).toContain(rule))
  }
  for (const [at, [rule, state]] of moreStates.entries()) {
    test(`${rule}, by another thing: ${at}`, () => expect(Invariants.ofState(state)).toContain(rule))
  }
  for (const [at, [rule, [before, effects, next]]] of moreSteps.entries()) {
    test(`${rule}, by another thing: ${at}`, () => expect(Invariants.ofStep(before, effects, next)).toContain(rule))
  }
  test("indexes are consecutive and terms never decrease", () => {
    for (const bad of [[entry(2, 1)], [entry(1, 2), entry(2, 1)], [entry(1, 1), entry(3, 1)], [entry(1, 0)]]) {
      expect(Invariants.ofLog(Logs.of(bad))).toHaveLength(1)
    }
    expect(Invariants.ofLog(Logs.of(entriesFrom(1, 1, 1, 2)))).toEqual([])
  })
  test("time never falls along the log", () => {
    expect(Invariants.ofLog(Logs.of(falling))).toEqual(["time never falls along the log"])
    expect(Invariants.ofLog(Logs.of([...falling.slice(0, 1), noOp(2, 2)]))).toEqual([])
  })
})

test("what may leave before Persist breaks no rule about that", () => {
  const about = (...step: Step): ReadonlyArray<string> =>
    Invariants.ofStep(...step).filter((rule) => /early|before Persist/.test(rule))
  expect(about(led, [send(B, append(2, position(2, 2))), ...given], after(led, 1, 2, 2))).toEqual([])
  for (const next of [after(followed, 1, 2, 2), after(followed, 1, 3)]) {
    expect(about(followed, given, next)).toEqual([])
  }
})

test("the states and steps from which they are made break nothing", () => {
  for (const state of [led, followed, standing, voted, latest, dropped(latest, 2)]) {
    expect(Invariants.ofState(state)).toEqual([])
    expect(Invariants.ofStep(state, [], state)).toEqual([])
  }
})
