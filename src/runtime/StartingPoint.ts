/**
 * From what a replica starts: the newest of its snapshots that can be read, and the log, which goes back to
 * the older one. Where none can be read and the log begins later, this replica has lost its
 * state: the others still have it, so it begins empty and is sent everything.
 */
import { Effect } from "effect"
import type { Problem } from "../codec/SnapshotCodec.ts"
import type { StateCodec } from "../codec/StateCodec.ts"
import { origin } from "../raft/LogEntry.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import type { Image, Snapshot } from "../raft/Snapshot.ts"
import { type Recovered, type Storage, StorageError } from "../storage/Storage.ts"
import { describe, load, type Loaded } from "./SnapshotLoading.ts"

export interface StartingPoint<S> extends Pick<Recovered, "admitted" | "base" | "entries" | "snapshots"> {
  readonly image: Image<S> | undefined
}

export interface StartingPointOptions<S> {
  readonly storage: Pick<Storage["Service"], "persist" | "recovered" | "setAside" | "snapshots">
  readonly codec: StateCodec<S>
  /** It is the only voter: nobody else has what it has lost. */
  readonly alone: boolean
  /** The latest version of commands that this program understands. */
  readonly understood: number
  /** It was added to a cluster that there was: an empty disk is no beginning of anything. */
  readonly joined?: boolean
}

export const find = Effect.fnUntraced(function* <S>({
  storage,
  codec,
  alone,
  joined = false,
  understood
}: StartingPointOptions<S>): Effect.fn.Return<StartingPoint<S>, StorageError> {
  const { admitted, base, entries, snapshots } = storage.recovered
  for (const [at, snapshot] of snapshots.entries()) {
    const loaded = yield* loadOne(storage, codec, snapshot)
    if (loaded._tag === "Loaded") {
      yield* checkVersions(loaded.image, entries, understood)
      return { admitted, base, entries, image: loaded.image, snapshots: snapshots.slice(at) }
    }
    if (loaded.kind === "UnknownFormat") return yield* new StorageError(unknownFormat(snapshot, loaded))
    yield* Effect.logWarning(
      `the ${describe(snapshot)} is damaged at byte ${loaded.offset}: ${loaded.message}. It is put aside, and an older one is tried`
    )
    yield* storage.snapshots.putAside(snapshot)
  }
  yield* checkVersions(undefined, entries, understood)
  if (base.index === origin.index) {
    if (joined && admitted === undefined) yield* storage.persist(nothingPromised)
    return { admitted: admitted ?? (joined ? false : undefined), base, entries, image: undefined, snapshots: [] }
  }
  if (alone) return yield* new StorageError({ reason: "Corrupt", message: lostAlone(base.index) })
  const folder = yield* storage.setAside
  yield* Effect.logWarning(
    `no snapshot can be read, and the log begins after entry ${base.index}: this replica begins empty, and its log is kept in ` +
      `${folder}. It does not vote until it has caught up, being sent everything by the leader`
  )
  yield* storage.persist({ _tag: "Persist", hardState: undefined, admitted: false, base: origin, log: undefined })
  return { admitted: false, base: origin, entries: [], image: undefined, snapshots: [] }
})

/** A piece of damage is a damage like any other, whoever notices it. */
const loadOne = <S>(
  { snapshots: store }: StartingPointOptions<S>["storage"],
  codec: StateCodec<S>,
  snapshot: Snapshot
): Effect.Effect<Loaded<S> | Problem, StorageError> =>
  load({ store, codec, snapshot, isWanted: () => true }).pipe(
    Effect.map((loaded) => loaded!),
    Effect.catch((error) =>
      error.reason === "Corrupt"
        ? Effect.succeed<Problem>({ _tag: "Problem", kind: "Corrupt", offset: 0, message: error.message })
        : Effect.fail(error)
    )
  )

/**
 * A replica that would stop at what it does not understand is not started: stopped, it says so and loses nothing,
 * and a newer program goes on from where it is. What the log says may not be committed; a newer program is right all the same.
 */
const checkVersions = (
  image: Image<unknown> | undefined,
  entries: Recovered["entries"],
  understood: number
): Effect.Effect<void, StorageError> => {
  const from = image?.last.index ?? origin.index
  if (image !== undefined && image.version > understood)
    return Effect.fail(newer("snapshot", image.version, understood))
  for (const { index, payload } of entries) {
    if (index <= from || payload._tag !== "Version" || payload.version <= understood) continue
    return Effect.fail(newer("log", payload.version, understood))
  }
  return Effect.void
}

const newer = (where: string, version: number, understood: number): StorageError =>
  new StorageError({
    reason: "UnknownFormat",
    message:
      `The ${where} says that the cluster has agreed on version ${version} of its commands, and this program understands ` +
      `${understood}. Start a newer version of Balsa. To go back to this one, limit the version while the newer one still runs here, ` +
      "and wait until it has taken a snapshot after that; nothing was changed."
  })

const nothingPromised: Persist<Uint8Array> = {
  _tag: "Persist",
  hardState: undefined,
  admitted: false,
  base: undefined,
  log: undefined
}

const unknownFormat = (snapshot: Snapshot, { message }: Problem) => ({
  reason: "UnknownFormat" as const,
  message: `The ${describe(snapshot)} was written by a newer version of Balsa (${message}). Start that version; nothing was changed.`
})

const lostAlone = (index: number): string =>
  `No snapshot can be read, and the log begins after entry ${index}; no other replica has what stood before. ` +
  'See what is left with "balsa storage inspect", and restore a backup into a new directory with "balsa restore".'
