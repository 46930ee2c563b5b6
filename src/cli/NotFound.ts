/** What was asked for is not there: an answer, not a malfunction, but scripts want to branch on it (exit code 3). */
import { Data } from "effect"

export class NotFound extends Data.TaggedError("NotFound")<{
  /** Such as `no key "hello"`. */
  readonly message: string
}> {}
