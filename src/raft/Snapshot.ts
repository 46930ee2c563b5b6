/**
 * Snapshots (§7): what stands for the log up to some entry, so that the log need not be kept.
 *
 * An image is the thing itself, as an immutable value; keeping it costs a reference. A snapshot is
 * an image that storage has encoded and made durable: the core knows it by name only, and moves it
 * in chunks whose bytes it never looks into.
 */
import type { Configuration } from "./Configuration.ts"
import { type ClusterTime, type Index, type LogPosition, origin, type ReplicaId, type RequestId } from "./LogEntry.ts"

/** All that applying the log up to `last` has led to. Two replicas' images at one position are equal. */
export interface Image<S> {
  /** The last entry that it stands for; committed and applied. */
  readonly last: LogPosition
  /** As of `last`. */
  readonly configuration: Configuration
  /** The last request applied for each replica (see StateMachine): without it, one could be applied again. */
  readonly applied: ReadonlyMap<ReplicaId, RequestId>
  /** Of the chain over what was applied (see Chain). */
  readonly hash: number
  /** How many times the cluster was begun anew from a backup; replicas of different epochs never mix. */
  readonly epoch: number
  /** The latest that was stamped on what was applied. */
  readonly time: ClusterTime
  /** What commands mean (see Versions), and up to where leaders may raise that. */
  readonly version: number
  readonly ceiling: number | undefined
  readonly value: S
}

/** An image on a disk, whole and durable there. */
export interface Snapshot {
  readonly last: LogPosition
  /** How long it is, encoded. */
  readonly bytes: number
  /** Of all of its bytes: two snapshots at one position need not be encoded alike. */
  readonly checksum: number
}

export const same = (one: Snapshot, other: Snapshot): boolean =>
  one.last.index === other.last.index &&
  one.last.term === other.last.term &&
  one.bytes === other.bytes &&
  one.checksum === other.checksum

/** What a replica has on its disk, and what it is having made. */
export interface Snapshots {
  readonly latest: Snapshot | undefined
  /** Kept in case the latest turns out to be damaged; the log still goes back to it. */
  readonly previous: Snapshot | undefined
  /** The index up to which one is being stored. One at a time. */
  readonly taking: Index | undefined
  /** Up to where the last one was begun, whether or not it was stored: the next one is counted from here. */
  readonly begun: Index
  /** How many were begun in this life. */
  readonly begins: number
  /** The latest cannot be read: another one is wanted at once. */
  readonly wanted: boolean
  /** The latest, while it is known that it cannot be read. */
  readonly unreadable: Snapshot | undefined
}

/** From what a disk held, newest first. Two leaders may each have sent one of the same position: the second is none before it. */
export const recovered = ([latest, ...rest]: ReadonlyArray<Snapshot>): Snapshots => ({
  latest,
  previous: rest.find(({ last }) => last.index < latest!.last.index),
  taking: undefined,
  begun: latest?.last.index ?? origin.index,
  begins: 0,
  wanted: false,
  unreadable: undefined
})

/** A leader's snapshot that is on its way here. */
export interface Incoming {
  readonly snapshot: Snapshot
  /** So many of its bytes have arrived, from the first on, without a gap. */
  readonly held: number
}
