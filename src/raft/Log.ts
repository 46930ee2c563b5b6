/**
 * A replica's log (§5.3) as an immutable value. Entries stand in sealed blocks of 64, blocks
 * in shelves of 64, and what is newer in a short tail; versions share all that they have in
 * common. Appending copies the tail, and the spine of shelves once in 4,096 entries. Older
 * blocks are packed, where there is a packer (see Block): nobody outside sees a difference.
 *
 * Two versions of one log share a prefix, so what changed is found from the end, at the cost
 * of the change: that is how durability is derived.
 */
import * as Blocks from "./Block.ts"
import type { Block, Packer } from "./Block.ts"
import { Index, type LogEntry, type LogPosition, origin, type Term } from "./LogEntry.ts"
import type { LogChange } from "./RaftEffect.ts"

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
  readonly tail: ReadonlyArray<LogEntry<C>>
  readonly packer: Packer<C> | undefined
}

const after = <C>(base: LogPosition, packer: Packer<C> | undefined): Log<C> => ({
  base,
  skip: 0,
  length: 0,
  shelves: [],
  blocks: [],
  tail: [],
  packer
})

export const empty: Log<never> = after(origin, undefined)

/** `entries` are consecutive, beginning right after `base`. */
export const make = <C>(base: LogPosition, entries: ReadonlyArray<LogEntry<C>>, packer?: Packer<C>): Log<C> =>
  append<C>(after(base, packer), entries)

/** `entries` are consecutive, beginning at index 1. */
export const of = <C>(entries: ReadonlyArray<LogEntry<C>>): Log<C> => make(origin, entries)

export const lastIndex = <C>(log: Log<C>): Index => Index(log.base.index + log.length)

/** The position of the last entry, or the base where there is none. */
export const last = <C>(log: Log<C>): LogPosition => {
  const term = log.length === 0 ? undefined : termIn(log, log.length - 1)
  return term === undefined ? log.base : { index: lastIndex(log), term }
}

export const get = <C>(log: Log<C>, index: Index): LogEntry<C> | undefined => {
  const offset = index - log.base.index - 1
  return offset < 0 || offset >= log.length ? undefined : slot(log, offset)
}

/** The term of the entry at `index`, or of the base; `undefined` outside the log. */
export const termAt = (log: Log<unknown>, index: Index): Term | undefined => {
  const offset = index - log.base.index - 1
  if (offset === -1) return log.base.term
  return offset < 0 || offset >= log.length ? undefined : termIn(log, offset)
}

/** Whether the log, or what was dropped of it last, has this very entry. */
export const holds = (log: Log<unknown>, position: LogPosition): boolean =>
  termAt(log, position.index) === position.term

const slot = <C>(log: Log<C>, offset: number): LogEntry<C> | undefined =>
  Blocks.entryAt(blockOf(log, offset), (log.skip + offset) & mask)

const termIn = (log: Log<unknown>, offset: number): Term | undefined =>
  Blocks.termAt(blockOf(log, offset), (log.skip + offset) & mask)

/** Where the entry at `offset` stands. */
const blockOf = <C>(log: Log<C>, offset: number): Block<C> => {
  const block = (log.skip + offset) >> bits
  const shelf = block >> bits
  const blocks = shelf < log.shelves.length ? log.shelves[shelf]! : log.blocks
  const within = shelf < log.shelves.length ? block & mask : block - (log.shelves.length << bits)
  return within < blocks.length ? blocks[within]! : log.tail
}

/** The log followed by `entries`, which continue it. */
export const append = <C>(log: Log<C>, entries: ReadonlyArray<LogEntry<C>>): Log<C> => {
  if (entries.length === 0) return log
  const { packer } = log
  let { shelves, blocks } = log
  const tail = log.tail.slice()
  let rest: Array<LogEntry<C>> = tail
  for (const entry of entries) {
    rest.push(entry)
    if (rest.length < width) continue
    blocks = seal(blocks, rest, packer)
    rest = []
    if (blocks.length < width) continue
    const whole = blocks
    shelves = [...shelves, packer === undefined ? whole : whole.map((block) => Blocks.packed(block, packer))]
    blocks = []
  }
  return { ...log, length: log.length + entries.length, shelves, blocks, tail: rest }
}

/** With another block, and packed what is not among the newest any more. */
const seal = <C>(blocks: Shelf<C>, block: Block<C>, packer: Packer<C> | undefined): Shelf<C> => {
  const sealed = [...blocks, block]
  const at = blocks.length - (packer?.plainBlocks ?? 0)
  if (packer !== undefined && at >= 0) sealed[at] = Blocks.packed(sealed[at]!, packer)
  return sealed
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
  return { ...log, length, shelves, blocks: cut.slice(0, kept), tail: Blocks.first(partial, places & mask) }
}

/**
 * The log without the entries up to and including `position`, which it holds. What is dropped is kept by nobody, but for less than a
 * block that is packed.
 */
export const compact = <C>(log: Log<C>, position: LogPosition): Log<C> => {
  const dropped = position.index - log.base.index
  if (dropped <= 0) return log
  if (dropped >= log.length) return after(position, log.packer)
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
    tail: inTail === 0 ? Blocks.plainGap(log.tail, skip & mask) : log.tail
  }
}

/** Blocks whose first `places` places are empty. */
const hollow = <C>(blocks: Shelf<C>, places: number): Shelf<C> => {
  const whole = places >> bits
  return blocks.map((block, at) => (at < whole ? [] : at === whole ? Blocks.gap(block, places & mask) : block))
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
    if (termIn(log, middle - 1)! <= limit.term) low = middle
    else high = middle - 1
  }
  return low === 0 ? log.base : { index: Index(log.base.index + low), term: termIn(log, low - 1)! }
}

/** How a log changes: another base first (see `Persist`), then other entries. */
export interface Change<C> {
  readonly base: LogPosition | undefined
  readonly log: LogChange<C> | undefined
}

/**
 * What turns `before` into `after`, or `undefined` where nothing does: the shortest change,
 * because both share what they have in common.
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
  while (length > 0 && !isSame(before, after, length - 1)) length--
  return after.base.index + length
}

/** An entry that is packed is no object to compare by. Of one replica's versions, the term names the entry just as well (Log Matching). */
const isSame = <C>(before: Log<C>, after: Log<C>, offset: number): boolean =>
  after.packer === undefined
    ? slot(before, offset) === slot(after, offset)
    : termIn(before, offset) === termIn(after, offset)

/** The log with another base: what follows it there is kept if the log holds it, and nothing otherwise. */
export const rebase = <C>(log: Log<C>, base: LogPosition): Log<C> =>
  holds(log, base) ? compact(log, base) : after(base, log.packer)

/** The log after a change: how a disk's copy follows. */
export const change = <C>(before: Log<C>, { base, log }: Change<C>): Log<C> => {
  const rebased = base === undefined ? before : rebase(before, base)
  return log === undefined ? rebased : append(truncate(rebased, log.from), log.entries)
}

/** True when `candidate` is at least as up-to-date as `own` (§5.4.1): later term, or same term and as long. */
export const upToDate = (candidate: LogPosition, own: LogPosition): boolean =>
  candidate.term !== own.term ? candidate.term > own.term : candidate.index >= own.index
