/**
 * How a system is spoken to. All are bare and our own, because the load generator shares its processors
 * with what it measures: whatever it spends, the system lacks. Requests are built beforehand, and an
 * answer is compared with the value that it must hold.
 */
import type { Operation, Pair, Workload } from "./Workload.ts"

export type DialectName = "resp" | "balsa" | "http" | "grpc"

/** With what went wrong; undefined if the answer is the right one. */
export type Done = (problem: string | undefined) => void

export interface Request {
  readonly bytes: Buffer
  /** A right answer is this, or holds it. */
  readonly expected: Buffer
  /** Goes first, once on each connection. */
  readonly prelude?: Request
}

export interface Line {
  readonly send: (request: Request, done: Done) => void
  readonly close: () => void
}

export interface Ends {
  readonly onOpen: () => void
  /** The connection is of no use any more; told before all that was under way is, so that nobody sends on it again. Not called after `close`. */
  readonly onLost: (reason: string) => void
}

export interface Dialect {
  readonly request: (operation: Operation, pair: Pair) => Request
  readonly open: (port: number, ends: Ends) => Line
  readonly speaks: (workload: Workload) => boolean
  /** How many connections so many clients share, of those that are wanted; unless told, what is fastest or usual. */
  readonly connections: (clients: number, wanted: number | undefined) => number
}
