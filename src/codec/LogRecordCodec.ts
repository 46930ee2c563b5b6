/**
 * What one `Persist` asks for, as the payload of one log record: flags (1: bit 0 hard state,
 * bit 1 log, bit 2 admitted, bit 3 base, bit 4 the log holds the base), then for the hard state
 * currentTerm (8), whether there is a vote (1) and for whom, for admitted 0 or 1 (1), for the base
 * index (8) and term (8), and for the log from (8), how many entries (4) and the entries. Format 1
 * had the first two bits only. Reading is total: bytes that are no record mark the reader as failed.
 */
import { Index, type LogEntry, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { HardState, LogChange, Persist } from "../raft/RaftEffect.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readBoolean, readPosition, writeBoolean, writePosition } from "./Fields.ts"
import { readEntry, writeEntriesForNow } from "./LogEntryCodec.ts"

/** A `Persist`, and what became of the log that it met. */
export interface StoredChange extends Persist<Uint8Array> {
  /**
   * Whether what follows `base` was kept, for the log held that position. It is recorded and not found
   * out again, since the segments that told may have been removed. False where there is no base.
   */
  readonly keeps: boolean
}

const hasHardState = 1
const hasLog = 2
const hasAdmitted = 4
const hasBase = 8
const keepsLog = 16
const allFlags = hasHardState | hasLog | hasAdmitted | hasBase | keepsLog

/** The shortest entry is a NoOp: index, term and kind. A count that promises more than fits is wrong. */
const leastEntryBytes = 17

export const writeRecord = (to: Writer, { hardState, admitted, base, keeps, log }: StoredChange): void => {
  const flags =
    (hardState === undefined ? 0 : hasHardState) |
    (log === undefined ? 0 : hasLog) |
    (admitted === undefined ? 0 : hasAdmitted) |
    (base === undefined ? 0 : hasBase) |
    (keeps ? keepsLog : 0)
  to.u8(flags)
  if (hardState !== undefined) writeHardState(to, hardState)
  if (admitted !== undefined) writeBoolean(to, admitted)
  if (base !== undefined) writePosition(to, base)
  if (log !== undefined) writeLogChange(to, log)
}

/** Commands are views into what is read, not copies. Ask the reader whether it is `done`. */
export const readRecord = (from: Reader): StoredChange => {
  const flags = from.u8()
  const keeps = (flags & keepsLog) !== 0
  if (flags > allFlags || (keeps && !(flags & hasBase))) from.fail()
  const hardState = flags & hasHardState ? readHardState(from) : undefined
  const admitted = flags & hasAdmitted ? readBoolean(from) : undefined
  const base = flags & hasBase ? readPosition(from) : undefined
  const log = flags & hasLog ? readLogChange(from) : undefined
  return { _tag: "Persist", hardState, admitted, base, keeps, log }
}

const writeHardState = (to: Writer, { currentTerm, votedFor }: HardState): void => {
  to.safe(currentTerm)
  writeBoolean(to, votedFor !== undefined)
  if (votedFor !== undefined) to.utf8(votedFor)
}

const readHardState = (from: Reader): HardState => {
  const currentTerm = Term(from.safe())
  return { currentTerm, votedFor: readBoolean(from) ? ReplicaId(from.utf8()) : undefined }
}

const writeLogChange = (to: Writer, change: LogChange<Uint8Array>): void => {
  to.safe(change.from)
  to.u32(change.entries.length)
  writeEntriesForNow(to, change.entries)
}

const readLogChange = (from: Reader): LogChange<Uint8Array> => {
  const first = Index(from.safe())
  const count = from.u32()
  if (count * leastEntryBytes > from.remaining) from.fail()
  const entries: Array<LogEntry<Uint8Array>> = []
  for (let i = 0; i < count && !from.failed; i++) entries.push(readEntry(from))
  return { from: first, entries }
}
