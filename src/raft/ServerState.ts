/**
 * All that a replica knows. Roles are a union: what belongs to one role exists only in
 * it, and what is on disk (currentTerm, votedFor, the log) is in every one of them.
 * Time is here as instants and deadlines, chance as a seed; both are data.
 */
import type { Introductions } from "./Admission.ts"
import type { Checkpoint } from "./Chain.ts"
import { type Configuration, isMember } from "./Configuration.ts"
import { type ClusterTime, type Index, Instant, type ReplicaId, type RequestId, type Term } from "./LogEntry.ts"
import type { Options } from "./Options.ts"
import type { Progress } from "./Progress.ts"
import type { Ask, Reads, Round } from "./Reads.ts"
import { askAgain } from "./Reads.ts"
import * as Seeds from "./Seed.ts"
import type { Incoming, Snapshots } from "./Snapshot.ts"
import type { StateMachine } from "./StateMachine.ts"
import type { Succession } from "./Succession.ts"

interface Common<S, C, Q> {
  readonly id: ReplicaId
  /** Which of this replica's starts this is; part of the names of its clients' requests. */
  readonly incarnation: number
  /** The last one in the log, committed or not (§6). */
  readonly configuration: Configuration
  /** All that the log has of them, from the one on that is in force at `lastApplied`. */
  readonly configurations: Succession
  /** The index of a committed configuration without this replica, of which it has been told by a voter. */
  readonly removedAt: Index | undefined
  /** Until then it has promised a leader, perhaps in an earlier life, to vote for nobody (thesis §6.4.1). */
  readonly patientUntil: Instant
  readonly currentTerm: Term
  readonly votedFor: ReplicaId | undefined
  /** Whether it may vote and counts: durable, like the two above (see Admission). */
  readonly admitted: boolean
  readonly introductions: Introductions
  /** Nothing is known, not by its disk either, but that a cluster may begin: see Admission. */
  readonly pristine: boolean
  readonly stateMachine: StateMachine<S, C>
  readonly snapshots: Snapshots
  /** What of a leader's snapshot has arrived. */
  readonly incoming: Incoming | undefined
  /** Where this replica was found to differ from the others. It serves nobody any more (see Divergence). */
  readonly diverged: Checkpoint | undefined
  /** Its disk has no room for more than what must be. */
  readonly diskFull: boolean
  readonly reads: Reads<Q>
  readonly seed: Seeds.Seed
}

export interface Follower<S, C, Q> extends Common<S, C, Q> {
  readonly _tag: "Follower"
  /** The leader of `currentTerm`, once it has been heard. */
  readonly leader: ReplicaId | undefined
  /** When `leader` last spoke; nobody disturbs it for one election timeout (thesis §4.2.3). */
  readonly leaderHeardAt: Instant
  readonly electionDeadline: Instant
  /** Known to hear no majority. Requests are refused at once instead of waiting. */
  readonly quorumLost: boolean
}

export interface Candidate<S, C, Q> extends Common<S, C, Q> {
  /** A PreCandidate asks whether it could win, in its old term (thesis §9.6); a Candidate stands (§5.2). */
  readonly _tag: "PreCandidate" | "Candidate"
  /** Who granted, this replica included. */
  readonly votes: ReadonlySet<ReplicaId>
  /** Of those who would vote for it, who is not admitted, and may have forgotten why it should not. */
  readonly doubtful: ReadonlySet<ReplicaId>
  /** Who answered at all: a majority that refuses is still a majority in reach. */
  readonly heard: ReadonlySet<ReplicaId>
  readonly electionDeadline: Instant
  /** When those are asked again who have not answered, and after how long that is. */
  readonly retry: Retry
  readonly quorumLost: boolean
}

export interface Retry {
  readonly deadline: Instant
  readonly afterMillis: number
}

export interface Leader<S, C, Q> extends Common<S, C, Q> {
  readonly _tag: "Leader"
  /** One for each peer. */
  readonly progress: ReadonlyMap<ReplicaId, Progress>
  /** The number of the latest read round; every append carries it. One counter a term. */
  readonly round: number
  /** Rounds that no majority has confirmed yet, oldest first. */
  readonly rounds: ReadonlyArray<Round<Q>>
  /** Whom a round is sent to first, this leader among them; all, where they are no majority (see Promptness). */
  readonly prompt: ReadonlySet<ReplicaId>
  /** Followers' questions that no round has taken up yet. */
  readonly asks: ReadonlyArray<Ask>
  readonly uncommittedBytes: number
  /** Read on the leader's clock at `at`, the cluster's time was `time`. */
  readonly clock: { readonly time: ClusterTime; readonly at: Instant }
  readonly lease: Lease
  readonly transfer: Transfer | undefined
  /** Only a lazy leader counts them (see Eagerness). */
  readonly answers: Answers
  /** The last entry that may be about the version of commands: until it is applied, no other is logged. */
  readonly announced: Index
  /** The latest amendments that are in its log, by their requests: a doubled one is not made again. */
  readonly amended: ReadonlyArray<RequestId>
  /** How far learners have come in catching up, for those that are to vote. */
  readonly catchUps: ReadonlyMap<ReplicaId, CatchUp>
}

