/**
 * Snapshots in a replica's life (§7): when one is taken, what of the log it makes unnecessary, and
 * how a leader's replaces a follower's state, which is too far behind for the log that is left.
 *
 * Every replica takes its own. The log is kept back to the snapshot before the latest, so that
 * one damaged file loses nothing; and for followers that are on their way, so that one that is
 * slower than snapshots are taken arrives nevertheless.
 */
import * as Admission from "./Admission.ts"
import { type Batch, type Core, type Received, send } from "./Core.ts"
import * as Logs from "./Log.ts"
import { Index, type Instant, type LogPosition, type ReplicaId } from "./LogEntry.ts"
import type { AppendEntriesReply, InstallSnapshot, InstallSnapshotReply } from "./Message.ts"
import type { Options } from "./Options.ts"
import * as Progresses from "./Progress.ts"
import { versionOf } from "./Machine.ts"
import {
  becomeFollower,
  hasAnotherLeader,
  type Leader,
  leaderOf,
  type ServerState,
  withConfigurations
} from "./ServerState.ts"
import type { Image, Snapshot, Snapshots } from "./Snapshot.ts"
import { same } from "./Snapshot.ts"
import * as StateMachines from "./StateMachine.ts"
import * as Succession from "./Succession.ts"

/** What an entry costs at least, in the log and in memory, however short its command. */
const leastEntryBytes = 64

/** After a batch: what is applied may be reason enough to take a snapshot. `seal` says so. */
export const take = <S, C, Q>(options: Options, state: ServerState<S, C, Q>): ServerState<S, C, Q> => {
  const { snapshots, stateMachine } = state
  const { lastApplied, appliedBytes } = stateMachine
  if (snapshots.taking !== undefined || state.diverged !== undefined || lastApplied === 0) return state
  const stored = snapshots.latest?.bytes ?? 0
  const enoughBytes = Math.max(options.snapshotLogBytes, stored / 4)
  const enoughEntries = Math.max(options.snapshotLogEntries, stored / 4 / leastEntryBytes)
  const isDue =
    snapshots.wanted ||
    (lastApplied > snapshots.begun && (appliedBytes >= enoughBytes || lastApplied - snapshots.begun >= enoughEntries))
  if (!isDue) return state
  return {
    ...state,
    stateMachine: { ...stateMachine, appliedBytes: 0 },
    snapshots: {
      ...snapshots,
      taking: lastApplied,
      begun: lastApplied,
      begins: snapshots.begins + 1,
      wanted: false
    }
  }
}

export const onStored = <S, C, Q>(state: ServerState<S, C, Q>, snapshot: Snapshot): ServerState<S, C, Q> => {
  const { snapshots } = state
  const { latest, unreadable } = snapshots
  const taking = snapshots.taking === snapshot.last.index ? undefined : snapshots.taking
  // One that a leader sent has overtaken it.
  const isOld = latest !== undefined && snapshot.last.index < latest.last.index
  if (isOld) return { ...state, snapshots: { ...snapshots, taking } }
  // What cannot be read, or is there anew, is nothing to fall back on.
  const isReplaced = latest === unreadable || latest?.last.index === snapshot.last.index
  const previous = isReplaced ? snapshots.previous : latest
  const stored = { ...state, snapshots: { ...snapshots, latest: snapshot, previous, taking, unreadable: undefined } }
  return unreadable === undefined ? stored : redirect(stored, unreadable)
}

/** Whoever was being sent a snapshot that cannot be read is sent the latest instead. */
const redirect = <S, C, Q>(state: ServerState<S, C, Q>, unreadable: Snapshot): ServerState<S, C, Q> => {
  const { latest } = state.snapshots
  if (state._tag !== "Leader" || latest === undefined || same(latest, unreadable)) return state
  const progress = new Map(state.progress)
  for (const [peer, one] of progress) {
    if (one._tag !== "Snapshot" || !same(one.snapshot, unreadable)) continue
    progress.set(peer, Progresses.becomeSnapshot(one, latest))
  }
  return { ...state, progress }
}

export const onFailed = <S, C, Q>(state: ServerState<S, C, Q>, last: LogPosition): ServerState<S, C, Q> =>
  state.snapshots.taking === last.index ? { ...state, snapshots: { ...state.snapshots, taking: undefined } } : state

