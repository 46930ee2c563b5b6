/**
 * Files that appear whole or not at all, even if the power fails: written under a temporary
 * name, synced, renamed, and the directory synced too, since without that the new name itself
 * may be lost (Pillai et al., "All File Systems Are Not Created Equal", OSDI '14).
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { codeOf } from "./DiskError.ts"

/** Files with this ending were being made when a crash came; nothing refers to them. */
export const temporary = ".tmp"

/** Changes of the names in a directory; `node:fs`, except in tests of crashes between two of them. */
export interface Names {
  readonly rename: (from: string, to: string) => Promise<void>
  readonly unlink: (path: string) => Promise<void>
  /** Makes those in this directory last. */
  readonly sync: (directory: string) => Promise<void>
}

/** Makes or replaces a file. The handle stays open, and is the caller's to close. */
export const create = async (
  directory: string,
  name: string,
  fill: (file: fs.FileHandle) => Promise<void>,
  names: Names = realNames
): Promise<fs.FileHandle> => {
  const finished = path.join(directory, name)
  const unfinished = finished + temporary
  const file = await fs.open(unfinished, "w+", 0o600)
  try {
    await fill(file)
    await file.sync()
    await names.rename(unfinished, finished)
    await names.sync(directory)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** What a file must be able to do to be written; a `FileHandle` can. */
export interface Writable {
  readonly write: (
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number
  ) => Promise<{ readonly bytesWritten: number }>
}

export interface Readable {
  readonly read: (
    into: Uint8Array,
    offset: number,
    length: number,
    position: number
  ) => Promise<{ readonly bytesRead: number }>
}

/** All of the bytes: a write may do less than it was asked for. */
export const writeAt = async (file: Writable, bytes: Uint8Array, position: number): Promise<void> => {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at)
    if (bytesWritten === 0) throw new Error(`only ${at} of ${bytes.length} bytes could be written`)
    at += bytesWritten
  }
}

const zeros = Buffer.alloc(64 * 1024)

/** Without making the file shorter in between, as cutting it would. */
export const zero = async (file: Writable, position: number, length: number): Promise<void> => {
  for (let at = 0; at < length; at += zeros.length) {
    await writeAt(file, zeros.subarray(0, Math.min(zeros.length, length - at)), position + at)
  }
}

export const readAt = async (file: Readable, length: number, position: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at)
    if (bytesRead === 0) throw new Error(`the file ends at ${position + at}, before its time`)
    at += bytesRead
  }
  return bytes
}

export const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await fs.open(directory, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export const realNames: Names = { rename: fs.rename, unlink: fs.unlink, sync: syncDirectory }

/** Clears away what a crash left of files that `isOurs` by the name they were to have; other people's files stay. */
export const removeUnfinished = async (directory: string, isOurs: (name: string) => boolean): Promise<void> => {
  for (const name of await fs.readdir(directory)) {
    if (!name.endsWith(temporary) || !isOurs(name.slice(0, -temporary.length))) continue
    await fs.unlink(path.join(directory, name))
  }
}

/**
 * Makes a directory with its parents, whose names must last as what is in them must. Not by Node's own recursive
 * mkdir: that one tries for ever where the system says ENOENT to the last step, as /proc does.
 */
export const makeDirectory = async (directory: string, mayLackParent = true): Promise<void> => {
  try {
    await fs.mkdir(directory, { mode: 0o700 })
    await syncDirectory(path.dirname(directory))
  } catch (error) {
    const code = codeOf(error)
    if (code === "ENOENT" && mayLackParent && path.dirname(directory) !== directory) {
      await makeDirectory(path.dirname(directory))
      await makeDirectory(directory, false)
    } else if (code !== "EEXIST" || !(await fs.stat(directory)).isDirectory()) throw error
  }
}
