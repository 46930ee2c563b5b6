/**
 * Making a data directory whose log does not begin at the beginning: what was before stands in a
 * snapshot that somebody puts beside it, before or after.
 */
import * as path from "node:path"
import { Effect } from "effect"
import type { LogPosition } from "../raft/LogEntry.ts"
import type { HardState } from "../raft/RaftEffect.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import { attempt } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import * as Identity from "./Identity.ts"
import * as LogRecord from "./LogRecord.ts"
import * as Recovery from "./Recovery.ts"
import * as Segment from "./Segment.ts"
import { StorageError } from "./Storage.ts"

export interface Contents {
  /** With the incarnation of its last life, if it had one. */
  readonly identity: Identity.Identity
  readonly hardState: HardState
  readonly admitted: boolean
  /** The log begins after it. */
  readonly base: LogPosition
}

/**
 * Refuses a directory that is a replica's already. The identity comes last: a directory in which a crash
 * left a log and no identity is refused by every start, and not taken for a new one.
 */
export const create = (directory: string, contents: Contents): Effect.Effect<void, StorageError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { identity, hardState, admitted, base } = contents
      yield* attempt(`use ${directory} as a data directory`, "Unreadable", () =>
        DurableFile.makeDirectory(path.resolve(directory))
      )
      yield* DirectoryLock.hold(path.resolve(directory))
      yield* attempt(`make a data directory in ${directory}`, "WriteFailed", async () => {
        const used = (await Identity.read(directory)) !== undefined || Recovery.segmentsIn(directory).length > 0
        if (used) throw inUse(directory)
        const owner = Segment.ownerOf(identity.cluster, identity.replica)
        const beginning = { hardState, admitted, base, last: base }
        const header = { number: 1, firstSequence: 1, mark: LogRecord.newMark(), owner, beginning }
        await (await Segment.create(directory, header, 0)).file.close()
        const voters = identity.voters.toSorted()
        await Identity.write(directory, { ...identity, voters })
      })
    })
  )

const inUse = (directory: string): StorageError =>
  new StorageError({
    reason: "InUse",
    message: `${directory} holds a replica's data already, or the rest of an attempt to make some. Choose an empty directory, or move what is there away.`
  })
