/**
 * Random messages from a seed, all of them such as a correct replica might send, and one
 * fixed message of every kind.
 */
import type { Amendment, MemberChange } from "../../src/raft/Amendment.ts"
import type { Configuration } from "../../src/raft/Configuration.ts"
import {
  ClusterTime,
  Index,
  type LogEntry,
  type LogPosition,
  origin,
  type Payload,
  ReplicaId,
  type RequestId,
  Term
} from "../../src/raft/LogEntry.ts"
import type { Checkpoint } from "../../src/raft/Chain.ts"
import { type Message, type Sender, tags } from "../../src/raft/Message.ts"
import type { Refusal } from "../../src/raft/RaftEffect.ts"
import type { Snapshot } from "../../src/raft/Snapshot.ts"

export type Chance = () => number

export const seeded = (seed: number): Chance => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** Small numbers mostly, and now and then one near 2^32 or 2^53. */
export const whole = (chance: Chance, min = 0): number => {
  const kind = chance()
  if (kind < 0.6) return min + Math.floor(chance() * 100)
  if (kind < 0.8) return 2 ** 32 - 2 + Math.floor(chance() * 4)
  return Number.MAX_SAFE_INTEGER - 1000 + Math.floor(chance() * 500)
}

const bytes = (chance: Chance): Uint8Array => {
  const length = Math.floor(chance() * (chance() < 0.1 ? 5000 : 40))
  return Buffer.from(Array.from({ length }, () => Math.floor(chance() * 256)))
}

const requestId = (chance: Chance): RequestId => ({
  replica: ReplicaId(["A", "replica-2", "åäö", "x".repeat(64)][Math.floor(chance() * 4)]!),
  incarnation: whole(chance),
  sequence: whole(chance)
})

const position = (chance: Chance): LogPosition =>
  chance() < 0.2 ? origin : { index: Index(whole(chance, 1)), term: Term(1 + Math.floor(chance() * 5)) }

const entriesAfter = (prev: LogPosition, chance: Chance): ReadonlyArray<LogEntry<Uint8Array>> => {
  let term = Math.max(prev.term, 1)
  return Array.from({ length: Math.floor(chance() * 6) }, (_, i) => {
    if (chance() < 0.3) term++
    return { index: Index(prev.index + 1 + i), term: Term(term), payload: randomPayload(chance) }
  })
}

export const randomPayload = (chance: Chance): Payload<Uint8Array> => {
  const kind = chance()
  if (kind < 0.2) return { _tag: "NoOp" }
  const request = requestId(chance)
  if (kind < 0.7) return { _tag: "Command", request, time: ClusterTime(whole(chance)), command: bytes(chance) }
  const asked = chance() < 0.5 ? request : undefined
  if (kind < 0.9) return { _tag: "Configuration", request: asked, configuration: randomConfiguration(chance) }
  return { _tag: "Version", request: asked, version: whole(chance), ceiling: maybe(chance, whole) }
}

const maybe = <A>(chance: Chance, make: (chance: Chance) => A): A | undefined =>
  chance() < 0.5 ? make(chance) : undefined

const names = ["A", "B", "replica-2", "x".repeat(64), "åäö"].map(ReplicaId)
const someOf = (chance: Chance): ReadonlyArray<ReplicaId> => names.filter(() => chance() < 0.5)
const nameOf = (chance: Chance): ReplicaId => names[Math.floor(chance() * names.length)]!

/** Its lists in the order in which they are written. */
export const randomConfiguration = (chance: Chance): Configuration => ({
  voters: someOf(chance),
  outgoing: someOf(chance),
  autoLeave: chance() < 0.5,
  learners: someOf(chance).map((id) => ({ id, promote: chance() < 0.5 })),
  addresses: someOf(chance).map((id) => ({ id, address: `host-${Math.floor(chance() * 9)}:7000` }))
})

const change = (chance: Chance): MemberChange => {
  const id = nameOf(chance)
  const address = "[::1]:7000"
  const all: ReadonlyArray<MemberChange> = [
    { _tag: "Add", id, address: chance() < 0.5 ? address : undefined, promote: chance() < 0.5 },
    { _tag: "Promote", id },
    { _tag: "Demote", id },
    { _tag: "Remove", id },
    { _tag: "Move", id, address },
    { _tag: "Leave" }
  ]
  return all[Math.floor(chance() * all.length)]!
}

export const randomAmendment = (chance: Chance): Amendment => {
  if (chance() < 0.2) return { _tag: "Version", ceiling: maybe(chance, whole) }
  const changes = Array.from({ length: Math.floor(chance() * 4) }, () => change(chance))
  return { _tag: "Members", changes, autoLeave: chance() < 0.5, force: chance() < 0.5 }
}

