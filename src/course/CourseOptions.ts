/**
 * The core's options in the course's network, the same for every configuration, for a replica does not know which it is
 * in. Every message to a replica is counted there, requests of clients too; a message takes a fraction of a millisecond,
 * and is lost or not, but never late. So a majority is asked and no more, what is not answered in a few milliseconds is
 * lost, reads rest on the lease, and heartbeats are as rare as the election timeout allows.
 */
import type { Options } from "../raft/Options.ts"
import * as Replica from "../raft/Replica.ts"
import { CourseMachine } from "./CourseMachine.ts"
import { maxDatagramBytes } from "./CourseMessage.ts"

export const raftOptions: Partial<Options> = {
  // How long nobody leads after a leader has died: once to twice as long.
  electionTimeoutMillis: 1600,
  // A message to a peer that has not said hello yet counts it as dead for good; and who leads early only says so, over and over.
  firstElectionMillis: 1500,
  voteRetryMillis: 10,
  heartbeatMillis: 1400,
  lazyFollowers: true,
  appendPatienceMillis: 3,
  leaseReads: true,
  // All clocks are one machine's.
  maxClockDrift: 0.01,
  // An append must fit into a datagram as text, which is a third longer.
  maxAppendBytes: 28_000,
  maxAppendEntries: 64,
  snapshotChunkBytes: 28_000
}

/**
 * No replica is ever started twice, so none can have forgotten what it promised in an earlier life: it need not be introduced
 * (see the core's Admission), which takes every other replica, and some are killed.
 */
export const startsAdmitted = true

/** Of encoded messages in one datagram: base64 makes four of three, and the envelope takes some. */
export const maxPayloadBytes = Math.floor(((maxDatagramBytes - 256) * 3) / 4)

export const makeReplica = () => Replica.make(CourseMachine, raftOptions)
