/**
 * What a sequence of `Persist`s amounts to: the latest hard state, whether the replica is admitted,
 * and the log that results from beginning it after each base, cutting at each change's `from` and
 * appending its entries.
 */
import { Index, type LogEntry } from "../raft/LogEntry.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import { type Beginning, Outline } from "./Outline.ts"

export interface Replay {
  readonly outline: Outline
  /** The log's entries stand from `dropped` on: taking the front off an array each time would copy the rest. */
  entries: Array<LogEntry<Uint8Array>>
  dropped: number
}

export const make = (beginning?: Beginning): Replay => ({ outline: new Outline(beginning), entries: [], dropped: 0 })

/** As long as nothing is absent, consecutive from the base on. */
export const entriesOf = ({ entries, dropped }: Replay): ReadonlyArray<LogEntry<Uint8Array>> =>
  dropped === 0 ? entries : entries.slice(dropped)

/** One of its own, of a log in which nothing is absent. */
export const copy = (replay: Replay): Replay => {
  const { hardState, admitted, base } = replay.outline
  const copied = make({ hardState, admitted, base, last: base })
  const log = { from: Index(base.index + 1), entries: entriesOf(replay) }
  apply(copied, { _tag: "Persist", hardState: undefined, admitted: undefined, base: undefined, log })
  return copied
}

/** What is wrong with a change, if anything is. */
export const objection = ({ outline }: Replay, change: Persist<Uint8Array>): string | undefined =>
  outline.objection(change, keepsLog(outline, change))

/** Carries out a change to which there is no objection. */
export const apply = (replay: Replay, change: Persist<Uint8Array>): void =>
  carryOut(replay, change, keepsLog(replay.outline, change), 0)

export const keepsLog = (outline: Outline, { base }: Persist<Uint8Array>): boolean =>
  base !== undefined && outline.holds(base) === true

/** The same for a change read from a segment, with what it said of the log that it met. */
export const carryOut = (replay: Replay, change: Persist<Uint8Array>, keeps: boolean, segment: number): void => {
  const { outline } = replay
  if (change.base !== undefined) {
    // Entries that are absent are not in the array either.
    const kept = keeps ? Math.max(0, outline.lastIndex - change.base.index) : 0
    keepLast(replay, Math.min(kept, replay.entries.length - replay.dropped))
  }
  if (change.log !== undefined) {
    const lastIndex = change.base === undefined || keeps ? outline.lastIndex : change.base.index
    const cut = lastIndex + 1 - change.log.from
    replay.entries.length = Math.max(replay.dropped, replay.entries.length - cut)
    for (const entry of change.log.entries) replay.entries.push(entry)
  }
  outline.apply(change, keeps, segment)
}

/** Copies only when that frees at least as much as it copies. */
const keepLast = (replay: Replay, count: number): void => {
  replay.dropped = replay.entries.length - count
  if (replay.dropped < count) return
  replay.entries = replay.entries.slice(replay.dropped)
  replay.dropped = 0
}
