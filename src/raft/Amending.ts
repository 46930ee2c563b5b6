/**
 * How a leader changes the cluster itself (§6, thesis §4): it checks what is asked for, logs it, uses it from then
 * on, and goes on by itself: out of a joint configuration that is committed, and from a learner
 * that has caught up to a voter. One change at a time, and none before an entry of the leader's own
 * term is committed: until then it may not know of the last one (Ongaro, raft-dev 2015).
 */
import { type Amended, amend, type Amendment, leave } from "./Amendment.ts"
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, send } from "./Core.ts"
import * as Logs from "./Log.ts"
import { Index, type Instant, type Payload, type ReplicaId, type RequestId } from "./LogEntry.ts"
import type { Options } from "./Options.ts"
import * as Progresses from "./Progress.ts"
import type { Refusal } from "./RaftEffect.ts"
import * as Refusing from "./Refusing.ts"
import { type CatchUp, type Leader, withConfigurations } from "./ServerState.ts"
import * as Succession from "./Succession.ts"
import * as Versions from "./Version.ts"

/** Whether it knows all that is committed, and so the configuration that the cluster has. */
const isReady = <S, C, Q>({ stateMachine: { log, commitIndex }, currentTerm, transfer }: Leader<S, C, Q>): boolean =>
  Logs.termAt(log, commitIndex) === currentTerm && transfer === undefined

const isPending = <S, C, Q>({ configurations, stateMachine }: Leader<S, C, Q>): boolean =>
  Succession.last(configurations).index > stateMachine.commitIndex

/** What was asked for in this batch: logged or refused. */
export const propose = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  let state = before
  for (const { request, amendment } of batch.amendments) {
    // What the network has doubled, or a replica that lags asks for again: others may have changed it back since.
    if (state.amended.some((known) => isSame(known, request))) continue
    const checked = check(core.options, state, amendment, at)
    if (checked._tag === "Refused") Refusing.anywhere(state, [{ request, reason: checked.reason }], batch)
    else state = log(state, { ...checked.payload, request }, at)
  }
  return state
}

const isSame = (one: RequestId, other: RequestId): boolean =>
  one.replica === other.replica && one.incarnation === other.incarnation && one.sequence === other.sequence

/** So many requests are remembered. */
const maxAmended = 64

type Checked =
  | { readonly _tag: "Refused"; readonly reason: Refusal }
  | { readonly _tag: "Good"; readonly payload: Exclude<Payload<never>, { readonly _tag: "NoOp" | "Command" }> }

const refused = (reason: Refusal): Checked => ({ _tag: "Refused", reason })

const check = <S, C, Q>(options: Options, state: Leader<S, C, Q>, amendment: Amendment, at: Instant): Checked => {
  if (!isReady(state)) return refused("NotReady")
  if (state.diskFull) return refused("NoSpace")
  if (amendment._tag === "Version") return Versions.limit(state, amendment.ceiling)
  const next = plan(options, state, amendment, at)
  if (next._tag === "Objection") return refused(next.objection)
  if (isPending(state)) return refused("ChangePending")
  if (next.warning !== undefined && !amendment.force) return refused(next.warning)
  return { _tag: "Good", payload: { _tag: "Configuration", configuration: next.configuration, request: undefined } }
}

export type Planned =
  | Extract<Amended, { readonly _tag: "Objection" }>
  | {
      readonly _tag: "Configuration"
      readonly configuration: Configuration
      /** Why only `force` would do it. */
      readonly warning: "WouldLoseQuorum" | "NotCaughtUp" | undefined
    }

/** What a change would come to at `at`, as far as this leader can tell; nothing is done. */
export const plan = <S, C, Q>(
  options: Options,
  state: Leader<S, C, Q>,
  amendment: Extract<Amendment, { readonly _tag: "Members" }>,
  at: Instant
): Planned => {
  const next = amend(state.configuration, amendment)
  if (next._tag === "Objection") return next
  const { configuration } = next
  const added = configuration.voters.filter((id) => !Configurations.isVoter(state.configuration, id))
  const isBehind = added.some((id) => state.catchUps.get(id)?.done !== true)
  const reach = new Set(configuration.voters.filter((id) => isInReach(options, state, id, at)))
  const losesQuorum = !Configurations.isQuorum({ ...configuration, outgoing: [] }, reach)
  return { ...next, warning: losesQuorum ? "WouldLoseQuorum" : isBehind ? "NotCaughtUp" : undefined }
}

/** Whether it counts, and has spoken within an election timeout. */
export const isInReach = <S, C, Q>(options: Options, state: Leader<S, C, Q>, id: ReplicaId, at: Instant): boolean => {
  if (id === state.id) return true
  const progress = state.progress.get(id)
  return (
    progress !== undefined &&
    progress.admitted &&
    progress.incarnation > 0 &&
    at < progress.heardAt + options.electionTimeoutMillis
  )
}

/** An entry that is not a command; a configuration is in force at once. */
const log = <S, C, Q>(
  state: Leader<S, C, Q>,
  payload: Exclude<Payload<never>, { readonly _tag: "NoOp" | "Command" }>,
  at: Instant
): Leader<S, C, Q> => {
  const lastIndex = Logs.lastIndex(state.stateMachine.log)
  const entries = [{ index: Index(lastIndex + 1), term: state.currentTerm, payload }]
  const stateMachine = { ...state.stateMachine, log: Logs.append(state.stateMachine.log, entries) }
  const { request } = payload
  const progress =
    request === undefined ? state.progress : Progresses.awaitCommit(state.progress, request.replica, entries[0]!.index)
  const amended = request === undefined ? state.amended : [...state.amended.slice(1 - maxAmended), request]
  const logged = { ...state, stateMachine, progress, amended }
  if (payload._tag === "Version") return { ...logged, announced: entries[0]!.index }
  return reconfigure(withConfigurations(logged, Succession.append(state.configurations, entries)), lastIndex, at)
}

