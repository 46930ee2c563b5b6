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
  /** What stands before the first entry: the origin, or the last entry that a snapshot has replaced. */
  readonly base: LogPosition
  /** How many places at the front of the first shelf are empty, since what stood there was dropped. */
  readonly skip: number
  readonly length: number
  readonly shelves: ReadonlyArray<Shelf<C>>
  readonly blocks: Shelf<C>
  readonly tail: Block<C>
}

const after = (base: LogPosition): Log<never> => ({ base, skip: 0, length: 0, shelves: [], blocks: [], tail: [] })

export const empty: Log<never> = after(origin)

/** `entries` are consecutive, beginning right after `base`. */
export const make = <C>(base: LogPosition, entries: ReadonlyArray<LogEntry<C>>): Log<C> =>
  append<C>(after(base), entries)

/** `entries` are consecutive, beginning at index 1. */
export const of = <C>(entries: ReadonlyArray<LogEntry<C>>): Log<C> => make(origin, entries)

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

/** Whether the log, or what was dropped of it last, has this very entry. */
export const holds = (log: Log<unknown>, position: LogPosition): boolean =>
  termAt(log, position.index) === position.term

const slot = <C>(log: Log<C>, offset: number): LogEntry<C> | undefined => {
  const place = log.skip + offset
  const block = place >> bits
  const shelf = block >> bits
  const blocks = shelf < log.shelves.length ? log.shelves[shelf]! : log.blocks
  const within = shelf < log.shelves.length ? block & mask : block - (log.shelves.length << bits)
  return within < blocks.length ? blocks[within]![place & mask] : log.tail[place & mask]
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
  return { ...log, length: log.length + entries.length, shelves, blocks, tail: rest }
}

/** The log without the entries from `index` on. */
export const truncate = <C>(log: Log<C>, index: Index): Log<C> => {
  const length = Math.max(0, index - log.base.index - 1)
  if (length >= log.length) return log
  const places = log.skip + length
  const fullBlocks = places >> bits
  const fullShelves = fullBlocks >> bits
  const shelves = fullShelves < log.shelves.length ? log.shelves.slice(0, fullShelves) : log.shelves
  const cut = fullShelves < log.shelves.length ? log.shelves[fullShelves]! : log.blocks
  const kept = fullBlocks - (fullShelves << bits)
  const partial = kept < cut.length ? cut[kept]! : log.tail
  return { ...log, length, shelves, blocks: cut.slice(0, kept), tail: partial.slice(0, places & mask) }
}

/** The log without the entries up to and including `position`, which it holds. What is dropped is kept by nobody. */
export const compact = <C>(log: Log<C>, position: LogPosition): Log<C> => {
  const dropped = position.index - log.base.index
  if (dropped <= 0) return log
  if (dropped >= log.length) return after(position)
  const places = log.skip + dropped
  const wholeShelves = places >> (2 * bits)
  const skip = places & (width * width - 1)
  const shelves = log.shelves.slice(wholeShelves)
  const first = shelves[0]
  const kept = { ...log, base: position, skip, length: log.length - dropped }
  if (first !== undefined) return { ...kept, shelves: [hollow(first, skip), ...shelves.slice(1)] }
  const inTail = (skip >> bits) - log.blocks.length
  return {
    ...kept,
    shelves,
    blocks: hollow(log.blocks, skip),
    tail: inTail === 0 ? gap(log.tail, skip & mask) : log.tail
  }
}

/** Blocks whose first `places` places are empty. */
const hollow = <C>(blocks: Shelf<C>, places: number): Shelf<C> => {
  const whole = places >> bits
  return blocks.map((block, at) => (at < whole ? [] : at === whole ? gap(block, places & mask) : block))
}

/** Nobody asks for what is before the base. */
const gap = <C>(block: Block<C>, places: number): Block<C> => block.map((entry, at) => (at < places ? nothing : entry))

const nothing: LogEntry<never> = { ...origin, payload: { _tag: "NoOp" } }

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

/** How a log changes: another base first (see `Persist`), then other entries. */
export interface Change<C> {
  readonly base: LogPosition | undefined
  readonly log: LogChange<C> | undefined
}

/**
 * What turns `before` into `after`, or `undefined` where nothing does: the shortest change,
 * because both share what they have in common by reference.
 */
export const difference = <C>(before: Log<C>, after: Log<C>): Change<C> | undefined => {
  if (before === after) return undefined
  const base = before.base.index === after.base.index && before.base.term === after.base.term ? undefined : after.base
  const start = base === undefined ? before : rebase(before, base)
  const common = commonEnd(start, after)
  if (common === lastIndex(start) && common === lastIndex(after)) return base && { base, log: undefined }
  const from = Index(common + 1)
  return { base, log: { from, entries: slice(after, from, after.length) } }
}

/** The index of the last entry that two versions of one log have in common; they have one base. */
const commonEnd = <C>(before: Log<C>, after: Log<C>): number => {
  let length = Math.min(before.length, after.length)
  while (length > 0 && slot(before, length - 1) !== slot(after, length - 1)) length--
  return after.base.index + length
}

/** The log with another base: what follows it there is kept if the log holds it, and nothing otherwise. */
export const rebase = <C>(log: Log<C>, base: LogPosition): Log<C> =>
  holds(log, base) ? compact(log, base) : after(base)

/** The log after a change: how a disk's copy follows. */
export const change = <C>(before: Log<C>, { base, log }: Change<C>): Log<C> => {
  const rebased = base === undefined ? before : rebase(before, base)
  return log === undefined ? rebased : append(truncate(rebased, log.from), log.entries)
}

/** True when `candidate` is at least as up-to-date as `own` (§5.4.1): later term, or same term and as long. */
export const upToDate = (candidate: LogPosition, own: LogPosition): boolean =>
  candidate.term !== own.term ? candidate.term > own.term : candidate.index >= own.index
