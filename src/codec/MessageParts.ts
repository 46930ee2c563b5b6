/** What several messages hold, as bytes: see MessageCodec. Reading refuses what no correct replica says. */
import type { Checkpoint } from "../raft/Chain.ts"
import { Index, type RequestId, type Term } from "../raft/LogEntry.ts"
import type { AppendResult, Sender } from "../raft/Message.ts"
import type { Refusal } from "../raft/RaftEffect.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readBoolean, readSoundPosition, writeBoolean, writePosition } from "./Fields.ts"
import { readRequestId, writeRequestId } from "./LogEntryCodec.ts"

export const writeResult = (to: Writer, result: AppendResult): void => {
  switch (result._tag) {
    case "Matched":
      to.u8(0)
      return to.safe(result.matchIndex)
    case "Conflict":
      to.u8(1)
      to.safe(result.prevIndex)
      return writePosition(to, result.hint)
  }
}

export const readResult = (from: Reader): AppendResult => {
  switch (from.u8()) {
    case 0:
      return { _tag: "Matched", matchIndex: Index(from.safe()) }
    case 1:
      return { _tag: "Conflict", prevIndex: Index(from.safe()), hint: readSoundPosition(from) }
    default:
      from.fail()
      return { _tag: "Matched", matchIndex: Index(0) }
  }
}

/** The last one that others have too, and the last of all. */
const maxCheckpoints = 2

export const writeSender = (to: Writer, { incarnation, admitted, version, patienceMillis, applied }: Sender): void => {
  to.safe(incarnation)
  writeBoolean(to, admitted)
  to.safe(version)
  to.safe(patienceMillis)
  to.u8(applied.length)
  for (const checkpoint of applied) writeCheckpoint(to, checkpoint)
}

export const readSender = (from: Reader): Sender => {
  const incarnation = from.safe()
  const admitted = readBoolean(from)
  const version = from.safe()
  const patienceMillis = from.safe()
  const count = from.u8()
  if (count > maxCheckpoints) from.fail()
  const applied: Array<Checkpoint> = []
  for (let i = 0; i < count && !from.failed; i++) applied.push(readCheckpoint(from))
  return { incarnation, admitted, version, patienceMillis, applied }
}

export const writeCheckpoint = (to: Writer, { index, hash }: Checkpoint): void => {
  to.safe(index)
  to.u32(hash)
}

export const readCheckpoint = (from: Reader): Checkpoint => ({ index: Index(from.safe()), hash: from.u32() })

export const writeSnapshot = (to: Writer, { last, bytes, checksum }: Snapshot): void => {
  writePosition(to, last)
  to.safe(bytes)
  to.u32(checksum)
}

/** In the term of the message or an earlier one. */
export const readSnapshot = (from: Reader, term: Term): Snapshot => {
  const last = readSoundPosition(from)
  if (last.term > term) from.fail()
  return { last, bytes: from.safe(), checksum: from.u32() }
}

/** Never reused. */
const refusals = {
  NoQuorum: 1,
  UncommittedBytes: 2,
  WaitingReads: 3,
  NoSpace: 4,
  Diverged: 5,
  Removed: 6,
  Outdated: 7,
  NotAMember: 8,
  LastVoter: 9,
  ChangePending: 10,
  NotJoint: 11,
  NotReady: 12,
  WouldLoseQuorum: 13,
  NotCaughtUp: 14,
  UnknownVersion: 15
} as const satisfies Record<Refusal, number>

export const writeRefusal = (to: Writer, reason: Refusal): void => to.u8(refusals[reason])

export const readRefusal = (from: Reader): Refusal => {
  const code = from.u8()
  for (const [reason, value] of Object.entries(refusals)) if (value === code) return reason as Refusal
  from.fail()
  return "NoQuorum"
}

export const writeRequestIds = (to: Writer, requests: ReadonlyArray<RequestId>): void => {
  to.u32(requests.length)
  for (const request of requests) writeRequestId(to, request)
}

export const readRequestIds = (from: Reader): ReadonlyArray<RequestId> => {
  const count = from.u32()
  const requests: Array<RequestId> = []
  for (let i = 0; i < count && !from.failed; i++) requests.push(readRequestId(from))
  return requests
}
