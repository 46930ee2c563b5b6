/**
 * What has happened: a digest of all of it, by which two runs are compared, and the last
 * steps themselves, kept as they are and put into words only when something went wrong.
 */
import { mix } from "./Random.ts"
import type { AnyEffect, AnyEvent, State } from "./Subject.ts"

export interface Trace {
  digest: number
  ticks: number
  readonly recent: Array<Entry>
}

export type Entry = Step | Note

export interface Step {
  readonly _tag: "Step"
  readonly at: number
  readonly host: number
  readonly before: State
  readonly after: State
  readonly events: ReadonlyArray<AnyEvent>
  readonly effects: ReadonlyArray<AnyEffect>
}

export interface Note {
  readonly _tag: "Note"
  readonly at: number
  readonly host: number | undefined
  readonly text: string
}

const kept = 100

export const empty = (): Trace => ({ digest: 0, ticks: 0, recent: [] })

export const fold = (trace: Trace, value: number): void => {
  trace.digest = mix(trace.digest, value)
}

export const note = (trace: Trace, at: number, host: number | undefined, text: string): void => {
  fold(trace, host ?? -1)
  keep(trace, { _tag: "Note", at, host, text })
}

export const step = (trace: Trace, taken: Omit<Step, "_tag">): void => {
  const { after, effects, events } = taken
  fold(trace, taken.host)
  fold(trace, Math.floor(taken.at * 1000))
  fold(trace, after.currentTerm)
  fold(trace, after.stateMachine.commitIndex)
  fold(trace, (events.length << 16) + effects.length)
  keep(trace, { _tag: "Step", ...taken })
}

/** Drops the oldest now and then, not with every step. */
const keep = (trace: Trace, entry: Entry): void => {
  trace.recent.push(entry)
  if (trace.recent.length >= 2 * kept) trace.recent.splice(0, kept)
}
