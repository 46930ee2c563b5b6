/**
 * What replicas say to each other. Every message carries its sender's `term`; a receiver
 * that sees a higher one adopts it and becomes a follower (§5.1), with one exception:
 * PreVote asks about a term without entering it. Messages may be lost, delayed, doubled
 * and reordered; none of that may change what is committed.
 */
import type { Amendment } from "./Amendment.ts"
import type { Checkpoint } from "./Chain.ts"
import type { Index, LogEntry, LogPosition, ReplicaId, RequestId, Term } from "./LogEntry.ts"
import type { Refusal } from "./RaftEffect.ts"
import type { Snapshot } from "./Snapshot.ts"

/** "Would you vote for me in the term after mine?" Binds nobody (thesis §9.6). */
export interface PreVote {
  readonly _tag: "PreVote"
  readonly term: Term
  /** The last entry of the sender's log; voters refuse a log older than theirs (§5.4.1). */
  readonly last: LogPosition
}

export interface PreVoteReply {
  readonly _tag: "PreVoteReply"
  readonly term: Term
  /** The term in which the asker stood; an answer to an earlier question does not count. */
  readonly askedIn: Term
  readonly granted: boolean
  /** Whether the sender is admitted (see Admission). */
  readonly admitted: boolean
}

/** A candidate asks for a vote in `term` (Figure 2). */
export interface RequestVote {
  readonly _tag: "RequestVote"
  readonly term: Term
  readonly last: LogPosition
  /** The leader itself has asked the sender to take over: nobody need be loyal to it (thesis §4.2.3). */
  readonly transfer: boolean
}

export interface RequestVoteReply {
  readonly _tag: "RequestVoteReply"
  readonly term: Term
  /** True only when the vote is on the voter's disk. */
  readonly granted: boolean
}

/** The leader of `term` replicates entries, or just says that it is alive (Figure 2). */
export interface AppendEntries<C> {
  readonly _tag: "AppendEntries"
  readonly term: Term
  /** The receiver takes the entries only if its log holds this one (§5.3). */
  readonly prev: LogPosition
  /** Consecutive, beginning at `prev.index + 1`; empty in a heartbeat. */
  readonly entries: ReadonlyArray<LogEntry<C>>
  /** Everything up to here is committed, as far as the receiver's log matches. */
  readonly leaderCommit: Index
  /** The leader's latest read round; echoed in the reply (thesis §6.4). */
  readonly round: number
}

export interface AppendEntriesReply {
  readonly _tag: "AppendEntriesReply"
  readonly term: Term
  /** The round of the request that this answers: the sender accepted the leader then. */
  readonly round: number
  readonly result: AppendResult
  readonly sender: Sender
}

/** What a leader must know of a follower that answers. */
export interface Sender {
  /** Which of its starts: an answer of an earlier one says nothing about the log that it has now. */
  readonly incarnation: number
  /** Whether it counts (see Admission). */
  readonly admitted: boolean
  /** The latest version of commands that it understands (see Versions). */
  readonly version: number
  /** For so long after it heard what it answers, by its own clock, it votes for nobody: 0 where it does not promise that. */
  readonly patienceMillis: number
  /** What it has applied: its last checkpoint that others have too, and its last of all. */
  readonly applied: ReadonlyArray<Checkpoint>
}

export type AppendResult =
  /** The sender's log equals the leader's up to here, on disk. */
  | { readonly _tag: "Matched"; readonly matchIndex: Index }
  /**
   * The sender's log does not hold `prev`. `hint` is its last entry at or below `prev.index`
   * whose term is at most `prev.term`: nothing between it and `prev` can match (§5.3).
   */
  | { readonly _tag: "Conflict"; readonly prevIndex: Index; readonly hint: LogPosition }

/** Commands of the sender's clients, for the leader of `term` to log. */
export interface Forward<C> {
  readonly _tag: "Forward"
  readonly term: Term
  readonly requests: ReadonlyArray<Request<C>>
}

export interface Request<C> {
  readonly request: RequestId
  readonly command: C
}

/** "Up to where must I have applied before I may answer a read that starts now?" */
export interface ReadIndex {
  readonly _tag: "ReadIndex"
  readonly term: Term
  /** Fresh for every attempt of the sender; a reused number could fetch a stale answer. */
  readonly number: number
}

export interface ReadIndexReply {
  readonly _tag: "ReadIndexReply"
  readonly term: Term
  readonly number: number
  readonly index: Index
}

