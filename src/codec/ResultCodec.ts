/** How the result of a command is kept in a snapshot: within other fields, and total like every reader. */
import type { Reader, Writer } from "./Bytes.ts"

export interface ResultCodec<R> {
  readonly write: (to: Writer, result: R) => void
  /** Fails the reader where there is none. What it gives must not be a view into what is read. */
  readonly read: (from: Reader) => R
}
