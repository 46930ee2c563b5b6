/**
 * What must be on disk, derived by comparing the state before a batch with the state after
 * it. No handler mentions storage; none can forget to.
 *
 * The order is the contract. Everything right of `Persist` waits until it is durable, so an
 * output leaves only when the state that produced it, or a successor of that state, can no
 * longer be lost. Left of it stand only
 *
 * - a leader's AppendEntries, when term and vote were durable before: others may store entries while
 *   the leader does (thesis §10.2.1);
 * - answers to this replica's clients, when all that is committed was durable before: they tell of nothing that
 *   is being written (see docs/decisions/0027-answers-while-the-disk-works.md).
 */
import type { Configuration } from "./Configuration.ts"
import * as Logs from "./Log.ts"
import type { HardState, Persist, RaftEffect } from "./RaftEffect.ts"
import { leaderOf, quorumLost, type ServerState } from "./ServerState.ts"
import * as StateMachines from "./StateMachine.ts"
import * as Succession from "./Succession.ts"

export const seal = <S, C, Q, R, A>(
  before: ServerState<S, C, Q>,
  after: ServerState<S, C, Q>,
  said: ReadonlyArray<RaftEffect<C, R, A, never>>
): ReadonlyArray<RaftEffect<C, R, A, S>> => {
  if (before === after) return said
  const effects: ReadonlyArray<RaftEffect<C, R, A, S>> = [
    ...said,
    ...leadership<S, C, Q, R, A>(before, after),
    ...divergence<S, C, Q, R, A>(before, after),
    ...snapshot<S, C, Q, R, A>(before, after)
  ]
  const hardState = hardStateChange(before, after)
  const admitted = admissionChange(before, after)
  const change = Logs.difference(before.stateMachine.log, after.stateMachine.log)
  if (hardState === undefined && admitted === undefined && change === undefined) return effects
  const persist: Persist<C> = { _tag: "Persist", hardState, admitted, base: change?.base, log: change?.log }
  // A sole voter commits what it has just logged, and would say so before its disk can; perhaps it is not the sole one any more.
  const isAhead = after.stateMachine.commitIndex > Logs.lastIndex(before.stateMachine.log)
  if (hardState !== undefined || admitted !== undefined || isAhead) return [persist, ...effects]
  const isDurable = showsWhatIsDurable(persist, after)
  const isEarly = (effect: RaftEffect<C, R, A, S>): boolean =>
    isAppend(effect) || (isDurable && effect._tag === "Reply")
  return [...effects.filter(isEarly), persist, ...effects.filter((effect) => !isEarly(effect))]
}

/**
 * Whether all that is committed was on this disk before this `Persist`, which lengthens the log behind it, or replaces what
 * is not committed, and does nothing else: then the state may be shown, and clients answered, while the disk works.
 */
export const showsWhatIsDurable = <S, C, Q>(
  { hardState, admitted, base, log }: Persist<C>,
  { stateMachine }: ServerState<S, C, Q>
): boolean =>
  hardState === undefined &&
  admitted === undefined &&
  base === undefined &&
  (log === undefined || stateMachine.commitIndex < log.from)

const isAppend = <C, R, A, S>(effect: RaftEffect<C, R, A, S>): boolean =>
  effect._tag === "Send" && effect.message._tag === "AppendEntries"

const hardStateChange = <S, C, Q>(before: ServerState<S, C, Q>, after: ServerState<S, C, Q>): HardState | undefined =>
  before.currentTerm === after.currentTerm && before.votedFor === after.votedFor
    ? undefined
    : { currentTerm: after.currentTerm, votedFor: after.votedFor }

/** That it is not admitted is said once to the disk, when a replica hears that there is a history. */
const admissionChange = <S, C, Q>(before: ServerState<S, C, Q>, after: ServerState<S, C, Q>): boolean | undefined =>
  before.admitted === after.admitted && before.pristine === after.pristine ? undefined : after.admitted

/** What clients who wait must know, derived in the same way. */
const leadership = <S, C, Q, R, A>(
  before: ServerState<S, C, Q>,
  after: ServerState<S, C, Q>
): ReadonlyArray<RaftEffect<C, R, A, S>> => {
  const leader = leaderOf(after)
  const term = after.currentTerm
  const isNew = leader !== undefined && (leader !== leaderOf(before) || term !== before.currentTerm)
  // Handing over came to nothing: what came meanwhile was not logged.
  const goesOn =
    before._tag === "Leader" && before.transfer !== undefined && after._tag === "Leader" && !after.transfer && !isNew
  if (leader !== undefined && (isNew || goesOn)) return [{ _tag: "LeaderChanged", leader, term }]
  return quorumLost(after) && !quorumLost(before) ? [{ _tag: "QuorumLost" }] : []
}

const divergence = <S, C, Q, R, A>(
  before: ServerState<S, C, Q>,
  after: ServerState<S, C, Q>
): ReadonlyArray<RaftEffect<C, R, A, S>> =>
  after.diverged === undefined || before.diverged !== undefined ? [] : [{ _tag: "DivergenceFound", at: after.diverged }]

/** A snapshot that was begun is of what this batch has led to, and nobody hears of it before that is durable. */
const snapshot = <S, C, Q, R, A>(
  before: ServerState<S, C, Q>,
  after: ServerState<S, C, Q>
): ReadonlyArray<RaftEffect<C, R, A, S>> =>
  before.snapshots.begins === after.snapshots.begins
    ? []
    : [{ _tag: "TakeSnapshot", image: StateMachines.image(after.stateMachine, committed(after)) }]

/** Of what is applied; a later one in the log may be dropped yet. */
const committed = <S, C, Q>({ configurations, stateMachine }: ServerState<S, C, Q>): Configuration =>
  Succession.at(configurations, stateMachine.lastApplied)
