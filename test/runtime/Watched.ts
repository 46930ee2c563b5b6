/**
 * A replica's surroundings with a witness in between: the memory disk and the memory network,
 * wrapped, so that every write, sending and answer is seen when it happens, and so that a
 * test can make any single write slow or let it fail.
 */
import { Effect, Exit, Layer, Scheduler } from "effect"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import type { MemoryDisk } from "../../src/storage/MemoryStorage.ts"
import { type SnapshotStore, Storage, StorageError } from "../../src/storage/Storage.ts"
import type { MemoryNetwork } from "../../src/transport/MemoryTransport.ts"
import { Transport } from "../../src/transport/Transport.ts"
import type { Witness } from "./Witness.ts"

/** What is to become of one `Persist`. */
export interface Fate {
  readonly delayMillis?: number
  /** Failed before anything was written; or written, with only the confirmation missing. */
  readonly fails?: "Clean" | "Written"
}

/** Asked at every `Persist`, which is the `number`th of all replicas together. */
export type Fates = (id: ReplicaId, number: number) => Fate

/** Asked whenever something is done with a snapshot: true makes it fail. No replica ends by that. */
export type SnapshotFates = (id: ReplicaId) => boolean

export const around = (
  witness: Witness,
  fates: Fates,
  { disk, id, network }: { readonly id: ReplicaId; readonly disk: MemoryDisk; readonly network: MemoryNetwork },
  snapshotFates: SnapshotFates = () => false
): Layer.Layer<Storage | Transport, StorageError> => {
  const watchStorage = (storage: Storage["Service"]): Storage["Service"] => {
    witness.onStart(id, storage.recovered)
    const persist: Storage["Service"]["persist"] = (change) =>
      Effect.suspend(() => {
        witness.onPersist(id, change)
        const { delayMillis, fails } = fates(id, witness.persists)
        if (delayMillis !== undefined) disk.slow(delayMillis)
        if (fails === "Clean") disk.failNext("WriteFailed")
        const written = storage.persist(change)
        return fails === "Written" ? Effect.andThen(written, confirmationLost) : written
      }).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => (Exit.isSuccess(exit) ? witness.onPersisted(id, change) : witness.onNotPersisted(id)))
        )
      )
    return { ...storage, persist, snapshots: watchSnapshots(storage.snapshots) }
  }
  const watchSnapshots = (snapshots: SnapshotStore): SnapshotStore => {
    // While it starts, what cannot be read keeps it from starting.
    const isDoomed = (): boolean => witness.hasBegun(id) && snapshotFates(id)
    const doomed = Effect.suspend(() => (isDoomed() ? Effect.fail(noRoom) : Effect.void))
    return {
      ...snapshots,
      write: (last, pieces) =>
        Effect.tap(Effect.andThen(doomed, snapshots.write(last, pieces)), (snapshot) =>
          Effect.sync(() => witness.onSnapshot(id, "taken", snapshot))
        ),
      read: (snapshot, offset, length) => Effect.andThen(doomed, snapshots.read(snapshot, offset, length)),
      receive: (snapshot, offset, bytes) => Effect.andThen(doomed, snapshots.receive(snapshot, offset, bytes)),
      finish: (snapshot) =>
        Effect.tap(Effect.andThen(doomed, snapshots.finish(snapshot)), () =>
          Effect.sync(() => witness.onSnapshot(id, "received", snapshot))
        )
    }
  }
  const watchTransport = (transport: Transport["Service"]): Transport["Service"] => ({
    ...transport,
    receive: (deliver) => Effect.suspend(() => (witness.onBegin(id), transport.receive(deliver))),
    send: (to, messages) => {
      witness.onSend(id, to, messages)
      transport.send(to, messages)
    }
  })
  return Layer.mergeAll(
    Layer.effect(Storage, Effect.map(Storage, watchStorage)).pipe(Layer.provide(disk.layer)),
    Layer.effect(Transport, Effect.map(Transport, watchTransport)).pipe(Layer.provide(network.layer(id)))
  )
}

const noRoom = new StorageError({ reason: "NoSpace", message: "There was no room for the snapshot." })

const confirmationLost = new StorageError({ reason: "WriteFailed", message: "Written, but the sync failed." })

/** A client's request. The witness hears of its answer inside the step that gives it: no pre-emption in between. */
export const asked = <B>(
  witness: Witness,
  { id, value }: { readonly id: ReplicaId; readonly value: string | undefined },
  request: Effect.Effect<B, RequestError>
): Effect.Effect<B, RequestError> =>
  request.pipe(
    Effect.tap(() => Effect.sync(() => witness.onAnswer(id, value === undefined ? undefined : Buffer.from(value)))),
    Effect.provideService(Scheduler.PreventSchedulerYield, true)
  )
