/**
 * The consequences of a batch, drawn once: commands are logged or forwarded, what a majority
 * holds is committed, what is committed is applied and answered, followers are supplied.
 * Doing it once is what makes k waiting events cost one append and one message per peer.
 */
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, send } from "./Core.ts"
import * as Divergence from "./Divergence.ts"
import * as Logs from "./Log.ts"
import type { Instant } from "./LogEntry.ts"
import type { Request } from "./Message.ts"
import * as Progresses from "./Progress.ts"
import * as Proposing from "./Proposing.ts"
import type { Refusal } from "./RaftEffect.ts"
import * as Reads from "./Reads.ts"
import * as Replication from "./Replication.ts"
import { becomeFollower, type Follower, type Leader, quorumLost, type ServerState } from "./ServerState.ts"
import * as Snapshotting from "./Snapshotting.ts"
import * as StateMachines from "./StateMachine.ts"

export const settle = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const state = compare(core, admitReads(core, before, batch), at, batch)
  const settled = serve(core, state, at, batch)
  return Snapshotting.take(core.options, Snapshotting.compact(core.options, settled, at))
}

/** A leader compares what its followers have applied with its own; if it is the one that differs, it leads no more. */
const compare = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  if (state._tag !== "Leader") return state
  const patienceMillis = core.options.electionTimeoutMillis
  const { state: judged, differs } = Divergence.judge(state, { at, patienceMillis }, batch)
  if (differs === undefined) return judged
  const as = { term: state.currentTerm, leader: undefined, at, quorumLost: false }
  return { ...becomeFollower(state, core.options, as), diverged: differs }
}

const serve = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  // It goes on storing and applying for the others' sake.
  if (state.diverged !== undefined) return applyAll(core, refuseAll(state, "Diverged", batch), batch)
  if (quorumLost(state)) return refuseAll(applyAll(core, state, batch), "NoQuorum", batch)
  switch (state._tag) {
    case "PreCandidate":
    case "Candidate":
      return applyAll(core, state, batch)
    case "Follower":
      return applyAll(core, follow(core, state, at, batch), batch)
    case "Leader":
      return lead(core, state, at, batch)
  }
}

/** Takes in the batch's reads, up to the limit on how many may wait. */
const admitReads = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  if (batch.reads.length === 0) return state
  const room = Math.max(0, core.options.maxWaitingReads - state.reads.waiting)
  for (const read of batch.reads.slice(room)) refuse(batch, read, "WaitingReads")
  return { ...state, reads: Reads.arrive(state.reads, batch.reads.slice(0, room)) }
}

/** Nobody can be served here: whoever asks is told at once, and may try another replica. */
const refuseAll = <S, C, R, Q, A>(
  state: ServerState<S, C, Q>,
  why: Refusal,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  for (const command of batch.commands) if (isOwn(state, command)) refuse(batch, command, why)
  if (state.reads.waiting === 0) return state
  const [waiting, reads] = Reads.drain(state.reads)
  for (const read of waiting) refuse(batch, read, why)
  return { ...state, reads }
}

const refuse = <C, Q, R, A>(
  batch: Batch<C, Q, R, A>,
  { request }: Pick<Request<C>, "request">,
  reason: Refusal
): void => {
  batch.said.push({ _tag: "Reply", request, outcome: { _tag: "Refused", reason } })
}

/** Only its own clients' requests are a replica's to forward or refuse: another's would go round in circles. */
export const isOwn = <S, C, Q>(state: ServerState<S, C, Q>, { request }: Pick<Request<C>, "request">): boolean =>
  request.replica === state.id && request.incarnation === state.incarnation

/** A follower passes on what its clients want: commands as one message, reads as one question. */
const follow = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Follower<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Follower<S, C, Q> => {
  if (state.leader === undefined) return state
  for (const requests of inPieces(
    core,
    batch.commands.filter((command) => isOwn(state, command))
  )) {
    send(batch, state.leader, { _tag: "Forward", term: state.currentTerm, requests })
  }
  const [overdue, reads] = Reads.overdue(state.reads, at, core.options.readRetryMillis)
  for (const { number } of overdue) send(batch, state.leader, { _tag: "ReadIndex", term: state.currentTerm, number })
  if (reads.arrived === undefined || reads.asked.length >= core.options.maxReadRounds) {
    return reads === state.reads ? state : { ...state, reads }
  }
  const asked = Reads.ask(reads, at)
  send(batch, state.leader, { _tag: "ReadIndex", term: state.currentTerm, number: asked.number })
  return { ...state, reads: asked }
}