/** A new one takes the place of the latest, at once. An older one is nothing to fall back on any more. */
export const onMissing = <S, C, Q>(state: ServerState<S, C, Q>, snapshot: Snapshot): ServerState<S, C, Q> => {
  const { latest, previous, unreadable } = state.snapshots
  if (latest !== undefined && same(latest, snapshot)) {
    if (unreadable !== undefined && (state.snapshots.wanted || state.snapshots.taking !== undefined)) return state
    return { ...state, snapshots: { ...state.snapshots, wanted: true, unreadable: latest } }
  }
  const isPrevious = previous !== undefined && same(previous, snapshot)
  const known = isPrevious ? { ...state, snapshots: { ...state.snapshots, previous: undefined } } : state
  return redirect(known, snapshot)
}

/** Drops what of the log the snapshot before the latest stands for, unless a follower still needs it. */
export const compact = <S, C, Q>(options: Options, state: ServerState<S, C, Q>, at: Instant): ServerState<S, C, Q> => {
  const { latest, previous } = state.snapshots
  const { log } = state.stateMachine
  if (latest === undefined || previous === undefined || previous.last.index <= log.base.index) return state
  const upTo = state._tag === "Leader" ? neededFrom(options, state, previous.last.index, at) : previous.last.index
  const term = Logs.termAt(log, upTo)
  // Each new base is a write to the disk: behind a follower that catches up, not one for every answer of it.
  const isWorthIt = upTo === previous.last.index || upTo - log.base.index >= (latest.last.index - upTo) / 8
  if (upTo <= log.base.index || term === undefined || !isWorthIt) return state
  const stateMachine = { ...state.stateMachine, log: Logs.compact(log, { index: upTo, term }) }
  return { ...state, stateMachine }
}

/**
 * The lowest index that followers have who still need the log from there on: one that is being sent a
 * snapshot or was and has not caught up since, since it would never arrive otherwise; and one that is a
 * little behind. Not one that has not spoken for long, and none that is further behind than a few snapshots:
 * as those are at least a quarter of the store apart, it could not keep up with the log either.
 */
const neededFrom = <S, C, Q>(options: Options, state: Leader<S, C, Q>, upTo: Index, at: Instant): Index => {
  const { latest } = state.snapshots
  const interval = (latest?.last.index ?? upTo) - upTo
  const furthest = upTo - patienceIntervals * interval
  let lowest: number = upTo
  for (const progress of state.progress.values()) {
    if (progress.heardAt + options.snapshotPatienceMillis <= at) continue
    // What it cannot use is not worth keeping the log for: it would be kept for ever.
    if (failuresOf(progress) > 0) continue
    const needed = progress._tag === "Snapshot" ? progress.snapshot.last.index : progress.matchIndex
    const isNear = progress._tag === "Snapshot" || progress.catchingUp || needed >= upTo - 2 * interval
    if (isNear && needed >= furthest) lowest = Math.min(lowest, needed)
  }
  return Index(lowest)
}

const patienceIntervals = 8

/** A piece of the leader's snapshot: kept if it is the next one; the answer says which that is. */
export const onInstallSnapshot = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<InstallSnapshot>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  if (hasAnotherLeader(state, from)) return state
  const term = state.currentTerm
  const follower = becomeFollower(state, core.options, { term, leader: from, at, quorumLost: false })
  const { snapshot, offset, bytes } = message
  const { commitIndex, log } = state.stateMachine
  // All that it stands for is in the log already: what is committed here is committed there (§5.4.3).
  if (snapshot.last.index <= commitIndex || Logs.holds(log, snapshot.last)) {
    const stateMachine = StateMachines.commitTo(state.stateMachine, snapshot.last.index)
    const next = { ...follower, stateMachine, incoming: undefined }
    send(batch, from, matched(core, next, stateMachine.commitIndex))
    return next
  }
  const known = state.incoming !== undefined && same(state.incoming.snapshot, snapshot) ? state.incoming.held : 0
  const isNext = offset === known && bytes.length > 0 && offset + bytes.length <= snapshot.bytes
  if (isNext) batch.said.push({ _tag: "StoreChunk", snapshot, offset, bytes })
  const held = isNext ? known + bytes.length : known
  send(batch, from, { _tag: "InstallSnapshotReply", term, snapshot, held })
  return { ...follower, incoming: { snapshot, held } }
}

/** Says that the log equals the leader's up to `matchIndex`. It confirms no read round: round 0 never was one. */
const matched = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  matchIndex: Index
): AppendEntriesReply => ({
  _tag: "AppendEntriesReply",
  term: state.currentTerm,
  round: 0,
  result: { _tag: "Matched", matchIndex },
  sender: Admission.sender(core, state)
})

/**
 * A leader's snapshot is whole and on the disk: it replaces what was applied, and of the log all but
 * what follows an entry that both have (§7). One that says nothing new is ignored.
 */
