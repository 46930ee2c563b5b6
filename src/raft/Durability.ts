/**
 * What must be on disk, derived by comparing the state before a batch with the state after
 * it. No handler mentions storage; none can forget to.
 *
 * The order is the contract. Everything right of `Persist` waits until it is durable, so an
 * output leaves only when the state that produced it, or a successor of that state, can no
 * longer be lost. Left of it stand at most a leader's AppendEntries, and only when term and
 * vote were durable before: others may store entries while the leader does (thesis §10.2.1).
 */
import * as Logs from "./Log.ts"
import type { HardState, Persist, RaftEffect } from "./RaftEffect.ts"
import { leaderOf, quorumLost, type ServerState } from "./ServerState.ts"

export const seal = <S, C, Q, R, A>(
  before: ServerState<S, C, Q>,
  after: ServerState<S, C, Q>,
  said: ReadonlyArray<RaftEffect<C, R, A>>
): ReadonlyArray<RaftEffect<C, R, A>> => {
  if (before === after) return said
  const effects = [...said, ...leadership<S, C, Q, R, A>(before, after)]
  const hardState = hardStateChange(before, after)
  const log = Logs.difference(before.stateMachine.log, after.stateMachine.log)
  if (hardState === undefined && log === undefined) return effects
  const persist: Persist<C> = { _tag: "Persist", hardState, log }
  if (hardState !== undefined) return [persist, ...effects]
  return [...effects.filter(mayLeaveEarly), persist, ...effects.filter((effect) => !mayLeaveEarly(effect))]
}

const mayLeaveEarly = <C, R, A>(effect: RaftEffect<C, R, A>): boolean =>
  effect._tag === "Send" && effect.message._tag === "AppendEntries"

const hardStateChange = <S, C, Q>(before: ServerState<S, C, Q>, after: ServerState<S, C, Q>): HardState | undefined =>
  before.currentTerm === after.currentTerm && before.votedFor === after.votedFor
    ? undefined
    : { currentTerm: after.currentTerm, votedFor: after.votedFor }

/** What clients who wait must know, derived in the same way. */
const leadership = <S, C, Q, R, A>(
  before: ServerState<S, C, Q>,
  after: ServerState<S, C, Q>
): ReadonlyArray<RaftEffect<C, R, A>> => {
  const leader = leaderOf(after)
  const term = after.currentTerm
  const changed = leader !== undefined && (leader !== leaderOf(before) || term !== before.currentTerm)
  if (changed) return [{ _tag: "LeaderChanged", leader, term }]
  return quorumLost(after) && !quorumLost(before) ? [{ _tag: "QuorumLost" }] : []
}
