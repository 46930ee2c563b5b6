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

/** etcd's: so often, and at most a thousand a second, so that others' writes have their turn. */
export const roundMillis = 500
export const maxInRound = 500

/** So many are proposed before the first of them is applied. */
const concurrency = 64

/** Never ends by itself. */
export const run = (options: LeaderOptions): Effect.Effect<never> =>
  Effect.sleep(roundMillis).pipe(Effect.andThen(Effect.suspend(() => round(options))), Effect.forever)

/** What fails is due still in the next round, here or at the next leader. */
const round = ({ replica, store, clusterTime }: LeaderOptions): Effect.Effect<void> => {
  const time = clusterTime()
  if (time === undefined) return Effect.void
  const due = Leases.due(store().leases, time, maxInRound)
  return Effect.forEach(due, (id) => Effect.ignore(replica.propose({ _tag: "LeaseExpire", id })), {
    concurrency,
    discard: true
  })
}
