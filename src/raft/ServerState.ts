/**
 * All that a replica knows. Roles are a union: what belongs to one role exists only in
 * it, and what is on disk (currentTerm, votedFor, the log) is in every one of them.
 * Time is here as instants and deadlines, chance as a seed; both are data.
 */
import type { Introductions } from "./Admission.ts"
import type { Checkpoint } from "./Chain.ts"
import type { Configuration } from "./Configuration.ts"
import { Instant, type ReplicaId, type Term } from "./LogEntry.ts"
import type { Options } from "./Options.ts"
import type { Progress } from "./Progress.ts"
import type { Ask, Reads, Round } from "./Reads.ts"
import { askAgain } from "./Reads.ts"
import * as Seeds from "./Seed.ts"
import type { Incoming, Snapshots } from "./Snapshot.ts"
import type { StateMachine } from "./StateMachine.ts"

interface Common<S, C, Q> {
  readonly id: ReplicaId
  /** Which of this replica's starts this is; part of the names of its clients' requests. */
  readonly incarnation: number
  readonly configuration: Configuration
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
  readonly quorumLost: boolean
}

export interface Leader<S, C, Q> extends Common<S, C, Q> {
  readonly _tag: "Leader"
  /** One for each peer. */
  readonly progress: ReadonlyMap<ReplicaId, Progress>
  /** The number of the latest read round; every append carries it. One counter a term. */
  readonly round: number
  /** Rounds that no majority has confirmed yet, oldest first. */
  readonly rounds: ReadonlyArray<Round<Q>>
  /** Followers' questions that no round has taken up yet. */
  readonly asks: ReadonlyArray<Ask>
  readonly uncommittedBytes: number
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
    leader: as.leader,
    leaderHeardAt: as.at,
    quorumLost: as.quorumLost
  }
}
