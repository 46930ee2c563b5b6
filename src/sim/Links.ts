/**
 * The network between replicas: when, how often and whether a message arrives. Cuts nest,
 * for several faults may hold one link; each counts for itself.
 */
import type { Network } from "./Plan.ts"
import type { Random } from "./Random.ts"
import type { AnyMessage } from "./Subject.ts"

export interface Links {
  readonly size: number
  /** How many faults cut the link from one replica to another; by `from * size + to`. */
  readonly cuts: Array<number>
  /** Until when what is sent on a link is held back. */
  readonly clogged: Array<number>
  /** When the last message of a link arrives: without reordering none overtakes it. */
  readonly arrived: Array<number>
  readonly muted: Map<AnyMessage["_tag"], number>
  /** What is held back, and until when. */
  holds: ReadonlyArray<Hold>
  /** What every message of a link takes on top. */
  readonly slow: Array<number>
}

/** Messages of some kinds, on some links, that stay somewhere on the way and arrive later than newer ones. */
export interface Hold {
  readonly tags: ReadonlySet<AnyMessage["_tag"]>
  readonly to: number | undefined
  readonly until: number
}

export const make = (size: number): Links => ({
  size,
  cuts: none(size),
  clogged: none(size),
  arrived: none(size),
  muted: new Map(),
  holds: [],
  slow: none(size)
})

const none = (size: number): Array<number> => Array.from({ length: size * size }, () => 0)

export interface Route {
  readonly from: number
  readonly to: number
}

const place = (links: Links, { from, to }: Route): number => from * links.size + to

export const isCut = (links: Links, route: Route, tag: AnyMessage["_tag"]): boolean =>
  links.cuts[place(links, route)]! > 0 || (links.muted.size > 0 && (links.muted.get(tag) ?? 0) > 0)

export const cut = (links: Links, route: Route, by: 1 | -1): void => {
  links.cuts[place(links, route)]! += by
}

export const mute = (links: Links, tag: AnyMessage["_tag"], by: 1 | -1): void => {
  links.muted.set(tag, (links.muted.get(tag) ?? 0) + by)
}

export const clog = (links: Links, route: Route, until: number): void => {
  links.clogged[place(links, route)] = until
}

export const hold = (links: Links, held: Hold, now: number): void => {
  links.holds = [...links.holds.filter(({ until }) => until > now), held]
}

const heldUntil = (links: Links, to: number, at: number, tag: AnyMessage["_tag"]): number => {
  let until = at
  for (const hold of links.holds) {
    if ((hold.to === undefined || hold.to === to) && hold.tags.has(tag)) until = Math.max(until, hold.until)
  }
  return until
}

/** Whether nothing arrives there from here, of whatever kind. */
export const isDead = (links: Links, from: number, to: number): boolean => links.cuts[place(links, { from, to })]! > 0

export const slow = (links: Links, route: Route, millis: number): void => {
  links.slow[place(links, route)] = millis
}

export const heal = (links: Links): void => {
  links.cuts.fill(0)
  links.clogged.fill(0)
  // What is still held back belongs to an old connection: nothing queues up behind it.
  links.arrived.fill(0)
  links.muted.clear()
  links.holds = []
}

/** When a message that is sent now arrives: not at all, once, or more than once. */
export const arrivals = (
  links: Links,
  network: Network,
  random: Random,
  sent: Route & { readonly at: number; readonly lateMillis: number; readonly tag: AnyMessage["_tag"] }
): ReadonlyArray<number> => {
  if (random.chance(network.loss)) return []
  if (links.holds.length > 0) {
    const until = heldUntil(links, sent.to, sent.at, sent.tag)
    if (until > sent.at) return [until + random.wait(network.delayMillis)]
  }
  const times = [travel(links, network, random, sent)]
  if (network.double > 0 && random.chance(network.double)) times.push(travel(links, network, random, sent))
  if (network.late > 0 && random.chance(network.late)) times.push(sent.at + random.wait(sent.lateMillis))
  return times
}

const travel = (links: Links, network: Network, random: Random, sent: Route & { readonly at: number }): number => {
  const link = place(links, sent)
  const mean = network.tail > 0 && random.chance(network.tail) ? network.delayMillis * 20 : network.delayMillis
  const start = Math.max(sent.at, links.clogged[link]!)
  const arrival = start + links.slow[link]! + network.delayMillis / 2 + random.wait(mean / 2)
  if (network.reorder) return arrival
  return (links.arrived[link] = Math.max(links.arrived[link]!, arrival))
}
