/**
 * What a user writes: a machine as plain functions, and a Schema for everything that goes into it and
 * comes out of it. From the schemas come the bytes of the log and of snapshots, and the checks of
 * what callers pass.
 *
 * The functions are what every replica computes, perhaps years later, from the same log: no clock,
 * no chance, no throwing. A refusal is a result. An `apply` that throws ends the replica, and
 * every other one too, at the same entry.
 */
import type { Schema } from "effect"
import type { Machine } from "../raft/Machine.ts"

/** A schema that needs no services: bytes become a value here and now. */
export type Codec<T> = Schema.Codec<T, unknown>

export interface Definition<S, C, R, Q, A> {
  /** Names the machine in logs, and the cluster unless that is given a name of its own. */
  readonly name: string
  readonly state: Codec<S>
  readonly command: Codec<C>
  readonly result: Codec<R>
  readonly query: Codec<Q>
  readonly answer: Codec<A>
  readonly initial: NoInfer<S>
  /** The next state and what the caller is told. It must change nothing that it is given. */
  readonly apply: Machine<NoInfer<S>, NoInfer<C>, NoInfer<R>, NoInfer<Q>, NoInfer<A>>["apply"]
  /** Answers a query from a state. */
  readonly read: Machine<NoInfer<S>, NoInfer<C>, NoInfer<R>, NoInfer<Q>, NoInfer<A>>["query"]
}

/** The definition itself, with its types found out from the schemas. */
export const define = <S, C, R, Q, A>(definition: Definition<S, C, R, Q, A>): Definition<S, C, R, Q, A> => definition
