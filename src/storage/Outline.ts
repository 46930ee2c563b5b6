/**
 * A log without its entries: where it begins and ends, which term each entry has, and in which
 * segment it lies. It tells whether a change leaves a hole, what a new base leaves of the log, and
 * which segments are needed.
 *
 * The segments that told the front of a log may have been removed: the entries up to the last of
 * those are `absent` then, until a later base drops them.
 */
import { Index, type LogPosition, origin, Term } from "../raft/LogEntry.ts"
import type { HardState, Persist } from "../raft/RaftEffect.ts"
import { Runs } from "./Runs.ts"

/** What all records up to some point amount to, but for the entries. */
export interface Beginning {
  readonly hardState: HardState
  /** Undefined until it is said for the first time. */
  readonly admitted: boolean | undefined
  readonly base: LogPosition
  /** The last entry, or the base when there is none. */
  readonly last: LogPosition
}

/** Of a log in which nothing was ever written. */
export const blank: Beginning = {
  hardState: { currentTerm: Term(0), votedFor: undefined },
  admitted: undefined,
  base: origin,
  last: origin
}

export class Outline {
  hardState: HardState
  admitted: boolean | undefined
  base: LogPosition
  /** Of the last entry; of the base when there is none. */
  lastIndex: number
  private readonly terms = new Runs<Term>()
  private readonly segments = new Runs<number>()

  constructor({ hardState, admitted, base, last }: Beginning = blank) {
    this.hardState = hardState
    this.admitted = admitted
    this.base = base
    this.lastIndex = last.index
    if (last.index > base.index) this.terms.extend(last.index, last.term)
  }

  /** Undefined where there is nothing, and where it is absent. */
  termAt(index: number): Term | undefined {
    if (index === this.base.index) return this.base.term
    return index > this.base.index && index <= this.lastIndex ? this.terms.at(index) : undefined
  }

  /** Whether the log holds this position, or begins there. Undefined when that was told by what is absent. */
  holds({ index, term }: LogPosition): boolean | undefined {
    if (index < this.base.index || index > this.lastIndex) return false
    const found = this.termAt(index)
    return found === undefined ? undefined : found === term
  }

  /** The indexes of the entries that are absent, if any are. */
  get absent(): { readonly from: number; readonly to: number } | undefined {
    const from = this.base.index + 1
    const present = this.segments.start ?? this.lastIndex + 1
    return from < present ? { from, to: present - 1 } : undefined
  }

  /** The oldest segment that has an entry of the log; undefined when none has. */
  get oldestSegment(): number | undefined {
    return this.segments.first
  }

  /** The position of the last entry. It has no term where what is left ends within what is absent. */
  get last(): { readonly index: Index; readonly term: Term | undefined } {
    return { index: Index(this.lastIndex), term: this.termAt(this.lastIndex) }
  }

  /** A log has no holes, and what is before its base is settled. What is wrong with a change, if anything is. */
  objection({ base, log }: Persist<Uint8Array>, keeps: boolean): string | undefined {
    if (log === undefined) return undefined
    const first = (base ?? this.base).index + 1
    const last = base === undefined || keeps ? this.lastIndex : base.index
    const { from, entries } = log
    if (from < first) return `a change from index ${from} to a log that begins after index ${first - 1}`
    if (from > last + 1) return `a change from index ${from} to a log that ends at index ${last}`
    for (let i = 0; i < entries.length; i++) {
      const { index } = entries[i]!
      if (index !== from + i) return `an entry with index ${index} where index ${from + i} belongs`
    }
    return undefined
  }

  /** Carries out a change to which there is no objection, written in this segment. */
  apply({ hardState, admitted, base, log }: Persist<Uint8Array>, keeps: boolean, segment: number): void {
    if (hardState !== undefined) this.hardState = hardState
    if (admitted !== undefined) this.admitted = admitted
    if (base !== undefined) this.begin(base, keeps)
    if (log === undefined) return
    this.terms.cut(log.from)
    this.segments.cut(log.from)
    this.lastIndex = log.from - 1
    if (log.entries.length === 0) return
    this.segments.extend(log.from, segment)
    for (const { index, term } of log.entries) this.terms.extend(index, term)
    this.lastIndex += log.entries.length
  }

  private begin(base: LogPosition, keeps: boolean): void {
    this.base = base
    if (keeps && base.index < this.lastIndex) {
      this.terms.drop(base.index)
      this.segments.drop(base.index)
    } else {
      this.terms.clear()
      this.segments.clear()
      this.lastIndex = base.index
    }
  }
}
