/**
 * The network between replicas, as a replica sees it. Sending never waits and never
 * fails: what cannot be delivered is dropped, which Raft forgives. What `receive`
 * delivers came from a member of this cluster, whole and undamaged, at most once per
 * sending, and in order while a connection lasts. A connection ends with the process at either
 * end, so nothing that was sent to an earlier life of this replica is delivered to this one.
 */
import { Context, type Effect, Schema } from "effect"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"

/** Why the transport cannot work at all (a peer that is away is no error). */
export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  message: Schema.String
}) {}

/** One peer as the transport knows it, for status and logs. */
export interface PeerConnection {
  readonly id: ReplicaId
  readonly address: string
  /** Whether our own connection to it stands; what it sends comes over one of its own. */
  readonly connected: boolean
  /** Why not, in words, when it does not. */
  readonly lastError: string | undefined
  readonly dropped: number
}

export class Transport extends Context.Service<
  Transport,
  {
    /** Offers messages to a peer, in order. Called once per peer and batch, from the replica's loop. */
    readonly send: (to: ReplicaId, messages: ReadonlyArray<Message<Uint8Array>>) => void
    /** Runs the transport until interrupted; `deliver` must not block. Call it once. */
    readonly receive: (
      deliver: (from: ReplicaId, message: Message<Uint8Array>) => void
    ) => Effect.Effect<never, TransportError>
    readonly connections: () => ReadonlyArray<PeerConnection>
  }
>()("balsa/transport/Transport") {}
