/**
 * Snapshots as files in the data directory. One appears under its name only when all of it is on the
 * disk, in this order: write, fdatasync, rename, sync of the directory. So whatever has such a name,
 * and the length that the name says, was whole once; whether it still is, its checksums tell whoever
 * decodes it.
 *
 * Nothing here ends the replica: a snapshot that cannot be written only means that the log stays long.
 */
import * as path from "node:path"
import { crc32 } from "node:zlib"
import { Clock, Effect, Exit, type Scope, Semaphore } from "effect"
import type { LogPosition } from "../raft/LogEntry.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import { attempt, codeOf } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import * as SnapshotDisk from "./SnapshotDisk.ts"
import * as SnapshotIncoming from "./SnapshotIncoming.ts"
import * as SnapshotName from "./SnapshotName.ts"
import * as SnapshotReading from "./SnapshotReading.ts"
import type { SnapshotStore, StorageError } from "./Storage.ts"

export interface SnapshotFiles {
  /** What the directory held at the start, newest first; each as long as its name says. */
  readonly found: ReadonlyArray<Snapshot>
  readonly store: SnapshotStore
  /** Removes snapshots of what is before `base`. What cannot be removed stays, with a warning. */
  readonly prune: (base: LogPosition) => Effect.Effect<void>
}

/** So many damaged ones are kept for people; they may be large. */
export const keptDamaged = 2

/** The directory must be there, and this process's alone. */
export const open = Effect.fnUntraced(function* (
  directory: string,
  disk: SnapshotDisk.Disk = SnapshotDisk.real
): Effect.fn.Return<SnapshotFiles, StorageError, Scope.Scope> {
  const place = placeIn(directory, disk)
  yield* place.cleared
  const found = yield* place.look
  const reading = yield* SnapshotReading.make(directory, disk)
  /** Whoever read the file that had this name before goes on with that one. */
  const appear = (unfinished: string, name: string): Effect.Effect<void, StorageError> =>
    Effect.uninterruptible(Effect.andThen(place.appear(unfinished, name), reading.forget(name)))
  const incoming = yield* SnapshotIncoming.make({ directory, disk, appear })
  const writing = yield* Semaphore.make(1)
  const unfinished = path.join(directory, SnapshotName.taken)

  const write: SnapshotStore["write"] = (last, pieces) =>
    Effect.acquireUseRelease(
      attempt(`make ${unfinished}`, "WriteFailed", () => disk.create(unfinished)),
      (file) =>
        Effect.tap(fill(file, unfinished, last, pieces), (snapshot) => appear(unfinished, SnapshotName.of(snapshot))),
      (file, exit) =>
        Effect.ignore(
          Effect.tryPromise(async () => {
            await file.close().finally(() => (Exit.isFailure(exit) ? disk.unlink(unfinished) : undefined))
          })
        )
    )

  return {
    found,
    store: {
      ...incoming,
      read: reading.read,
      write: (last, pieces) => writing.withPermit(write(last, pieces)),
      putAside: (snapshot) => {
        const name = SnapshotName.of(snapshot)
        return Effect.uninterruptible(Effect.andThen(place.putAside(name), reading.forget(name)))
      }
    },
    prune: (base) =>
      place
        .prune(base)
        .pipe(Effect.catch(({ message }) => Effect.logWarning(`Old snapshots stay where they are. ${message}`)))
  }
})

