/**
 * The consequences of a batch, drawn once: commands are logged or forwarded, what a majority
 * holds is committed, what is committed is applied and answered, followers are supplied.
 * Doing it once is what makes k waiting events cost one append and one message per peer.
 *
 * Long because: the order in which consequences are drawn is the rule, and is read as one.
 */
import * as Amending from "./Amending.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, send } from "./Core.ts"
import * as Divergence from "./Divergence.ts"
import * as Lease from "./Lease.ts"
import * as Logs from "./Log.ts"
import type { Instant } from "./LogEntry.ts"
import type { Request } from "./Message.ts"
import * as Progresses from "./Progress.ts"
import * as Promptness from "./Promptness.ts"
import * as Proposing from "./Proposing.ts"
import type { Refusal } from "./RaftEffect.ts"
import * as Reads from "./Reads.ts"
import * as Refusing from "./Refusing.ts"
import * as Replication from "./Replication.ts"
import {
  becomeFollower,
  type Follower,
  isOutside,
  type Leader,
  quorumLost,
  type ServerState,
  withConfigurations
} from "./ServerState.ts"
import * as Snapshotting from "./Snapshotting.ts"
import * as StateMachines from "./StateMachine.ts"
import type { StateMachine } from "./StateMachine.ts"
import * as Succession from "./Succession.ts"
import * as Transferring from "./Transferring.ts"

export const settle = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const state = compare(core, admitReads(core, before, batch), at, batch)
  const settled = forgetEarlier(serve(core, state, at, batch))
  return Snapshotting.take(core.options, Snapshotting.compact(core.options, settled, at))
}

/** Of the configurations that have been followed by others, none is needed once that is applied. */
const forgetEarlier = <S, C, Q>(state: ServerState<S, C, Q>): ServerState<S, C, Q> =>
  withConfigurations(state, Succession.prune(state.configurations, state.stateMachine.lastApplied))

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
  if (state.stateMachine.outdated !== undefined && state._tag !== "Leader") return refuseAll(state, "Outdated", batch)
  if (quorumLost(state)) {
    return refuseAll(applyAll(core, state, batch), isOutside(state) ? "Removed" : "NoQuorum", batch)
  }
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
  for (const read of batch.reads.slice(room)) Refusing.here(batch, read, "WaitingReads")
  return { ...state, reads: Reads.arrive(state.reads, batch.reads.slice(0, room)) }
}

/** Nobody can be served here: whoever asks is told at once, and may try another replica. */
const refuseAll = <S, C, R, Q, A>(
  state: ServerState<S, C, Q>,
  why: Refusal,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  for (const command of [...batch.commands, ...batch.amendments])
    if (isOwn(state, command)) Refusing.here(batch, command, why)
  if (state.reads.waiting === 0) return state
  const [waiting, reads] = Reads.drain(state.reads)
  for (const read of waiting) Refusing.here(batch, read, why)
  return { ...state, reads }
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
  const { leader, currentTerm: term } = state
  if (leader === undefined) return state
  const commands = batch.commands.filter((command) => isOwn(state, command))
  for (const requests of inPieces(core, commands)) send(batch, leader, { _tag: "Forward", term, requests })
  const amendments = batch.amendments.filter((amendment) => isOwn(state, amendment))
  for (const one of amendments) send(batch, leader, { _tag: "ForwardAmendment", term, ...one })
  for (const to of batch.transfers) send(batch, leader, { _tag: "ForwardTransfer", term, to })
  const [overdue, reads] = Reads.overdue(state.reads, at, core.options.readRetryMillis)
  for (const { number } of overdue) send(batch, leader, { _tag: "ReadIndex", term, number })
  if (reads.arrived === undefined || reads.asked.length >= core.options.maxReadRounds) {
    return reads === state.reads ? state : { ...state, reads }
  }
  const asked = Reads.ask(reads, at)
  send(batch, leader, { _tag: "ReadIndex", term, number: asked.number })
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
  const asked = Transferring.begin(core, Lease.renew(before, core.options), at, batch)
  const proposed = Amending.propose(core, Proposing.propose(core, asked, at, batch), at, batch)
  // What was confirmed makes room for the next round; a sole voter confirms that one at once.
  const opened = openRound(core, confirmRounds(core, proposed, batch), at, batch)
  const committed = Proposing.commit(confirmRounds(core, opened, batch), core.machine)
  const next = Amending.goOn(core, committed, at)
  // A sole voter, or one that becomes it by this, has committed that as well.
  const settled = next === committed ? next : Proposing.commit(next, core.machine)
  Amending.tellWhoIsGone(before, settled, batch)
  const supplied = Replication.replicate(core, settled, at, batch)
  const handing = Transferring.goOn(core, supplied, at, batch)
  return depose(core, applyAll(core, handing, batch), at, batch)
}

