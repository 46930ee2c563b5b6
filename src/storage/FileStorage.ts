/**
 * Storage in a directory of the file system: `identity`, the segments of a write-ahead log, snapshots,
 * and a lock. What it promises rests on two assumptions: what fdatasync has confirmed survives, and
 * a crash during a write leaves the other bytes of the file as they were.
 *
 * The order at a start matters. Lock, then look: nothing is read that another process may be
 * writing. Make durable, then tell: what is reported has been synced, whoever wrote it.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { Clock, Effect, Layer, type Scope } from "effect"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import { type Disk, realDisk } from "./Disk.ts"
import { attempt, corrupt } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import * as FreeSpace from "./FreeSpace.ts"
import * as Identity from "./Identity.ts"
import * as Loading from "./Loading.ts"
import * as LogRecord from "./LogRecord.ts"
import { blank, type Outline } from "./Outline.ts"
import * as Recovery from "./Recovery.ts"
import * as Replay from "./Replay.ts"
import * as Reset from "./Reset.ts"
import * as Segment from "./Segment.ts"
import * as SnapshotDisk from "./SnapshotDisk.ts"
import * as SnapshotFiles from "./SnapshotFiles.ts"
import * as SnapshotName from "./SnapshotName.ts"
import { Storage, StorageError } from "./Storage.ts"
import * as Tidying from "./Tidying.ts"
import * as WriteAheadLog from "./WriteAheadLog.ts"

export interface Options {
  /** Made if it is not there, for this user only. */
  readonly directory: string
  readonly cluster: string
  readonly replica: ReplicaId
  /** All of the cluster's, this replica included; a directory keeps to those that it began with. */
  readonly voters: ReadonlyArray<ReplicaId>
  /** For a new directory: it is of a replica that is added to a cluster that there is. */
  readonly joined?: Identity.Joined | undefined
  readonly recovery?: string | undefined
  readonly segmentBytes?: number
  /** With less room than this on the disk, no commands are taken; 64 MiB or a sixteenth of the disk otherwise. */
  readonly reserveBytes?: number
  readonly disk?: Disk
  readonly names?: DurableFile.Names
}

export const defaultSegmentBytes = 16 * 1024 * 1024

/** Closing its scope closes the files and gives the directory free. */
export const layer = (options: Options): Layer.Layer<Storage, StorageError> => Layer.effect(Storage, open(options))

const open = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Storage["Service"], StorageError, Scope.Scope> {
  const {
    cluster,
    replica,
    segmentBytes = defaultSegmentBytes,
    disk = realDisk,
    names = DurableFile.realNames
  } = options
  const directory = path.resolve(options.directory)
  const identity: Identity.Owner = {
    cluster,
    replica,
    voters: options.voters.toSorted(),
    ...(options.joined === undefined ? {} : { joined: options.joined }),
    ...(options.recovery === undefined ? {} : { recovery: options.recovery })
  }
  yield* attempt(`use ${directory} as a data directory`, "Unreadable", () => DurableFile.makeDirectory(directory))
  yield* DirectoryLock.hold(directory)
  const found = yield* attempt(`read ${directory}`, "Unreadable", () => look(directory, identity, names))
  const owner = Segment.ownerOf(cluster, replica)
  const paths = yield* attempt(`read the log in ${directory}`, "Unreadable", () =>
    segmentsOf(directory, found, owner, segmentBytes)
  )
  const { replay, segments } = yield* Loading.load(directory, paths, owner)
  const tail = segments.at(-1)!
  if (tail.cutBytes > 0) {
    yield* Effect.logWarning(
      `${tail.path}: cut ${tail.cutBytes} bytes at offset ${tail.offset}, the rest of a write that a crash interrupted`
    )
  }
  const { outline } = replay
  let giveUp: (error: unknown) => void = () => undefined
  // The log and the snapshots share the directory, and a failed sync is told once: whoever hears of it ends both.
  const syncOrEnd = (place: string): Promise<void> =>
    names.sync(place).catch((error) => {
      giveUp(error)
      throw error
    })
  const log = yield* attempt(`prepare ${tail.path}`, "WriteFailed", () => settle(tail, segmentBytes)).pipe(
    Effect.flatMap((file) => {
      const last = { ...tail, size: Math.max(segmentBytes, tail.size) }
      const going = { outline, segments: [...segments.slice(0, -1), last], file }
      return WriteAheadLog.open(going, { directory, segmentBytes, disk, names: { ...names, sync: syncOrEnd } })
    }),
    Effect.uninterruptible
  )
  giveUp = log.giveUp
  const recovered = { hardState: outline.hardState, admitted: outline.admitted, base: outline.base }
  const files = yield* SnapshotFiles.open(directory, { ...SnapshotDisk.real, syncDirectory: syncOrEnd })
  const snapshots = yield* vouched(files.found, outline, directory, names)
  const tidy = Effect.andThen(
    log.removeUseless,
    Effect.suspend(() => files.prune(outline.base))
  )
  yield* tidy
  const incarnation = Identity.nextIncarnation(found, yield* Clock.currentTimeMillis)
  yield* attempt(`write to ${directory}`, "WriteFailed", () =>
    Identity.write(directory, { ...found, incarnation }, names)
  )
  const reserveBytes = options.reserveBytes ?? (yield* FreeSpace.defaultReserve(directory))
  const tidying = yield* Tidying.make(tidy)
  return {
    recovered: { ...recovered, entries: Replay.entriesOf(replay), incarnation, snapshots },
    persist: (change) =>
      change.base === undefined ? log.append(change) : Effect.andThen(log.append(change), tidying.ask),
    snapshots: files.store,
    setAside: Effect.flatMap(Clock.currentTimeMillis, (now) => Reset.setAsideCopies(directory, new Date(now), names)),
    status: Effect.map(FreeSpace.of(directory), (freeBytes) => ({ freeBytes, reserveBytes, ...log.status() }))
  }
})

