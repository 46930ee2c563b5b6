/**
 * The end of the log, where records are appended: one record, one write and one fdatasync for
 * each `Persist`. The first failure is final. After a failed fsync the kernel may call pages
 * clean that never reached the disk, so a second attempt would succeed and mean nothing (Rebello
 * et al., "Can Applications Recover from fsync Failures?", ATC '20).
 *
 * Callbacks, not the synchronous calls, which are quicker on a quick disk: on a slow one they
 * would stop everything else in the process, the heartbeats of its sockets included.
 */
import * as fs from "node:fs"
import type { FileHandle } from "node:fs/promises"
import { Effect, type Scope, Semaphore } from "effect"
import type { Persist } from "../raft/RaftEffect.ts"
import { attempt, ofSystem } from "./DiskError.ts"
import * as LogRecord from "./LogRecord.ts"
import type { Tail } from "./Recovery.ts"
import * as Segment from "./Segment.ts"
import type { StorageError } from "./Storage.ts"

/** The system calls of a `Persist`; `node:fs`, except in tests of what happens when they fail. */
export interface Disk {
  readonly write: (
    file: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null, written: number) => void
  ) => void
  readonly fdatasync: (file: number, done: (error: Error | null) => void) => void
}

export interface WriteAheadLog {
  readonly append: (change: Persist<Uint8Array>) => Effect.Effect<void, StorageError>
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
}

/** Continues the log; closing the scope ends it with an empty record and closes the file. */
export const open = (
  tail: Tail,
  file: FileHandle,
  options: Options
): Effect.Effect<WriteAheadLog, never, Scope.Scope> =>
  Effect.gen(function* () {
    const gate = yield* Semaphore.make(1)
    const log = new Appender(tail, file, options)
    yield* Effect.addFinalizer(() => gate.withPermit(log.close))
    return { append: (change) => gate.withPermit(Effect.uninterruptible(log.append(change))) }
  })

const nothing: Persist<Uint8Array> = { _tag: "Persist", hardState: undefined, log: undefined }

class Appender {
  private file: FileHandle
  private header: Segment.Header
  private capacity: number
  private offset: number
  private sequence: number
  /** Up to here the file has blocks, not holes. */
  private blocksEnd: number
  private failure: StorageError | undefined
  private readonly options: Options

  constructor(tail: Tail, file: FileHandle, options: Options) {
    this.file = file
    this.header = tail.header
    this.capacity = tail.size
    this.offset = tail.offset
    this.sequence = tail.sequence
    this.blocksEnd = tail.offset
    this.options = options
  }

  append(change: Persist<Uint8Array>): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      if (this.failure !== undefined) return Effect.fail(this.failure)
      const record = LogRecord.encode(change, this.sequence)
      if (record.length > LogRecord.maxBytes) return this.fail(tooLong(record.length), `write to ${this.path}`)
      if (this.offset + record.length <= this.capacity) return this.write(record)
      return Effect.andThen(
        this.roll(record.length),
        Effect.suspend(() => this.write(record))
      )
    })
  }

  /** A failure here loses nothing but the note that the stop was clean. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => Effect.ignore(this.append(nothing))).pipe(
    Effect.andThen(Effect.promise(() => this.file.close()))
  )

  private write(record: Buffer): Effect.Effect<void, StorageError> {
    return Effect.callback<void, StorageError>((resume) => {
      const { disk } = this.options
      const { fd } = this.file
      const start = this.offset
      const end = start + record.length
      const finish = (error: Error | null): void => {
        if (error !== null) return resume(this.fail(error, `write to ${this.path}`))
        this.offset = end
        this.sequence++
        resume(Effect.void)
      }
      const sync = (error: Error | null): void => {
        if (error !== null) return finish(error)
        this.blocksEnd = Math.max(this.blocksEnd, blocksEnd)
        disk.fdatasync(fd, finish)
      }
      LogRecord.seal(record, this.header.mark)
      const blocksEnd = end <= this.blocksEnd ? this.blocksEnd : Math.min(end + blocksAheadBytes, this.capacity)
      const ahead = end <= this.blocksEnd ? 0 : blocksEnd - end
      writeAll(disk, fd, record, start, (error) => {
        if (error !== null || ahead === 0) return sync(error)
        writeAll(disk, fd, zeros.subarray(0, ahead), end, sync)
      })
    })
  }

  /** A record never spans segments; one that is larger than a segment gets one of its own size. */
  private roll(recordBytes: number): Effect.Effect<void, StorageError> {
    const { directory, segmentBytes } = this.options
    return attempt(`make a new log segment in ${directory}`, "WriteFailed", async () => {
      const { number, owner } = this.header
      const header = { number: number + 1, firstSequence: this.sequence, mark: LogRecord.newMark(), owner }
      const capacity = Math.max(segmentBytes, Segment.headerBytes + recordBytes)
      const next = await Segment.create(directory, header, capacity)
      const previous = this.file
      this.file = next
      this.header = header
      this.capacity = capacity
      this.offset = Segment.headerBytes
      this.blocksEnd = Segment.headerBytes
      await previous.close()
    }).pipe(Effect.catch((error) => this.fail(error, "")))
  }

  private get path(): string {
    return `${this.options.directory}/${Segment.nameOf(this.header.number)}`
  }

  private fail(error: unknown, what: string): Effect.Effect<never, StorageError> {
    this.failure ??= ofSystem(error, what, "WriteFailed")
    return Effect.fail(this.failure)
  }
}

const tooLong = (bytes: number): Error =>
  new Error(`a record of ${bytes} bytes is longer than ${LogRecord.maxBytes} bytes, the longest there may be`)

/** The system may write less than it was given, and says so; the rest is written then. */
const writeAll = (
  disk: Disk,
  file: number,
  bytes: Uint8Array,
  position: number,
  done: (error: Error | null) => void
): void => {
  const from = (offset: number): void =>
    disk.write(file, bytes, offset, bytes.length - offset, position + offset, (error, written) => {
      if (error !== null) done(error)
      else if (offset + written >= bytes.length) done(null)
      else if (written > 0) from(offset + written)
      else done(new Error(`only ${offset} of ${bytes.length} bytes could be written`))
    })
  from(0)
}

export const realDisk: Disk = { write: fs.write, fdatasync: fs.fdatasync }
