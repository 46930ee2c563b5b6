/**
 * A replica is a function: state and events in, state and effects out. This file is the
 * way in, and the map of the rest.
 *
 *     reduceAll = decide (each event) , settle (once) , seal (once)
 *
 * *decide* is the protocol of Figure 2, a message at a time. *settle* draws the consequences
 * for a whole batch: log, commit, apply, answer, replicate. *seal* (Durability.ts) derives
 * what must be on disk and puts the effects in order. Many events share one `Persist`.
 */
import * as Admission from "./Admission.ts"
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, batch as newBatch, type Core } from "./Core.ts"
import { seal } from "./Durability.ts"
import * as Eagerness from "./Eagerness.ts"
import * as Election from "./Election.ts"
import * as Logs from "./Log.ts"
import { Index, Instant, type LogEntry, type LogPosition, type ReplicaId } from "./LogEntry.ts"
import { type Machine, versionOf } from "./Machine.ts"
import { defaults, type Options } from "./Options.ts"
import type { HardState, RaftEffect } from "./RaftEffect.ts"
import type { RaftEvent } from "./RaftEvent.ts"
import * as Promptness from "./Promptness.ts"
import * as Reads from "./Reads.ts"
import * as Receiving from "./Receiving.ts"
import * as Replication from "./Replication.ts"
import type { Seed } from "./Seed.ts"
import { becomeFollower, drawElectionDeadline, type Leader, type ServerState } from "./ServerState.ts"
import { settle } from "./Settling.ts"
import type { Image, Snapshot } from "./Snapshot.ts"
import * as Snapshots from "./Snapshot.ts"
import * as Snapshotting from "./Snapshotting.ts"
import * as StateMachines from "./StateMachine.ts"
import * as Succession from "./Succession.ts"
import * as Transferring from "./Transferring.ts"

/** What a replica starts from: its disk, empty on the first start. */
export interface Start<S, C> {
  readonly id: ReplicaId
  readonly incarnation: number
  /** The cluster's members when it was founded, of which nothing stands in the log. */
  readonly configuration: Configuration
  readonly at: Instant
  readonly seed: Seed
  readonly hardState: HardState
  /** What was persisted last; undefined if nothing ever was, as with an empty disk (see Admission). */
  readonly admitted: boolean | undefined
  /** What the latest snapshot that can be read holds. Its position is `base`, or that of an entry. */
  readonly image: Image<S> | undefined
  /** What stands before the first entry. */
  readonly base: LogPosition
  /** Consecutive from `base` on. */
  readonly entries: ReadonlyArray<LogEntry<C>>
  /** Newest first. */
  readonly snapshots: ReadonlyArray<Snapshot>
}

export interface Replica<S, C, R, Q, A> {
  readonly options: Options
  /** A follower that knows no leader (§5.2); nothing is committed until a leader says so. */
  readonly init: (start: Start<S, C>) => ServerState<S, C, Q>
  readonly reduce: (
    state: ServerState<S, C, Q>,
    event: RaftEvent<C, Q, S>
  ) => readonly [ServerState<S, C, Q>, ReadonlyArray<RaftEffect<C, R, A, S>>]
  /** All events share one `Persist`. An event that does not apply leaves the very same state. */
  readonly reduceAll: (
    state: ServerState<S, C, Q>,
    events: ReadonlyArray<RaftEvent<C, Q, S>>
  ) => readonly [ServerState<S, C, Q>, ReadonlyArray<RaftEffect<C, R, A, S>>]
  /** When to deliver `DeadlineReached`, if nothing happens before. */
  readonly nextDeadline: (state: ServerState<S, C, Q>) => Instant
}

export const make = <S, C, R, Q, A>(
  machine: Machine<S, C, R, Q, A>,
  options: Partial<Options> = {}
): Replica<S, C, R, Q, A> => {
  const core: Core<S, C, R, Q, A> = { machine, options: { ...defaults, ...options } }
  const reduceAll: Replica<S, C, R, Q, A>["reduceAll"] = (before, events) => {
    const last = events.at(-1)
    if (last === undefined) return [before, []]
    const batch = newBatch<C, Q, R, A>(before.stateMachine)
    let state = before
    for (const event of events) state = decide(core, state, event, batch)
    state = settle(core, state, last.at, batch)
    return [state, seal(before, state, batch.said)]
  }
  return {
    options: core.options,
    init: (start) => init(core, start),
    reduce: (state, event) => reduceAll(state, [event]),
    reduceAll,
    nextDeadline: (state) => nextDeadline(core.options, state)
  }
}

