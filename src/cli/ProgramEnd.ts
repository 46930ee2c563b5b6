/** The end of a command with an exit code of its own: that of a program it ran, or of an answer that is printed already. */
import { Data } from "effect"

export class ProgramEnd extends Data.TaggedError("ProgramEnd")<{
  readonly exitCode: number
  /** What else there is to say, with its code in front; `undefined` if everything is said. */
  readonly message: string | undefined
}> {}