export const kinds = tags

const checkpoint = (chance: Chance): Checkpoint => ({
  index: Index(whole(chance)),
  hash: Math.floor(chance() * 2 ** 32)
})

const sender = (chance: Chance): Sender => ({
  incarnation: whole(chance),
  admitted: chance() < 0.5,
  version: Math.floor(chance() * 1000),
  patienceMillis: Math.floor(chance() * 10_000),
  applied: Array.from({ length: Math.floor(chance() * 3) }, () => checkpoint(chance))
})

const snapshotIn = (term: number, chance: Chance): Snapshot => {
  const last = position(chance)
  const { hash } = checkpoint(chance)
  return { last: last.term <= term ? last : origin, bytes: 10_000 + Math.floor(whole(chance) / 2), checksum: hash }
}

export const randomMessage = (_tag: Message<unknown>["_tag"], chance: Chance): Message<Uint8Array> => {
  const term = Term(whole(chance))
  const granted = chance() < 0.5
  switch (_tag) {
    case "PreVote":
      return { _tag, term, last: position(chance) }
    case "RequestVote":
      return { _tag, term, last: position(chance), transfer: granted }
    case "PreVoteReply":
      return { _tag, term, askedIn: Term(whole(chance)), granted, admitted: chance() < 0.5 }
    case "RequestVoteReply":
      return { _tag, term, granted }
    case "AppendEntries": {
      const prev = position(chance)
      const entries = entriesAfter(prev, chance)
      const least = entries.at(-1)?.term ?? prev.term
      return {
        _tag,
        term: Term(chance() < 0.5 ? least : Math.max(least, whole(chance))),
        prev,
        entries,
        leaderCommit: Index(whole(chance)),
        round: whole(chance)
      }
    }
    case "AppendEntriesReply":
      return {
        _tag,
        term,
        round: whole(chance),
        result: granted
          ? { _tag: "Matched", matchIndex: Index(whole(chance)) }
          : { _tag: "Conflict", prevIndex: Index(whole(chance)), hint: position(chance) },
        sender: sender(chance)
      }
    case "Forward": {
      const length = Math.floor(chance() * 4)
      return {
        _tag,
        term,
        requests: Array.from({ length }, () => ({ request: requestId(chance), command: bytes(chance) }))
      }
    }
    case "ReadIndex":
      return { _tag, term, number: whole(chance) }
    case "ReadIndexReply":
      return { _tag, term, number: whole(chance), index: Index(whole(chance)) }
    case "ForwardRefused": {
      const requests = Array.from({ length: Math.floor(chance() * 4) }, () => requestId(chance))
      return { _tag, term, requests, reason: refusals[Math.floor(chance() * refusals.length)]! }
    }
    case "InstallSnapshot": {
      const snapshot = snapshotIn(term, chance)
      const piece = bytes(chance)
      const offset = Math.floor(chance() * (snapshot.bytes - piece.length))
      return { _tag, term, snapshot, offset: granted ? snapshot.bytes - piece.length : offset, bytes: piece }
    }
    case "InstallSnapshotReply": {
      const snapshot = snapshotIn(term, chance)
      return { _tag, term, snapshot, held: granted ? snapshot.bytes : Math.floor(chance() * snapshot.bytes) }
    }
    case "Introduce":
      return { _tag, term, incarnation: whole(chance) }
    case "IntroduceReply":
      return { _tag, term, incarnation: whole(chance), leads: granted, commitIndex: Index(whole(chance)) }
    case "Forgotten":
      return { _tag, term, incarnation: whole(chance), index: Index(whole(chance)) }
    case "Diverged":
      return { _tag, term, incarnation: whole(chance), at: checkpoint(chance) }
    case "Heartbeat":
      return { _tag, term, round: whole(chance) }
    case "HeartbeatReply":
      return { _tag, term, round: whole(chance), sender: sender(chance) }
    case "TimeoutNow":
      return { _tag, term }
    case "ForwardTransfer":
      return { _tag, term, to: maybe(chance, nameOf) }
    case "ForwardAmendment":
      return { _tag, term, request: requestId(chance), amendment: randomAmendment(chance) }
    case "NotAMember":
      return { _tag, term, index: Index(whole(chance)) }
  }
}

const refusals = [
  "NoQuorum",
  "UncommittedBytes",
  "WaitingReads",
  "NoSpace",
  "Diverged",
  "Removed",
  "Outdated",
  "NotAMember",
  "LastVoter",
  "ChangePending",
  "NotJoint",
  "NotReady",
  "WouldLoseQuorum",
  "NotCaughtUp",
  "UnknownVersion"
] as const satisfies ReadonlyArray<Refusal>

