/**
 * What a replica wants done, in an order that is the contract: left to right, and all
 * that stands right of `Persist` waits until it is on disk. A crash is a prefix.
 */
import type { Index, LogEntry, ReplicaId, RequestId, Term } from "./LogEntry.ts"
import type { Message } from "./Message.ts"

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
  /**
   * This replica did nothing with it. An earlier submission of the same request may still be in
   * a log: for a command that was submitted twice, a refusal is no outcome.
   */
  | { readonly _tag: "Refused"; readonly reason: Refusal }

/** No majority in reach; or a named limit is reached, and trying later may help. */
export type Refusal = "NoQuorum" | "UncommittedBytes" | "WaitingReads"

export type RaftEffect<C, R, A> =
  | Persist<C>
  /** Offered to the transport, which may lose, delay or double it. */
  | { readonly _tag: "Send"; readonly to: ReplicaId; readonly message: Message<C> }
  /** Answers a request of this replica's client. A second answer to one request is ignored. */
  | { readonly _tag: "Reply"; readonly request: RequestId; readonly outcome: Outcome<R, A> }
  /** A leader is known (perhaps this replica): submit again what still waits. */
  | { readonly _tag: "LeaderChanged"; readonly leader: ReplicaId; readonly term: Term }
  /** No majority is in reach: nobody here can tell the outcome of what still waits. */
  | { readonly _tag: "QuorumLost" }
