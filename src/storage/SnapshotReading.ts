/**
 * Snapshots that are being read, piece by piece over minutes perhaps, each through one open file: so it
 * stays readable after its name is gone, and the disk gets its room back when nobody reads any more.
 */
import * as path from "node:path"
import { Clock, Effect, type Scope, Semaphore } from "effect"
import type { Snapshot } from "../raft/Snapshot.ts"
import { attempt } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import type * as SnapshotDisk from "./SnapshotDisk.ts"
import * as SnapshotName from "./SnapshotName.ts"
import type { StorageError } from "./Storage.ts"

export interface SnapshotReading {
  readonly read: (snapshot: Snapshot, offset: number, length: number) => Effect.Effect<Uint8Array, StorageError>
  /** Another file has this name now, or none: whoever asks for it next must not get the old one. */
  readonly forget: (name: string) => Effect.Effect<void>
}

/** A file that nobody has read for so long is closed, at the latest when as much time again has passed. */
const idleMillis = 60_000
/** More than a leader sends at once: the latest snapshot, and older ones to those that began earlier. */
const maxOpen = 4

interface Open {
  readonly file: SnapshotDisk.OpenFile
  readers: number
  usedAt: bigint
  /** The last reader closes it. */
  retired: boolean
}

export const make = Effect.fnUntraced(function* (
  directory: string,
  disk: SnapshotDisk.Disk
): Effect.fn.Return<SnapshotReading, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const opening = yield* Semaphore.make(1)
  const files = new Map<string, Open>()
  let sweeping = false

  const close = (open: Open): Effect.Effect<void> => Effect.ignore(Effect.tryPromise(() => open.file.close()))

  const retire = (name: string, open: Open): Effect.Effect<void> => {
    if (files.get(name) === open) files.delete(name)
    if (open.retired) return Effect.void
    open.retired = true
    return open.readers === 0 ? close(open) : Effect.void
  }

  const retireWhere = (is: (open: Open) => boolean): Effect.Effect<void> =>
    Effect.suspend(() =>
      Effect.forEach(
        [...files].filter(([, open]) => is(open)),
        ([name, open]) => retire(name, open),
        { discard: true }
      )
    )

  const sweep = Effect.gen(function* () {
    while (files.size > 0) {
      yield* Effect.sleep(idleMillis)
      const now = yield* Clock.monotonicTimeNanos
      yield* retireWhere((open) => open.readers === 0 && now - open.usedAt >= BigInt(idleMillis) * 1_000_000n)
    }
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        sweeping = false
      })
    )
  )

  const openFile = Effect.fnUntraced(function* (name: string): Effect.fn.Return<Open, StorageError> {
    const known = files.get(name)
    if (known !== undefined) return known
    const file = path.join(directory, name)
    const open: Open = {
      file: yield* attempt(`open ${file}`, "Unreadable", () => disk.open(file)),
      readers: 0,
      usedAt: yield* Clock.monotonicTimeNanos,
      retired: false
    }
    files.set(name, open)
    if (files.size > maxOpen) {
      const oldest = Math.min(...Array.from(files.values(), ({ usedAt }) => Number(usedAt)))
      yield* retireWhere((other) => other !== open && Number(other.usedAt) === oldest)
    }
    if (!sweeping) {
      sweeping = true
      yield* Effect.forkIn(sweep, scope)
    }
    return open
  })

  const acquire = (name: string): Effect.Effect<Open, StorageError> =>
    opening.withPermit(
      Effect.map(openFile(name), (open) => {
        open.readers++
        return open
      })
    )

  const release = Effect.fnUntraced(function* (open: Open) {
    open.readers--
    open.usedAt = yield* Clock.monotonicTimeNanos
    if (open.retired && open.readers === 0) yield* close(open)
  })

  const read: SnapshotReading["read"] = (snapshot, offset, length) => {
    const name = SnapshotName.of(snapshot)
    const wanted = Math.max(0, Math.min(length, snapshot.bytes - offset))
    return Effect.acquireUseRelease(
      acquire(name),
      ({ file }) =>
        attempt(`read ${path.join(directory, name)}`, "Unreadable", () => DurableFile.readAt(file, wanted, offset)),
      release
    )
  }

  yield* Effect.addFinalizer(() => retireWhere(() => true))
  return {
    read,
    forget: (name) =>
      Effect.suspend(() => {
        const open = files.get(name)
        return open === undefined ? Effect.void : retire(name, open)
      })
  }
})
