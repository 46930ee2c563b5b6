/**
 * How requests wait for what others do to the store, without asking again and again: they watch, as clients do, and are told in a
 * turn of their own.
 */
import { Effect } from "effect"
import type { Watch } from "../kv/Watch.ts"
import type { Taken } from "../kv/Watcher.ts"
import type { WatchHub } from "../kv/WatchHub.ts"
import type { KvState } from "../kv/KvState.ts"
import * as GatewayError from "./GatewayError.ts"

export interface Waiting {
  /** What the replica has applied and carried out. */
  readonly store: () => KvState
  readonly hub: WatchHub
}

/** What is taken at once of what has changed. */
const maxBytes = 256 * 1024

/**
 * What has changed, as soon as there is anything; perhaps only that nothing has, up to some revision. Fails where this replica is
 * not to be believed any more, or stops.
 */
export const changes = (
  { hub }: Waiting,
  watch: Watch
): Effect.Effect<Exclude<Taken, { readonly _tag: "Ended" }>, GatewayError.GatewayError> =>
  Effect.callback((resume) => {
    const watcher = hub.watch(watch, () => {
      const taken = watcher.take(maxBytes)
      watcher.close()
      resume(taken._tag === "Ended" ? Effect.fail(GatewayError.stoppedBecause(taken.reason)) : Effect.succeed(taken))
    })
    return Effect.sync(() => watcher.close())
  })

const waitMillis = 5

/** The answer to a write, or a read, may be known a little before what it rests on counts as carried out. */
export const until = Effect.fnUntraced(function* ({ store }: Waiting, revision: number): Effect.fn.Return<KvState> {
  while (store().revision < revision) yield* Effect.sleep(waitMillis)
  return store()
})
