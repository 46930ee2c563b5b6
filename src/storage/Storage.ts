/**
 * The disk, as a replica sees it: what it held at the start, and one operation. All of a
 * `Persist` becomes durable together or not at all, and it is durable when `persist`
 * returns. After a failure nothing more may be persisted: the replica ends.
 *
 * Commands are bytes here: they were encoded once, when they were submitted.
 */
import { Context, type Effect, Schema } from "effect"
import type { LogEntry } from "../raft/LogEntry.ts"
import type { HardState, Persist } from "../raft/RaftEffect.ts"

/** What a start found. Entries are consecutive from index 1. */
export interface Recovered {
  readonly hardState: HardState
  readonly entries: ReadonlyArray<LogEntry<Uint8Array>>
  /** How many times this replica has been started, this time included. On disk before it is told. */
  readonly incarnation: number
}

/** Why the disk cannot be used, in words that say what to do. */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  /** What went wrong, so that code can tell. */
  reason: Schema.Literals([
    "Unreadable", // the directory or a file cannot be opened, read or written (permission, not a directory, read-only)
    "InUse", // another process holds the directory
    "WrongCluster", // the directory belongs to another cluster
    "WrongReplica", // the directory belongs to another replica
    "Corrupt", // damage that is not a torn tail
    "UnknownFormat", // written by a newer version
    "NoSpace", // ENOSPC, EDQUOT
    "WriteFailed" // any other failed write or sync
  ]),
  message: Schema.String
}) {}

export class Storage extends Context.Service<
  Storage,
  {
    readonly recovered: Recovered
    readonly persist: (change: Persist<Uint8Array>) => Effect.Effect<void, StorageError>
  }
>()("balsa/storage/Storage") {}
