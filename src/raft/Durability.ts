/**
 * What must be on disk, derived by comparing the state before a batch with the state after
 * it. No handler mentions storage; none can forget to.
 *
 * The order is the contract. Everything right of `Persist` waits until it is durable, so an
 * output leaves only when the state that produced it, or a successor of that state, can no
 * longer be lost. Left of it stand at most a leader's AppendEntries, and only when term and
 * vote were durable before: others may store entries while the leader does (thesis §10.2.1); and answers
 * to clients that rest on nothing of it, for what they tell of was committed and on disk before.
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
  const appends = effects.filter(isAppend)
  const answers = showsWhatIsDurable(persist, after) ? effects.filter(isAnswer) : []
  const rest = effects.filter((effect) => !isAppend(effect) && !(answers.length > 0 && isAnswer(effect)))
  return [...appends, ...answers, persist, ...rest]
}

/**
 * Whether all that is applied was on disk before this `Persist`, which adds to the log behind it and does nothing else:
 * then it may be shown, and clients answered, while the disk works.
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

const isAnswer = <C, R, A, S>(effect: RaftEffect<C, R, A, S>): boolean => effect._tag === "Reply"

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
