/** Words for tests about snapshots, admission and divergence; see builders.ts for the rest. */
import type { Checkpoint } from "../../src/raft/Chain.ts"
import { Index, type ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Snapshot } from "../../src/raft/Snapshot.ts"
import * as StateMachines from "../../src/raft/StateMachine.ts"
import {
  anybody,
  follower,
  type Image,
  type Message,
  now,
  position,
  type RaftEffect,
  type RaftEvent,
  type ServerState
} from "./builders.ts"

/** Ten bytes long, and by its checksum told from others at one position. */
export const snapshotAt = (index: number, term: number, more: Partial<Snapshot> = {}): Snapshot => ({
  last: position(index, term),
  bytes: 10,
  checksum: 7,
  ...more
})

/** What applying a log with these terms leads to. */
export const imageOf = (...log: ReadonlyArray<number>): Image => imageIn(follower({ log, commit: log.length }))
/** What a state stands for. */
export const imageIn = ({ stateMachine, configuration }: ServerState): Image =>
  StateMachines.image(stateMachine, configuration)

/** Bytes that say where they stand. */
export const bytesAt = (offset: number, length = 5): Uint8Array => Uint8Array.from({ length }, (_, at) => offset + at)

export const chunk = (term: number, snapshot: Snapshot, offset: number, bytes = bytesAt(offset)): Message => ({
  _tag: "InstallSnapshot",
  term: Term(term),
  snapshot,
  offset,
  bytes
})
export const held = (term: number, snapshot: Snapshot, so: number): Message => ({
  _tag: "InstallSnapshotReply",
  term: Term(term),
  snapshot,
  held: so
})
export const introduced = (term: number, incarnation: number, commitIndex: number, leads = false): Message => ({
  _tag: "IntroduceReply",
  term: Term(term),
  incarnation,
  leads,
  commitIndex: Index(commitIndex)
})
export const forgotten = (term: number, incarnation: number, index: number): Message => ({
  _tag: "Forgotten",
  term: Term(term),
  incarnation,
  index: Index(index)
})
export const divergedAt = (term: number, index: number, hash: number, incarnation = 1): Message => ({
  _tag: "Diverged",
  term: Term(term),
  incarnation,
  at: { index: Index(index), hash }
})

export const stored = (snapshot: Snapshot, at = now): RaftEvent => ({ _tag: "SnapshotStored", snapshot, at })
export const failed = (index: number, term: number, at = now): RaftEvent => ({
  _tag: "SnapshotFailed",
  last: position(index, term),
  at
})
export const arrived = (snapshot: Snapshot, image: Image, at = now): RaftEvent => ({
  _tag: "SnapshotReceived",
  snapshot,
  image,
  at
})
export const spoiled = (snapshot: Snapshot, at = now): RaftEvent => ({ _tag: "SnapshotSpoiled", snapshot, at })
export const missing = (snapshot: Snapshot, at = now): RaftEvent => ({ _tag: "SnapshotMissing", snapshot, at })
export const diskIs = (full: boolean, at = now): RaftEvent => ({ _tag: "DiskSpaceChanged", full, at })

export const takeSnapshot = (image: Image): RaftEffect => ({ _tag: "TakeSnapshot", image })
export const sendChunk = (
  to: ReplicaId,
  term: number,
  snapshot: Snapshot,
  offset: number,
  length: number
): RaftEffect => ({ _tag: "SendChunk", to, term: Term(term), snapshot, offset, length })
export const storeChunk = (snapshot: Snapshot, offset: number, bytes = bytesAt(offset)): RaftEffect => ({
  _tag: "StoreChunk",
  snapshot,
  offset,
  bytes
})

/** How a replica answers that has applied this, of what its chain gives. */
export const senderOf = (
  { stateMachine }: ServerState,
  more: { readonly incarnation?: number; readonly admitted?: boolean } = {}
) => ({ ...anybody, ...more, applied: StateMachines.checkpoints(stateMachine) })
export const checkpoint = (index: number, hash: number): Checkpoint => ({ index: Index(index), hash })
