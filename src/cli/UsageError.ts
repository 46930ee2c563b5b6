/** The command line or the environment is wrong. `message` is one line that says what to do; exit code 2. */
import { Data } from "effect"

export class UsageError extends Data.TaggedError("UsageError")<{
  /** Whose --help explains it, such as "serve". */
  readonly command: string
  readonly message: string
}> {}