/** While followers are patient, nobody else leads, and reads need not ask them (thesis §6.4.1). */
export interface Lease {
  /** When the rounds that may not be confirmed yet were first sent, oldest first. */
  readonly sent: ReadonlyArray<{ readonly round: number; readonly at: Instant }>
  /** Reads may rest on it until then. */
  readonly until: Instant
  /** Given up for the rest of the term: another may have been asked to take over. */
  readonly void: boolean
}

/** How often a follower answers in time, as a moving share of 1, and how long that takes on average. */
export interface Answers {
  readonly rate: number
  readonly millis: number
}

/** Handing over (thesis §3.10). No commands are logged meanwhile, so that the target can come to hold all. */
export interface Transfer {
  readonly to: ReplicaId
  /** It is given up then, and this leader goes on. */
  readonly deadline: Instant
  /** When the target was last told to stand. */
  readonly askedAt: Instant | undefined
}

/**
 * A learner catches up in rounds (thesis §4.2.1): each is the log as long as it was when the round began. It has
 * caught up when one takes less than an election timeout, for then the next will, too.
 */
export interface CatchUp {
  readonly round: number
  readonly target: Index
  readonly since: Instant
  readonly done: boolean
}

export type ServerState<S, C, Q> = Follower<S, C, Q> | Candidate<S, C, Q> | Leader<S, C, Q>

export const leaderOf = <S, C, Q>(state: ServerState<S, C, Q>): ReplicaId | undefined => {
  switch (state._tag) {
    case "Leader":
      return state.id
    case "Follower":
      return state.leader
    case "PreCandidate":
    case "Candidate":
      return undefined
  }
}

/** Two leaders in one term cannot be (§5.2): whether `from`, who claims to lead this one, is not to be obeyed. */
export const hasAnotherLeader = <S, C, Q>(state: ServerState<S, C, Q>, from: ReplicaId): boolean =>
  state._tag === "Leader" || (state._tag === "Follower" && state.leader !== undefined && state.leader !== from)

export const quorumLost = <S, C, Q>(state: ServerState<S, C, Q>): boolean => state._tag !== "Leader" && state.quorumLost

/** What every role keeps when the role changes. */
export const common = <S, C, Q>(state: ServerState<S, C, Q>): Common<S, C, Q> => ({
  id: state.id,
  incarnation: state.incarnation,
  configuration: state.configuration,
  configurations: state.configurations,
  removedAt: state.removedAt,
  patientUntil: state.patientUntil,
  currentTerm: state.currentTerm,
  votedFor: state.votedFor,
  admitted: state.admitted,
  introductions: state.introductions,
  pristine: state.pristine,
  stateMachine: state.stateMachine,
  snapshots: state.snapshots,
  incoming: state.incoming,
  diverged: state.diverged,
  diskFull: state.diskFull,
  reads: state.reads,
  seed: state.seed
})

/** A deadline between one and two election timeouts from `at`, so that replicas rarely stand together (§5.2). */
export const drawElectionDeadline = (
  options: Options,
  seed: Seeds.Seed,
  at: Instant
): { readonly electionDeadline: Instant; readonly seed: Seeds.Seed } => {
  const [draw, next] = Seeds.next(seed)
  return { electionDeadline: Instant(at + options.electionTimeoutMillis * (1 + draw)), seed: next }
}

/**
 * Follows in `term`, which is this one or a later one. A vote is kept within a term and
 * forgotten with it. Reads that are not answered yet ask the new leader, under new numbers.
 */
export const becomeFollower = <S, C, Q>(
  state: ServerState<S, C, Q>,
  options: Options,
  as: {
    readonly term: Term
    readonly leader: ReplicaId | undefined
    readonly at: Instant
    readonly quorumLost: boolean
  }
): Follower<S, C, Q> => {
  const sameLeader = as.term === state.currentTerm && as.leader !== undefined && as.leader === leaderOf(state)
  const led = state._tag === "Leader" ? state.rounds.flatMap((round) => round.reads) : []
  return {
    ...common(state),
    ...drawElectionDeadline(options, state.seed, as.at),
    _tag: "Follower",
    currentTerm: as.term,
    votedFor: as.term === state.currentTerm ? state.votedFor : undefined,
    reads: sameLeader ? state.reads : askAgain(state.reads, led),
    // Who hears a leader of its cluster is told by that who the members are.
    removedAt: as.leader === undefined ? state.removedAt : undefined,
    patientUntil:
      as.leader !== undefined && options.leaseReads
        ? Instant(as.at + options.electionTimeoutMillis)
        : state.patientUntil,
    leader: as.leader,
    leaderHeardAt: as.at,
    quorumLost: as.quorumLost
  }
}

/** The log's configurations have changed. */
export const withConfigurations = <T extends { readonly configurations: Succession }>(
  state: T,
  configurations: Succession
): T =>
  configurations === state.configurations
    ? state
    : { ...state, configurations, configuration: configurations.at(-1)!.configuration }

/** Not among the members, for all that it knows: not any more, or not yet. */
export const isOutside = <S, C, Q>(state: ServerState<S, C, Q>): boolean =>
  state.removedAt !== undefined || !isMember(state.configuration, state.id)
