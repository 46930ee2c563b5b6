/**
 * Messages between replicas as bytes: a version (1), then messages one after the other until
 * the end, each a kind (1), its term (8) and its fields in the order of `Message.ts`.
 * Decoding is total. It refuses what no correct replica says, so that the core may rely on
 * consecutive entries and on terms that never fall. A newer version is told by its version
 * byte, and a kind that only a newer minor version knows is refused by name, never skipped:
 * replicas that have agreed on a version in the handshake do not send such.
 *
 * Decoded commands are views: they keep the bytes of the whole frame alive.
 *
 * Long because: each kind is written and read once, and the two are read beside each other.
 */
import { Index, type LogEntry, ReplicaId, Term } from "../raft/LogEntry.ts"
import type {
  AppendEntries,
  Forward,
  InstallSnapshot,
  InstallSnapshotReply,
  Message,
  Request
} from "../raft/Message.ts"
import { Reader, Writer } from "./Bytes.ts"
import { readAmendment, writeAmendment } from "./ConfigurationCodec.ts"
import { readBoolean, readOptional, readSoundPosition, writeBoolean, writeOptional, writePosition } from "./Fields.ts"
import { readEntry, readRequestId, wereRead, writeEntries, writeRequestId } from "./LogEntryCodec.ts"
import * as Parts from "./MessageParts.ts"
import * as MessageSize from "./MessageSize.ts"

/** 3: members that change, handing over, what a sender understands; heartbeats of their own. */
export const version = 3

export type DecodeError =
  | { readonly _tag: "UnknownVersion"; readonly version: number }
  | { readonly _tag: "UnknownKind"; readonly kind: number }
  /** Truncated, trailing bytes, or something that no correct replica says. */
  | { readonly _tag: "Malformed" }

export type Decoded = { readonly _tag: "Decoded"; readonly messages: ReadonlyArray<Message<Uint8Array>> } | DecodeError

/** Never reused, even when a kind falls out of use. */
const kinds = {
  PreVote: 1,
  PreVoteReply: 2,
  RequestVote: 3,
  RequestVoteReply: 4,
  AppendEntries: 5,
  AppendEntriesReply: 6,
  Forward: 7,
  ReadIndex: 8,
  ReadIndexReply: 9,
  ForwardRefused: 10,
  InstallSnapshot: 11,
  InstallSnapshotReply: 12,
  Introduce: 13,
  IntroduceReply: 14,
  Forgotten: 15,
  Diverged: 16,
  Heartbeat: 17,
  HeartbeatReply: 18,
  TimeoutNow: 19,
  ForwardTransfer: 20,
  ForwardAmendment: 21,
  NotAMember: 22
} as const satisfies Record<Message<unknown>["_tag"], number>

export const describe = (error: DecodeError): string => {
  switch (error._tag) {
    case "UnknownVersion":
      return `messages of version ${error.version}, and this replica knows ${version}`
    case "UnknownKind":
      return `a message of the unknown kind ${error.kind}`
    case "Malformed":
      return "a malformed message"
  }
}

export const encode = (messages: ReadonlyArray<Message<Uint8Array>>): Buffer => {
  let hint = 1
  for (const message of messages) hint += MessageSize.of(message)
  const writer = new Writer(hint)
  write(writer, messages)
  return writer.finish()
}

export const write = (to: Writer, messages: ReadonlyArray<Message<Uint8Array>>): void => {
  to.u8(version)
  for (const message of messages) writeMessage(to, message)
}

