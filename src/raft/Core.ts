/**
 * What every step of the protocol is given: the machine and the limits, which never
 * change, and the batch, which gathers what one call of `reduceAll` says.
 */
import type { Amendment } from "./Amendment.ts"
import type { Instant, ReplicaId, RequestId } from "./LogEntry.ts"
import type { Machine } from "./Machine.ts"
import type { Message, Request } from "./Message.ts"
import type { Options } from "./Options.ts"
import type { RaftEffect } from "./RaftEffect.ts"
import type { Ask, Read } from "./Reads.ts"
import type { StateMachine } from "./StateMachine.ts"

export interface Core<S, C, R, Q, A> {
  readonly machine: Machine<S, C, R, Q, A>
  readonly options: Options
}

/**
 * Local to one call of `reduceAll`: made there, filled by `decide`, used up by `settle` and
 * `seal`, seen by nobody else. Commands and reads are gathered so that a batch of them is
 * one append to the log, one message to the leader, one round.
 */
export interface Batch<C, Q, R, A> {
  /** What there was before. */
  readonly before: StateMachine<unknown, C>
  /** What a state becomes only `seal` says. */
  readonly said: Array<RaftEffect<C, R, A, never>>
  readonly commands: Array<Request<C>>
  readonly reads: Array<Read<Q>>
  readonly asks: Array<Ask>
  readonly amendments: Array<AmendmentRequest>
  /** Somebody wants this leader to hand over. */
  readonly transfers: Array<ReplicaId | undefined>
}

export interface AmendmentRequest {
  readonly request: RequestId
  readonly amendment: Amendment
}

export const batch = <C, Q, R, A>(before: StateMachine<unknown, C>): Batch<C, Q, R, A> => ({
  before,
  said: [],
  commands: [],
  reads: [],
  asks: [],
  amendments: [],
  transfers: []
})

export const send = <C, Q, R, A>(batch: Batch<C, Q, R, A>, to: ReplicaId, message: Message<C>): void => {
  batch.said.push({ _tag: "Send", to, message })
}

/** A message that has just come in. */
export interface Received<M> {
  readonly from: ReplicaId
  readonly message: M
  readonly at: Instant
}
