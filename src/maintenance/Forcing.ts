/**
 * For the day on which a majority is gone for good: one replica that is left goes on alone, with all that its log
 * holds, as another cluster. Nothing else may decide that, for a majority that is only away would go on as well.
 *
 * What its log holds and was never committed becomes committed; what only the others held, acknowledged or not, is lost. The
 * identity is written first and the log after it: in between the replica is of the new cluster, in which it
 * reaches nobody, and the same command finishes the work.
 */
import * as path from "node:path"
import { Clock, Effect, Layer } from "effect"
import type { Configuration } from "../raft/Configuration.ts"
import * as Configurations from "../raft/Configuration.ts"
import { Index, type ReplicaId, Term } from "../raft/LogEntry.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import * as DirectoryLock from "../storage/DirectoryLock.ts"
import { attempt } from "../storage/DiskError.ts"
import * as FileStorage from "../storage/FileStorage.ts"
import * as Identity from "../storage/Identity.ts"
import * as Inspections from "../storage/Inspection.ts"
import * as Loading from "../storage/Loading.ts"
import * as Recovery from "../storage/Recovery.ts"
import * as Replay from "../storage/Replay.ts"
import * as Segment from "../storage/Segment.ts"
import { Storage, StorageError } from "../storage/Storage.ts"
import * as SnapshotFile from "./SnapshotFile.ts"

/** What is in the directory. */
export interface Remains {
  readonly identity: Identity.Identity
  readonly members: ReadonlyArray<ReplicaId>
  readonly voters: ReadonlyArray<ReplicaId>
  readonly term: Term
  readonly lastIndex: Index
  readonly lastTerm: Term
  /** Whether it voted and counted. One that did not may lack what was committed. */
  readonly admitted: boolean
}

export interface Forced {
  /** The new cluster's name between replicas ends with it. */
  readonly recovery: string
  readonly index: Index
  readonly term: Term
}

/** Changes nothing. Refused while the directory is in use, or damaged. */
export const look = (directory: string): Effect.Effect<Remains, StorageError | SnapshotFile.SnapshotFileError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const place = path.resolve(directory)
      yield* DirectoryLock.hold(place)
      const inspection = yield* attempt(`read ${place}`, "Unreadable", () => Inspections.inspect(place))
      const { identity, problems, snapshots } = inspection
      if (identity === undefined || problems.length > 0) return yield* damaged(place, problems[0]?.found)
      const owner = Segment.ownerOf(identity.cluster, identity.replica)
      const { replay } = yield* Loading.load(place, Recovery.segmentsIn(place), owner)
      const { hardState, admitted, last } = replay.outline
      const configuration =
        lastIn(Replay.entriesOf(replay)) ??
        (snapshots[0] === undefined
          ? Configurations.of(identity.voters)
          : (yield* SnapshotFile.load(snapshots[0].file, () => Effect.void)).image.configuration)
      return {
        identity,
        members: Configurations.members(configuration).toSorted(),
        voters: Configurations.allVoters(configuration).toSorted(),
        term: hardState.currentTerm,
        lastIndex: last.index,
        lastTerm: last.term ?? hardState.currentTerm,
        admitted: admitted === true
      }
    })
  )

const lastIn = (entries: ReturnType<typeof Replay.entriesOf>): Configuration | undefined => {
  for (const { payload } of entries.toReversed()) {
    if (payload._tag === "Configuration") return payload.configuration
  }
  return undefined
}

/** From the next start on it leads alone. */
export const force = (directory: string, { identity, ...remains }: Remains): Effect.Effect<Forced, StorageError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { replica } = identity
      const place = path.resolve(directory)
      const disk = yield* Layer.build(FileStorage.layer({ ...identity, directory: place }))
      const { persist } = yield* Effect.provide(Storage, disk)
      const recovery = new Date(yield* Clock.currentTimeMillis).toISOString()
      yield* attempt(`write to ${place}`, "WriteFailed", async () => {
        const found = await Identity.read(place)
        await Identity.write(place, { ...found!, voters: [replica], recovery })
      })
      const index = Index(remains.lastIndex + 1)
      const term = Term(Math.max(remains.term, remains.lastTerm) + 1)
      const configuration = Configurations.of([replica])
      const entry = { index, term, payload: { _tag: "Configuration", configuration, request: undefined } } as const
      const change: Persist<Uint8Array> = {
        _tag: "Persist",
        hardState: { currentTerm: term, votedFor: replica },
        admitted: true,
        base: undefined,
        log: { from: index, entries: [entry] }
      }
      yield* persist(change)
      return { recovery, index, term }
    })
  )

const damaged = (directory: string, found: string | undefined): StorageError =>
  new StorageError({
    reason: "Corrupt",
    message: `${directory} cannot be gone on from: ${found ?? "it is no data directory"}. See: balsa storage inspect --data-dir ${directory}. Take the directory of another replica, or restore a backup.`
  })
