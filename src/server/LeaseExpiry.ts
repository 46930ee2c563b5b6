/**
 * Has leases expire whose time is over, while this replica leads. Time is the cluster's, and the store judges by it once more when
 * the command is applied: a lease that was kept alive meanwhile stays, whoever proposed what, and however often.
 */
import { Effect } from "effect"
import type { KvState } from "../kv/KvState.ts"
import * as Leases from "../kv/Leases.ts"
import type { ClusterTime } from "../raft/LogEntry.ts"
import type { KvReplica } from "./KvReplica.ts"

export interface LeaderOptions {
  readonly replica: KvReplica
  /** What the replica has applied and carried out. */
  readonly store: () => KvState
  /** The cluster's time while this replica leads. */
  readonly clusterTime: () => ClusterTime | undefined
}

/** etcd's. */
export const roundMillis = 500
/** Each of as many leases as one may have, and one after the other, so that others' writes have their turn. */
export const maxCommandsInRound = 10

/** Never ends by itself. */
export const run = (options: LeaderOptions): Effect.Effect<never> =>
  Effect.sleep(roundMillis).pipe(Effect.andThen(round(options)), Effect.forever)

/** What fails is due still in the next round, here or at the next leader. */
const round = (options: LeaderOptions): Effect.Effect<void> => Effect.ignore(expire(options))

const expire = Effect.fnUntraced(function* ({ replica, store, clusterTime }: LeaderOptions) {
  for (let commands = 0; commands < maxCommandsInRound; commands++) {
    const time = clusterTime()
    const ids = time === undefined ? [] : Leases.due(store().leases, time)
    if (ids.length === 0) return
    yield* replica.propose({ _tag: "LeaseExpire", ids })
    // It hears of what it proposed while that is still being carried out; then the store has not changed yet.
    yield* Effect.yieldNow
  }
})
