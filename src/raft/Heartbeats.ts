/**
 * Signs of life beside large appends: they do not wait behind those, and say the same about leader and follower but
 * nothing about the log.
 */
import * as Admission from "./Admission.ts"
import { type Batch, type Core, type Received, send } from "./Core.ts"
import type { Heartbeat, HeartbeatReply } from "./Message.ts"
import { hear } from "./Replication.ts"
import { becomeFollower, hasAnotherLeader, type ServerState } from "./ServerState.ts"

/** The leader lives, and what it sent before is still on its way. */
export const onHeartbeat = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<Heartbeat>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  if (hasAnotherLeader(state, from)) return state
  const { currentTerm: term } = state
  const { round } = message
  const next = becomeFollower(state, core.options, { term, leader: from, at, quorumLost: false })
  send(batch, from, { _tag: "HeartbeatReply", term, round, sender: Admission.sender(core, next) })
  return next
}

export const onHeartbeatReply = <S, C, Q>(
  state: ServerState<S, C, Q>,
  { from, message, at }: Received<HeartbeatReply>
): ServerState<S, C, Q> => {
  const before = state._tag === "Leader" ? state.progress.get(from) : undefined
  if (state._tag !== "Leader" || before === undefined || message.round > state.round) return state
  if (message.sender.incarnation < before.incarnation) return state
  return { ...state, progress: new Map(state.progress).set(from, hear(state, before, { message, at })) }
}
