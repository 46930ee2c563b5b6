/**
 * What a leader believes about one follower (Figure 2, volatile state on leaders).
 *
 * In Probe the leader does not know where the logs part: it asks with one append at a
 * time. The first match makes it Replicate: appends flow without waiting, `nextIndex`
 * runs ahead, and a window bounds what is in flight. A conflict there means that
 * something was lost, and leads back to Probe. Where the log does not go back far enough any
 * more, Snapshot: the follower is sent one in chunks, a chunk at a time, until it matches.
 */
import { Index, type Instant, type ReplicaId } from "./LogEntry.ts"
import * as Snapshots from "./Snapshot.ts"

interface Common {
  /** The follower's log equals the leader's up to here, on its disk. Never decreases in a term. */
  readonly matchIndex: Index
  /** The next entry to send; always above `matchIndex`. */
  readonly nextIndex: Index
  /** When the last append left for it. */
  readonly sentAt: Instant
  /** When it last answered an append of this term. */
  readonly heardAt: Instant
  /** How many appends have left for it since. Only a lazy leader counts them (see Eagerness). */
  readonly unanswered: number
  /** The highest commit index and read round that it was sent, whether or not they arrived. */
  readonly sentCommit: Index
  readonly sentRound: number
  /** The highest read round in which it accepted this leader. */
  readonly confirmedRound: number
  /** It has a client waiting for what is at or below this index to be applied there. */
  readonly awaits: Index
  /** The start of it that spoke last; 0 before it has. What earlier ones said is not heard any more. */
  readonly incarnation: number
  /** Whether it counts in majorities (see Admission). */
  readonly admitted: boolean
  /** The latest version of commands that it understands; 0 before it has spoken (see Versions). */
  readonly version: number
  /** For so long after an append it votes for nobody: see Lease. */
  readonly patienceMillis: number
  /** What an earlier start of it acknowledged in this term, and this one has not yet. */
  readonly acknowledged: Index
  /** It was sent a snapshot, and has not reached the latest one since. */
  readonly catchingUp: boolean
  /** Where its chain was last compared with the leader's (see Divergence). */
  readonly compared: Compared | undefined
}

