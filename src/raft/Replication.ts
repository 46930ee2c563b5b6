/**
 * AppendEntries, both sides (§5.3): a follower takes what continues its log and says where
 * it does not; a leader keeps each follower supplied, and commits what a majority holds.
 */
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, type Received, send } from "./Core.ts"
import * as Logs from "./Log.ts"
import { Index, type Instant, type LogEntry, type LogPosition, type ReplicaId, Term } from "./LogEntry.ts"
import type { Machine } from "./Machine.ts"
import type { AppendEntries, AppendEntriesReply, AppendResult, Request } from "./Message.ts"
import type { Options } from "./Options.ts"
import * as Progresses from "./Progress.ts"
import type { Progress } from "./Progress.ts"
import { becomeFollower, type Leader, type ServerState } from "./ServerState.ts"
import * as StateMachines from "./StateMachine.ts"
import type { StateMachine } from "./StateMachine.ts"

/**
 * The leader of this term spoke. Its entries are taken if the log holds what they continue;
 * only a conflicting entry, and what follows it, is dropped. An old or doubled message
 * therefore never shortens the log.
 */
export const onAppendEntries = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<AppendEntries<C>>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  // Two leaders in one term cannot be (§5.2); whoever claims it is not obeyed.
  if (state._tag === "Leader" || (state._tag === "Follower" && state.leader !== undefined && state.leader !== from)) {
    return state
  }
  const term = state.currentTerm
  const follower = becomeFollower(state, core.options, { term, leader: from, at, quorumLost: false })
  const [stateMachine, result] = accept(state.stateMachine, message)
  send(batch, from, { _tag: "AppendEntriesReply", term, round: message.round, result })
  return { ...follower, stateMachine }
}

const accept = <S, C>(
  stateMachine: StateMachine<S, C>,
  { prev, entries, leaderCommit }: AppendEntries<C>
): readonly [StateMachine<S, C>, AppendResult] => {
  const { log, commitIndex } = stateMachine
  const term = Logs.termAt(log, prev.index)
  if (term !== prev.term) {
    return [stateMachine, { _tag: "Conflict", prevIndex: prev.index, hint: Logs.lastAtMost(log, prev) }]
  }
  const known = entries.findIndex((entry) => Logs.termAt(log, entry.index) !== entry.term)
  const matchIndex = Index(prev.index + entries.length)
  const fresh = known === -1 ? [] : entries.slice(known)
  // A committed entry is in every later leader's log (§5.4.3); nothing may replace it.
  if (fresh.length > 0 && fresh[0]!.index <= commitIndex) {
    return [stateMachine, { _tag: "Conflict", prevIndex: prev.index, hint: Logs.last(log) }]
  }
  const next = fresh.length === 0 ? log : Logs.append(Logs.truncate(log, fresh[0]!.index), fresh)
  const taken = next === log ? stateMachine : { ...stateMachine, log: next }
  // Only as far as this message vouches for the log: what follows may be another leader's (Figure 2).
  const committed = StateMachines.commitTo(taken, Index(Math.min(leaderCommit, matchIndex)))
  return [committed, { _tag: "Matched", matchIndex }]
}

/** A follower answered: it accepts this leader, and says how far its log agrees. */
export const onAppendEntriesReply = <S, C, Q>(
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<AppendEntriesReply>
): ServerState<S, C, Q> => {
  const before = state._tag === "Leader" ? state.progress.get(from) : undefined
  if (state._tag !== "Leader" || before === undefined || message.round > state.round) return state
  const heard = { ...before, heardAt: at, confirmedRound: Math.max(before.confirmedRound, message.round) }
  const progress = follow(heard, message.result, state.stateMachine.log)
  return { ...state, progress: new Map(state.progress).set(from, progress) }
}

const follow = (progress: Progress, result: AppendResult, log: Logs.Log<unknown>): Progress => {
  switch (result._tag) {
    case "Matched":
      // Nobody can hold more of this leader's log than there is.
      return result.matchIndex > Logs.lastIndex(log) ? progress : Progresses.onMatched(progress, result.matchIndex)
    case "Conflict": {
      // An answer to an older message: the follower has matched further since, or another probe is out.
      const stale =
        result.prevIndex <= progress.matchIndex ||
        (progress._tag === "Probe" && result.prevIndex !== progress.nextIndex - 1)
      if (stale) return progress
      const agree = Logs.lastAtMost(log, result.hint)
      const next = Math.min(agree.index + 1, result.prevIndex)
      return Progresses.becomeProbe(progress, Index(Math.max(progress.matchIndex + 1, next)))
    }
  }
}

/**
 * Logs commands in this leader's term: one append to the log for all of a batch. Beyond
 * the limit on what is uncommitted, this replica's own clients are refused at once;
 * another replica submits again by itself.
 */
