/**
 * AppendEntries, both sides (§5.3): a follower takes what continues its log and says where
 * it does not; a leader keeps each follower supplied, and commits what a majority holds.
 *
 * Long because: what either side does rests on what the other one takes it for, so the two are read beside each other.
 */
import * as Admission from "./Admission.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, type Received, send } from "./Core.ts"
import * as Divergence from "./Divergence.ts"
import * as Eagerness from "./Eagerness.ts"
import * as Logs from "./Log.ts"
import { Index, Instant, type LogEntry, type LogPosition, type ReplicaId, Term } from "./LogEntry.ts"
import type { Machine } from "./Machine.ts"
import type { AppendEntries, AppendEntriesReply, AppendResult, HeartbeatReply, Introduce } from "./Message.ts"
import type { Options } from "./Options.ts"
import * as Progresses from "./Progress.ts"
import type { Progress } from "./Progress.ts"
import * as Promptness from "./Promptness.ts"
import type { LogChange } from "./RaftEffect.ts"
import { becomeFollower, hasAnotherLeader, type Leader, type ServerState, withConfigurations } from "./ServerState.ts"
import * as Snapshotting from "./Snapshotting.ts"
import * as StateMachines from "./StateMachine.ts"
import type { StateMachine } from "./StateMachine.ts"
import type { Succession } from "./Succession.ts"
import * as Successions from "./Succession.ts"

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
  if (hasAnotherLeader(state, from)) return state
  const term = state.currentTerm
  const follower = becomeFollower(state, core.options, { term, leader: from, at, quorumLost: false })
  const { stateMachine, result, change } = accept(state.stateMachine, message)
  const caughtUp = withConfigurations({ ...follower, stateMachine }, succeed(state.configurations, change))
  const next = { ...caughtUp, admitted: Admission.isAdmitted(caughtUp) }
  const sender = Admission.sender(core, next)
  send(batch, from, { _tag: "AppendEntriesReply", term, round: message.round, result, sender })
  Admission.introduce(next, batch)
  return next
}

/** The configuration is always the last one in the log: those that are dropped are in force no more (§6). */
const succeed = <C>(configurations: Succession, change: LogChange<C> | undefined): Succession =>
  change === undefined
    ? configurations
    : Successions.append(Successions.truncate(configurations, change.from), change.entries)

interface Accepted<S, C> {
  readonly stateMachine: StateMachine<S, C>
  readonly result: AppendResult
  readonly change: LogChange<C> | undefined
}

const accept = <S, C>(stateMachine: StateMachine<S, C>, message: AppendEntries<C>): Accepted<S, C> => {
  const unchanged = (result: AppendResult): Accepted<S, C> => ({ stateMachine, result, change: undefined })
  const { log, commitIndex } = stateMachine
  const known = message.prev.index < log.base.index ? belowBase(log, message) : undefined
  if (known !== undefined) return unchanged(known)
  const { prev, entries } = afterBase(log, message)
  const { leaderCommit } = message
  const term = Logs.termAt(log, prev.index)
  if (term !== prev.term) {
    return unchanged({ _tag: "Conflict", prevIndex: prev.index, hint: Logs.lastAtMost(log, prev) })
  }
  const first = entries.findIndex((entry) => Logs.termAt(log, entry.index) !== entry.term)
  const matchIndex = Index(prev.index + entries.length)
  const fresh = first === -1 ? [] : entries.slice(first)
  // A committed entry is in every later leader's log (§5.4.3); nothing may replace it.
  if (fresh.length > 0 && fresh[0]!.index <= commitIndex) {
    return unchanged({ _tag: "Conflict", prevIndex: prev.index, hint: Logs.last(log) })
  }
  const next = fresh.length === 0 ? log : Logs.append(Logs.truncate(log, fresh[0]!.index), fresh)
  const taken = next === log ? stateMachine : { ...stateMachine, log: next }
  // Only as far as this message vouches for the log: what follows may be another leader's (Figure 2).
  const committed = StateMachines.commitTo(taken, Index(Math.min(leaderCommit, matchIndex)))
  const change = fresh.length === 0 ? undefined : { from: fresh[0]!.index, entries: fresh }
  return { stateMachine: committed, result: { _tag: "Matched", matchIndex }, change }
}

