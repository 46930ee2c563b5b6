/**
 * What one `Persist` asks for, as the payload of one log record: flags (1: bit 0 hard state,
 * bit 1 log), then for the hard state currentTerm (8), whether there is a vote (1) and for
 * whom, and for the log from (8), how many entries (4) and the entries. Reading is total:
 * bytes that are no record mark the reader as failed.
 */
import { Index, type LogEntry, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { HardState, LogChange, Persist } from "../raft/RaftEffect.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readEntry, writeEntry } from "./LogEntryCodec.ts"

const hasHardState = 1
const hasLog = 2

/** The shortest entry is a NoOp: index, term and kind. A count that promises more than fits is wrong. */
const leastEntryBytes = 17

export const writeRecord = (to: Writer, { hardState, log }: Persist<Uint8Array>): void => {
  to.u8((hardState === undefined ? 0 : hasHardState) | (log === undefined ? 0 : hasLog))
  if (hardState !== undefined) writeHardState(to, hardState)
  if (log !== undefined) writeLogChange(to, log)
}

/** Commands are views into what is read, not copies. Ask the reader whether it is `done`. */
export const readRecord = (from: Reader): Persist<Uint8Array> => {
  const flags = from.u8()
  if (flags > (hasHardState | hasLog)) from.fail()
  const hardState = flags & hasHardState ? readHardState(from) : undefined
  const log = flags & hasLog ? readLogChange(from) : undefined
  return { _tag: "Persist", hardState, log }
}

const writeHardState = (to: Writer, { currentTerm, votedFor }: HardState): void => {
  to.safe(currentTerm)
  to.u8(votedFor === undefined ? 0 : 1)
  if (votedFor !== undefined) to.utf8(votedFor)
}

const readHardState = (from: Reader): HardState => {
  const currentTerm = Term(from.safe())
  switch (from.u8()) {
    case 0:
      return { currentTerm, votedFor: undefined }
    case 1:
      return { currentTerm, votedFor: ReplicaId(from.utf8()) }
    default:
      from.fail()
      return { currentTerm, votedFor: undefined }
  }
}

const writeLogChange = (to: Writer, change: LogChange<Uint8Array>): void => {
  to.safe(change.from)
  to.u32(change.entries.length)
  for (const entry of change.entries) writeEntry(to, entry)
}

const readLogChange = (from: Reader): LogChange<Uint8Array> => {
  const first = Index(from.safe())
  const count = from.u32()
  if (count * leastEntryBytes > from.remaining) from.fail()
  const entries: Array<LogEntry<Uint8Array>> = []
  for (let i = 0; i < count && !from.failed; i++) entries.push(readEntry(from))
  return { from: first, entries }
}
