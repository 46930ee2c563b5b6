/**
 * What a step of the core means for those who wait for answers: who leads now, which puts came into this leader's log,
 * what was applied, and what the core said about reads. Read off the states before and after, so that it is the same
 * whoever runs the core.
 */
import * as Logs from "../raft/Log.ts"
import { Index, type ReplicaId } from "../raft/LogEntry.ts"
import type { RaftEffect } from "../raft/RaftEffect.ts"
import { leaderOf, quorumLost, type ServerState } from "../raft/ServerState.ts"
import { commandCodec, type Put, type State } from "./CourseMachine.ts"

export interface Standing {
  readonly term: number
  readonly leads: boolean
  readonly leader: ReplicaId | undefined
  /** When that one last spoke here. */
  readonly leaderHeardAt: number
  /** Known to hear no majority. */
  readonly quorumLost: boolean
  readonly commitIndex: number
  /** Of a leader: how often its followers answer in time, as a share of 1. */
  readonly answerRate: number
  /** Of a leader: who holds all that is committed and has answered what it was sent last. */
  readonly holders: ReadonlyArray<ReplicaId>
}

/** An entry's place, and the put in it, if it has one. */
export interface Applied {
  readonly index: number
  readonly term: number
  readonly put: Put | undefined
}

export interface Observation {
  readonly at: number
  readonly standing: Standing
  /** Of the requests that this step has taken, those that are in this leader's log now. */
  readonly logged: ReadonlyArray<{ readonly sequence: number; readonly index: number; readonly term: number }>
  /** All requests that this step has taken. */
  readonly taken: ReadonlyArray<number>
  /** In the order of the log. */
  readonly applied: ReadonlyArray<Applied>
  /** The term of the last entry that is known to be committed. */
  readonly committedTerm: number
  readonly answered: ReadonlyArray<{ readonly sequence: number; readonly value: string }>
  /** The highest commit index that this step's appends tell; 0 where there are none. */
  readonly toldCommit: number
  /** The core did nothing with them; `isFull` where another replica could not do better. */
  readonly refused: ReadonlyArray<{ readonly sequence: number; readonly isFull: boolean }>
}

type ReplicaState = ServerState<State, Uint8Array, string>

export const standingOf = (state: ReplicaState): Standing => ({
  term: state.currentTerm,
  leads: state._tag === "Leader",
  leader: leaderOf(state),
  leaderHeardAt: state._tag === "Follower" ? state.leaderHeardAt : 0,
  quorumLost: quorumLost(state),
  commitIndex: state.stateMachine.commitIndex,
  answerRate: state._tag === "Leader" ? state.answers.rate : 1,
  holders: state._tag === "Leader" ? holdersOf(state) : []
})

const holdersOf = ({ progress, stateMachine }: Extract<ReplicaState, { _tag: "Leader" }>): ReadonlyArray<ReplicaId> =>
  [...progress].flatMap(([peer, { matchIndex, unanswered }]) =>
    unanswered === 0 && matchIndex >= stateMachine.commitIndex ? [peer] : []
  )

export const observe = (step: {
  readonly at: number
  readonly before: ReplicaState
  readonly after: ReplicaState
  readonly effects: ReadonlyArray<RaftEffect<Uint8Array, void, string, State>>
  readonly taken: ReadonlyArray<number>
}): Observation => {
  const { at, before, after, effects, taken } = step
  const { log, commitIndex } = after.stateMachine
  const answered: Array<Observation["answered"][number]> = []
  const refused: Array<Observation["refused"][number]> = []
  let toldCommit = 0
  for (const effect of effects) {
    if (effect._tag === "Send" && effect.message._tag === "AppendEntries") {
      toldCommit = Math.max(toldCommit, effect.message.leaderCommit)
    }
    if (effect._tag !== "Reply") continue
    const { request, outcome } = effect
    const { sequence } = request
    if (outcome._tag === "Answered") answered.push({ sequence, value: outcome.answer })
    else if (outcome._tag === "Refused") refused.push({ sequence, isFull: outcome.reason !== "NoQuorum" })
  }
  return {
    at,
    standing: standingOf(after),
    logged: taken.length === 0 ? [] : loggedOf(after, taken),
    taken,
    applied: appliedOf(before, after),
    committedTerm: Logs.termAt(log, commitIndex) ?? 0,
    answered,
    toldCommit,
    refused
  }
}

/** A leader logs what comes to it at the end of its log, in one step. */
const loggedOf = (state: ReplicaState, taken: ReadonlyArray<number>): Observation["logged"] => {
  if (state._tag !== "Leader") return []
  const { log } = state.stateMachine
  const logged: Array<Observation["logged"][number]> = []
  const wanted = new Set(taken)
  for (let index = Logs.lastIndex(log); index > log.base.index; index = Index(index - 1)) {
    const { payload, term } = Logs.get(log, index)!
    if (term !== state.currentTerm || payload._tag !== "Command") break
    const { replica, sequence } = payload.request
    if (replica !== state.id || !wanted.has(sequence)) break
    logged.push({ sequence, index, term })
  }
  return logged.reverse()
}

const appliedOf = (before: ReplicaState, after: ReplicaState): ReadonlyArray<Applied> => {
  const { log, lastApplied } = after.stateMachine
  const applied: Array<Applied> = []
  for (let index = before.stateMachine.lastApplied + 1; index <= lastApplied; index++) {
    const entry = Logs.get(log, Index(index))
    // Gone into a snapshot: whoever led then has answered it.
    if (entry === undefined) continue
    const { payload, term } = entry
    applied.push({ index, term, put: payload._tag === "Command" ? commandCodec.decode(payload.command) : undefined })
  }
  return applied
}
