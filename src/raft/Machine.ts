/**
 * What users supply: the thing that is replicated, as plain functions. Every replica
 * applies the same commands in the same order and must arrive at the same state.
 */
export interface Machine<S, C, R, Q, A> {
  readonly initial: S
  /** Deterministic and total: no clock, no chance, no throwing; a refusal is a result. */
  readonly apply: (state: S, command: C) => readonly [S, R]
  /** Reads a state; changes nothing. */
  readonly query: (state: S, query: Q) => A
  /** About how many bytes a command weighs, for the limits on what is in flight. */
  readonly sizeOf: (command: C) => number
  /**
   * 32 bits that differ, almost always, where the command or its result does; for the chain by
   * which replicas notice that they have come to differ.
   */
  readonly digest: (command: C, result: R) => number
}