export interface Compared {
  readonly index: Index
  readonly agrees: boolean
  /** It differs, and has been told. */
  readonly told: boolean
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

/** `nextIndex` is the one after the snapshot. */
export interface Snapshot extends Common {
  readonly _tag: "Snapshot"
  readonly snapshot: Snapshots.Snapshot
  /** So many bytes of it have arrived there. */
  readonly offset: number
  /** When the next chunk was sent, if it was. */
  readonly askedAt: Instant | undefined
  /** So much is sent at a time: less where an answer takes long, so that heartbeats are not stuck behind it. */
  readonly chunkBytes: number
  /** How often it had to begin anew: the follower could not use it, or could not store it, or has restarted. */
  readonly failures: number
  /** Until then it is left alone. */
  readonly pausedUntil: Instant | undefined
}

export type Progress = Probe | Replicate | Snapshot

/** For a new leader: nothing is known but that the follower may hold all that the leader does. */
export const initial = (options: { readonly lastIndex: Index; readonly at: Instant }): Progress => ({
  _tag: "Probe",
  asked: false,
  matchIndex: Index(0),
  nextIndex: Index(options.lastIndex + 1),
  sentAt: options.at,
  heardAt: options.at,
  unanswered: 0,
  sentCommit: Index(0),
  sentRound: 0,
  confirmedRound: 0,
  awaits: Index(0),
  incarnation: 0,
  admitted: true,
  version: 0,
  patienceMillis: 0,
  acknowledged: Index(0),
  catchingUp: false,
  compared: undefined
})

/**
 * Another start of the follower speaks. All that is known of its log was said by an earlier one,
 * whose disk this one need not have: it is asked again.
 */
export const restarted = (progress: Progress, incarnation: number): Progress => {
  if (progress.incarnation === 0) return { ...progress, incarnation }
  const { matchIndex, acknowledged } = progress
  return {
    ...becomeProbe(progress, Index(matchIndex + 1)),
    matchIndex: Index(0),
    incarnation,
    acknowledged: Index(Math.max(matchIndex, acknowledged)),
    compared: undefined
  }
}

export const becomeSnapshot = (progress: Progress, snapshot: Snapshots.Snapshot): Progress => ({
  ...common(progress),
  _tag: "Snapshot",
  catchingUp: true,
  nextIndex: Index(Math.max(progress.matchIndex, snapshot.last.index) + 1),
  snapshot,
  offset: 0,
  askedAt: undefined,
  chunkBytes: progress._tag === "Snapshot" ? progress.chunkBytes : firstChunkBytes,
  failures: progress._tag === "Snapshot" ? progress.failures : 0,
  pausedUntil: progress._tag === "Snapshot" ? progress.pausedUntil : undefined
})

const firstChunkBytes = 64 * 1024
const leastChunkBytes = 4 * 1024
const mostChunkBytes = 1024 * 1024

/** A chunk's way there and back should take about half of the time between two heartbeats. */
const nextChunkBytes = (bytes: number, tookMillis: number, heartbeatMillis: number): number => {
  if (tookMillis > heartbeatMillis) return Math.max(leastChunkBytes, bytes / 2)
  return tookMillis < heartbeatMillis / 4 ? Math.min(mostChunkBytes, bytes * 2) : bytes
}

/** No answer: perhaps there was too much to carry. The next try is later and smaller. */
export const onSilence = (progress: Snapshot, at: Instant): Snapshot => ({
  ...progress,
  askedAt: at,
  chunkBytes: Math.max(leastChunkBytes, progress.chunkBytes / 4)
})

interface Chunk {
  readonly snapshot: Snapshots.Snapshot
  readonly held: number
  readonly at: Instant
  readonly retryMillis: number
  readonly heartbeatMillis: number
}

/**
 * So much of a snapshot has arrived. Saying again what is known already does not ask for the next chunk again.
 * Where nothing is left of it, it begins anew after a pause, a longer one each time.
 */
export const onChunk = (progress: Progress, { snapshot, held, at, retryMillis, heartbeatMillis }: Chunk): Progress => {
  if (progress._tag !== "Snapshot" || !Snapshots.same(progress.snapshot, snapshot)) return progress
  if (held === progress.offset || held > snapshot.bytes) return progress
  if (held > 0) {
    const took = at - (progress.askedAt ?? at)
    const chunkBytes = nextChunkBytes(progress.chunkBytes, took, heartbeatMillis)
    return { ...progress, offset: held, askedAt: undefined, chunkBytes }
  }
  const pausedUntil = (at + retryMillis * 2 ** Math.min(progress.failures, maxDoublings)) as Instant
  return { ...progress, offset: 0, askedAt: undefined, failures: progress.failures + 1, pausedUntil }
}

const maxDoublings = 6

export const becomeProbe = (progress: Progress, nextIndex: Index): Progress => ({
  ...common(progress),
  _tag: "Probe",
  asked: false,
  nextIndex
})

/**
 * The follower holds everything up to `matchIndex`; older and repeated news change nothing. One that is being
 * sent a snapshot needs it no longer once it holds what the log at hand, which begins after `base`, continues.
 */
export const onMatched = (progress: Progress, matchIndex: Index, base: Index): Progress => {
  const match = Index(Math.max(progress.matchIndex, matchIndex))
  const acknowledged = match >= progress.acknowledged ? Index(0) : progress.acknowledged
  const known = { ...common(progress), matchIndex: match, acknowledged }
  switch (progress._tag) {
    case "Probe":
      return { ...known, _tag: "Replicate", nextIndex: Index(match + 1), inflight: [] }
    case "Replicate": {
      const inflight = progress.inflight.filter((append) => append.last > match)
      return { ...known, _tag: "Replicate", nextIndex: Index(Math.max(progress.nextIndex, match + 1)), inflight }
    }
    case "Snapshot":
      return match < base
        ? { ...progress, matchIndex: match, acknowledged }
        : { ...known, _tag: "Replicate", nextIndex: Index(match + 1), inflight: [] }
  }
}

export const onSent = (progress: Replicate, append: Inflight): Replicate => ({
  ...progress,
  nextIndex: Index(append.last + 1),
  inflight: [...progress.inflight, append]
})

/** How many bytes are on their way to it. */
export const inflightBytes = (progress: Progress): number => {
  if (progress._tag !== "Replicate") return 0
  let bytes = 0
  for (const append of progress.inflight) bytes += append.bytes
  return bytes
}

/** Whether another append with entries may leave. An oversized one may when nothing else is in flight. */
export const hasRoom = (progress: Replicate, limits: { readonly appends: number; readonly bytes: number }): boolean => {
  return progress.inflight.length < limits.appends && inflightBytes(progress) < limits.bytes
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
  unanswered: progress.unanswered,
  sentCommit: progress.sentCommit,
  sentRound: progress.sentRound,
  confirmedRound: progress.confirmedRound,
  awaits: progress.awaits,
  incarnation: progress.incarnation,
  admitted: progress.admitted,
  version: progress.version,
  patienceMillis: progress.patienceMillis,
  acknowledged: progress.acknowledged,
  catchingUp: progress.catchingUp,
  compared: progress.compared
})

/** What a follower contributes to a majority: nothing while it is not admitted. */
export const counted = (progress: Progress | undefined, what: "matchIndex" | "confirmedRound" | "heardAt"): number =>
  progress?.admitted === true ? progress[what] : 0