/**
 * An append that begins before this log does. What a snapshot stands for was committed, so it is in the leader's log
 * as well (§5.4.3); but nothing is taken for granted that the message does not reach. `undefined` where it
 * goes on beyond the base, and names the base as this log does.
 */
const belowBase = (log: Logs.Log<unknown>, { prev, entries }: AppendEntries<unknown>): AppendResult | undefined => {
  const { base } = log
  const atBase = entries[base.index - prev.index - 1]
  if (atBase === undefined) return { _tag: "Matched", matchIndex: Index(prev.index + entries.length) }
  return atBase.term === base.term
    ? undefined
    : { _tag: "Conflict", prevIndex: prev.index, hint: { index: prev.index, term: prev.term } }
}

const afterBase = <C>(
  { base }: Logs.Log<C>,
  { prev, entries }: AppendEntries<C>
): Pick<AppendEntries<C>, "prev" | "entries"> =>
  prev.index >= base.index ? { prev, entries } : { prev: base, entries: entries.slice(base.index - prev.index) }

/** A follower answered: it accepts this leader, and says how far its log agrees. */
export const onAppendEntriesReply = <S, C, R, Q, A>(
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<AppendEntriesReply>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const before = state._tag === "Leader" ? state.progress.get(from) : undefined
  if (state._tag !== "Leader" || before === undefined || message.round > state.round) return state
  const { incarnation } = message.sender
  if (incarnation < before.incarnation) return state
  const progress = follow(hear(state, before, { message, at }), message.result, state.stateMachine.log)
  if (message.result._tag === "Conflict" && message.result.hint.index < progress.acknowledged) {
    const { acknowledged: index } = progress
    send(batch, from, { _tag: "Forgotten", term: state.currentTerm, incarnation, index })
  }
  const answers = before.unanswered === 1 ? Eagerness.answered(state.answers, at - before.sentAt) : state.answers
  return { ...state, answers, progress: new Map(state.progress).set(from, progress) }
}

/** What any answer of a follower says, whatever it answers. */
export const hear = <S, C, Q>(
  state: Leader<S, C, Q>,
  before: Progress,
  { message, at }: Pick<Received<AppendEntriesReply | HeartbeatReply>, "message" | "at">
): Progress => {
  const { incarnation, admitted, applied, version, patienceMillis } = message.sender
  const known = incarnation > before.incarnation ? Progresses.restarted(before, incarnation) : before
  return {
    ...known,
    heardAt: at,
    unanswered: 0,
    admitted,
    version,
    patienceMillis,
    // Who is not admitted may have promised another leader more than it remembers: it confirms nobody.
    confirmedRound: admitted ? Math.max(known.confirmedRound, message.round) : known.confirmedRound,
    compared: Divergence.compare(state, known.compared, applied)
  }
}

/** Another start of a replica that is not admitted makes itself known before it answers any append. */
export const onIntroduce = <S, C, R, Q, A>(
  state: ServerState<S, C, Q>,
  received: Received<Introduce>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const { from, message } = received
  Admission.onIntroduce(state, received, batch)
  const before = state._tag === "Leader" ? state.progress.get(from) : undefined
  if (state._tag !== "Leader" || before === undefined || message.incarnation <= before.incarnation) return state
  const progress = { ...Progresses.restarted(before, message.incarnation), admitted: false }
  return { ...state, progress: new Map(state.progress).set(from, progress) }
}

const follow = (progress: Progress, result: AppendResult, log: Logs.Log<unknown>): Progress => {
  switch (result._tag) {
    case "Matched":
      // Nobody can hold more of this leader's log than there is.
      return result.matchIndex > Logs.lastIndex(log)
        ? progress
        : Progresses.onMatched(progress, result.matchIndex, log.base.index)
    case "Conflict": {
      // It is being sent what will make it match.
      if (progress._tag === "Snapshot") return progress
      // An answer to an older message: the follower has matched further since, or another probe is out.
      const stale =
        result.prevIndex <= progress.matchIndex ||
        (progress._tag === "Probe" && result.prevIndex !== progress.nextIndex - 1)
      if (stale) return progress
      // Where its log does not reach back to this one's base, there is nothing to agree on.
      const agree = Math.min(Logs.lastAtMost(log, result.hint).index, result.hint.index)
      const next = Math.max(1, Math.min(agree + 1, result.prevIndex))
      return Progresses.becomeProbe(progress, Index(Math.max(progress.matchIndex + 1, next)))
    }
  }
}

