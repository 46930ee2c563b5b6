/**
 * Removing segments that only hold what is before the log's base. Oldest first, and each removal made
 * to last before the next: so a crash leaves segments that follow on each other, and whatever is missing
 * between two of them is damage.
 */
import { dirname } from "node:path"
import { Effect } from "effect"
import { attempt, codeOf } from "./DiskError.ts"
import type * as DurableFile from "./DurableFile.ts"
import type * as SegmentFile from "./Segment.ts"

export interface Segment {
  readonly path: string
  readonly bytes: number
  readonly header: SegmentFile.FoundHeader
}

/**
 * How many of the first segments are not needed when `needed` is the number of the first that is. The first
 * that stays must say what was before it, as those of format 1 do not.
 */
export const uselessBefore = (needed: number, segments: ReadonlyArray<Pick<Segment, "header">>): number => {
  let useless = 0
  segments.forEach(({ header }, i) => {
    if (header.number <= needed && header.beginning !== undefined) useless = i
  })
  return useless
}

/** Takes the first `count` off `segments`, each when it is gone. */
export const remove = (segments: Array<Segment>, count: number, names: DurableFile.Names): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) {
      const { path } = segments[0]!
      yield* attempt(`remove ${path}`, "WriteFailed", () => unlink(path, names))
      segments.shift()
    }
  }).pipe(Effect.catch(({ message }) => Effect.logWarning(`Old log segments stay where they are. ${message}`)))

const unlink = async (path: string, names: DurableFile.Names): Promise<void> => {
  try {
    await names.unlink(path)
  } catch (error) {
    // Unlinked by an earlier attempt that could not make it last.
    if (codeOf(error) !== "ENOENT") throw error
  }
  await names.sync(dirname(path))
}