const writeMessage = (to: Writer, message: Message<Uint8Array>): void => {
  to.u8(kinds[message._tag])
  to.safe(message.term)
  switch (message._tag) {
    case "PreVote":
      return writePosition(to, message.last)
    case "RequestVote":
      writePosition(to, message.last)
      return writeBoolean(to, message.transfer)
    case "PreVoteReply":
      to.safe(message.askedIn)
      writeBoolean(to, message.granted)
      return writeBoolean(to, message.admitted)
    case "RequestVoteReply":
      return writeBoolean(to, message.granted)
    case "AppendEntries":
      writePosition(to, message.prev)
      to.safe(message.leaderCommit)
      to.safe(message.round)
      to.u32(message.entries.length)
      return writeEntries(to, message.entries)
    case "AppendEntriesReply":
      to.safe(message.round)
      Parts.writeResult(to, message.result)
      return Parts.writeSender(to, message.sender)
    case "Forward":
      to.u32(message.requests.length)
      for (const { request, command } of message.requests) {
        writeRequestId(to, request)
        to.sharedBytes(command)
      }
      return
    case "ReadIndex":
      return to.safe(message.number)
    case "ReadIndexReply":
      to.safe(message.number)
      return to.safe(message.index)
    case "ForwardRefused":
      Parts.writeRefusal(to, message.reason)
      return Parts.writeRequestIds(to, message.requests)
    case "InstallSnapshot":
      Parts.writeSnapshot(to, message.snapshot)
      to.safe(message.offset)
      return to.sharedBytes(message.bytes)
    case "InstallSnapshotReply":
      Parts.writeSnapshot(to, message.snapshot)
      return to.safe(message.held)
    case "Introduce":
      return to.safe(message.incarnation)
    case "IntroduceReply":
      to.safe(message.incarnation)
      to.u8(message.leads ? 1 : 0)
      return to.safe(message.commitIndex)
    case "Forgotten":
      to.safe(message.incarnation)
      return to.safe(message.index)
    case "Diverged":
      to.safe(message.incarnation)
      return Parts.writeCheckpoint(to, message.at)
    case "Heartbeat":
      return to.safe(message.round)
    case "HeartbeatReply":
      to.safe(message.round)
      return Parts.writeSender(to, message.sender)
    case "TimeoutNow":
      return
    case "ForwardTransfer":
      return writeOptional(to, message.to, (replica) => to.utf8(replica))
    case "ForwardAmendment":
      writeRequestId(to, message.request)
      return writeAmendment(to, message.amendment)
    case "NotAMember":
      return to.safe(message.index)
  }
}

export const decode = (bytes: Uint8Array): Decoded => {
  const from = new Reader(bytes)
  const found = from.u8()
  if (from.failed) return { _tag: "Malformed" }
  if (found !== version) return { _tag: "UnknownVersion", version: found }
  const messages: Array<Message<Uint8Array>> = []
  while (from.remaining > 0) {
    const kind = from.u8()
    const message = readMessage(from, kind)
    if (message === undefined) return { _tag: "UnknownKind", kind }
    if (from.failed) return { _tag: "Malformed" }
    messages.push(message)
  }
  return { _tag: "Decoded", messages }
}