/** One that the cluster does not count any more, or that cannot go on, hands over (§6). */
const depose = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const isOutdated = state.stateMachine.outdated !== undefined
  if (state._tag !== "Leader" || !(isOutdated || Amending.isDeposed(state))) return state
  const next = Transferring.best(core.options, state, at)
  if (next !== undefined) send(batch, next, { _tag: "TimeoutNow", term: state.currentTerm })
  const as = { term: state.currentTerm, leader: undefined, at, quorumLost: isOutdated || isOutside(state) }
  const follower = becomeFollower(state, core.options, as)
  // What came in this batch it has logged, or refused already; what becomes of that others will tell.
  const rest = { ...batch, commands: [], amendments: [] }
  return as.quorumLost ? refuseAll(follower, isOutdated ? "Outdated" : "Removed", rest) : follower
}

/** One round for all reads and questions that wait. Its index is the log's last: see Reads.ts on get safety. */
const openRound = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  before: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  const state = Lease.isDue(before, core.options, at) ? nextRound(core, before, at) : before
  const asks = batch.asks.length === 0 ? state.asks : mergeAsks(state.asks, batch.asks)
  const nothing = state.reads.arrived === undefined && asks.length === 0
  if (nothing) return state
  if (Lease.holds(state, core.options, at)) {
    const index = Logs.lastIndex(state.stateMachine.log)
    const taken = { ...state, asks: [], reads: { ...state.reads, arrived: undefined } }
    return answerRounds(taken, [{ index, reads: Reads.flatten(state.reads.arrived), asks }], batch)
  }
  if (state.rounds.length >= core.options.maxReadRounds) return asks === state.asks ? state : { ...state, asks }
  const index = Logs.lastIndex(state.stateMachine.log)
  const next = nextRound(core, state, at)
  const round = { number: next.round, index, askedAt: at, reads: Reads.flatten(state.reads.arrived), asks }
  return { ...next, rounds: [...state.rounds, round], asks: [], reads: { ...state.reads, arrived: undefined } }
}

/** Every append from now on carries it. */
const nextRound = <S, C, R, Q, A>(
  { options }: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  at: Instant
): Leader<S, C, Q> => {
  const round = state.round + 1
  return { ...state, round, lease: Lease.onRound(state.lease, round, at, options) }
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
const confirmRounds = <S, C, R, Q, A>(
  { options }: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  if (state.rounds.length === 0) return state
  const confirmed = Configurations.quorumValue(state.configuration, (id) =>
    id === state.id ? state.round : Progresses.counted(state.progress.get(id), "confirmedRound")
  )
  const done = state.rounds.filter((round) => round.number <= confirmed)
  if (done.length === 0) return state
  const rounds = state.rounds.filter((round) => round.number > confirmed)
  const prompt = Promptness.judge(state, options, done.at(-1)!.number)
  return answerRounds({ ...state, rounds, prompt }, done, batch)
}

/** The indexes of these rounds hold: reads wait for them to be applied, and whoever asked is told. */
const answerRounds = <S, C, R, Q, A>(
  state: Leader<S, C, Q>,
  done: ReadonlyArray<Pick<Reads.Round<Q>, "index" | "reads" | "asks">>,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  let { progress } = state
  const known = [...state.reads.known]
  for (const { index, reads, asks } of done) {
    if (reads.length > 0) known.push({ index, reads })
    for (const ask of asks) {
      send(batch, ask.from, { _tag: "ReadIndexReply", term: state.currentTerm, number: ask.number, index })
      progress = Progresses.awaitCommit(progress, ask.from, index)
    }
  }
  return { ...state, progress, reads: { ...state.reads, known } }
}

/** Entries were logged, and none of them is committed. What was left once is not left again: it would wait for ever where more comes always. */
const mayApplyLater = <S, C>(after: StateMachine<S, C>, before: StateMachine<unknown, C>): boolean =>
  after.log !== before.log &&
  after.commitIndex <= Logs.lastIndex(before.log) &&
  before.lastApplied === before.commitIndex

/** Applies what is committed, and answers whoever waited for it here. */
const applyAll = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: ServerState<S, C, Q>,
  batch: Batch<C, Q, R, A>
): ServerState<S, C, Q> => {
  const waits = core.options.appliesLater && mayApplyLater(state.stateMachine, batch.before)
  const stateMachine = waits
    ? state.stateMachine
    : StateMachines.apply<S, C, R>(
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
