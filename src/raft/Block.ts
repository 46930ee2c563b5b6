/**
 * 64 entries of a log, one after the other. Those that are older are mostly never looked at again, and as objects each costs the
 * collector its share: where the machine can pack them they stay as something smaller, which is asked for one entry at a time.
 */
import { Index, type LogEntry, Term } from "./LogEntry.ts"

/** Entries that were given up as objects. Nothing in it ever changes. */
export interface Packed<C> {
  /** The term of the entry at this place, without making the entry. */
  termAt(place: number): Term
  /** The entry at this place: equal to the one that was packed, and another object each time. */
  entryAt(place: number): LogEntry<C>
}

export interface Packer<C> {
  /** `undefined` where the entries had better stay as they are. */
  pack(entries: ReadonlyArray<LogEntry<C>>): Packed<C> | undefined
  /** So many whole blocks stay as they are: the newest ones, which are sent, stored and applied. */
  readonly plainBlocks: number
}

export type Block<C> = ReadonlyArray<LogEntry<C>> | Packed<C>

const isPlain = <C>(block: Block<C>): block is ReadonlyArray<LogEntry<C>> => Array.isArray(block)

export const entryAt = <C>(block: Block<C>, place: number): LogEntry<C> | undefined =>
  isPlain(block) ? block[place] : block.entryAt(place)

export const termAt = (block: Block<unknown>, place: number): Term | undefined =>
  isPlain(block) ? block[place]?.term : block.termAt(place)

/** Its first entries. */
export const first = <C>(block: Block<C>, count: number): ReadonlyArray<LogEntry<C>> =>
  isPlain(block) ? block.slice(0, count) : Array.from({ length: count }, (_, place) => block.entryAt(place))

export const packed = <C>(block: Block<C>, packer: Packer<C>): Block<C> =>
  isPlain(block) && block.length > 0 ? (packer.pack(block) ?? block) : block

const nothing: LogEntry<never> = { index: Index(0), term: Term(0), payload: { _tag: "NoOp" } }

/** Without what is at its first places, for which nobody asks; one that is packed goes as a whole or not at all. */
export const gap = <C>(block: Block<C>, places: number): Block<C> => (isPlain(block) ? plainGap(block, places) : block)

export const plainGap = <C>(block: ReadonlyArray<LogEntry<C>>, places: number): ReadonlyArray<LogEntry<C>> =>
  block.map((entry, at) => (at < places ? nothing : entry))