/** In messages that are no larger than an append may be; a larger single command goes alone. */
const inPieces = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  requests: ReadonlyArray<Request<C>>
): ReadonlyArray<ReadonlyArray<Request<C>>> => {
  const pieces: Array<Array<Request<C>>> = []
  let bytes = 0
  for (const request of requests) {
    const size = core.machine.sizeOf(request.command)
    const piece = pieces.at(-1)
    if (piece === undefined || bytes + size > core.options.maxAppendBytes) {
      pieces.push([request])
      bytes = size
    } else {
      piece.push(request)
      bytes += size
    }
  }
  return pieces
}

const lead = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const proposed = Proposing.propose(core, before, batch)
  // What was confirmed makes room for the next round; a sole voter confirms that one at once.
  const opened = openRound(core, confirmRounds(proposed, batch), batch)
  const committed = Proposing.commit(confirmRounds(opened, batch), core.machine)
  const supplied = Replication.replicate(core, committed, at, batch)
  return applyAll(core, supplied, batch)
}

/** One round for all reads and questions that wait. Its index is the log's last: see Reads.ts on get safety. */
const openRound = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  const asks = batch.asks.length === 0 ? state.asks : mergeAsks(state.asks, batch.asks)
  const nothing = state.reads.arrived === undefined && asks.length === 0
  if (nothing) return state
  if (state.rounds.length >= core.options.maxReadRounds) return asks === state.asks ? state : { ...state, asks }
  const number = state.round + 1
  const index = Logs.lastIndex(state.stateMachine.log)
  const round: Reads.Round<Q> = { number, index, reads: Reads.flatten(state.reads.arrived), asks }
  return {
    ...state,
    round: number,
    rounds: [...state.rounds, round],
    asks: [],
    reads: { ...state.reads, arrived: undefined }
  }
}

/** A doubled question is one question. */
const mergeAsks = (known: ReadonlyArray<Reads.Ask>, fresh: ReadonlyArray<Reads.Ask>): ReadonlyArray<Reads.Ask> => {
  const asks = [...known]
  for (const ask of fresh) {
    if (!asks.some((other) => other.from === ask.from && other.number === ask.number)) asks.push(ask)
  }
  return asks
}

/** A majority has accepted this leader after these rounds began: their indexes hold. */
const confirmRounds = <S, C, R, Q, A>(state: Leader<S, C, Q>, batch: Batch<C, Q, R, A>): Leader<S, C, Q> => {
  if (state.rounds.length === 0) return state
  const confirmed = Configurations.quorumValue(state.configuration, (id) =>
    id === state.id ? state.round : Replication.counted(state.progress.get(id), "confirmedRound")
  )
  const done = state.rounds.filter((round) => round.number <= confirmed)
  if (done.length === 0) return state
  let { progress } = state
  const known = [...state.reads.known]
  for (const { index, reads, asks } of done) {
    if (reads.length > 0) known.push({ index, reads })
    for (const ask of asks) {
      send(batch, ask.from, { _tag: "ReadIndexReply", term: state.currentTerm, number: ask.number, index })
      progress = Progresses.awaitCommit(progress, ask.from, index)
    }
  }
  const rounds = state.rounds.filter((round) => round.number > confirmed)
  return { ...state, progress, rounds, reads: { ...state.reads, known } }
}

/** Applies what is committed, and answers whoever waited for it here. */
const applyAll = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const stateMachine = StateMachines.apply<S, C, R>(
    state.stateMachine,
    core.machine,
    (request, outcome) => {
      // What a replica that differs has made of it is not what the others have.
      if (isOwn(state, { request }) && state.diverged === undefined)
        batch.said.push({ _tag: "Reply", request, outcome })
    },
    core.options.maxApplyEntries
  )
  const [due, reads] = Reads.ready(state.reads, stateMachine.lastApplied)
  for (const { request, query } of due) {
    const answer = core.machine.query(stateMachine.value, query)
    batch.said.push({ _tag: "Reply", request, outcome: { _tag: "Answered", answer } })
  }
  return stateMachine === state.stateMachine && reads === state.reads ? state : { ...state, stateMachine, reads }
}
