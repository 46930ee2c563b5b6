/**
 * A replica's log (§5.3) as an immutable value. Entries stand in sealed blocks of 64, blocks
 * in shelves of 64, and what is newer in a short tail; versions share all that they have in
 * common. Appending copies the tail, and the spine of shelves once in 4,096 entries.
 *
 * Two versions of one log share a prefix by reference, so what changed is found from the
 * end, at the cost of the change: that is how durability is derived.
 */
import { Index, type LogEntry, type LogPosition, origin, type Term } from "./LogEntry.ts"
import type { LogChange } from "./RaftEffect.ts"

type Block<C> = ReadonlyArray<LogEntry<C>>
type Shelf<C> = ReadonlyArray<Block<C>>

const bits = 6
const width = 1 << bits
const mask = width - 1

export interface Log<C> {
  /** What stands before the first entry. */
  readonly base: LogPosition
  readonly length: number
  readonly shelves: ReadonlyArray<Shelf<C>>
  readonly blocks: Shelf<C>
  readonly tail: Block<C>
}

export const empty: Log<never> = { base: origin, length: 0, shelves: [], blocks: [], tail: [] }

/** `entries` are consecutive, beginning at index 1. */
export const of = <C>(entries: ReadonlyArray<LogEntry<C>>): Log<C> => append<C>(empty, entries)

export const lastIndex = <C>(log: Log<C>): Index => Index(log.base.index + log.length)

/** The position of the last entry, or the base where there is none. */
export const last = <C>(log: Log<C>): LogPosition => {
  const entry = log.length === 0 ? undefined : slot(log, log.length - 1)
  return entry === undefined ? log.base : { index: entry.index, term: entry.term }
}

export const get = <C>(log: Log<C>, index: Index): LogEntry<C> | undefined => {
  const offset = index - log.base.index - 1
  return offset < 0 || offset >= log.length ? undefined : slot(log, offset)
}

/** The term of the entry at `index`, or of the base; `undefined` outside the log. */
export const termAt = (log: Log<unknown>, index: Index): Term | undefined =>
  index === log.base.index ? log.base.term : get(log, index)?.term

const slot = <C>(log: Log<C>, offset: number): LogEntry<C> | undefined => {
  const block = offset >> bits
  const shelf = block >> bits
  const blocks = shelf < log.shelves.length ? log.shelves[shelf]! : log.blocks
  const within = shelf < log.shelves.length ? block & mask : block - (log.shelves.length << bits)
  return within < blocks.length ? blocks[within]![offset & mask] : log.tail[offset & mask]
}

/** The log followed by `entries`, which continue it. */
export const append = <C>(log: Log<C>, entries: ReadonlyArray<LogEntry<C>>): Log<C> => {
  if (entries.length === 0) return log
  let { shelves, blocks } = log
  const tail = log.tail.slice()
  let rest: Array<LogEntry<C>> = tail
  for (const entry of entries) {
    rest.push(entry)
    if (rest.length < width) continue
    blocks = [...blocks, rest]
    rest = []
    if (blocks.length < width) continue
    shelves = [...shelves, blocks]
    blocks = []
  }
  return { base: log.base, length: log.length + entries.length, shelves, blocks, tail: rest }
}

/** The log without the entries from `index` on. */
export const truncate = <C>(log: Log<C>, index: Index): Log<C> => {
  const length = Math.max(0, index - log.base.index - 1)
  if (length >= log.length) return log
  const fullBlocks = length >> bits
  const fullShelves = fullBlocks >> bits
  const shelves = fullShelves < log.shelves.length ? log.shelves.slice(0, fullShelves) : log.shelves
  const cut = fullShelves < log.shelves.length ? log.shelves[fullShelves]! : log.blocks
  const kept = fullBlocks - (fullShelves << bits)
  const partial = kept < cut.length ? cut[kept]! : log.tail
  return { base: log.base, length, shelves, blocks: cut.slice(0, kept), tail: partial.slice(0, length & mask) }
}

/** Entries from `index` on, at most `count`. */
export const slice = <C>(log: Log<C>, index: Index, count: number): ReadonlyArray<LogEntry<C>> => {
  const entries: Array<LogEntry<C>> = []
  const first = Math.max(0, index - log.base.index - 1)
  const end = Math.min(log.length, first + count)
  for (let offset = first; offset < end; offset++) entries.push(slot(log, offset)!)
  return entries
}

/**
 * The last position at or below `limit.index` whose term is at most `limit.term`: nothing
 * after it can match a log that holds `limit` (terms never decrease along a log).
 */
export const lastAtMost = <C>(log: Log<C>, limit: LogPosition): LogPosition => {
  let low = 0
  let high = Math.min(log.length, Math.max(0, limit.index - log.base.index))
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (slot(log, middle - 1)!.term <= limit.term) low = middle
    else high = middle - 1
  }
  return low === 0 ? log.base : { index: Index(log.base.index + low), term: slot(log, low - 1)!.term }
}

/**
 * What turns `before` into `after`, or `undefined` where nothing does: the shortest change,
 * because both share their common prefix by reference.
 */
export const difference = <C>(before: Log<C>, after: Log<C>): LogChange<C> | undefined => {
  if (before === after) return undefined
  const common = commonLength(before, after)
  if (common === before.length && common === after.length) return undefined
  const from = Index(after.base.index + common + 1)
  return { from, entries: slice(after, from, after.length - common) }
}

/** How many leading entries two versions of one log have in common. */
const commonLength = <C>(before: Log<C>, after: Log<C>): number => {
  let length = Math.min(before.length, after.length)
  while (length > 0 && slot(before, length - 1) !== slot(after, length - 1)) length--
  return length
}

/** The log after a change: how a disk's copy follows. */
export const change = <C>(log: Log<C>, by: LogChange<C>): Log<C> => append(truncate(log, by.from), by.entries)

/** True when `candidate` is at least as up-to-date as `own` (§5.4.1): later term, or same term and as long. */
export const upToDate = (candidate: LogPosition, own: LogPosition): boolean =>
  candidate.term !== own.term ? candidate.term > own.term : candidate.index >= own.index