/** Asks for each piece when the one before it is in the file, and syncs all of it. */
const fill = Effect.fnUntraced(function* (
  file: SnapshotDisk.OpenFile,
  unfinished: string,
  last: LogPosition,
  pieces: Iterable<Uint8Array>
): Effect.fn.Return<Snapshot, StorageError> {
  const sync = attempt(`sync ${unfinished}`, "WriteFailed", () => file.datasync())
  let bytes = 0
  let checksum = 0
  let unsynced = 0
  for (const piece of pieces) {
    yield* attempt(`write to ${unfinished}`, "WriteFailed", () => DurableFile.writeAt(file, piece, bytes))
    checksum = crc32(piece, checksum)
    bytes += piece.length
    unsynced += piece.length
    if (unsynced < SnapshotDisk.syncEveryBytes) continue
    const before = yield* Clock.currentTimeMillis
    yield* sync
    unsynced = 0
    // As long again the disk is the log's alone.
    const took = (yield* Clock.currentTimeMillis) - before
    if (took > 0) yield* Effect.sleep(took)
  }
  yield* sync
  return { last, bytes, checksum }
})

/** The steps that change which names there are. */
const placeIn = (directory: string, disk: SnapshotDisk.Disk) => {
  const pathOf = (name: string): string => path.join(directory, name)

  /** Renaming and syncing the directory are one step to those who interrupt. */
  const appear = (unfinished: string, name: string): Effect.Effect<void, StorageError> =>
    attempt(`rename ${unfinished} to ${name}`, "WriteFailed", async () => {
      await disk.rename(unfinished, pathOf(name))
      await disk.syncDirectory(directory)
    })

  const unlink = async (name: string): Promise<void> => {
    try {
      await disk.unlink(pathOf(name))
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error
    }
  }

  /** What was being written or received when a crash came. */
  const cleared = attempt(`clear away unfinished snapshots in ${directory}`, "WriteFailed", async () => {
    for (const name of await disk.names(directory)) {
      if (name.startsWith("snapshot-") && name.endsWith(DurableFile.temporary)) await unlink(name)
    }
  })

  const putAside = (name: string): Effect.Effect<void, StorageError> =>
    attempt(`put ${pathOf(name)} aside`, "WriteFailed", async () => {
      const aside = `${name}${SnapshotName.damaged}`
      try {
        await disk.rename(pathOf(name), pathOf(aside))
      } catch (error) {
        if (codeOf(error) === "ENOENT") return
        throw error
      }
      const others = (await disk.names(directory)).filter((other) => SnapshotName.isDamaged(other) && other !== aside)
      const tooMany = others.length + 1 - keptDamaged
      for (const other of others.toSorted().slice(0, Math.max(0, tooMany))) await unlink(other)
      await disk.syncDirectory(directory)
    })

  const look = Effect.gen(function* () {
    const names = yield* attempt(`read ${directory}`, "Unreadable", () => disk.names(directory))
    const found: Array<Snapshot> = []
    for (const name of names.toSorted()) {
      const snapshot = SnapshotName.parse(name)
      if (snapshot === undefined) continue
      const size = yield* attempt(`read ${pathOf(name)}`, "Unreadable", () => disk.sizeOf(pathOf(name)))
      if (size === snapshot.bytes) found.push(snapshot)
      else {
        yield* Effect.logWarning(
          `${pathOf(name)} is damaged: ${size === undefined ? "it is no file" : `it has ${size} bytes`}. ` +
            `It is not used, and kept as ${name}${SnapshotName.damaged}`
        )
        yield* putAside(name)
      }
    }
    // What is told must last, and a name may have been given just before a crash.
    if (found.length > 0) yield* attempt(`sync ${directory}`, "WriteFailed", () => disk.syncDirectory(directory))
    return found.toSorted((one, other) => other.last.index - one.last.index || other.last.term - one.last.term)
  })

  const prune = (base: LogPosition): Effect.Effect<void, StorageError> =>
    attempt(`remove old snapshots from ${directory}`, "WriteFailed", async () => {
      const old = (await disk.names(directory)).filter((name) => {
        const snapshot = SnapshotName.parse(name)
        return snapshot !== undefined && snapshot.last.index < base.index
      })
      for (const name of old) await unlink(name)
      if (old.length > 0) await disk.syncDirectory(directory)
    })

  return { appear, cleared, look, putAside, prune }
}
