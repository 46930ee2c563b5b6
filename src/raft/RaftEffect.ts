/**
 * What a replica wants done, in an order that is the contract: left to right, and all
 * that stands right of `Persist` waits until it is on disk. What stands left of it rests on nothing
 * that it writes (see Durability). A crash is a prefix.
 */
import type { Objection } from "./Amendment.ts"
import type { Index, LogEntry, LogPosition, ReplicaId, RequestId, Term } from "./LogEntry.ts"
import type { Checkpoint } from "./Chain.ts"
import type { Message } from "./Message.ts"
import type { Image, Snapshot } from "./Snapshot.ts"

/** What must never go back, whatever else is lost (Figure 2, persistent state). */
export interface HardState {
  readonly currentTerm: Term
  readonly votedFor: ReplicaId | undefined
}

/** The log keeps what is before `from` and then continues with `entries`. */
export interface LogChange<C> {
  readonly from: Index
  readonly entries: ReadonlyArray<LogEntry<C>>
}

/** One atomic durable write: all of it survives a crash, or none. A failure ends the replica. */
export interface Persist<C> {
  readonly _tag: "Persist"
  readonly hardState: HardState | undefined
  /** Whether this replica may vote (see Admission), where that has changed. */
  readonly admitted: boolean | undefined
  /**
   * The log begins after this position from now on. A log that holds it keeps what follows; one
   * that does not is dropped whole, for a snapshot at this position has been installed.
   * `log` comes after it.
   */
  readonly base: LogPosition | undefined
  readonly log: LogChange<C> | undefined
}

/** The command is committed, and this is what applying it gave. */
export interface Applied<R> {
  readonly _tag: "Applied"
  readonly result: R
}

/** Not applied, and never will be under this request id; submitting it anew is safe. */
export interface Superseded {
  readonly _tag: "Superseded"
}

export type Outcome<R, A> =
  | Applied<R>
  | Superseded
  | { readonly _tag: "Answered"; readonly answer: A }
  /** The amendment is committed, and a joint configuration that it led to is left. */
  | { readonly _tag: "Amended" }
  /**
   * This replica did nothing with it. An earlier submission of the same request may still be in
   * a log: for a command that was submitted twice, a refusal is no outcome.
   */
  | { readonly _tag: "Refused"; readonly reason: Refusal }
  /**
   * The leader did nothing with the copy that it was handed. The network may have doubled it, and another
   * copy be in the log: nobody can tell.
   */
  | { readonly _tag: "Declined"; readonly reason: Refusal }

/**
 * No majority in reach; or a named limit is reached, and trying later may help; or the disk is
 * full, the leader's or this replica's; or this replica differs from the others and serves nobody, is no
 * member any more, or does not understand what the others have agreed on. The rest is about amendments.
 */
export type Refusal =
  | "NoQuorum"
  | "UncommittedBytes"
  | "WaitingReads"
  | "NoSpace"
  | "Diverged"
  | "Removed"
  | "Outdated"
  | Objection
  /** The leader is so new that it does not know yet what is committed (Ongaro 2015), or hands over just now. */
  | "NotReady"
  /** The voters of the next configuration that are in reach are no majority of it. */
  | "WouldLoseQuorum"
  /** A learner that is to vote has not caught up. */
  | "NotCaughtUp"
  /** Some member does not understand that version, or it has not said what it understands. */
  | "UnknownVersion"

export type RaftEffect<C, R, A, S = unknown> =
  | Persist<C>
  /** Offered to the transport, which may lose, delay or double it. */
  | { readonly _tag: "Send"; readonly to: ReplicaId; readonly message: Message<C> }
  /** Answers a request of this replica's client. A second answer to one request is ignored. */
  | { readonly _tag: "Reply"; readonly request: RequestId; readonly outcome: Outcome<R, A> }
  /** A leader is known (perhaps this replica): submit again what still waits. */
  | { readonly _tag: "LeaderChanged"; readonly leader: ReplicaId; readonly term: Term }
  /** No majority is in reach: nobody here can tell the outcome of what still waits. */
  | { readonly _tag: "QuorumLost" }
  /** This replica differs from the others: what became of what still waits must be asked elsewhere. */
  | { readonly _tag: "DivergenceFound"; readonly at: Checkpoint }
  /** Encode and store the image in the background; `SnapshotStored` or `SnapshotFailed` reports. */
  | { readonly _tag: "TakeSnapshot"; readonly image: Image<S> }
  /**
   * Read so many bytes of a snapshot from `offset` on and send them as InstallSnapshot in `term`,
   * in the background. `SnapshotMissing` reports that they cannot be read.
   */
  | {
      readonly _tag: "SendChunk"
      readonly to: ReplicaId
      readonly term: Term
      readonly snapshot: Snapshot
      readonly offset: number
      readonly length: number
    }
  /**
   * Keep a chunk of a leader's snapshot; one at offset 0 begins it anew. The last one makes it whole:
   * then check it, make it durable and decode it in the background, for `SnapshotReceived` or
   * `SnapshotSpoiled` to report. Chunks that cannot be stored are reported as `SnapshotSpoiled`.
   */
  | {
      readonly _tag: "StoreChunk"
      readonly snapshot: Snapshot
      readonly offset: number
      readonly bytes: Uint8Array
    }
  /**
   * A snapshot has taken the place of what was applied, up to and including this replica's own request
   * `upTo` of this incarnation: what became of those that still wait nobody can tell.
   */
  | { readonly _tag: "SnapshotInstalled"; readonly upTo: RequestId | undefined }
