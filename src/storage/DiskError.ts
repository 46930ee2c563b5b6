/**
 * What the operating system says, in words that name the file and tell what to do.
 */
import { constants } from "node:os"
import * as path from "node:path"
import { Effect } from "effect"
import { StorageError } from "./Storage.ts"

/** Damage that no crash explains, and where it is. `ofSystem` makes it a StorageError. */
export class Damage extends Error {
  readonly path: string
  readonly offset: number
  readonly found: string

  constructor(damagedPath: string, offset: number, found: string) {
    super(`${damagedPath} is damaged at offset ${offset}: ${found}`)
    this.path = damagedPath
    this.offset = offset
    this.found = found
  }
}

/** Going on could forget a vote or an acknowledged entry. */
export const corrupt = (damagedPath: string, offset: number, found: string): StorageError => {
  const directory = path.dirname(damagedPath)
  return new StorageError({
    reason: "Corrupt",
    message:
      `${damagedPath} is damaged at offset ${offset}: ${found}. This is no interrupted write, so nothing was changed and the replica does not start. ` +
      `See what is there with \`balsa storage inspect --data-dir ${directory}\`, and check all of it with \`balsa storage verify --data-dir ${directory}\`. ` +
      `In a cluster whose other replicas are a healthy majority, \`balsa storage repair --from-peers --data-dir ${directory}\` sets the damaged files aside, ` +
      "and the replica is sent everything by its peers; it does not vote until it has caught up. Never do this to so many replicas that no majority is " +
      "left. A cluster of one voter is restored from a backup with `balsa restore`."
  })
}

export const newerFormat = (file: string, found: number, known: number): StorageError =>
  new StorageError({
    reason: "UnknownFormat",
    message: `${file} has format ${found}, and this version of Balsa knows formats up to ${known}. Start a newer version on it; nothing was changed.`
  })

/** A failed system call while doing `what` (as in "open /data/A/identity"). */
export const ofSystem = (error: unknown, what: string, otherwise: "Unreadable" | "WriteFailed"): StorageError => {
  if (error instanceof StorageError) return error
  if (error instanceof Damage) return corrupt(error.path, error.offset, error.found)
  const code = codeOf(error)
  const advice = adviceOn[code]
  const why = error instanceof Error ? error.message : String(error)
  return new StorageError({
    reason: reasonOf[code] ?? otherwise,
    message: `Cannot ${what}: ${why}.${advice === undefined ? "" : ` ${advice}`}`
  })
}

/** Runs steps on the disk that are not worth an Effect each. */
export const attempt = <A>(
  what: string,
  otherwise: "Unreadable" | "WriteFailed",
  steps: () => Promise<A>
): Effect.Effect<A, StorageError> =>
  Effect.uninterruptible(Effect.tryPromise({ try: steps, catch: (error) => ofSystem(error, what, otherwise) }))

export const codeOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return ""
  // Node has no name for this one, and says "Unknown system error -122".
  if ("errno" in error && error.errno === -constants.errno.EDQUOT) return "EDQUOT"
  return "code" in error && typeof error.code === "string" ? error.code : ""
}

/**
 * There was no room, and the call changed nothing that trying again would not change anew. Not so for
 * a sync: after a failed one nobody knows what is on the disk, whatever the reason.
 */
export const lacksRoom = (error: unknown): boolean => {
  const code = codeOf(error)
  if (code !== "ENOSPC" && code !== "EDQUOT") return false
  const call = typeof error === "object" && error !== null && "syscall" in error ? error.syscall : undefined
  return call !== "fsync" && call !== "fdatasync"
}

const reasonOf: { readonly [code: string]: StorageError["reason"] } = {
  EACCES: "AccessDenied",
  EPERM: "AccessDenied",
  EROFS: "ReadOnly",
  EMFILE: "TooManyFiles",
  ENFILE: "TooManyFiles",
  EFBIG: "TooLarge",
  ENOSPC: "NoSpace",
  EDQUOT: "NoSpace"
}

const adviceOn: { readonly [code: string]: string } = {
  EACCES: "Give this user the right to read and write there, or choose another data directory.",
  EPERM: "Give this user the right to read and write there, or choose another data directory.",
  EROFS: "The file system is read-only: choose a data directory on one that can be written, or mount it so.",
  ENOTDIR: "A file stands where a directory should be: choose another data directory, or move the file away.",
  EEXIST: "A file stands where a directory should be: choose another data directory, or move the file away.",
  ENOENT: "The place does not exist and cannot be made: choose another data directory.",
  ENOSPC: "The disk is full: free some space and start the replica again.",
  EDQUOT: "The disk quota is used up: raise it or free some space, and start the replica again.",
  EMFILE: "Too many files are open: raise the limit (ulimit -n) and start the replica again.",
  ENFILE: "Too many files are open on this machine: raise its limit (fs.file-max) and start the replica again.",
  EFBIG: "The file would be larger than is allowed: raise the limit (ulimit -f) and start the replica again.",
  EIO: "The disk reports an error: check its health before starting the replica again."
}