export const sizeOf = <S, C>(
  entry: LogEntry<C>,
  machine: Pick<Machine<S, C, unknown, never, unknown>, "sizeOf">
): number => (entry.payload._tag === "Command" ? machine.sizeOf(entry.payload.command) : 0)

/** Sends every follower what it has not been told: entries, a commit that it waits for, a read round, a sign of life. */
export const replicate = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  let changed: Map<ReplicaId, Progress> | undefined
  let { answers } = state
  const { options } = core
  const chosen = options.lazyFollowers ? Eagerness.choose(state, options, at) : undefined
  for (const [peer, before] of state.progress) {
    if (chosen?.has(peer) === false) continue
    const after = supply(core, state, { peer, progress: before, at }, batch)
    if (after === before) continue
    if (before.unanswered === 1 && after.unanswered === 2) answers = Eagerness.unanswered(answers)
    changed ??= new Map(state.progress)
    changed.set(peer, after)
  }
  return changed === undefined ? state : { ...state, answers, progress: changed }
}

const supply = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  { peer, progress: before, at }: { readonly peer: ReplicaId; readonly progress: Progress; readonly at: Instant },
  batch: Batch<C, Q, R, A>
): Progress => {
  const { log, commitIndex } = state.stateMachine
  const last = Logs.lastIndex(log)
  const { latest } = state.snapshots
  const appendTo = (progress: Progress, entries: ReadonlyArray<LogEntry<C>>): void => {
    const prev = positionBefore(log, progress.nextIndex)
    const { currentTerm: term, round } = state
    send(batch, peer, { _tag: "AppendEntries", term, prev, entries, leaderCommit: commitIndex, round })
  }
  const said = batch.said.length
  const isChosen = core.options.lazyFollowers
  let progress = isChosen ? Eagerness.rewind(state, before, core.options, at) : before
  if (progress.catchingUp && progress.matchIndex >= (latest?.last.index ?? 0)) {
    progress = { ...progress, catchingUp: false }
  }
  // The entry before the next one is gone, so the follower cannot be asked whether it holds it.
  if (progress.nextIndex <= log.base.index && latest !== undefined) {
    progress = Progresses.becomeSnapshot(progress, latest)
  }
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
  const isDue = isChosen && !(before._tag === "Snapshot" && progress._tag === "Snapshot")
  const owesRound = progress.sentRound < state.round && Promptness.isAsked(state, peer, core.options, at)
  const silent = at >= progress.sentAt + core.options.heartbeatMillis
  if (batch.said.length === said && (isDue || silent || owesCommit || owesRound)) {
    // Behind a lot of data it would arrive too late to be a sign of life; behind little it says more.
    if (Progresses.inflightBytes(progress) > core.options.heartbeatBesideBytes) {
      send(batch, peer, { _tag: "Heartbeat", term: state.currentTerm, round: state.round })
    }
    appendTo(progress, [])
  }
  if (batch.said.length > said) {
    const unanswered = isChosen ? progress.unanswered + 1 : 0
    progress = { ...progress, sentAt: at, unanswered, sentCommit: commitIndex, sentRound: state.round }
  }
  // After the sign of life, which does not wait for it.
  return progress._tag === "Snapshot" ? Snapshotting.supply(core, state, { peer, progress, at }, batch) : progress
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
 * When this leader must give up unless a majority answers (CheckQuorum, thesis §6.2): one election timeout after the
 * latest moment at which a majority had been heard. One that is not admitted does not count, unless all voters are heard:
 * then it will be admitted soon, and without a leader it never would be.
 */
export const quorumDeadline = <S, C, Q>(state: Leader<S, C, Q>, options: Options): Instant => {
  const { configuration, id: self, progress } = state
  const heardAt = Configurations.quorumValue(configuration, (id) =>
    id === self ? Number.POSITIVE_INFINITY : Progresses.counted(progress.get(id), "heardAt")
  )
  let allHeardAt = Number.POSITIVE_INFINITY
  for (const id of Configurations.otherVoters(configuration, self)) {
    allHeardAt = Math.min(allHeardAt, progress.get(id)?.heardAt ?? 0)
  }
  return Instant(Math.max(heardAt, allHeardAt) + options.electionTimeoutMillis)
}
