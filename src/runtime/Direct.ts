/** Commands and queries by plain callbacks: for those who have very many of them, and for whom an Effect each would be the most of it. */
import type { RequestError } from "./RequestError.ts"

export interface Direct<C, R, Q, A> {
  readonly propose: (command: C, waiter: DirectWaiter<R>) => void
  readonly query: (query: Q, waiter: DirectWaiter<A>) => void
  /** Hears of it before the call returns. */
  readonly queryLocal: (query: Q, waiter: DirectWaiter<A>) => void
}

/** Told once. */
export interface DirectWaiter<B> {
  readonly succeed: (value: B) => void
  readonly fail: (error: RequestError) => void
}
