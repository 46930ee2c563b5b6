/**
 * Starts of a replica's storage, and directories as crashes leave them: a copy of a running
 * replica's directory is what a kill would leave, and then a test may cut and bend it.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { onTestFinished } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { Persist } from "../../src/raft/RaftEffect.ts"
import { type Disk, realDisk } from "../../src/storage/Disk.ts"
import * as FileStorage from "../../src/storage/FileStorage.ts"
import * as Segment from "../../src/storage/Segment.ts"
import {
  type DiskStatus,
  type Recovered,
  type SnapshotStore,
  Storage,
  type StorageError
} from "../../src/storage/Storage.ts"
import { position } from "./Entries.ts"

export { append, base, command, noOp, persist, position, vote } from "./Entries.ts"

export interface Running {
  readonly recovered: Recovered
  readonly persist: (change: Persist<Uint8Array>) => Promise<void>
  readonly snapshots: SnapshotStore
  readonly status: () => Promise<DiskStatus>
  readonly persistFailing: (change: Persist<Uint8Array>) => Promise<StorageError>
  readonly close: () => Promise<void>
  readonly warnings: ReadonlyArray<string>
}

/** In memory where the system offers it: these tests are about bytes, and a disk would make them slow. */
const parent = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()

export const newDirectory = (): string => {
  const directory = fs.mkdtempSync(path.join(parent, "balsa-storage-"))
  onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}

export const optionsFor = (directory: string): FileStorage.Options => ({
  directory,
  cluster: "harbour",
  replica: ReplicaId("A"),
  voters: [ReplicaId("A"), ReplicaId("B")],
  segmentBytes: 4096,
  reserveBytes: 1000
})

export const start = async (directory: string, options: Partial<FileStorage.Options> = {}): Promise<Running> => {
  const warnings: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => void warnings.push(String(message)))])
  const scope = Scope.makeUnsafe()
  const layer = FileStorage.layer({ ...optionsFor(directory), ...options })
  // At the beginning of time, so that starts are numbered from 1.
  const opening = Layer.buildWithScope(layer, scope).pipe(Effect.provide([logger, TestClock.layer()]))
  const exit = await Effect.runPromiseExit(Effect.result(opening))
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  if (exit.value._tag === "Failure") {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    throw exit.value.failure
  }
  const storage = Context.get(exit.value.success, Storage)
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  onTestFinished(close)
  return {
    recovered: storage.recovered,
    persist: (change) => Effect.runPromise(storage.persist(change)),
    snapshots: storage.snapshots,
    status: () => Effect.runPromise(storage.status),
    persistFailing: (change) => Effect.runPromise(Effect.flip(storage.persist(change))),
    close,
    warnings
  }
}

export const startFailing = async (
  directory: string,
  options: Partial<FileStorage.Options> = {}
): Promise<StorageError> => {
  const started = await start(directory, options).catch((error: StorageError) => error)
  if (!("reason" in started)) throw new Error(`${directory} was opened, though it should have been refused`)
  return started
}

/** What a start finds. */
export const found = async (directory: string): Promise<Recovered> => {
  const { recovered, close } = await start(directory)
  await close()
  return recovered
}

/** What a kill of the running replica would leave. */
export const image = (directory: string): string => {
  const copy = newDirectory()
  for (const name of fs.readdirSync(directory)) {
    if (name !== "lock") fs.cpSync(path.join(directory, name), path.join(copy, name), { recursive: true })
  }
  return copy
}

export const segmentPath = (directory: string, number = 1): string => path.join(directory, Segment.nameOf(number))

/** Changes a file in place, as damage or a crash would. */
export const bend = (file: string, change: (bytes: Buffer) => Buffer): void =>
  fs.writeFileSync(file, change(fs.readFileSync(file)))

export const flip = (file: string, bit: number): void =>
  bend(file, (bytes) => {
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    return bytes
  })

/** Where each record begins and ends, told by the bytes alone: mark, checksum, length, sequence, payload. */
export const recordsOf = (file: string): ReadonlyArray<{ readonly start: number; readonly end: number }> => {
  const bytes = fs.readFileSync(file)
  const mark = bytes.readUInt32LE(12)
  const headerBytes = Segment.fixedHeaderBytes + bytes.readUInt32LE(36)
  const records: Array<{ start: number; end: number }> = []
  for (let start = headerBytes; start + 20 <= bytes.length && bytes.readUInt32LE(start) === mark; ) {
    const end = start + 20 + bytes.readUInt32LE(start + 8)
    records.push({ start, end })
    start = end
  }
  return records
}

/** What a new directory holds. */
export const empty = { admitted: undefined, base: position(0, 0), snapshots: [] }

/** As the system would say it. */
export const failWith = (code: string, syscall = "write"): Error =>
  Object.assign(new Error(`${code}: told to fail`), { code, syscall })

/** A disk of which one call fails while it is told to; it counts all of them. */
export const failing = (call: "write" | "fdatasync", code: string) => {
  const state = { failing: false, calls: 0 }
  const disk: Disk = {
    write: (file, bytes, offset, length, position, done) => {
      state.calls++
      if (state.failing && call === "write") return done(failWith(code, call), 0)
      return realDisk.write(file, bytes, offset, length, position, done)
    },
    fdatasync: (file, done) => {
      state.calls++
      if (state.failing && call === "fdatasync") return done(failWith(code, call))
      return realDisk.fdatasync(file, done)
    }
  }
  return { disk, state }
}
