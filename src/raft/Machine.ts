/**
 * What users supply: the thing that is replicated, as plain functions. Every replica
 * applies the same commands in the same order and must arrive at the same state.
 */
import type { Packer } from "./Block.ts"
import { ClusterTime } from "./LogEntry.ts"

export interface Machine<S, C, R, Q, A> {
  readonly initial: S
  /** The latest version of commands that it understands; it understands all before, too. 1 where it says nothing. */
  readonly version?: number
  /** Deterministic and total: no clock, no chance, no throwing; a refusal is a result. */
  readonly apply: (state: S, command: C, context: Context) => readonly [S, R]
  /**
   * The state as it goes on when the cluster has agreed on `version`, earlier or later than before. Deterministic. What
   * snapshots of an earlier version cannot hold must go here, or replicas that start from one would know less.
   */
  readonly migrate?: (state: S, version: number) => S
  /** Reads a state; changes nothing. */
  readonly query: (state: S, query: Q) => A
  /** About how many bytes a command weighs, for the limits on what is in flight. */
  readonly sizeOf: (command: C) => number
  /**
   * 32 bits that differ, almost always, where the command or its result does; for the chain by
   * which replicas notice that they have come to differ.
   */
  readonly digest: (command: C, result: R) => number
  /** Keeps older entries of the log as something smaller, if there is such a thing. Decides nothing. */
  readonly pack?: Packer<C>["pack"]
}

/** What applying may depend on beside state and command: the same on every replica. */
export interface Context {
  /** When the command was logged. */
  readonly time: ClusterTime
  /** What the cluster has agreed on: a command of a later version means nothing yet, to nobody (see Versions). */
  readonly version: number
  /**
   * The same for all commands that are applied in one go, and never seen again; not always there. Nobody else sees the states in
   * between, so a machine may change in place what it has made under this object, as long as it cannot give the command up any more.
   */
  readonly batch?: object
}

export const versionOf = (machine: { readonly version?: number }): number => machine.version ?? 1

/** Before anything was stamped or agreed on; for machines that look at neither. */
export const unstamped: Context = { time: ClusterTime(0), version: 1 }