/**
 * The snapshots from which this log goes on. One that the log knows nothing of was received or taken, and
 * the crash came before the log told of it: whoever sent or took it does so again.
 */
const vouched = Effect.fnUntraced(function* (
  found: ReadonlyArray<Snapshot>,
  outline: Outline,
  directory: string,
  names: DurableFile.Names
): Effect.fn.Return<ReadonlyArray<Snapshot>, StorageError> {
  const good: Array<Snapshot> = []
  for (const snapshot of found) {
    if (outline.holds(snapshot.last) === true) good.push(snapshot)
    else if (snapshot.last.index >= outline.base.index) {
      const file = path.join(directory, SnapshotName.of(snapshot))
      yield* Effect.logInfo(`${file} is removed: it is of no position that the log holds`)
      yield* attempt(`remove ${file}`, "WriteFailed", async () => {
        await names.unlink(file)
        await names.sync(directory)
      })
    }
  }
  return good
})

/** Whose directory it is; a new one becomes ours. What a crash left unfinished is cleared away. */
const look = async (directory: string, owner: Identity.Owner, names: DurableFile.Names): Promise<Identity.Identity> => {
  const found = await Identity.read(directory)
  if (found !== undefined) Identity.check(directory, found, owner)
  await DurableFile.removeUnfinished(
    directory,
    (name) => name === Identity.fileName || name === Reset.fileName || Segment.numberOf(name) !== undefined
  )
  if (found !== undefined) {
    await Reset.complete(directory, Segment.ownerOf(owner.cluster, owner.replica), names)
    return found
  }
  if (Recovery.segmentsIn(directory).length > 0) {
    throw corrupt(path.join(directory, Identity.fileName), 0, "the file is missing, while there is a log")
  }
  if ((await fs.readdir(directory)).some((name) => SnapshotName.parse(name) !== undefined)) {
    throw new StorageError({
      reason: "Corrupt",
      message:
        `${directory} holds a snapshot, and nothing else of a replica: a restore was interrupted there. ` +
        "Nothing was changed. Remove the directory, and run `balsa restore` again."
    })
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
  const header = { number: 1, firstSequence: 1, mark: LogRecord.newMark(), owner, beginning: blank }
  const { file } = await Segment.create(directory, header, segmentBytes)
  await file.close()
  return Recovery.segmentsIn(directory)
}

/**
 * Makes what was read durable, and the rest of the last segment zeros, so that nothing left there
 * can ever be taken for a record. The last record was perhaps written but never synced, or
 * its sync failed: it is written once more, since only what is dirty is sure to be synced.
 */
const settle = async (tail: Recovery.SegmentFound, segmentBytes: number): Promise<fs.FileHandle> => {
  const file = await fs.open(tail.path, "r+")
  try {
    await DurableFile.zero(file, tail.offset, tail.cutBytes)
    if (tail.size < segmentBytes) await file.truncate(segmentBytes)
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
