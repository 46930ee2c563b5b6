/**
 * What a sequence of `Persist`s amounts to: the latest hard state, and the log that results
 * from cutting at each change's `from` and appending its entries.
 */
import { type LogEntry, Term } from "../raft/LogEntry.ts"
import type { HardState, LogChange, Persist } from "../raft/RaftEffect.ts"

export interface Replay {
  hardState: HardState
  readonly entries: Array<LogEntry<Uint8Array>>
}

export const make = (): Replay => ({ hardState: { currentTerm: Term(0), votedFor: undefined }, entries: [] })

/** A log has no holes. What is wrong with this change to a log of `length` entries, if anything is. */
export const objection = (length: number, change: LogChange<Uint8Array>): string | undefined => {
  const { from, entries } = change
  if (from < 1 || from > length + 1) return `a change from index ${from} to a log that ends at index ${length}`
  for (let i = 0; i < entries.length; i++) {
    const { index } = entries[i]!
    if (index !== from + i) return `an entry with index ${index} where index ${from + i} belongs`
  }
  return undefined
}

/** Carries out a change to which there is no objection. */
export const apply = (replay: Replay, { hardState, log }: Persist<Uint8Array>): void => {
  if (hardState !== undefined) replay.hardState = hardState
  if (log === undefined) return
  if (log.from <= replay.entries.length) replay.entries.length = log.from - 1
  for (const entry of log.entries) replay.entries.push(entry)
}
