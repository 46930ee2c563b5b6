/** Commands and queries by plain callbacks: for those who have very many of them, and for whom an Effect each would be the most of it. */
import type { RequestId, Term } from "../raft/LogEntry.ts"
import type { RequestError, Unavailable } from "./RequestError.ts"

export interface Direct<C, R, Q, A> {
  /** Gives by which name it can be forgotten; none where nothing waits, above all where it was refused at once. */
  readonly propose: (command: C, waiter: DirectWaiter<R>) => RequestId | undefined
  readonly query: (query: Q, waiter: DirectWaiter<A>) => RequestId | undefined
  /** From what this replica has, at once and perhaps stale. */
  readonly queryLocal: (query: Q) => A | Unavailable
  /** Whoever asked is gone, and is not told any more. */
  readonly forget: (request: RequestId) => void
  readonly currentTerm: () => Term
}

/** Told once. */
export interface DirectWaiter<B> {
  readonly succeed: (value: B) => void
  readonly fail: (error: RequestError) => void
}
