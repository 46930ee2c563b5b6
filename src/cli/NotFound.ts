/** What was asked for is not there: an answer, not a malfunction, but scripts want to branch on it (exit code 3). */
import { Data } from "effect"

export class NotFound extends Data.TaggedError("NotFound")<{
  readonly key: string
  readonly prefix: boolean
}> {
  override get message(): string {
    return this.prefix ? `no key begins with "${this.key}"` : `no key "${this.key}"`
  }
}
