/**
 * A leader's own log (§5.3, §5.4.2): what clients want goes in at its end, and what a majority holds is
 * committed.
 */
import * as Configurations from "./Configuration.ts"
import type { Batch, Core } from "./Core.ts"
import * as Logs from "./Log.ts"
import { ClusterTime, Index, type Instant, type LogEntry, type ReplicaId } from "./LogEntry.ts"
import type { Machine } from "./Machine.ts"
import * as Progresses from "./Progress.ts"
import * as Refusing from "./Refusing.ts"
import { sizeOf } from "./Replication.ts"
import type { Leader } from "./ServerState.ts"
import * as StateMachines from "./StateMachine.ts"

/**
 * Logs commands in this leader's term: one append to the log for all of a batch. Beyond
 * the limit on what is uncommitted, and while the disk is full, they are refused.
 */
export const propose = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  // Who hands over logs nothing more (thesis §3.10); what comes meanwhile is submitted again to whoever leads then.
  if (batch.commands.length === 0 || state.transfer !== undefined) return state
  const time = clusterTime(state, at)
  let { uncommittedBytes, progress } = state
  const origins = new Set<ReplicaId>()
  const refused: Array<Refusing.Refused> = []
  let index: number = Logs.lastIndex(state.stateMachine.log)
  const entries: Array<LogEntry<C>> = []
  for (const { request, command } of batch.commands) {
    const bytes = core.machine.sizeOf(command)
    const isTooMuch = uncommittedBytes > 0 && uncommittedBytes + bytes > core.options.maxUncommittedBytes
    if (isTooMuch || state.diskFull) {
      refused.push({ request, reason: state.diskFull ? "NoSpace" : "UncommittedBytes" })
      continue
    }
    uncommittedBytes += bytes
    entries.push({
      index: Index(++index),
      term: state.currentTerm,
      payload: { _tag: "Command", request, time, command }
    })
    if (request.replica !== state.id) origins.add(request.replica)
  }
  Refusing.anywhere(state, refused, batch)
  if (entries.length === 0) return state
  for (const origin of origins) progress = Progresses.awaitCommit(progress, origin, Index(index))
  const log = Logs.append(state.stateMachine.log, entries)
  return { ...state, stateMachine: { ...state.stateMachine, log }, progress, uncommittedBytes }
}

/** The cluster's time, by this leader's clock. A clock that was set back would not go unnoticed by it. */
export const clusterTime = <S, C, Q>({ clock }: Pick<Leader<S, C, Q>, "clock">, at: Instant): ClusterTime =>
  ClusterTime(clock.time + Math.max(0, Math.floor(at - clock.at)))

/**
 * A leader counts only entries of its own term towards a majority (§5.4.2). Counting older
 * ones could commit an entry that a later leader overwrites (Figure 8); they are committed
 * along with the first entry of this term.
 *
 * It counts its own log to the end, though this batch's entries are not on disk yet: a
 * majority includes a follower, whose acknowledgement of such an entry cannot be in this
 * batch, and the next one starts after `Persist`. A sole voter's replies stand behind it.
 */
export const commit = <S, C, Q>(
  state: Leader<S, C, Q>,
  machine: Pick<Machine<S, C, unknown, never, unknown>, "sizeOf">
): Leader<S, C, Q> => {
  const { log, commitIndex } = state.stateMachine
  const last = Logs.lastIndex(log)
  const replicated = Index(
    Configurations.quorumValue(state.configuration, (id) =>
      id === state.id ? last : Progresses.counted(state.progress.get(id), "matchIndex")
    )
  )
  if (replicated <= commitIndex || Logs.termAt(log, replicated) !== state.currentTerm) return state
  let { uncommittedBytes } = state
  for (let index = commitIndex + 1; index <= replicated && uncommittedBytes > 0; index++) {
    const entry = Logs.get(log, Index(index))!
    // What it inherited was never counted.
    if (entry.term === state.currentTerm) uncommittedBytes -= sizeOf(entry, machine)
  }
  return {
    ...state,
    stateMachine: StateMachines.commitTo(state.stateMachine, replicated),
    uncommittedBytes: Math.max(0, uncommittedBytes)
  }
}
