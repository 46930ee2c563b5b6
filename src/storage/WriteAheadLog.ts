/**
 * The end of the log, where records are appended: one record, one write and one fdatasync for
 * each `Persist`. The first failure is final, but for a write that finds no room: it has promised
 * nothing, and is done again when there is some. After a failed fsync the kernel may call pages
 * clean that never reached the disk, so a second attempt would succeed and mean nothing (Rebello
 * et al., "Can Applications Recover from fsync Failures?", ATC '20).
 *
 * Callbacks, not the synchronous calls, which are quicker on a quick disk: on a slow one they
 * would stop everything else in the process, the heartbeats of its sockets included.
 */
import type { FileHandle } from "node:fs/promises"
import { Effect, Exit, type Scope, Semaphore } from "effect"
import type { Persist } from "../raft/RaftEffect.ts"
import { type Disk, writeAll } from "./Disk.ts"
import { lacksRoom, ofSystem } from "./DiskError.ts"
import type { Names } from "./DurableFile.ts"
import * as LogRecord from "./LogRecord.ts"
import type { Beginning, Outline } from "./Outline.ts"
import type { SegmentFound } from "./Recovery.ts"
import * as Replay from "./Replay.ts"
import { Room } from "./Room.ts"
import * as Segment from "./Segment.ts"
import * as SegmentRemoval from "./SegmentRemoval.ts"
import { StorageError } from "./Storage.ts"

export interface WriteAheadLog {
  readonly append: (change: Persist<Uint8Array>) => Effect.Effect<void, StorageError>
  /** Removes the segments that the log no longer needs. What cannot be removed stays, with a warning. */
  readonly removeUseless: Effect.Effect<void>
  /** The log ends: its directory could not be synced by somebody else. */
  readonly giveUp: (error: unknown) => void
  readonly status: () => { readonly waitsForRoom: boolean; readonly logBytes: number }
}

/**
 * Holes are given blocks this far ahead of the records, so that most syncs change no metadata.
 * It costs one longer sync in many; docs/decisions/0003-log-format.md has the measurements.
 */
const blocksAheadBytes = 512 * 1024
const zeros = Buffer.alloc(blocksAheadBytes)

interface Options {
  readonly directory: string
  readonly segmentBytes: number
  readonly disk: Disk
  readonly names: Names
}

/** What was found, and where it goes on: the last segment, with its size as it is now. */
interface Found {
  readonly outline: Outline
  readonly segments: ReadonlyArray<SegmentFound>
  readonly file: FileHandle
}

/** Continues the log; closing the scope ends it with an empty record and closes the file. */
export const open = (found: Found, options: Options): Effect.Effect<WriteAheadLog, never, Scope.Scope> =>
  Effect.gen(function* () {
    const gate = yield* Semaphore.make(1)
    const removing = yield* Semaphore.make(1)
    const log = new Appender(found, options)
    const removeUseless = removing.withPermit(log.removeUseless)
    yield* Effect.addFinalizer(() =>
      Effect.andThen(log.room.close, gate.withPermit(Effect.andThen(removeUseless, log.close)))
    )
    return {
      append: (change) => gate.withPermit(Effect.uninterruptibleMask((restore) => log.append(change, restore))),
      removeUseless,
      giveUp: log.giveUp,
      status: () => ({ waitsForRoom: log.room.waits, logBytes: log.logBytes })
    }
  })

