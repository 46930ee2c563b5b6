/**
 * Snapshots in memory for tests: what is there outlives the replicas started on it. What is being
 * received does not outlive a crash. Told to, it fails or lets a snapshot rot.
 */
import { crc32 } from "node:zlib"
import { Effect } from "effect"
import type { LogPosition } from "../raft/LogEntry.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import * as SnapshotName from "./SnapshotName.ts"
import { type SnapshotStore, StorageError } from "./Storage.ts"

export interface MemorySnapshots {
  readonly store: SnapshotStore
  /** Newest first. */
  readonly found: () => ReadonlyArray<Snapshot>
  readonly prune: (base: LogPosition) => void
  /** What is being received is forgotten. */
  readonly crash: () => void
  /** Flips the bit in the middle of it. */
  readonly damage: (snapshot: Snapshot) => void
  /** The next operation fails and changes nothing. */
  readonly failNext: (reason: StorageError["reason"]) => void
}

interface Stored {
  readonly snapshot: Snapshot
  readonly bytes: Buffer
}

export const make = (): MemorySnapshots => {
  const stored = new Map<string, Stored>()
  let incoming: { readonly name: string; readonly bytes: Buffer } | undefined
  let failure: StorageError | undefined

  const failing: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    const error = failure
    failure = undefined
    return error === undefined ? Effect.void : Effect.fail(error)
  })

  const write: SnapshotStore["write"] = Effect.fnUntraced(function* (last, pieces) {
    const copies: Array<Uint8Array> = []
    for (const piece of pieces) {
      copies.push(Uint8Array.from(piece))
      // As a disk would, this lets others go on in between.
      yield* Effect.yieldNow
    }
    yield* failing
    const bytes = Buffer.concat(copies)
    const snapshot: Snapshot = { last, bytes: bytes.length, checksum: crc32(bytes) }
    stored.set(SnapshotName.of(snapshot), { snapshot, bytes })
    return snapshot
  })

  const read: SnapshotStore["read"] = Effect.fnUntraced(function* (snapshot, offset, length) {
    yield* failing
    const name = SnapshotName.of(snapshot)
    const found = stored.get(name)
    if (found === undefined) return yield* error("Unreadable", `there is no ${name}`)
    return Uint8Array.from(found.bytes.subarray(offset, offset + length))
  })

  const receive: SnapshotStore["receive"] = Effect.fnUntraced(function* (snapshot, offset, bytes) {
    yield* failing
    const name = SnapshotName.of(snapshot)
    const before = offset === 0 ? Buffer.alloc(0) : incoming?.name === name ? incoming.bytes : undefined
    if (before?.length !== offset || offset + bytes.length > snapshot.bytes) {
      return yield* error("Corrupt", `a piece at offset ${offset} does not go on with ${name}`)
    }
    incoming = { name, bytes: Buffer.concat([before, bytes]) }
  })

  const finish: SnapshotStore["finish"] = Effect.fnUntraced(function* (snapshot) {
    yield* failing
    const name = SnapshotName.of(snapshot)
    const came = incoming
    if (came?.name !== name) return yield* error("Corrupt", `nothing of ${name} has come`)
    incoming = undefined
    if (came.bytes.length !== snapshot.bytes || crc32(came.bytes) !== snapshot.checksum) {
      return yield* error("Corrupt", `what has come is not ${name}`)
    }
    stored.set(name, { snapshot, bytes: came.bytes })
  })

  const putAside: SnapshotStore["putAside"] = (snapshot) =>
    Effect.andThen(
      failing,
      Effect.sync(() => void stored.delete(SnapshotName.of(snapshot)))
    )

  return {
    store: { write, read, receive, finish, putAside },
    found: () =>
      Array.from(stored.values(), ({ snapshot }) => snapshot).toSorted(
        (one, other) => other.last.index - one.last.index || other.last.term - one.last.term
      ),
    prune: (base) => {
      for (const [name, { snapshot }] of stored) if (snapshot.last.index < base.index) stored.delete(name)
    },
    crash: () => {
      incoming = undefined
    },
    damage: (snapshot) => {
      const { bytes } = stored.get(SnapshotName.of(snapshot)) ?? {}
      if (bytes !== undefined) bytes[bytes.length >>> 1]! ^= 1
    },
    failNext: (reason) => {
      failure = new StorageError({ reason, message: "The snapshots in memory were told to fail." })
    }
  }
}

const error = (reason: StorageError["reason"], found: string): StorageError =>
  new StorageError({ reason, message: `The snapshots in memory cannot do this: ${found}.` })
