/**
 * The algorithm alone, for those who bring a body of their own: a function from a state and events to a state and
 * effects. It imports nothing, so it runs wherever JavaScript does.
 */
export * as Replica from "./raft/Replica.ts"
export * as Log from "./raft/Log.ts"
export * as Invariants from "./raft/Invariants.ts"
export type { Configuration } from "./raft/Configuration.ts"
export {
  Index,
  Instant,
  type LogEntry,
  type LogPosition,
  origin,
  ReplicaId,
  type RequestId,
  Term
} from "./raft/LogEntry.ts"
export type { Packed, Packer } from "./raft/Block.ts"
export type { Machine } from "./raft/Machine.ts"
export type { Message } from "./raft/Message.ts"
export { defaults, type Options } from "./raft/Options.ts"
export type { HardState, Outcome, Persist, RaftEffect } from "./raft/RaftEffect.ts"
export type { RaftEvent } from "./raft/RaftEvent.ts"
export type { ServerState } from "./raft/ServerState.ts"
export type { Image, Snapshot } from "./raft/Snapshot.ts"
export type { StateMachine } from "./raft/StateMachine.ts"
