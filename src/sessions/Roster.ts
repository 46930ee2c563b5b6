/**
 * Who is remembered, by name and by age: the oldest are forgotten first, on every replica the same ones at the same
 * command. Persistent like all of a machine's state; each change costs O(log n).
 */
import * as OrderedMap from "../kv/OrderedMap.ts"
import { ClusterTime } from "../raft/LogEntry.ts"

export interface Remembered<R> {
  /** Of the last command that was applied; 0 before the first. */
  readonly sequence: number
  /** What tells that command from others. */
  readonly digest: number
  /** What applying it gave; `undefined` where that was too long to keep, and before the first. */
  readonly result: R | undefined
  /** About what it takes to remember this. */
  readonly bytes: number
  /** From then on its age is counted. */
  readonly time: ClusterTime
}

interface Placed<R> extends Remembered<R> {
  readonly place: number
}

export interface Roster<R> {
  readonly byName: OrderedMap.OrderedMap<Placed<R>>
  /** Names by their places: the oldest has the lowest. */
  readonly byAge: OrderedMap.OrderedMap<string>
  /** Of all together. */
  readonly bytes: number
  /** Higher than every place that is taken. */
  readonly next: number
  /** When the youngest was; nobody is younger. */
  readonly youngest: ClusterTime
}

export interface RosterLimits {
  /** Who is older than this is not known any more. */
  readonly lifetimeMillis: number
  /** Beyond so many, or so many bytes, the oldest are forgotten. */
  readonly maxCount: number
  readonly maxBytes: number
}

export const empty: Roster<never> = {
  byName: OrderedMap.empty,
  byAge: OrderedMap.empty,
  bytes: 0,
  next: 1,
  youngest: ClusterTime(0)
}

export const size = <R>(roster: Roster<R>): number => OrderedMap.size(roster.byName)

export const youngest = <R>(roster: Roster<R>): ClusterTime => roster.youngest

export const has = <R>(roster: Roster<R>, name: string): boolean => OrderedMap.get(roster.byName, name) !== undefined

/** Whoever has lived its time is nobody, whether or not it has been forgotten yet. */
export const find = <R>(
  roster: Roster<R>,
  name: string,
  { lifetimeMillis }: RosterLimits,
  now: ClusterTime
): Remembered<R> | undefined => {
  const found = OrderedMap.get(roster.byName, name)
  return found === undefined || found.time + lifetimeMillis <= now ? undefined : found
}

/** The youngest of all from now on, in place of what was known under that name. */
export const remember = <R>(roster: Roster<R>, name: string, one: Remembered<R>): Roster<R> => {
  const rest = forget(roster, name)
  const place = rest.next
  const { sequence, digest, result, bytes, time } = one
  return {
    byName: OrderedMap.set(rest.byName, name, { sequence, digest, result, bytes, time, place }),
    byAge: OrderedMap.set(rest.byAge, placeKey(place), name),
    bytes: rest.bytes + bytes,
    next: place + 1,
    youngest: time
  }
}

const forget = <R>(roster: Roster<R>, name: string): Roster<R> => {
  const known = OrderedMap.get(roster.byName, name)
  if (known === undefined) return roster
  return {
    byName: OrderedMap.remove(roster.byName, name),
    byAge: OrderedMap.remove(roster.byAge, placeKey(known.place)),
    bytes: roster.bytes - known.bytes,
    next: roster.next,
    youngest: roster.youngest
  }
}

/** So many of those whose time is over go at once: more than come, and no long pause after a quiet night. */
const forgottenAtOnce = 4

/** Forgets who is beyond a limit, and a few of those whose time is over. */
export const trim = <R>(roster: Roster<R>, limits: RosterLimits, now: ClusterTime): Roster<R> => {
  let rest = roster
  for (let forgotten = 0; size(rest) > 0; forgotten++) {
    const name = oldest(rest)
    const isBeyond = size(rest) > limits.maxCount || rest.bytes > limits.maxBytes
    const isOver = forgotten < forgottenAtOnce && find(rest, name, limits, now) === undefined
    if (!isBeyond && !isOver) break
    rest = forget(rest, name)
  }
  return rest
}

/** Without the results that are not to be kept. That their commands were applied stays known, and so does all else. */
export const keeping = <R>(roster: Roster<R>, isKept: (result: R) => boolean): Roster<R> => {
  let { byName } = roster
  OrderedMap.walk(roster.byName, "", undefined, (one, name) => {
    if (one.result !== undefined && !isKept(one.result)) {
      byName = OrderedMap.set(byName, name, { ...one, result: undefined })
    }
    return true
  })
  return byName === roster.byName ? roster : { ...roster, byName }
}

const oldest = <R>(roster: Roster<R>): string => {
  let first = ""
  OrderedMap.walk(roster.byAge, "", undefined, (name) => {
    first = name
    return false
  })
  return first
}

/** Oldest first, from a place on, until `visit` returns false. To go on later, start at the place after the last one seen. */
export const walk = <R>(
  roster: Roster<R>,
  from: number,
  visit: (name: string, one: Remembered<R>, place: number) => boolean
): void =>
  OrderedMap.walk(roster.byAge, placeKey(from), undefined, (name) => {
    const one = OrderedMap.get(roster.byName, name)!
    return visit(name, one, one.place)
  })

/** Eight bytes that sort as the number does. */
const placeKey = (place: number): string => {
  let key = ""
  for (let rest = place, at = 0; at < 8; at++) {
    key = String.fromCharCode(rest % 256) + key
    rest = Math.floor(rest / 256)
  }
  return key
}
