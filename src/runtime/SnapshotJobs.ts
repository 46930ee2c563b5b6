/**
 * All that a replica does with snapshots, in the background of its loop: taking its own, sending them,
 * receiving its leader's. What comes of it goes into the mailbox, like everything that happens.
 */
import { Effect } from "effect"
import type { StateCodec } from "../codec/StateCodec.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import type { SnapshotStore } from "../storage/Storage.ts"
import type { Transport } from "../transport/Transport.ts"
import * as SnapshotReceiving from "./SnapshotReceiving.ts"
import * as SnapshotSending from "./SnapshotSending.ts"
import * as SnapshotTaking from "./SnapshotTaking.ts"

export type SnapshotNews<S> =
  | SnapshotTaking.TakingNews
  | SnapshotSending.SendingNews
  | SnapshotReceiving.ReceivingNews<S>

export type SnapshotEffect<S> = Extract<
  RaftEffect<never, never, never, S>,
  { readonly _tag: "TakeSnapshot" | "SendChunk" | "StoreChunk" }
>

export interface SnapshotJobs<S> {
  /** Has it done later; waits only where too much waits to be stored. */
  readonly begin: (effect: SnapshotEffect<S>) => Effect.Effect<void>
  /** When what has come of a leader's snapshot is stored. */
  readonly afterStored: (action: () => void) => void
  /** Does the work until interrupted. A failing disk is news; a bug ends it, and with it the replica. */
  readonly run: Effect.Effect<never>
}

export interface SnapshotJobsOptions<S> {
  readonly store: SnapshotStore
  readonly transport: Pick<Transport["Service"], "send">
  readonly codec: StateCodec<S>
  readonly report: (news: SnapshotNews<S>) => void
}

export const make = Effect.fnUntraced(function* <S>({ store, transport, codec, report }: SnapshotJobsOptions<S>) {
  const taking = yield* SnapshotTaking.make(store, codec, report)
  const sending = SnapshotSending.make(store, transport, report)
  const receiving = SnapshotReceiving.make(store, codec, report)
  const jobs: SnapshotJobs<S> = {
    begin: (effect) => {
      switch (effect._tag) {
        case "TakeSnapshot":
          return Effect.sync(() => taking.take(effect.image))
        case "SendChunk":
          return Effect.sync(() => sending.send(effect))
        case "StoreChunk":
          return receiving.store(effect)
      }
    },
    afterStored: receiving.afterStored,
    run: Effect.all([taking.run, sending.run, receiving.run], { concurrency: "unbounded" }).pipe(
      Effect.andThen(Effect.never)
    )
  }
  return jobs
})
