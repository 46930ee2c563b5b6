/**
 * The snapshot that a leader sends, as far as it has come: a temporary file that nothing refers to until
 * `finish` has found in it what was promised. One at a time; a restart begins anew.
 */
import * as path from "node:path"
import { crc32 } from "node:zlib"
import { Effect, Exit, type Scope, Semaphore } from "effect"
import type { Snapshot } from "../raft/Snapshot.ts"
import { attempt } from "./DiskError.ts"
import * as DurableFile from "./DurableFile.ts"
import * as SnapshotDisk from "./SnapshotDisk.ts"
import * as SnapshotName from "./SnapshotName.ts"
import { type SnapshotStore, StorageError } from "./Storage.ts"

interface Incoming {
  readonly name: string
  readonly file: SnapshotDisk.OpenFile
  /** So many bytes are in it. */
  held: number
  unsynced: number
}

/** Read so much at a time when checking: about a millisecond of work. */
const sliceBytes = 1024 * 1024

export interface Options {
  readonly directory: string
  readonly disk: SnapshotDisk.Disk
  /** Gives a finished file its name, durably. */
  readonly appear: (unfinished: string, name: string) => Effect.Effect<void, StorageError>
}

export const make = Effect.fnUntraced(function* ({
  directory,
  disk,
  appear
}: Options): Effect.fn.Return<Pick<SnapshotStore, "receive" | "finish">, never, Scope.Scope> {
  const gate = yield* Semaphore.make(1)
  const unfinished = path.join(directory, SnapshotName.incoming)
  let incoming: Incoming | undefined

  const closed = Effect.suspend(() => {
    const former = incoming
    incoming = undefined
    return former === undefined ? Effect.void : Effect.ignore(Effect.tryPromise(() => former.file.close()))
  })
  /** Nothing of it can be relied on any more; its room may be needed. */
  const dropped = Effect.suspend(() =>
    incoming === undefined
      ? Effect.void
      : Effect.andThen(closed, Effect.ignore(Effect.tryPromise(() => disk.unlink(unfinished))))
  )

  const begin = (name: string): Effect.Effect<Incoming, StorageError> =>
    Effect.andThen(
      closed,
      attempt(`make ${unfinished}`, "WriteFailed", async () => {
        incoming = { name, file: await disk.create(unfinished), held: 0, unsynced: 0 }
        return incoming
      })
    )

  const receive = (snapshot: Snapshot, offset: number, bytes: Uint8Array): Effect.Effect<void, StorageError> =>
    Effect.gen(function* () {
      const name = SnapshotName.of(snapshot)
      const objection = objectionTo(offset === 0 ? { name, held: 0 } : incoming, snapshot, offset, bytes.length)
      if (objection !== undefined) return yield* objection
      const target = offset === 0 ? yield* begin(name) : incoming!
      yield* attempt(`write to ${unfinished}`, "WriteFailed", async () => {
        await DurableFile.writeAt(target.file, bytes, offset)
        target.held += bytes.length
        target.unsynced += bytes.length
        if (target.unsynced < SnapshotDisk.syncEveryBytes) return
        await target.file.datasync()
        target.unsynced = 0
      }).pipe(Effect.tapError(() => dropped))
    })

  const checked = Effect.fnUntraced(function* (
    { name, file, held }: Incoming,
    { bytes, checksum }: Snapshot
  ): Effect.fn.Return<void, StorageError> {
    if (held !== bytes) return yield* corrupt(`${name}: ${held} of ${bytes} bytes have come`)
    let found = 0
    for (let at = 0; at < bytes; at += sliceBytes) {
      const length = Math.min(sliceBytes, bytes - at)
      const slice = yield* attempt(`read ${unfinished}`, "Unreadable", () => DurableFile.readAt(file, length, at))
      found = crc32(slice, found)
    }
    if (found !== checksum) return yield* corrupt(`${name}: what has come has the checksum ${found.toString(16)}`)
    yield* attempt(`sync ${unfinished}`, "WriteFailed", () => file.datasync())
    yield* appear(unfinished, name)
  })

  const finish = (snapshot: Snapshot): Effect.Effect<void, StorageError> =>
    Effect.suspend(() => {
      const name = SnapshotName.of(snapshot)
      if (incoming?.name !== name) return Effect.fail(corrupt(`nothing of ${name} has come`))
      return checked(incoming, snapshot).pipe(Effect.onExit((exit) => (Exit.isSuccess(exit) ? closed : dropped)))
    })

  yield* Effect.addFinalizer(() => gate.withPermit(dropped))
  return {
    receive: (snapshot, offset, bytes) => gate.withPermit(Effect.uninterruptible(receive(snapshot, offset, bytes))),
    finish: (snapshot) => gate.withPermit(finish(snapshot))
  }
})

/** Why a piece does not go on from what is held. */
const objectionTo = (
  incoming: Pick<Incoming, "name" | "held"> | undefined,
  snapshot: Snapshot,
  offset: number,
  length: number
): StorageError | undefined => {
  const name = SnapshotName.of(snapshot)
  const piece = `a piece of ${length} bytes at offset ${offset}`
  if (incoming?.name !== name) return corrupt(`${name}: ${piece} has come, and nothing before it`)
  if (offset !== incoming.held) return corrupt(`${name}: ${piece} has come, and ${incoming.held} bytes are held`)
  if (offset + length > snapshot.bytes) return corrupt(`${name}: ${piece} has come, beyond its ${snapshot.bytes} bytes`)
  return undefined
}

const corrupt = (found: string): StorageError =>
  new StorageError({
    reason: "Corrupt",
    message: `The snapshot that is being received cannot be used (${found}). Nothing was changed; it is asked for again from the beginning.`
  })