/** "I cannot log these, and you should tell your clients so." */
export interface ForwardRefused {
  readonly _tag: "ForwardRefused"
  readonly term: Term
  readonly requests: ReadonlyArray<RequestId>
  readonly reason: Refusal
}

/** A piece of the leader's snapshot (§7, Figure 13). */
export interface InstallSnapshot {
  readonly _tag: "InstallSnapshot"
  readonly term: Term
  readonly snapshot: Snapshot
  readonly offset: number
  readonly bytes: Uint8Array
}

/** How much of it has arrived. */
export interface InstallSnapshotReply {
  readonly _tag: "InstallSnapshotReply"
  readonly term: Term
  readonly snapshot: Snapshot
  /** So many bytes from the first on. All of them: it is being checked, and an AppendEntriesReply will follow. */
  readonly held: number
}

/** A replica that may not vote asks each other one for its term (see Admission). */
export interface Introduce {
  readonly _tag: "Introduce"
  readonly term: Term
  /** The asker's; echoed, so that an answer to an earlier life is not taken for one to this. */
  readonly incarnation: number
}

export interface IntroduceReply {
  readonly _tag: "IntroduceReply"
  readonly term: Term
  readonly incarnation: number
  /** Whether the sender leads `term`: then its commit index has all in it that earlier lives of the asker helped to commit. */
  readonly leads: boolean
  readonly commitIndex: Index
}

/** "In an earlier life you acknowledged my log up to `index`, and now you do not hold it" (see Admission). */
export interface Forgotten {
  readonly _tag: "Forgotten"
  readonly term: Term
  /** Of the follower; another start of it is not meant. */
  readonly incarnation: number
  readonly index: Index
}

/** "What you have applied up to here is not what the others have" (see Divergence). */
export interface Diverged {
  readonly _tag: "Diverged"
  readonly term: Term
  /** Of the follower; another start of it is not meant. */
  readonly incarnation: number
  readonly at: Checkpoint
}

/**
 * The leader lives, though what it sends takes long to arrive: it goes beside what is on its way. Says nothing
 * about the log.
 */
export interface Heartbeat {
  readonly _tag: "Heartbeat"
  readonly term: Term
  /** As in AppendEntries. */
  readonly round: number
}

export interface HeartbeatReply {
  readonly _tag: "HeartbeatReply"
  readonly term: Term
  readonly round: number
  readonly sender: Sender
}

/** "Stand for election now": the leader hands over to a voter that holds all of its log (thesis §3.10). */
export interface TimeoutNow {
  readonly _tag: "TimeoutNow"
  readonly term: Term
}

/** "You lead: hand over, to `to` or to whoever is best placed." */
export interface ForwardTransfer {
  readonly _tag: "ForwardTransfer"
  readonly term: Term
  readonly to: ReplicaId | undefined
}

/** What a client of the sender wants changed about the cluster, for the leader of `term` to log. */
export interface ForwardAmendment {
  readonly _tag: "ForwardAmendment"
  readonly term: Term
  readonly request: RequestId
  readonly amendment: Amendment
}

/** "You asked for votes, and are no member any more, as of the configuration at `index`, which is committed." */
export interface NotAMember {
  readonly _tag: "NotAMember"
  readonly term: Term
  readonly index: Index
}

export type Message<C> =
  | PreVote
  | PreVoteReply
  | RequestVote
  | RequestVoteReply
  | AppendEntries<C>
  | AppendEntriesReply
  | Forward<C>
  | ForwardRefused
  | ReadIndex
  | ReadIndexReply
  | InstallSnapshot
  | InstallSnapshotReply
  | Introduce
  | IntroduceReply
  | Forgotten
  | Diverged
  | Heartbeat
  | HeartbeatReply
  | TimeoutNow
  | ForwardTransfer
  | ForwardAmendment
  | NotAMember

/** Every kind of message. */
export const tags = [
  "PreVote",
  "PreVoteReply",
  "RequestVote",
  "RequestVoteReply",
  "AppendEntries",
  "AppendEntriesReply",
  "Forward",
  "ReadIndex",
  "ReadIndexReply",
  "ForwardRefused",
  "InstallSnapshot",
  "InstallSnapshotReply",
  "Introduce",
  "IntroduceReply",
  "Forgotten",
  "Diverged",
  "Heartbeat",
  "HeartbeatReply",
  "TimeoutNow",
  "ForwardTransfer",
  "ForwardAmendment",
  "NotAMember"
] as const satisfies ReadonlyArray<Message<unknown>["_tag"]>
