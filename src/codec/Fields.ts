/** What records, messages and snapshots have in common: a truth value (1), and a place in a log, index (8) and term (8). */
import { Index, type LogPosition, Term } from "../raft/LogEntry.ts"
import type { Reader, Writer } from "./Bytes.ts"

export const writeBoolean = (to: Writer, value: boolean): void => to.u8(value ? 1 : 0)

export const readBoolean = (from: Reader): boolean => {
  const value = from.u8()
  if (value > 1) from.fail()
  return value === 1
}

export const writePosition = (to: Writer, { index, term }: LogPosition): void => {
  to.safe(index)
  to.safe(term)
}

export const readPosition = (from: Reader): LogPosition => {
  const index = Index(from.safe())
  return { index, term: Term(from.safe()) }
}

/** The same of a peer. Only the place before the first entry has index 0, and only it has term 0. */
export const readSoundPosition = (from: Reader): LogPosition => {
  const position = readPosition(from)
  if ((position.index === 0) !== (position.term === 0)) from.fail()
  return position
}

/** Whether there is one (1), and then what it is. */
export const writeOptional = <A>(to: Writer, value: A | undefined, write: (value: A) => void): void => {
  writeBoolean(to, value !== undefined)
  if (value !== undefined) write(value)
}

export const readOptional = <A>(from: Reader, read: () => A): A | undefined => (readBoolean(from) ? read() : undefined)