const init = <S, C, R, Q, A>(core: Core<S, C, R, Q, A>, start: Start<S, C>): ServerState<S, C, Q> => {
  const { id, incarnation, at, image } = start
  const { pack } = core.machine
  const { plainBlocks } = core.options
  const packer = pack === undefined || plainBlocks === Number.POSITIVE_INFINITY ? undefined : { pack, plainBlocks }
  const log = Logs.make(start.base, start.entries, packer)
  const configurations = recover(start, log)
  const { configuration } = Succession.last(configurations)
  const drawn = drawElectionDeadline(core.options, start.seed, Instant(at + core.options.firstElectionMillis))
  // A sole voter has nobody to wait for, unless another may still lead that does not know yet that it is the sole one.
  const isBound = core.options.leaseReads && Succession.otherVoters(configurations, id).length > 0
  const alone = Configurations.isQuorum(configuration, new Set([id])) && !isBound
  return {
    _tag: "Follower",
    id,
    incarnation,
    configuration,
    configurations,
    removedAt: undefined,
    // In an earlier life it may just have promised a leader its patience.
    patientUntil: core.options.leaseReads && !alone ? Instant(at + core.options.electionTimeoutMillis) : at,
    currentTerm: start.hardState.currentTerm,
    votedFor: start.hardState.votedFor,
    admitted: start.admitted ?? false,
    introductions: Admission.none,
    pristine: start.admitted === undefined,
    stateMachine:
      image === undefined
        ? StateMachines.begin(core.machine.initial, log)
        : StateMachines.restore(image, log, versionOf(core.machine)),
    snapshots: Snapshots.recovered(start.snapshots),
    incoming: undefined,
    diverged: undefined,
    diskFull: false,
    reads: Reads.initial(incarnation),
    seed: drawn.seed,
    leader: undefined,
    leaderHeardAt: at,
    electionDeadline: alone ? at : drawn.electionDeadline,
    quorumLost: false
  }
}

/** The configurations of a snapshot, or the cluster's first one, and of the log after it, committed or not. */
const recover = <S, C>({ image, configuration }: Start<S, C>, log: Logs.Log<C>): Succession.Succession => {
  const from = image === undefined ? Index(0) : image.last.index
  const later = Logs.slice(log, Index(from + 1), log.length)
  return Succession.restore(image?.configuration ?? configuration, from, later)
}

/** One event, by what it is. Commands and queries are only gathered here; `settle` knows by then who leads. */
const decide = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  event: RaftEvent<C, Q, S>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  switch (event._tag) {
    case "DeadlineReached":
      return onDeadline(core, state, event.at, batch)
    case "MessageReceived":
      return Receiving.onMessage(core, state, event, batch)
    case "CommandSubmitted":
      batch.commands.push({ request: event.request, command: event.command })
      return state
    case "QuerySubmitted":
      batch.reads.push({ request: event.request, query: event.query })
      return state
    case "AmendmentSubmitted":
      batch.amendments.push({ request: event.request, amendment: event.amendment })
      return state
    case "TransferRequested":
      batch.transfers.push(event.to)
      return state
    case "SnapshotStored":
      return Snapshotting.onStored(state, event.snapshot)
    case "SnapshotFailed":
      return Snapshotting.onFailed(state, event.last)
    case "SnapshotReceived":
      return Snapshotting.onReceived(core, state, event, batch)
    case "SnapshotSpoiled":
      return Snapshotting.forget(state, event.snapshot)
    case "SnapshotMissing":
      return Snapshotting.onMissing(state, event.snapshot)
    case "DiskSpaceChanged":
      return event.full === state.diskFull ? state : { ...state, diskFull: event.full }
  }
}

/** Time has passed: perhaps nobody leads any more. Early news of it changes nothing. */
const onDeadline = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  switch (state._tag) {
    case "Follower":
    case "PreCandidate":
    case "Candidate":
      if (at < state.electionDeadline) return state._tag === "Follower" ? state : Election.onRetry(state, at, batch)
      return Admission.mayStand(state)
        ? Election.becomePreCandidate(core, state, at, batch)
        : waitForLeader(core, state, at, batch)
    case "Leader":
      return at < Replication.quorumDeadline(state, core.options)
        ? state
        : becomeFollower(state, core.options, { term: state.currentTerm, leader: undefined, at, quorumLost: true })
  }
}

/** Nobody leads, and it is not for this replica to change that. */
const waitForLeader = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  Admission.introduce(state, batch)
  return becomeFollower(state, core.options, { term: state.currentTerm, leader: undefined, at, quorumLost: true })
}

const nextDeadline = <S, C, Q>(options: Options, state: ServerState<S, C, Q>): Instant => {
  // There is more to apply than one step may: go on at once.
  const { lastApplied, commitIndex, outdated } = state.stateMachine
  if (lastApplied < commitIndex && outdated === undefined) return Instant(0)
  switch (state._tag) {
    case "Follower": {
      let deadline: number = state.electionDeadline
      for (const { askedAt } of state.reads.asked) deadline = Math.min(deadline, askedAt + options.readRetryMillis)
      return Instant(deadline)
    }
    case "PreCandidate":
    case "Candidate":
      return Instant(Math.min(state.electionDeadline, state.retry.deadline))
    case "Leader":
      return leaderDeadline(options, state)
  }
}

const leaderDeadline = <S, C, Q>(options: Options, state: Leader<S, C, Q>): Instant => {
  let deadline = Math.min(Replication.quorumDeadline(state, options), Transferring.deadline(state, options))
  deadline = Math.min(deadline, (options.lazyFollowers ? Eagerness : Promptness).deadline(state, options))
  for (const progress of state.progress.values()) {
    if (!options.lazyFollowers) deadline = Math.min(deadline, progress.sentAt + options.heartbeatMillis)
    if (progress._tag !== "Snapshot") continue
    const { askedAt, pausedUntil } = progress
    if (askedAt !== undefined) deadline = Math.min(deadline, askedAt + options.snapshotRetryMillis)
    else if (pausedUntil !== undefined) deadline = Math.min(deadline, pausedUntil)
  }
  return Instant(deadline)
}
