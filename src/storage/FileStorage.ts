/**
 * Storage in a directory of the file system: `identity`, the segments of a write-ahead log, and
 * a lock. What it promises rests on two assumptions: what fdatasync has confirmed survives, and
 * a crash during a write leaves the other bytes of the file as they were.
 *
 * The order at a start matters. Lock, then look: nothing is read that another process may be
 * writing. Make durable, then tell: what is reported has been synced, whoever wrote it.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { Clock, Effect, Layer, type Scope } from "effect"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import { attempt, codeOf, corrupt } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import * as Identity from "./Identity.ts"
import * as LogRecord from "./LogRecord.ts"
import * as Recovery from "./Recovery.ts"
import * as Replay from "./Replay.ts"
import * as Segment from "./Segment.ts"
import { Storage, type StorageError } from "./Storage.ts"
import * as WriteAheadLog from "./WriteAheadLog.ts"

export interface Options {
  /** Made if it is not there, for this user only. */
  readonly directory: string
  readonly cluster: string
  readonly replica: ReplicaId
  /** All of the cluster's, this replica included; a directory keeps to those that it began with. */
  readonly voters: ReadonlyArray<ReplicaId>
  readonly segmentBytes?: number
  readonly disk?: WriteAheadLog.Disk
}

export const defaultSegmentBytes = 16 * 1024 * 1024

/** Closing its scope closes the files and gives the directory free. */
export const layer = (options: Options): Layer.Layer<Storage, StorageError> => Layer.effect(Storage, open(options))

const open = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Storage["Service"], StorageError, Scope.Scope> {
  const { cluster, replica, segmentBytes = defaultSegmentBytes, disk = WriteAheadLog.realDisk } = options
  const directory = path.resolve(options.directory)
  const identity = { cluster, replica, voters: options.voters.toSorted() }
  yield* attempt(`use ${directory} as a data directory`, "Unreadable", () => makeDirectory(directory))
  yield* DirectoryLock.hold(directory)
  const found = yield* attempt(`read ${directory}`, "Unreadable", () => look(directory, identity))
  const owner = Segment.ownerOf(cluster, replica)
  const { hardState, entries, tail } = yield* attempt(`read the log in ${directory}`, "Unreadable", async () => {
    const segments = await segmentsOf(directory, found, owner, segmentBytes)
    return Recovery.load(segments, owner)
  })
  if (tail.cutBytes > 0) {
    yield* Effect.logWarning(
      `${tail.path}: cut ${tail.cutBytes} bytes at offset ${tail.offset}, the rest of a write that a crash interrupted`
    )
  }
  const log = yield* attempt(`prepare ${tail.path}`, "WriteFailed", () => settle(tail, segmentBytes)).pipe(
    Effect.flatMap((file) => {
      const size = Math.max(segmentBytes, tail.offset)
      return WriteAheadLog.open({ ...tail, size }, file, { directory, segmentBytes, disk })
    }),
    Effect.uninterruptible
  )
  const incarnation = Identity.nextIncarnation(found, yield* Clock.currentTimeMillis)
  yield* attempt(`write to ${directory}`, "WriteFailed", () => Identity.write(directory, { ...identity, incarnation }))
  let length = entries.length
  const persist = (change: Persist<Uint8Array>): Effect.Effect<void, StorageError> => {
    const problem = change.log && Replay.objection(length, change.log)
    if (problem !== undefined) return Effect.die(new Error(`A log has no holes, and this would make one: ${problem}`))
    if (change.log !== undefined) length = change.log.from + change.log.entries.length - 1
    return log.append(change)
  }
  return { recovered: { hardState, entries, incarnation }, persist }
})

/**
 * With its parents, whose names must last as what is in them must. Not by Node's own recursive
 * mkdir: that one tries for ever where the system says ENOENT to the last step, as /proc does.
 */
const makeDirectory = async (directory: string, mayLackParent = true): Promise<void> => {
  try {
    await fs.mkdir(directory, { mode: 0o700 })
    await DurableFile.syncDirectory(path.dirname(directory))
  } catch (error) {
    const code = codeOf(error)
    if (code === "ENOENT" && mayLackParent && path.dirname(directory) !== directory) {
      await makeDirectory(path.dirname(directory))
      await makeDirectory(directory, false)
    } else if (code !== "EEXIST" || !(await fs.stat(directory)).isDirectory()) throw error
  }
}

/** Whose directory it is; a new one becomes ours. What a crash left unfinished is cleared away. */
const look = async (directory: string, owner: Identity.Owner): Promise<Identity.Identity> => {
  const found = await Identity.read(directory)
  if (found !== undefined) Identity.check(directory, found, owner)
  await DurableFile.removeUnfinished(
    directory,
    (name) => name === Identity.fileName || Segment.numberOf(name) !== undefined
  )
  if (found !== undefined) return found
  if (Recovery.segmentsIn(directory).length > 0) {
    throw corrupt(path.join(directory, Identity.fileName), 0, "the file is missing, while there is a log")
  }
  const identity = { ...owner, incarnation: 0 }
  await Identity.write(directory, identity)
  return identity
}

const segmentsOf = async (
  directory: string,
  { incarnation }: Identity.Identity,
  owner: number,
  segmentBytes: number
): Promise<ReadonlyArray<string>> => {
  const segments = Recovery.segmentsIn(directory)
  if (segments.length > 0) return segments
  if (incarnation > 0) throw corrupt(path.join(directory, Segment.nameOf(1)), 0, "the whole log is missing")
  const header = { number: 1, firstSequence: 1, mark: LogRecord.newMark(), owner }
  const file = await Segment.create(directory, header, segmentBytes)
  await file.close()
  return Recovery.segmentsIn(directory)
}

/**
 * Makes what was read durable, and the rest of the last segment zeros, so that nothing left there
 * can ever be taken for a record. The last record was perhaps written but never synced, or
 * its sync failed: it is written once more, since only what is dirty is sure to be synced.
 */
const settle = async (tail: Recovery.Tail, segmentBytes: number): Promise<fs.FileHandle> => {
  const file = await fs.open(tail.path, "r+")
  try {
    if (tail.cutBytes > 0) await file.truncate(tail.offset)
    if (tail.cutBytes > 0 || tail.size < segmentBytes) await file.truncate(Math.max(segmentBytes, tail.offset))
    if (tail.lastRecordAt !== undefined) {
      const last = await DurableFile.readAt(file, tail.offset - tail.lastRecordAt, tail.lastRecordAt)
      await DurableFile.writeAt(file, last, tail.lastRecordAt)
    }
    await file.sync()
    await DurableFile.syncDirectory(path.dirname(tail.path))
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}
