/**
 * The network between replicas, as a replica sees it. Sending never waits and never
 * fails: what cannot be delivered is dropped, which Raft forgives. What `receive`
 * delivers came from a replica of this cluster, whole and undamaged, at most once per
 * sending, and in order within its lane while a connection lasts (see Lane). A connection ends with the process at
 * either end, so nothing that was sent to an earlier life of this replica is delivered to this one.
 */
import { Context, type Effect, Schema } from "effect"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"

/** Why the transport cannot work at all (a peer that is away is no error). */
export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  message: Schema.String
}) {}

export type Relation =
  | "Member"
  /** A member no more, kept for a while so that it can be told. */
  | "Former"
  /** It came while this replica took anybody (see Membership). */
  | "Guest"

/** One peer as the transport knows it, for status and logs. */
export interface PeerConnection {
  readonly id: ReplicaId
  readonly address: string
  /** Where it answers clients, as it said when it was connected last. */
  readonly clientAddress?: string | undefined
  readonly relation: Relation
  /** Whether both of our own connections to it stand; what it sends comes over those that it made. */
  readonly connected: boolean
  /** Why not, in words, when it does not. */
  readonly lastError: string | undefined
  readonly dropped: number
}

export class Transport extends Context.Service<
  Transport,
  {
    /**
     * Offers messages to a peer, in order. Called once per peer and batch, from the replica's loop. To one whose
     * address is not known they are dropped.
     */
    readonly send: (to: ReplicaId, messages: ReadonlyArray<Message<Uint8Array>>) => void
    /** Runs the transport until interrupted; `deliver` must not block. Call it once. */
    readonly receive: (
      deliver: (from: ReplicaId, message: Message<Uint8Array>) => void
    ) => Effect.Effect<never, TransportError>
    /**
     * Says who the members are now, and the address of each ("host:port"); this replica's own may be among them. New
     * ones are dialled, one that moved is dialled anew, those that are gone are dropped after a while. May be called
     * at any time, and as often with the same as is convenient.
     */
    readonly setMembers: (members: ReadonlyMap<ReplicaId, string>) => void
    readonly connections: () => ReadonlyArray<PeerConnection>
  }
>()("balsa/transport/Transport") {}
