/**
 * Compacts the store's history by itself while this replica leads: what is older than is to be kept, and what is beyond the limits.
 * A cluster that nobody looks after does not fill its memory with what nobody reads.
 */
import { Effect } from "effect"
import * as Retention from "../kv/Retention.ts"
import type { LeaderOptions } from "./LeaseExpiry.ts"

/** An hour: whoever watches and was away may be away for so long, and misses nothing. */
export const defaultRetentionMillis = 60 * 60 * 1000

/** In any case, so that a store with many writes does not keep an hour of them. */
export const maxRevisions = 100_000
export const maxHistoryBytes = 256 * 1024 * 1024

/** Limits are looked at so often, and time so many times within what is kept. */
const roundMillis = 1_000
const roundsWithinRetention = 10
const longestRoundMillis = 60_000

export interface CompactionOptions extends LeaderOptions {
  /** 0 has nothing compacted, however much there is: somebody else does. */
  readonly retentionMillis: number
  readonly limits?: { readonly maxRevisions: number; readonly maxBytes: number }
}

/** Never ends by itself. */
export const run = ({
  replica,
  store,
  clusterTime,
  retentionMillis,
  limits
}: CompactionOptions): Effect.Effect<never> => {
  if (retentionMillis === 0) return Effect.never
  const { maxBytes, ...rest } = limits ?? { maxRevisions, maxBytes: maxHistoryBytes }
  const ageEvery = Math.min(longestRoundMillis, Math.max(roundMillis, retentionMillis / roundsWithinRetention))
  let ageDueAt = 0

  const round = Effect.suspend(() => {
    const time = clusterTime()
    if (time === undefined) return Effect.void
    // A command for each second's revisions would be as many commands as there are seconds.
    const isAgeDue = time >= ageDueAt
    if (isAgeDue) ageDueAt = time + ageEvery
    const revision = Retention.due(store(), time, { ...rest, maxBytes, millis: isAgeDue ? retentionMillis : undefined })
    if (revision === undefined) return Effect.void
    // Another leader may have gone further meanwhile; the next round sees how far.
    return Effect.ignore(replica.propose({ _tag: "Compact", revision }))
  })
  return Effect.sleep(roundMillis).pipe(Effect.andThen(round), Effect.forever)
}