/** Supplies whoever is a member now, and nobody else. */
const reconfigure = <S, C, Q>(state: Leader<S, C, Q>, lastIndex: Index, at: Instant): Leader<S, C, Q> => {
  const progress = new Map<ReplicaId, Progresses.Progress>()
  for (const peer of Configurations.peers(state.configuration, state.id)) {
    progress.set(peer, state.progress.get(peer) ?? Progresses.initial({ lastIndex, at }))
  }
  const catchUps = new Map([...state.catchUps].filter(([id]) => Configurations.isLearner(state.configuration, id)))
  return { ...state, progress, catchUps }
}

/** What follows by itself, now that something may have been committed or learnt. */
export const goOn = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: Leader<S, C, Q>,
  at: Instant
): Leader<S, C, Q> => {
  const state = measure(core.options, before, at)
  if (!isReady(state) || state.diskFull) return state
  const raised = Versions.raise(core.machine, state)
  if (raised !== undefined) return log(state, raised, at)
  if (isPending(state)) return state
  const { configuration, request } = Succession.last(state.configurations)
  if (Configurations.isJoint(configuration)) {
    if (!configuration.autoLeave) return state
    return log(state, { _tag: "Configuration", configuration: leave(configuration), request }, at)
  }
  const caughtUp = configuration.learners.filter(
    ({ id, promote }) => promote && isCaughtUp(core.options, state, id, at)
  )
  if (caughtUp.length === 0) return state
  const changes = caughtUp.map(({ id }) => ({ _tag: "Promote" as const, id }))
  const next = plan(core.options, state, { _tag: "Members", changes, autoLeave: true, force: false }, at)
  if (next._tag !== "Configuration" || next.warning !== undefined) return state
  return log(state, { _tag: "Configuration", configuration: next.configuration, request: undefined }, at)
}

const isCaughtUp = <S, C, Q>(options: Options, state: Leader<S, C, Q>, id: ReplicaId, at: Instant): boolean =>
  state.catchUps.get(id)?.done === true && isInReach(options, state, id, at)

/** How far the learners have come. One that falls silent begins anew. */
const measure = <S, C, Q>(options: Options, state: Leader<S, C, Q>, at: Instant): Leader<S, C, Q> => {
  if (state.configuration.learners.length === 0) return state
  let catchUps: Map<ReplicaId, CatchUp> | undefined
  for (const { id } of state.configuration.learners) {
    const progress = state.progress.get(id)
    // One that is not admitted could vote no more than before, and one that is outdated not lead.
    const isOfUse = progress?.admitted === true && progress.incarnation > 0 && Versions.isUnderstoodBy(state, id)
    if (progress === undefined || !isOfUse) continue
    const known = state.catchUps.get(id)
    const lastIndex = Logs.lastIndex(state.stateMachine.log)
    const next = catchUp(known, { matchIndex: progress.matchIndex, heardAt: progress.heardAt, lastIndex, at, options })
    if (next !== known) (catchUps ??= new Map(state.catchUps)).set(id, next)
  }
  return catchUps === undefined ? state : { ...state, catchUps }
}

interface Measured {
  readonly matchIndex: Index
  readonly heardAt: Instant
  readonly lastIndex: Index
  readonly at: Instant
  readonly options: Options
}

const catchUp = (known: CatchUp | undefined, { matchIndex, heardAt, lastIndex, at, options }: Measured): CatchUp => {
  const { electionTimeoutMillis } = options
  const isSilent = at >= heardAt + electionTimeoutMillis
  if (known === undefined || (known.done && isSilent)) return { round: 1, target: lastIndex, since: at, done: false }
  if (known.done || matchIndex < known.target) return known
  if (at - known.since < electionTimeoutMillis) return { ...known, done: true }
  return { round: known.round + 1, target: lastIndex, since: at, done: false }
}

/**
 * Whoever is no member any more is sent nothing from now on, and one that does not ask for votes would never hear why. Lost, it
 * is only not told; a voter asks in the end, and is told then.
 */
export const tellWhoIsGone = <S, C, R, Q, A>(
  before: Leader<S, C, Q>,
  state: Leader<S, C, Q>,
  batch: Batch<C, Q, R, A>
): void => {
  const { commitIndex } = state.stateMachine
  const known = before.stateMachine.commitIndex
  for (const [at, { configuration, index }] of state.configurations.entries()) {
    const former = at === 0 || index <= known || index > commitIndex ? undefined : state.configurations[at - 1]
    if (former === undefined) continue
    for (const id of Configurations.peers(former.configuration, state.id)) {
      if (Configurations.isMember(configuration, id)) continue
      send(batch, id, { _tag: "NotAMember", term: state.currentTerm, index })
    }
  }
}

/** A leader that the committed configuration does not count any more leads nobody (§6). */
export const isDeposed = <S, C, Q>(state: Leader<S, C, Q>): boolean =>
  !Configurations.isVoter(state.configuration, state.id) && !isPending(state)