/** `undefined` for a kind that does not exist; anything else that is wrong fails the reader. */
const readMessage = (from: Reader, kind: number): Message<Uint8Array> | undefined => {
  const term = Term(from.safe())
  switch (kind) {
    case kinds.PreVote:
      return { _tag: "PreVote", term, last: readSoundPosition(from) }
    case kinds.PreVoteReply:
      return {
        _tag: "PreVoteReply",
        term,
        askedIn: Term(from.safe()),
        granted: readBoolean(from),
        admitted: readBoolean(from)
      }
    case kinds.RequestVote:
      return { _tag: "RequestVote", term, last: readSoundPosition(from), transfer: readBoolean(from) }
    case kinds.RequestVoteReply:
      return { _tag: "RequestVoteReply", term, granted: readBoolean(from) }
    case kinds.AppendEntries:
      return readAppendEntries(from, term)
    case kinds.AppendEntriesReply:
      return {
        _tag: "AppendEntriesReply",
        term,
        round: from.safe(),
        result: Parts.readResult(from),
        sender: Parts.readSender(from)
      }
    case kinds.Forward:
      return readForward(from, term)
    case kinds.ReadIndex:
      return { _tag: "ReadIndex", term, number: from.safe() }
    case kinds.ReadIndexReply:
      return { _tag: "ReadIndexReply", term, number: from.safe(), index: Index(from.safe()) }
    case kinds.ForwardRefused:
      return {
        _tag: "ForwardRefused",
        term,
        reason: Parts.readRefusal(from),
        requests: Parts.readRequestIds(from)
      }
    case kinds.InstallSnapshot:
      return readInstallSnapshot(from, term)
    case kinds.InstallSnapshotReply:
      return readInstallSnapshotReply(from, term)
    case kinds.Introduce:
      return { _tag: "Introduce", term, incarnation: from.safe() }
    case kinds.IntroduceReply:
      return {
        _tag: "IntroduceReply",
        term,
        incarnation: from.safe(),
        leads: readBoolean(from),
        commitIndex: Index(from.safe())
      }
    case kinds.Forgotten:
      return { _tag: "Forgotten", term, incarnation: from.safe(), index: Index(from.safe()) }
    case kinds.Diverged:
      return { _tag: "Diverged", term, incarnation: from.safe(), at: Parts.readCheckpoint(from) }
    case kinds.Heartbeat:
      return { _tag: "Heartbeat", term, round: from.safe() }
    case kinds.HeartbeatReply:
      return { _tag: "HeartbeatReply", term, round: from.safe(), sender: Parts.readSender(from) }
    case kinds.TimeoutNow:
      return { _tag: "TimeoutNow", term }
    case kinds.ForwardTransfer:
      return { _tag: "ForwardTransfer", term, to: readOptional(from, () => ReplicaId(from.utf8())) }
    case kinds.ForwardAmendment:
      return { _tag: "ForwardAmendment", term, request: readRequestId(from), amendment: readAmendment(from) }
    case kinds.NotAMember:
      return { _tag: "NotAMember", term, index: Index(from.safe()) }
    default:
      return undefined
  }
}

/** Entries follow `prev` without a gap, and terms never fall along a log (§5.3). */
const readAppendEntries = (from: Reader, term: Term): AppendEntries<Uint8Array> => {
  const prev = readSoundPosition(from)
  const leaderCommit = Index(from.safe())
  const round = from.safe()
  const count = from.u32()
  const entries: Array<LogEntry<Uint8Array>> = []
  let index: number = prev.index
  let lastTerm = Math.max(prev.term, 1)
  const start = from.offset
  for (let i = 0; i < count && !from.failed; i++) {
    const entry = readEntry(from)
    if (entry.index !== ++index || entry.term < lastTerm) from.fail()
    lastTerm = entry.term
    entries.push(entry)
  }
  if (Math.max(prev.term, entries.length === 0 ? 0 : lastTerm) > term) from.fail()
  wereRead(entries, from, start)
  return { _tag: "AppendEntries", term, prev, entries, leaderCommit, round }
}

const readForward = (from: Reader, term: Term): Forward<Uint8Array> => {
  const count = from.u32()
  const requests: Array<Request<Uint8Array>> = []
  for (let i = 0; i < count && !from.failed; i++) {
    requests.push({ request: readRequestId(from), command: from.bytes() })
  }
  return { _tag: "Forward", term, requests }
}

/** A chunk lies within its snapshot. */
const readInstallSnapshot = (from: Reader, term: Term): InstallSnapshot => {
  const snapshot = Parts.readSnapshot(from, term)
  const offset = from.safe()
  const bytes = from.bytes()
  if (offset + bytes.length > snapshot.bytes) from.fail()
  return { _tag: "InstallSnapshot", term, snapshot, offset, bytes }
}

const readInstallSnapshotReply = (from: Reader, term: Term): InstallSnapshotReply => {
  const snapshot = Parts.readSnapshot(from, term)
  const held = from.safe()
  if (held > snapshot.bytes) from.fail()
  return { _tag: "InstallSnapshotReply", term, snapshot, held }
}
