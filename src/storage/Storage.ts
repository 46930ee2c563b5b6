/**
 * The disk, as a replica sees it: what it held at the start, one operation for the log, and a place
 * for snapshots. All of a `Persist` becomes durable together or not at all, and it is durable when
 * `persist` returns. After a failure nothing more may be persisted: the replica ends.
 *
 * Commands are bytes here: they were encoded once, when they were submitted.
 */
import { Context, type Effect, Schema } from "effect"
import type { LogEntry, LogPosition } from "../raft/LogEntry.ts"
import type { HardState, Persist } from "../raft/RaftEffect.ts"
import type { Snapshot } from "../raft/Snapshot.ts"

/** What a start found. */
export interface Recovered {
  readonly hardState: HardState
  /** What a `Persist` said last; undefined where none ever said it, as in a directory that was empty. */
  readonly admitted: boolean | undefined
  /** What stands before the first entry. */
  readonly base: LogPosition
  /** Consecutive from `base` on. */
  readonly entries: ReadonlyArray<LogEntry<Uint8Array>>
  /** Names this start; higher than that of every start before. On disk before it is told. */
  readonly incarnation: number
  /**
   * The snapshots from which this log goes on, newest first: each at or after `base`, and at a position
   * that the log holds. As long as they should be; what is in them has not been looked at.
   */
  readonly snapshots: ReadonlyArray<Snapshot>
}

/** Why the disk cannot be used, in words that say what to do. */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  /** What went wrong, so that code can tell. */
  reason: Schema.Literals([
    "Unreadable", // the directory or a file cannot be opened, read or written (not a directory, gone)
    "AccessDenied", // EACCES, EPERM
    "ReadOnly", // EROFS
    "TooManyFiles", // EMFILE, ENFILE
    "TooLarge", // EFBIG
    "InUse", // another process holds the directory
    "WrongCluster", // the directory belongs to another cluster
    "WrongReplica", // the directory belongs to another replica
    "Corrupt", // damage that is not a torn tail
    "UnknownFormat", // written by a newer version
    "NoSpace", // ENOSPC, EDQUOT
    "WriteFailed" // any other failed write or sync, EIO among them
  ]),
  message: Schema.String
}) {}

/** Snapshots as files of bytes; what the bytes mean is the business of others. */
export interface SnapshotStore {
  /**
   * Stores a snapshot: written under another name, synced, renamed, and the directory synced. Each
   * piece is asked for when the one before it is written, so what makes them does its work in slices, and may make
   * all of them in one buffer.
   * A failure leaves nothing behind, and is no reason to end the replica.
   */
  readonly write: (last: LogPosition, pieces: Iterable<Uint8Array>) => Effect.Effect<Snapshot, StorageError>
  /**
   * At most `length` bytes from `offset` on, fewer at the end. A snapshot that was begun to be read stays
   * readable for a while, though newer ones have taken its place.
   */
  readonly read: (snapshot: Snapshot, offset: number, length: number) => Effect.Effect<Uint8Array, StorageError>
  /** Keeps a piece of a snapshot that another replica sends. At offset 0 it begins anew; there is one at a time. */
  readonly receive: (snapshot: Snapshot, offset: number, bytes: Uint8Array) => Effect.Effect<void, StorageError>
  /** All of it has come: compares length and checksum (`Corrupt` where they differ) and makes it durable. */
  readonly finish: (snapshot: Snapshot) => Effect.Effect<void, StorageError>
  /** It cannot be decoded: puts it aside, under a name that nothing looks for, and keeps it for people. */
  readonly putAside: (snapshot: Snapshot) => Effect.Effect<void, StorageError>
}

/** What there is to know of the disk while the replica runs. */
export interface DiskStatus {
  /** On the directory's file system, for this user; `undefined` where the system does not tell. */
  readonly freeBytes: number | undefined
  /** With less than this, the replica takes no commands, so that what must be written still can be. */
  readonly reserveBytes: number
  /** A write found no room and is tried again until there is some. */
  readonly waitsForRoom: boolean
  /** Of the log's segments. */
  readonly logBytes: number
}

export class Storage extends Context.Service<
  Storage,
  {
    readonly recovered: Recovered
    /**
     * Once a new `base` is durable, segments and snapshots that only hold what is before it are removed.
     * A full disk does not fail it: it waits until there is room, and `status` says so meanwhile.
     */
    readonly persist: (change: Persist<Uint8Array>) => Effect.Effect<void, StorageError>
    readonly snapshots: SnapshotStore
    /** Before a log is given up: keeps all that it holds in a folder of its own, for people, and gives its name. */
    readonly setAside: Effect.Effect<string, StorageError>
    readonly status: Effect.Effect<DiskStatus>
  }
>()("balsa/storage/Storage") {}
