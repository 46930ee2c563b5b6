/**
 * How much history is kept: up to which revision to compact, so that what is younger than a given time can be read, and not more
 * than so many revisions and bytes are kept in any case.
 */
import type { ClusterTime } from "../raft/LogEntry.ts"
import * as History from "./History.ts"
import { firstKept, type KvState } from "./KvState.ts"

export interface Retention {
  /** By the cluster's time; `undefined` is for ever, as far as the limits below allow. */
  readonly millis: number | undefined
  readonly maxRevisions: number
  readonly maxBytes: number
}

/** The revision to compact to; `undefined` where there is nothing to do. */
export const due = (state: KvState, time: ClusterTime, retention: Retention): number | undefined => {
  const revision = Math.max(
    byAge(state, time, retention.millis),
    state.revision - retention.maxRevisions,
    byBytes(state, retention.maxBytes)
  )
  return revision > state.compacted && revision > 1 ? Math.min(revision, state.revision) : undefined
}

/** The newest revision that is as old as that: it is how the store was then, which stays readable. */
const byAge = (state: KvState, time: ClusterTime, millis: number | undefined): number => {
  if (millis === undefined) return 0
  let low = firstKept(state)
  let high = state.revision + 1
  // Times never fall from one revision to the next.
  while (low < high) {
    // No shift, which takes 32 bits: revisions may have more.
    const middle = Math.floor((low + high) / 2)
    if ((History.at(state.history, middle)?.time ?? 0) <= time - millis) low = middle + 1
    else high = middle
  }
  return low - 1
}

/**
 * Half of the revisions at a time: what each takes is not known, and it goes bit by bit. While what was compacted is still going,
 * there is no telling what is left.
 */
const byBytes = (state: KvState, maxBytes: number): number => {
  const { compacted, history, historyBytes, revision } = state
  if (historyBytes <= maxBytes || history.first < compacted) return 0
  return Math.ceil((firstKept(state) + revision) / 2)
}
