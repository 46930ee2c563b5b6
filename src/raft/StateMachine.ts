/**
 * A replica's copy of the replicated machine: what is logged, what of it is committed,
 * what of that is applied, and the value that applying has produced. Immutable: a
 * snapshot is this reference, kept.
 */
import { Index, type LogEntry, type ReplicaId, type RequestId } from "./LogEntry.ts"
import type { Log } from "./Log.ts"
import * as Logs from "./Log.ts"
import type { Machine } from "./Machine.ts"
import type { Applied, Superseded } from "./RaftEffect.ts"

export interface StateMachine<S, C> {
  readonly log: Log<C>
  readonly commitIndex: Index
  readonly lastApplied: Index
  readonly value: S
  /**
   * For each replica the last request of its clients that was applied. A request that is
   * not later than it is skipped: so a command that was forwarded, logged or retransmitted
   * twice is applied once. Part of the replicated value, and as small as the cluster.
   */
  readonly applied: ReadonlyMap<ReplicaId, RequestId>
}

export const make = <S, C>(value: S, entries: ReadonlyArray<LogEntry<C>>): StateMachine<S, C> => ({
  log: Logs.of(entries),
  commitIndex: Index(0),
  lastApplied: Index(0),
  value,
  applied: new Map()
})

/** Moves the commit index; never back, and never beyond the log. */
export const commitTo = <S, C>(machine: StateMachine<S, C>, index: Index): StateMachine<S, C> =>
  index > machine.commitIndex
    ? { ...machine, commitIndex: Index(Math.min(index, Logs.lastIndex(machine.log))) }
    : machine

/** Told of each request, in order, what became of it. */
export type OnApplied<R> = (request: RequestId, outcome: Applied<R> | Superseded) => void

/** Applies what is committed and not applied yet, in order (§5.3), at most `limit` entries of it. */
export const apply = <S, C, R>(
  stateMachine: StateMachine<S, C>,
  machine: Pick<Machine<S, C, R, never, unknown>, "apply">,
  onApplied: OnApplied<R>,
  limit = Number.POSITIVE_INFINITY
): StateMachine<S, C> => {
  const { commitIndex, lastApplied, log } = stateMachine
  if (commitIndex === lastApplied) return stateMachine
  const end = Index(Math.min(commitIndex, lastApplied + limit))
  let value = stateMachine.value
  let applied: Map<ReplicaId, RequestId> | undefined
  for (let index = lastApplied + 1; index <= end; index++) {
    const { payload } = Logs.get(log, Index(index))!
    if (payload._tag === "NoOp") continue
    const { request } = payload
    if (!isLater(request, (applied ?? stateMachine.applied).get(request.replica))) {
      onApplied(request, superseded)
      continue
    }
    const [next, result] = machine.apply(value, payload.command)
    value = next
    applied ??= new Map(stateMachine.applied)
    applied.set(request.replica, request)
    onApplied(request, { _tag: "Applied", result })
  }
  return { log, commitIndex, lastApplied: end, value, applied: applied ?? stateMachine.applied }
}

const superseded: Superseded = { _tag: "Superseded" }

/** Whether `request` comes after `other`, both of the same replica. */
const isLater = (request: RequestId, other: RequestId | undefined): boolean =>
  other === undefined ||
  request.incarnation > other.incarnation ||
  (request.incarnation === other.incarnation && request.sequence > other.sequence)
