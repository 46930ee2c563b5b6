/**
 * What a leader believes about one follower (Figure 2, volatile state on leaders).
 *
 * In Probe the leader does not know where the logs part: it asks with one append at a
 * time. The first match makes it Replicate: appends flow without waiting, `nextIndex`
 * runs ahead, and a window bounds what is in flight. A conflict there means that
 * something was lost, and leads back to Probe.
 */
import { Index, type Instant, type ReplicaId } from "./LogEntry.ts"

interface Common {
  /** The follower's log equals the leader's up to here, on its disk. Never decreases in a term. */
  readonly matchIndex: Index
  /** The next entry to send; always above `matchIndex`. */
  readonly nextIndex: Index
  /** When the last append left for it. */
  readonly sentAt: Instant
  /** When it last answered an append of this term. */
  readonly heardAt: Instant
  /** The highest commit index and read round that it was sent, whether or not they arrived. */
  readonly sentCommit: Index
  readonly sentRound: number
  /** The highest read round in which it accepted this leader. */
  readonly confirmedRound: number
  /** It has a client waiting for what is at or below this index to be applied there. */
  readonly awaits: Index
}

export interface Probe extends Common {
  readonly _tag: "Probe"
  /** A probe is under way; the next goes when it is answered, or with a heartbeat. */
  readonly asked: boolean
}

export interface Replicate extends Common {
  readonly _tag: "Replicate"
  /** Oldest first. */
  readonly inflight: ReadonlyArray<Inflight>
}

/** One append with entries that is not answered yet. */
export interface Inflight {
  readonly last: Index
  readonly bytes: number
}

export type Progress = Probe | Replicate

/** For a new leader: nothing is known but that the follower may hold all that the leader does. */
export const initial = (options: { readonly lastIndex: Index; readonly at: Instant }): Progress => ({
  _tag: "Probe",
  asked: false,
  matchIndex: Index(0),
  nextIndex: Index(options.lastIndex + 1),
  sentAt: options.at,
  heardAt: options.at,
  sentCommit: Index(0),
  sentRound: 0,
  confirmedRound: 0,
  awaits: Index(0)
})

export const becomeProbe = (progress: Progress, nextIndex: Index): Progress => ({
  ...common(progress),
  _tag: "Probe",
  asked: false,
  nextIndex
})

/** The follower holds everything up to `matchIndex`; older and repeated news change nothing. */
export const onMatched = (progress: Progress, matchIndex: Index): Progress => {
  const match = Index(Math.max(progress.matchIndex, matchIndex))
  const inflight = progress._tag === "Probe" ? [] : progress.inflight.filter((append) => append.last > match)
  const nextIndex = progress._tag === "Probe" ? match + 1 : Math.max(progress.nextIndex, match + 1)
  return { ...common(progress), _tag: "Replicate", matchIndex: match, nextIndex: Index(nextIndex), inflight }
}

export const onSent = (progress: Replicate, append: Inflight): Replicate => ({
  ...progress,
  nextIndex: Index(append.last + 1),
  inflight: [...progress.inflight, append]
})

/** Whether another append with entries may leave. An oversized one may when nothing else is in flight. */
export const hasRoom = (progress: Replicate, limits: { readonly appends: number; readonly bytes: number }): boolean => {
  if (progress.inflight.length >= limits.appends) return false
  let bytes = 0
  for (const append of progress.inflight) bytes += append.bytes
  return bytes < limits.bytes
}

/** A peer's client waits for `index`: the peer is told of the commit at once, not with the next heartbeat. */
export const awaitCommit = (
  progress: ReadonlyMap<ReplicaId, Progress>,
  peer: ReplicaId,
  index: Index
): ReadonlyMap<ReplicaId, Progress> => {
  const before = progress.get(peer)
  return before === undefined || before.awaits >= index
    ? progress
    : new Map(progress).set(peer, { ...before, awaits: index })
}

const common = (progress: Progress): Common => ({
  matchIndex: progress.matchIndex,
  nextIndex: progress.nextIndex,
  sentAt: progress.sentAt,
  heardAt: progress.heardAt,
  sentCommit: progress.sentCommit,
  sentRound: progress.sentRound,
  confirmedRound: progress.confirmedRound,
  awaits: progress.awaits
})
