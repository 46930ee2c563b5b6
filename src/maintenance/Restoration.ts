/**
 * A new cluster from a backup. Each replica gets a data directory made from the same snapshot, which
 * becomes that cluster's first state: in the next epoch, so that no replica of the old cluster mixes
 * with it, and at a revision that no client of the old one has seen.
 */
import * as Configurations from "../raft/Configuration.ts"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { crc32 } from "node:zlib"
import { Effect } from "effect"
import * as Epoch from "../codec/Epoch.ts"
import { BackupStateCodec } from "../codec/StoreCodec.ts"
import * as SnapshotCodec from "../codec/SnapshotCodec.ts"
import * as Compaction from "../kv/Compaction.ts"
import type { KvState } from "../kv/KvState.ts"
import { Index, type ReplicaId, Term } from "../raft/LogEntry.ts"
import type { Image } from "../raft/Snapshot.ts"
import * as DirectoryLock from "../storage/DirectoryLock.ts"
import { attempt, codeOf } from "../storage/DiskError.ts"
import * as DurableFile from "../storage/DurableFile.ts"
import * as Fresh from "../storage/Fresh.ts"
import * as SnapshotFiles from "../storage/SnapshotFiles.ts"
import { StorageError } from "../storage/Storage.ts"

export interface NewCluster {
  readonly cluster: string
  readonly voters: ReadonlyArray<ReplicaId>
  /** Added to the revision. */
  readonly bumpRevision: number
}

/** Far enough from where numbers end that no store gets there, were it to write for a thousand years. */
export const maxRevision = 2 ** 52

/**
 * The first state of the new cluster. Replicas that were restored from different files, or with
 * different options, get different hashes and epochs, and refuse each other.
 */
export const firstImage = (backup: Image<KvState>, { cluster, voters, bumpRevision }: NewCluster): Image<KvState> => {
  const { last, hash, applied, time, version, ceiling, value } = backup
  const revision = value.revision + bumpRevision
  const sorted = voters.toSorted()
  const own = [hash, backup.epoch, revision, last.index, last.term, cluster, sorted]
  const id = crc32(JSON.stringify(own))
  return {
    last: { index: Index(Math.max(1, last.index)), term: Term(Math.max(1, last.term)) },
    configuration: Configurations.of(sorted),
    applied,
    time,
    version,
    ceiling,
    hash: id,
    epoch: Epoch.next(backup.epoch, id),
    value: Compaction.forget({ ...value, revision })
  }
}

/** The directory is empty or not there. The snapshot first, the identity last: a half-made one is no replica's. */
export const restore = Effect.fnUntraced(function* (
  image: Image<KvState>,
  { directory, cluster, replica }: { readonly directory: string; readonly cluster: string; readonly replica: ReplicaId }
): Effect.fn.Return<void, StorageError> {
  const place = path.resolve(directory)
  yield* attempt(`use ${place} as a data directory`, "Unreadable", () => DurableFile.makeDirectory(place))
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* DirectoryLock.hold(place)
      yield* attempt(`read ${place}`, "Unreadable", () => checkEmpty(place))
      const { store } = yield* SnapshotFiles.open(place)
      yield* store.write(image.last, SnapshotCodec.encode(image, BackupStateCodec))
    })
  )
  // Requests of a lower incarnation would be taken for ones that were applied long ago.
  const incarnation = image.applied.get(replica)?.incarnation ?? 0
  yield* Fresh.create(place, {
    identity: { cluster, replica, voters: image.configuration.voters, incarnation },
    hardState: { currentTerm: image.last.term, votedFor: undefined },
    admitted: true,
    base: image.last
  })
})

/** What may be in a directory that nobody uses: the lock's folder, and that of a file system's own. */
const harmless = ["lock", "lost+found"]

const checkEmpty = async (directory: string): Promise<void> => {
  const found = (await namesIn(directory)).filter((name) => !harmless.includes(name))
  if (found.length === 0) return
  throw new StorageError({
    reason: "InUse",
    message: `${directory} is not empty (${found.slice(0, 3).join(", ")}). A restored replica begins in a directory of its own: choose another one, or move what is there away.`
  })
}

const namesIn = async (directory: string): Promise<ReadonlyArray<string>> => {
  try {
    return await fs.readdir(directory)
  } catch (error) {
    if (codeOf(error) === "ENOENT") return []
    throw error
  }
}