export const onReceived = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: ServerState<S, C, Q>,
  { snapshot, image, at }: { readonly snapshot: Snapshot; readonly image: Image<S>; readonly at: Instant },
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const state = forget(before, snapshot)
  const isNew = snapshot.last.index > state.stateMachine.commitIndex && snapshot.last.term <= state.currentTerm
  if (!isNew || state._tag === "Leader") return state
  const log = Logs.rebase(state.stateMachine.log, snapshot.last)
  // It is in force whatever the log had, earlier or later, unless what is left of the log has another.
  const kept = Logs.slice(log, Index(log.base.index + 1), log.length)
  const installed = {
    ...withConfigurations(state, Succession.restore(image.configuration, snapshot.last.index, kept)),
    stateMachine: StateMachines.restore(image, log, versionOf(core.machine)),
    snapshots: installedSnapshots(state.snapshots, snapshot),
    diverged: undefined
  }
  const own = image.applied.get(state.id)
  const upTo = own?.incarnation === state.incarnation ? own : undefined
  batch.said.push({ _tag: "SnapshotInstalled", upTo })
  const leader = leaderOf(state)
  if (leader !== undefined) send(batch, leader, matched(core, installed, snapshot.last.index))
  if (installed._tag === "Follower" || Admission.mayStand(installed)) return installed
  // It stood as one among empty logs, and its log is not empty any more.
  const { currentTerm: term, quorumLost } = installed
  return becomeFollower(installed, core.options, { term, leader: undefined, at, quorumLost })
}

/** The log begins at it now, so there is none before it to fall back on. */
const installedSnapshots = (before: Snapshots, latest: Snapshot): Snapshots => ({
  ...before,
  latest,
  previous: undefined,
  unreadable: undefined,
  begun: latest.last.index
})

/** What has arrived of it is of no use: it begins anew. */
export const forget = <S, C, Q>(state: ServerState<S, C, Q>, snapshot: Snapshot): ServerState<S, C, Q> =>
  state.incoming !== undefined && same(state.incoming.snapshot, snapshot) ? { ...state, incoming: undefined } : state

/** A follower says how much it has. That it speaks at all is a sign of life. */
export const onInstallSnapshotReply = <S, C, Q>(
  options: Options,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<InstallSnapshotReply>
): ServerState<S, C, Q> => {
  const before = state._tag === "Leader" ? state.progress.get(from) : undefined
  if (state._tag !== "Leader" || before === undefined) return state
  const { snapshot, held } = message
  const { snapshotRetryMillis: retryMillis, heartbeatMillis } = options
  const chunk = { snapshot, held, at, retryMillis, heartbeatMillis }
  const after = Progresses.onChunk({ ...before, heardAt: at }, chunk)
  const heard = { ...state, progress: new Map(state.progress).set(from, after) }
  // Perhaps it is the file here that is damaged: another takes its place.
  const isSuspect = failuresOf(before) === suspectAfter - 1 && failuresOf(after) === suspectAfter
  return isSuspect ? onMissing(heard, snapshot) : heard
}

const suspectAfter = 2
const failuresOf = (progress: Progresses.Progress): number => (progress._tag === "Snapshot" ? progress.failures : 0)

const nothing = new Uint8Array(0)

/** Sends a follower the next chunk, or asks again what it has: it may have got all and be busy with it, or have lost it. */
export const supply = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  { peer, progress, at }: Supplied,
  batch: Batch<C, Q, R, A>
): Progresses.Snapshot => {
  const { snapshotRetryMillis, snapshotChunkBytes } = core.options
  const { snapshot, offset, askedAt, pausedUntil } = progress
  if (pausedUntil !== undefined && at < pausedUntil) return progress
  const isWhole = offset === snapshot.bytes
  // Having got all of it, it is given time to check it.
  if (isWhole && askedAt === undefined) return { ...progress, askedAt: at }
  if (askedAt !== undefined && at < askedAt + snapshotRetryMillis) return progress
  const term = state.currentTerm
  const sent = askedAt === undefined ? { ...progress, askedAt: at } : Progresses.onSilence(progress, at)
  const length = Math.ceil(Math.min(snapshotChunkBytes, sent.chunkBytes, snapshot.bytes - offset))
  if (isWhole) send(batch, peer, { _tag: "InstallSnapshot", term, snapshot, offset, bytes: nothing })
  else batch.said.push({ _tag: "SendChunk", to: peer, term, snapshot, offset, length })
  return sent
}

interface Supplied {
  readonly peer: ReplicaId
  readonly progress: Progresses.Snapshot
  readonly at: Instant
}