export const propose = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  if (batch.commands.length === 0) return state
  let { uncommittedBytes, progress } = state
  const origins = new Set<ReplicaId>()
  let index: number = Logs.lastIndex(state.stateMachine.log)
  const entries: Array<LogEntry<C>> = []
  for (const { request, command } of batch.commands) {
    const bytes = core.machine.sizeOf(command)
    if (uncommittedBytes > 0 && uncommittedBytes + bytes > core.options.maxUncommittedBytes) {
      refuse(state, request, batch)
      continue
    }
    uncommittedBytes += bytes
    entries.push({ index: Index(++index), term: state.currentTerm, payload: { _tag: "Command", request, command } })
    if (request.replica !== state.id) origins.add(request.replica)
  }
  if (entries.length === 0) return state
  for (const origin of origins) progress = Progresses.awaitCommit(progress, origin, Index(index))
  const log = Logs.append(state.stateMachine.log, entries)
  return { ...state, stateMachine: { ...state.stateMachine, log }, progress, uncommittedBytes }
}

const refuse = <S, C, R, Q, A>(
  state: Leader<S, C, Q>,
  request: Request<C>["request"],
  batch: Batch<C, Q, R, A>
): void => {
  if (request.replica !== state.id) return
  batch.said.push({ _tag: "Reply", request, outcome: { _tag: "Refused", reason: "UncommittedBytes" } })
}

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
      id === state.id ? last : (state.progress.get(id)?.matchIndex ?? 0)
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

const sizeOf = <S, C>(entry: LogEntry<C>, machine: Pick<Machine<S, C, unknown, never, unknown>, "sizeOf">): number =>
  entry.payload._tag === "NoOp" ? 0 : machine.sizeOf(entry.payload.command)

/** Sends every follower what it has not been told: entries, a commit that it waits for, a read round, a sign of life. */
export const replicate = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  let changed: Map<ReplicaId, Progress> | undefined
  for (const [peer, before] of state.progress) {
    const after = supply(core, state, { peer, progress: before, at }, batch)
    if (after === before) continue
    changed ??= new Map(state.progress)
    changed.set(peer, after)
  }
  return changed === undefined ? state : { ...state, progress: changed }
}

const supply = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  { peer, progress: before, at }: { readonly peer: ReplicaId; readonly progress: Progress; readonly at: Instant },
  batch: Batch<C, Q, R, A>
): Progress => {
  const { log, commitIndex } = state.stateMachine
  const last = Logs.lastIndex(log)
  const appendTo = (progress: Progress, entries: ReadonlyArray<LogEntry<C>>): void => {
    const prev = positionBefore(log, progress.nextIndex)
    const { currentTerm: term, round } = state
    send(batch, peer, { _tag: "AppendEntries", term, prev, entries, leaderCommit: commitIndex, round })
  }
  const said = batch.said.length
  let progress = before
  if (progress._tag === "Probe" && !progress.asked) {
    appendTo(progress, take(core, log, progress.nextIndex).entries)
    progress = { ...progress, asked: true }
  }
  const window = { appends: core.options.maxInflightAppends, bytes: core.options.maxInflightBytes }
  while (progress._tag === "Replicate" && progress.nextIndex <= last && Progresses.hasRoom(progress, window)) {
    const { entries, bytes } = take(core, log, progress.nextIndex)
    appendTo(progress, entries)
    progress = Progresses.onSent(progress, { last: entries.at(-1)!.index, bytes })
  }
  const owesCommit = Math.min(progress.awaits, commitIndex) > progress.sentCommit
  const silent = at >= progress.sentAt + core.options.heartbeatMillis
  if (batch.said.length === said && (silent || owesCommit || progress.sentRound < state.round)) appendTo(progress, [])
  if (batch.said.length === said) return progress
  return { ...progress, sentAt: at, sentCommit: commitIndex, sentRound: state.round }
}

const positionBefore = (log: Logs.Log<unknown>, index: Index): LogPosition => {
  const before = Index(index - 1)
  return { index: before, term: Logs.termAt(log, before) ?? Term(0) }
}

/** As many entries from `from` on as one append may carry, at least one if there is any. */
const take = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  log: Logs.Log<C>,
  from: Index
): { readonly entries: ReadonlyArray<LogEntry<C>>; readonly bytes: number } => {
  const entries: Array<LogEntry<C>> = []
  let bytes = 0
  for (let index = from; entries.length < core.options.maxAppendEntries; index = Index(index + 1)) {
    const entry = Logs.get(log, index)
    if (entry === undefined) break
    const size = sizeOf(entry, core.machine)
    if (entries.length > 0 && bytes + size > core.options.maxAppendBytes) break
    entries.push(entry)
    bytes += size
  }
  return { entries, bytes }
}

/**
 * When this leader must give up unless a majority answers (CheckQuorum, thesis §6.2): one
 * election timeout after the latest moment at which a majority had been heard.
 */
export const quorumDeadline = <S, C, Q>(state: Leader<S, C, Q>, options: Options): Instant =>
  (Configurations.quorumValue(state.configuration, (id) =>
    id === state.id ? Number.POSITIVE_INFINITY : (state.progress.get(id)?.heardAt ?? 0)
  ) + options.electionTimeoutMillis) as Instant