const request: RequestId = { replica: ReplicaId("B"), incarnation: 2, sequence: 9 }
const command = Buffer.from("put")
/** A joint one, with all that there is. */
export const configuration: Configuration = {
  voters: ["A", "B"].map(ReplicaId),
  outgoing: ["B", "C"].map(ReplicaId),
  autoLeave: true,
  learners: [{ id: ReplicaId("D"), promote: true }],
  addresses: [{ id: ReplicaId("B"), address: "b:7000" }]
}
const last: LogPosition = { index: Index(6), term: Term(2) }
const snapshot: Snapshot = { last, bytes: 1000, checksum: 0xdead_beef }
const oneMark: Checkpoint = { index: Index(64), hash: 0x1234_5678 }
const otherMark: Checkpoint = { index: Index(70), hash: 0x9abc_def0 }

/** One of every kind and variant; the recorded bytes in the tests are of these. */
export const samples: ReadonlyArray<Message<Uint8Array>> = [
  { _tag: "PreVote", term: Term(3), last },
  { _tag: "PreVoteReply", term: Term(3), askedIn: Term(2), granted: true, admitted: false },
  { _tag: "RequestVote", term: Term(3), last: origin, transfer: true },
  { _tag: "RequestVoteReply", term: Term(3), granted: false },
  {
    _tag: "AppendEntries",
    term: Term(3),
    prev: last,
    entries: [
      { index: Index(7), term: Term(2), payload: { _tag: "Command", request, time: ClusterTime(1500), command } },
      { index: Index(8), term: Term(3), payload: { _tag: "NoOp" } },
      { index: Index(9), term: Term(3), payload: { _tag: "Configuration", configuration, request } },
      { index: Index(10), term: Term(3), payload: { _tag: "Version", version: 2, ceiling: 3, request: undefined } }
    ],
    leaderCommit: Index(6),
    round: 4
  },
  {
    _tag: "AppendEntriesReply",
    term: Term(3),
    round: 4,
    result: { _tag: "Matched", matchIndex: Index(8) },
    sender: { incarnation: 7, admitted: true, version: 2, patienceMillis: 500, applied: [oneMark, otherMark] }
  },
  {
    _tag: "AppendEntriesReply",
    term: Term(3),
    round: 4,
    result: { _tag: "Conflict", prevIndex: Index(6), hint: { index: Index(5), term: Term(1) } },
    sender: { incarnation: 7, admitted: false, version: 1, patienceMillis: 0, applied: [] }
  },
  { _tag: "Forward", term: Term(3), requests: [{ request, command }] },
  { _tag: "ReadIndex", term: Term(3), number: 5 },
  { _tag: "ReadIndexReply", term: Term(3), number: 5, index: Index(8) },
  { _tag: "ForwardRefused", term: Term(3), requests: [request], reason: "NoSpace" },
  { _tag: "InstallSnapshot", term: Term(3), snapshot, offset: 997, bytes: command },
  { _tag: "InstallSnapshotReply", term: Term(3), snapshot, held: 1000 },
  { _tag: "Introduce", term: Term(3), incarnation: 7 },
  { _tag: "IntroduceReply", term: Term(3), incarnation: 7, leads: true, commitIndex: Index(8) },
  { _tag: "Forgotten", term: Term(3), incarnation: 7, index: Index(8) },
  { _tag: "Diverged", term: Term(3), incarnation: 7, at: oneMark },
  { _tag: "Heartbeat", term: Term(3), round: 4 },
  {
    _tag: "HeartbeatReply",
    term: Term(3),
    round: 4,
    sender: { incarnation: 7, admitted: true, version: 2, patienceMillis: 500, applied: [oneMark] }
  },
  { _tag: "TimeoutNow", term: Term(3) },
  { _tag: "ForwardTransfer", term: Term(3), to: ReplicaId("B") },
  { _tag: "ForwardTransfer", term: Term(3), to: undefined },
  { _tag: "ForwardAmendment", term: Term(3), request, amendment: { _tag: "Version", ceiling: 2 } },
  {
    _tag: "ForwardAmendment",
    term: Term(3),
    request,
    amendment: {
      _tag: "Members",
      autoLeave: true,
      force: false,
      changes: [
        { _tag: "Add", id: ReplicaId("D"), address: "d:7000", promote: true },
        { _tag: "Add", id: ReplicaId("E"), address: undefined, promote: false },
        { _tag: "Promote", id: ReplicaId("E") },
        { _tag: "Demote", id: ReplicaId("A") },
        { _tag: "Remove", id: ReplicaId("B") },
        { _tag: "Move", id: ReplicaId("C"), address: "c:7001" },
        { _tag: "Leave" }
      ]
    }
  },
  { _tag: "NotAMember", term: Term(3), index: Index(8) }
]
