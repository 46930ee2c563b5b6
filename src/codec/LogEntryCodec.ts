/**
 * Log entries as bytes, the same in a log record and in AppendEntries:
 * index (8), term (8), kind (1), and then of
 *
 *     0 NoOp            nothing
 *     1 Command         request (replica, incarnation 8, sequence 8), the command's bytes with their length; written
 *                       before commands were stamped: the time is 0
 *     2 Command         the cluster's time (8), then as 1
 *     3 Configuration   request, if there is one; the configuration
 *     4 Version         request, if there is one; version (8); ceiling (8), if there is one
 */
import { ClusterTime, Index, type LogEntry, type Payload, ReplicaId, type RequestId, Term } from "../raft/LogEntry.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readConfiguration, writeConfiguration } from "./ConfigurationCodec.ts"
import { readOptional, writeOptional } from "./Fields.ts"
import { PieceWriter, worthSharing } from "./PieceWriter.ts"

const noOp: Payload<never> = { _tag: "NoOp" }

export const writeRequestId = (to: Writer, request: RequestId): void => {
  to.utf8(request.replica)
  to.safe(request.incarnation)
  to.safe(request.sequence)
}

/** Whose request was read last: mostly it is whose the next one is. */
let lastReplica = ReplicaId("")

export const readRequestId = (from: Reader): RequestId => {
  lastReplica = ReplicaId(from.utf8Like(lastReplica))
  return { replica: lastReplica, incarnation: from.safe(), sequence: from.safe() }
}

export const writeEntry = (to: Writer, entry: LogEntry<Uint8Array>): void => {
  to.safe(entry.index)
  to.safe(entry.term)
  const { payload } = entry
  switch (payload._tag) {
    case "NoOp":
      return to.u8(0)
    case "Command":
      to.u8(2)
      to.safe(payload.time)
      writeRequestId(to, payload.request)
      return to.sharedBytes(payload.command)
    case "Configuration":
      to.u8(3)
      writeOptional(to, payload.request, (request) => writeRequestId(to, request))
      return writeConfiguration(to, payload.configuration)
    case "Version":
      to.u8(4)
      writeOptional(to, payload.request, (request) => writeRequestId(to, request))
      to.safe(payload.version)
      return writeOptional(to, payload.ceiling, (ceiling) => to.safe(ceiling))
  }
}

interface Encoded {
  readonly first: LogEntry<Uint8Array>
  readonly last: LogEntry<Uint8Array>
  readonly count: number
  readonly pieces: ReadonlyArray<Uint8Array>
}

/** Entries that were encoded or decoded a moment ago: a leader's go to each follower and into its log, a follower's from the leader into its log. */
const recent: Array<Encoded | undefined> = Array.from({ length: 4 }, () => undefined)
let oldest = 0

const remember = (entries: ReadonlyArray<LogEntry<Uint8Array>>, pieces: ReadonlyArray<Uint8Array>): void => {
  recent[oldest] = { first: entries[0]!, last: entries.at(-1)!, count: entries.length, pieces }
  oldest = (oldest + 1) % recent.length
}

/** Between the same first and last entry there are always the same ones. */
const recall = (entries: ReadonlyArray<LogEntry<Uint8Array>>): ReadonlyArray<Uint8Array> | undefined => {
  const { length } = entries
  const [first] = entries
  const last = entries[length - 1]
  for (const known of recent) {
    if (known !== undefined && known.first === first && known.last === last && known.count === length) {
      return known.pieces
    }
  }
  return undefined
}

/** A piece of a log, one entry after the other, which others may be given too: what is written must not be overwritten. */
export const writeEntries = (to: Writer, entries: ReadonlyArray<LogEntry<Uint8Array>>): void => {
  if (entries.length === 0) return
  const known = recall(entries)
  if (known !== undefined) {
    for (const piece of known) to.share(piece)
    return
  }
  const own = bytesOf(entries)
  if (own.shared + own.copied < worthSharing) {
    const start = to.length
    for (const entry of entries) writeEntry(to, entry)
    return remember(entries, [to.since(start)])
  }
  const writer = new PieceWriter(own.copied)
  for (const entry of entries) writeEntry(writer, entry)
  const pieces = writer.pieces()
  remember(entries, pieces)
  for (const piece of pieces) to.share(piece)
}

/** The same, where what is written does not stay. */
export const writeEntriesForNow = (to: Writer, entries: ReadonlyArray<LogEntry<Uint8Array>>): void => {
  const known = entries.length === 0 ? [] : recall(entries)
  if (known === undefined) for (const entry of entries) writeEntry(to, entry)
  else for (const piece of known) to.raw(piece)
}

/** About how long entries will be. A guess too low costs a copy, nothing else. */
export const bytesOf = (entries: ReadonlyArray<LogEntry<Uint8Array>>): { copied: number; shared: number } => {
  let copied = 0
  let shared = 0
  for (const { payload } of entries) {
    if (payload._tag !== "Command") copied += 17
    else {
      const { length } = payload.command
      copied += 56 + payload.request.replica.length
      if (length < worthSharing) copied += length
      else shared += length
    }
  }
  return { copied, shared }
}

/** What was read of `entries`, and may be written again. */
export const wereRead = (entries: ReadonlyArray<LogEntry<Uint8Array>>, from: Reader, start: number): void => {
  if (entries.length > 0 && !from.failed) remember(entries, [from.since(start)])
}

export const readEntry = (from: Reader): LogEntry<Uint8Array> => {
  const index = Index(from.safe())
  const term = Term(from.safe())
  return { index, term, payload: readPayload(from) }
}

const readPayload = (from: Reader): Payload<Uint8Array> => {
  switch (from.u8()) {
    case 0:
      return noOp
    case 1:
      return { _tag: "Command", request: readRequestId(from), time: ClusterTime(0), command: from.bytes() }
    case 2: {
      const time = ClusterTime(from.safe())
      return { _tag: "Command", request: readRequestId(from), time, command: from.bytes() }
    }
    case 3: {
      const request = readOptional(from, () => readRequestId(from))
      return { _tag: "Configuration", configuration: readConfiguration(from), request }
    }
    case 4: {
      const request = readOptional(from, () => readRequestId(from))
      const version = from.safe()
      return { _tag: "Version", version, ceiling: readOptional(from, () => from.safe()), request }
    }
    default:
      from.fail()
      return noOp
  }
}
