/**
 * All that can happen to a replica. `at` is when, on the replica's monotonic clock; it
 * is the only way in which time reaches the core.
 */
import type { Instant, ReplicaId, RequestId } from "./LogEntry.ts"
import type { Message } from "./Message.ts"

export type RaftEvent<C, Q> = {
  readonly at: Instant
} /** `nextDeadline` may have passed. Early or repeated ones change nothing. */ & (
  | { readonly _tag: "DeadlineReached" }
  | { readonly _tag: "MessageReceived"; readonly from: ReplicaId; readonly message: Message<C> }
  /**
   * A client of this replica wants `command` applied. Submitting the same request again is
   * safe: it is applied at most once. Without a leader it is dropped; `LeaderChanged` says
   * when to submit it again.
   */
  | { readonly _tag: "CommandSubmitted"; readonly request: RequestId; readonly command: C }
  /** A client of this replica wants a linearizable answer to `query`. */
  | { readonly _tag: "QuerySubmitted"; readonly request: RequestId; readonly query: Q }
)