const nothing: Persist<Uint8Array> = {
  _tag: "Persist",
  hardState: undefined,
  admitted: undefined,
  base: undefined,
  log: undefined
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

class Appender {
  readonly room = new Room()
  private readonly records = new LogRecord.RecordWriter()
  private readonly outline: Outline
  /** All but the last, oldest first. */
  private readonly earlier: Array<SegmentRemoval.Segment>
  private file: FileHandle
  private header: Segment.FoundHeader
  private capacity: number
  private offset: number
  private sequence: number
  /** Up to here the file has blocks, not holes. */
  private blocksEnd: number
  private failure: StorageError | undefined
  private readonly options: Options

  constructor({ outline, segments, file }: Found, options: Options) {
    const last = segments.at(-1)!
    this.outline = outline
    this.earlier = segments.slice(0, -1).map(({ path, size, header }) => ({ path, bytes: size, header }))
    this.file = file
    this.header = last.header
    this.capacity = last.size
    this.offset = last.offset
    this.sequence = last.sequence
    this.blocksEnd = last.offset
    this.options = options
  }

  get logBytes(): number {
    return this.earlier.reduce((sum, { bytes }) => sum + bytes, this.capacity)
  }

  append(change: Persist<Uint8Array>, restore: Restore): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      if (this.failure !== undefined) return Effect.fail(this.failure)
      const keeps = Replay.keepsLog(this.outline, change)
      const problem = this.outline.objection(change, keeps)
      if (problem !== undefined) return Effect.die(new Error(`A log has no holes, and this would make one: ${problem}`))
      const record = this.records.encode({ ...change, keeps }, this.sequence)
      if (record.length > LogRecord.maxBytes) return this.fail(tooLong(record.length), `write to ${this.path}`)
      // A version that knows format 1 only must not meet records that it does not know.
      const fits = this.offset + record.length <= this.capacity && this.header.version === Segment.formatVersion
      const written = fits
        ? this.write(record, restore)
        : Effect.andThen(
            this.roll(record.length, restore),
            Effect.suspend(() => this.write(record, restore))
          )
      return Effect.map(written, () => this.outline.apply(change, keeps, this.header.number))
    })
  }

  /** Something else in the directory could not be made to last: what the kernel says after that means nothing. */
  readonly giveUp = (error: unknown): void => {
    this.failure ??= ofSystem(error, `sync ${this.options.directory}`, "WriteFailed")
  }

  /** A failure here loses nothing but the note that the stop was clean. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => Effect.ignore(this.append(nothing, (same) => same))).pipe(
    Effect.andThen(Effect.promise(() => this.file.close()))
  )

  /** Only once a base is on disk does the outline know it, so nothing is removed too soon. */
  readonly removeUseless: Effect.Effect<void> = Effect.suspend(() => {
    const needed = this.outline.oldestSegment ?? this.header.number
    const useless = SegmentRemoval.uselessBefore(needed, [...this.earlier, { header: this.header }])
    return useless === 0 ? Effect.void : SegmentRemoval.remove(this.earlier, useless, this.options.names)
  })

  /** Steps that may find no room, and wait for it then. To be interrupted meanwhile is final: so is the stop. */
  private untilThereIsRoom(
    what: string,
    step: Effect.Effect<void, unknown>,
    restore: Restore
  ): Effect.Effect<void, StorageError> {
    return step.pipe(
      Effect.catch((error) => {
        if (!lacksRoom(error)) return Effect.fail(error)
        const stopped = Effect.suspend(() => this.fail(error, what))
        return Effect.onExit(restore(this.room.retry(what, error, step)), (exit) =>
          Exit.hasInterrupts(exit) ? Effect.ignore(stopped) : Effect.void
        )
      }),
      Effect.catch((error) => this.fail(error, what))
    )
  }

  private write(record: Buffer, restore: Restore): Effect.Effect<void, StorageError> {
    LogRecord.seal(record, this.header.mark)
    return this.untilThereIsRoom(`write to ${this.path}`, this.writeOnce(record), restore)
  }

  private writeOnce(record: Buffer): Effect.Effect<void, unknown> {
    return Effect.callback<void, unknown>((resume) => {
      const { disk } = this.options
      const { fd } = this.file
      const start = this.offset
      const end = start + record.length
      const sync = (blocksEnd: number): void =>
        disk.fdatasync(fd, (error) => {
          if (error !== null) return resume(Effect.fail(new SyncError(error)))
          this.blocksEnd = blocksEnd
          this.offset = end
          this.sequence++
          resume(Effect.void)
        })
      const blocksEnd = end <= this.blocksEnd ? this.blocksEnd : Math.min(end + blocksAheadBytes, this.capacity)
      const ahead = end <= this.blocksEnd ? 0 : blocksEnd - end
      writeAll(disk, fd, record, start, (error) => {
        if (error !== null) return resume(Effect.fail(error))
        if (ahead === 0) return sync(Math.max(this.blocksEnd, end))
        writeAll(disk, fd, zeros.subarray(0, ahead), end, (failed) => {
          // The record has its room, and may be the one that makes some.
          if (failed === null || lacksRoom(failed)) sync(failed === null ? blocksEnd : end)
          else resume(Effect.fail(failed))
        })
      })
    })
  }

  /** A record never spans segments; one that is larger than a segment gets one of its own size. */
  private roll(recordBytes: number, restore: Restore): Effect.Effect<void, StorageError> {
    const { directory, segmentBytes, names } = this.options
    const header: Segment.Header = {
      number: this.header.number + 1,
      firstSequence: this.sequence,
      mark: LogRecord.newMark(),
      owner: this.header.owner,
      beginning: this.beginning
    }
    const capacity = Math.max(segmentBytes, Segment.encodeHeader(header).length + recordBytes)
    const step = Effect.tryPromise({
      try: async () => {
        const next = await Segment.create(directory, header, capacity, names)
        const previous = this.file
        this.earlier.push({ path: this.path, bytes: this.capacity, header: this.header })
        this.file = next.file
        this.header = next.header
        this.capacity = next.size
        this.offset = next.header.bytes
        this.blocksEnd = next.header.bytes
        // All of it was synced, so a failure has nothing to say.
        await previous.close().catch(() => {})
      },
      catch: (error) => error
    })
    return this.untilThereIsRoom(`make a new log segment in ${directory}`, step, restore)
  }

  private get beginning(): Beginning {
    const { hardState, admitted, base, last } = this.outline
    return { hardState, admitted, base, last: { index: last.index, term: last.term! } }
  }

  private get path(): string {
    return `${this.options.directory}/${Segment.nameOf(this.header.number)}`
  }

  private fail(error: unknown, what: string): Effect.Effect<never, StorageError> {
    this.failure ??= ofSystem(error instanceof SyncError ? error.cause : error, what, "WriteFailed")
    return Effect.fail(this.failure)
  }
}

/** It has no code of its own, so nothing takes it for a write that may be done again. */
class SyncError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}

const tooLong = (bytes: number): StorageError =>
  new StorageError({
    reason: "WriteFailed",
    message: `A record of ${bytes} bytes is longer than ${LogRecord.maxBytes} bytes, the longest there may be: lower the limits of what is written at once.`
  })
