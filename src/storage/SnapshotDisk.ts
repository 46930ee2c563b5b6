/**
 * The system calls that snapshots need; `node:fs`, except in tests of what is left when they fail or
 * when the process or the power goes between two of them. Every change of the disk is one call here.
 */
import * as fs from "node:fs/promises"
import * as DurableFile from "./DurableFile.ts"

export interface OpenFile {
  readonly write: (
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number
  ) => Promise<{ readonly bytesWritten: number }>
  readonly read: (
    into: Uint8Array,
    offset: number,
    length: number,
    position: number
  ) => Promise<{ readonly bytesRead: number }>
  /** What was written, and the length. */
  readonly datasync: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface Disk {
  /** Empty, whatever was there before. */
  readonly create: (path: string) => Promise<OpenFile>
  readonly open: (path: string) => Promise<OpenFile>
  readonly rename: (from: string, to: string) => Promise<void>
  readonly unlink: (path: string) => Promise<void>
  readonly syncDirectory: (path: string) => Promise<void>
  readonly names: (directory: string) => Promise<ReadonlyArray<string>>
  /** In bytes; `undefined` for what is no file. */
  readonly sizeOf: (path: string) => Promise<number | undefined>
}

/**
 * Synced whenever so much more has been written: one sync of everything at the end would make the
 * log's own syncs wait until all of it is on the disk. Behind each the disk is left to the log for as
 * long again (see SnapshotFiles). Three replicas on one disk, 200 MB, 16 clients: 575 puts a second
 * while a snapshot was written, 370 with syncs every 16 MiB and no pause (docs/performance.md).
 */
export const syncEveryBytes = 4 * 1024 * 1024

export const real: Disk = {
  create: (path) => fs.open(path, "w+", 0o600),
  open: (path) => fs.open(path, "r"),
  rename: fs.rename,
  unlink: fs.unlink,
  syncDirectory: DurableFile.syncDirectory,
  names: (directory) => fs.readdir(directory),
  sizeOf: async (path) => {
    const found = await fs.lstat(path)
    return found.isFile() ? found.size : undefined
  }
}

/** All of the bytes: a write may do less than it was asked for. */
export const writeAt = async (file: OpenFile, bytes: Uint8Array, position: number): Promise<void> => {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at)
    if (bytesWritten === 0) throw new Error(`only ${at} of ${bytes.length} bytes could be written`)
    at += bytesWritten
  }
}

export const readAt = async (file: OpenFile, length: number, position: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at)
    if (bytesRead === 0) throw new Error(`the file ends at ${position + at}, before its time`)
    at += bytesRead
  }
  return bytes
}
