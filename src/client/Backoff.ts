/**
 * How long to wait before every endpoint is tried again: twice as long each time, up to a limit, and each time by chance
 * between half of that and all of it, so that clients that lost the same server do not come back all at once.
 */
import { Effect, Random } from "effect"

export interface Backoff {
  readonly firstMillis: number
  readonly maxMillis: number
}

export const defaults: Backoff = { firstMillis: 50, maxMillis: 1000 }

/** After so many rounds that failed; the first is 0. In milliseconds. */
export const pause = ({ firstMillis, maxMillis }: Backoff, round: number): Effect.Effect<number> =>
  Effect.map(Random.next, (chance) => {
    const full = Math.min(maxMillis, firstMillis * 2 ** Math.min(round, 30))
    return (full / 2) * (1 + chance)
  })
