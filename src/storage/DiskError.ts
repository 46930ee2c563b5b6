/**
 * What the operating system says, in words that name the file and tell what to do.
 */
import { Effect } from "effect"
import { StorageError } from "./Storage.ts"

/** Damage that no crash explains: going on could forget a vote or an acknowledged entry. */
export const corrupt = (path: string, offset: number, found: string): StorageError =>
  new StorageError({
    reason: "Corrupt",
    message:
      `${path} is damaged at offset ${offset}: ${found}. This is no interrupted write, so nothing was changed and the replica does not start. ` +
      "To restore it from its peers, while a majority of the cluster works without it: move the whole directory away, keep it, and start the " +
      "replica with an empty one; it is sent everything after the next change of leader (restart the leader). Be aware that it has forgotten whom " +
      "it voted for and what it acknowledged: until it has caught up, losing another replica can lose acknowledged writes. Never do this to two " +
      "replicas at once."
  })

export const newerFormat = (path: string, found: number, known: number): StorageError =>
  new StorageError({
    reason: "UnknownFormat",
    message: `${path} has format ${found}, and this version of Balsa knows formats up to ${known}. Start a newer version on it; nothing was changed.`
  })

/** A failed system call while doing `what` (as in "open /data/A/identity"). */
export const ofSystem = (error: unknown, what: string, otherwise: "Unreadable" | "WriteFailed"): StorageError => {
  if (error instanceof StorageError) return error
  const code = codeOf(error)
  const advice = adviceOn[code]
  const reason = code === "ENOSPC" || code === "EDQUOT" ? "NoSpace" : otherwise
  const why = error instanceof Error ? error.message : String(error)
  return new StorageError({ reason, message: `Cannot ${what}: ${why}.${advice === undefined ? "" : ` ${advice}`}` })
}

/** Runs steps on the disk that are not worth an Effect each. */
export const attempt = <A>(
  what: string,
  otherwise: "Unreadable" | "WriteFailed",
  steps: () => Promise<A>
): Effect.Effect<A, StorageError> =>
  Effect.uninterruptible(Effect.tryPromise({ try: steps, catch: (error) => ofSystem(error, what, otherwise) }))

export const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : ""

const adviceOn: { readonly [code: string]: string } = {
  EACCES: "Give this user the right to read and write there, or choose another data directory.",
  EPERM: "Give this user the right to read and write there, or choose another data directory.",
  EROFS: "The file system is read-only: choose a data directory on one that can be written.",
  ENOTDIR: "A file stands where a directory should be: choose another data directory, or move the file away.",
  EEXIST: "A file stands where a directory should be: choose another data directory, or move the file away.",
  ENOENT: "The place does not exist and cannot be made: choose another data directory.",
  ENOSPC: "The disk is full: free some space and start the replica again.",
  EDQUOT: "The disk quota is used up: raise it or free some space, and start the replica again.",
  EMFILE: "Too many files are open: raise the limit (ulimit -n) and start the replica again.",
  EIO: "The disk reports an error: check its health before starting the replica again."
}
