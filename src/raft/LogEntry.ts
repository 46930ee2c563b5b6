/**
 * The unit of replication (§5.3): a payload, with the term in which a leader first
 * logged it and its place in the log. Two entries with the same index and term are
 * the same entry, and so is everything before them (the Log Matching Property).
 */
import type { Configuration } from "./Configuration.ts"

declare const brand: unique symbol
type Brand<A, Name> = A & { readonly [brand]: Name }

/** A leader's reign (§5.1): a positive integer; 0 stands before the first election. */
export type Term = Brand<number, "Term">
/** A place in the log: the first entry has index 1, and 0 stands before it. */
export type Index = Brand<number, "Index">
/** The name of a member, unique in its cluster: 1 to 64 characters, as in `--id A`. */
export type ReplicaId = Brand<string, "ReplicaId">
/** Milliseconds on a monotonic clock. Only differences mean anything. */
export type Instant = Brand<number, "Instant">
/**
 * Milliseconds that the cluster has had a leader, about: stamped by leaders, never falling along a log. It
 * stands still while nobody leads, so what expires by it is never early.
 */
export type ClusterTime = Brand<number, "ClusterTime">

export const Term = (value: number): Term => value as Term
export const Index = (value: number): Index => value as Index
export const ReplicaId = (value: string): ReplicaId => value as ReplicaId
export const Instant = (value: number): Instant => value as Instant
export const ClusterTime = (value: number): ClusterTime => value as ClusterTime

/** Which entry is meant: by Log Matching, index and term name it and all before it. */
export interface LogPosition {
  readonly index: Index
  readonly term: Term
}

/** The place before the first entry. */
export const origin: LogPosition = { index: Index(0), term: Term(0) }

/**
 * Names one request of one run of one replica, so that whoever applies the command can
 * tell whose it is. A replica numbers what its clients ask from 1; the incarnation counts
 * its starts, so a name is never used twice.
 */
export interface RequestId {
  readonly replica: ReplicaId
  readonly incarnation: number
  readonly sequence: number
}

export type Payload<C> =
  /** A new leader's first entry (§8): committing it commits all that it inherited. */
  | { readonly _tag: "NoOp" }
  | {
      readonly _tag: "Command"
      readonly request: RequestId
      /** When its leader logged it; of all that applying depends on, the only thing that is not the command. */
      readonly time: ClusterTime
      readonly command: C
    }
  /** The members from here on (§6): in force as soon as it is in a log, and until it is dropped from it. */
  | {
      readonly _tag: "Configuration"
      readonly configuration: Configuration
      /** Whose client asked for it; nobody's where the leader goes on by itself. */
      readonly request: RequestId | undefined
    }
  /** What commands may mean from here on (see Versions). */
  | {
      readonly _tag: "Version"
      readonly version: number
      /** Leaders raise the version by themselves, but not beyond this. */
      readonly ceiling: number | undefined
      readonly request: RequestId | undefined
    }

export interface LogEntry<C> {
  readonly index: Index
  readonly term: Term
  readonly payload: Payload<C>
}
