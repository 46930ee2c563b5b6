/**
 * The cluster's time against the world's (I19): leaders stamp it on commands by their own clocks, and it runs no faster than the
 * fastest of these ever did. So whatever rests for a while of it does so for about as long in the world. That it may
 * stand still, while nobody leads, is allowed.
 */
import type { CanonicalLog } from "./CanonicalLog.ts"
import { require } from "./Violation.ts"

/** What is known of it. */
export interface Pace {
  /** The fastest clock's. */
  readonly rate: number
  /** Entries that are looked at. */
  known: number
  /** The least that any of them was ahead of the world's time, by the fastest clock, when it was asked for. */
  ahead: number
}

export const begin = (rates: ReadonlyArray<number>): Pace => ({
  rate: Math.max(1, ...rates),
  known: 0,
  ahead: Number.POSITIVE_INFINITY
})

/** The world, as far as this looks at it. */
interface Timed {
  readonly now: number
  readonly pace: Pace
  readonly askedAt: ReadonlyMap<number, number>
  readonly oracle: { readonly canon: CanonicalLog }
}

/** An entry was stamped after it was asked for, and before now. */
export const onStep = ({ pace, now, askedAt: instants, oracle }: Timed): void => {
  const { entries, effects } = oracle.canon
  if (pace.known + 1 >= entries.length) return
  const asked = new Map([...effects].slice(-(entries.length - pace.known)).map(([number, place]) => [place, number]))
  for (; pace.known + 1 < entries.length; pace.known++) {
    const { time } = entries[pace.known + 1]!
    const most = pace.ahead + now * pace.rate
    require(time <= most + 1, "the cluster's time is no faster than its clocks (I19)", () =>
      `${time} at ${pace.known + 1}, at most ${most.toFixed(0)}`)
    const number = asked.get(pace.known + 1)
    const askedAt = number === undefined ? undefined : instants.get(number)
    if (askedAt !== undefined) pace.ahead = Math.min(pace.ahead, time - askedAt * pace.rate)
  }
}
