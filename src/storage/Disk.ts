/** The system calls of a `Persist`; `node:fs`, except in tests of what happens when they fail. */
import * as fs from "node:fs"

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

export const realDisk: Disk = { write: fs.write, fdatasync: fs.fdatasync }

/** The system may write less than it was given, and says so; the rest is written then. */
export const writeAll = (
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
