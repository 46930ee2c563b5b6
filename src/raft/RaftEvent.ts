/**
 * All that can happen to a replica. `at` is when, on the replica's monotonic clock; it
 * is the only way in which time reaches the core.
 */
import type { Amendment } from "./Amendment.ts"
import type { Instant, LogPosition, ReplicaId, RequestId } from "./LogEntry.ts"
import type { Message } from "./Message.ts"
import type { Image, Snapshot } from "./Snapshot.ts"

export type RaftEvent<C, Q, S = unknown> = {
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
  /** A client of this replica wants something about the cluster itself changed. Submitting it again is safe. */
  | { readonly _tag: "AmendmentSubmitted"; readonly request: RequestId; readonly amendment: Amendment }
  /**
   * The leader should hand over, to `to` or to whoever is best placed: wherever it is asked for. `LeaderChanged` says
   * that somebody leads, perhaps the same one after it was given up.
   */
  | { readonly _tag: "TransferRequested"; readonly to: ReplicaId | undefined }
  /** What `TakeSnapshot` asked for is durable. */
  | { readonly _tag: "SnapshotStored"; readonly snapshot: Snapshot }
  /** It could not be stored; it is tried again when as much again has been applied. */
  | { readonly _tag: "SnapshotFailed"; readonly last: LogPosition }
  /** All chunks of a leader's snapshot have come; it is undamaged, durable, and this is what it holds. */
  | { readonly _tag: "SnapshotReceived"; readonly snapshot: Snapshot; readonly image: Image<S> }
  /** The chunks do not make up the snapshot, or could not be stored: it begins anew. */
  | { readonly _tag: "SnapshotSpoiled"; readonly snapshot: Snapshot }
  /** A snapshot that was to be sent cannot be read here. */
  | { readonly _tag: "SnapshotMissing"; readonly snapshot: Snapshot }
  /** The disk has, or again has not, less room than a replica needs to go on; it takes no commands meanwhile. */
  | { readonly _tag: "DiskSpaceChanged"; readonly full: boolean }
)
