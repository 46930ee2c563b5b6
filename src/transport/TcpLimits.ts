/**
 * What a connection between replicas may take: bytes, messages and time. The frame has to
 * hold the largest request (1.5 MiB) and the largest batch (about 1 MiB of appended
 * entries, or all that waits to be forwarded) with room to spare; the queue has to hold
 * what the core keeps in flight to one peer.
 */
export interface TcpLimits {
  readonly maxFrameBytes: number
  /** Messages are gathered into frames of about this size; a larger message has one to itself. */
  readonly targetFrameBytes: number
  /** What may wait for a slow peer on each of its lanes, before messages to it are dropped. */
  readonly maxQueuedBytes: number
  readonly maxQueuedMessages: number
  /** Inbound connections of those that are no members or have not said who they are, besides those of members. */
  readonly maxStrangers: number
  /** How long one that is a member no more is kept connected, to be told so. */
  readonly formerPeerMillis: number
  /** So many former members are kept, so many removed ids are told that they are, so many guests are kept. */
  readonly maxRememberedPeers: number
  readonly connectTimeoutMillis: number
  readonly handshakeTimeoutMillis: number
  /** How often a receiver that heard something says so. */
  readonly acknowledgeMillis: number
  /** A peer that acknowledges nothing for so long, though we sent, is given up and dialled anew. */
  readonly silenceMillis: number
  /** Between attempts to connect, growing from min to max. An election may wait for it: keep it short. */
  readonly minBackoffMillis: number
  readonly maxBackoffMillis: number
  /** The same complaint about the same address is logged once in this time. */
  readonly repeatLogMillis: number
}

const MiB = 1024 * 1024

export const defaultTcpLimits: TcpLimits = {
  maxFrameBytes: 64 * MiB,
  targetFrameBytes: MiB,
  maxQueuedBytes: 16 * MiB,
  maxQueuedMessages: 4096,
  maxStrangers: 64,
  formerPeerMillis: 60_000,
  maxRememberedPeers: 64,
  connectTimeoutMillis: 1000,
  handshakeTimeoutMillis: 2000,
  acknowledgeMillis: 500,
  silenceMillis: 5000,
  minBackoffMillis: 50,
  maxBackoffMillis: 1000,
  repeatLogMillis: 60_000
}
