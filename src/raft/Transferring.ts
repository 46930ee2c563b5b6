/**
 * Handing over the leadership (thesis §3.10): the leader stops logging, brings a voter up to the end of its log and tells
 * it to stand at once. If that does not lead to another leader within an election timeout, this one goes on.
 */
import * as Configurations from "./Configuration.ts"
import { type Batch, type Core, send } from "./Core.ts"
import * as Lease from "./Lease.ts"
import * as Logs from "./Log.ts"
import { Instant, type ReplicaId } from "./LogEntry.ts"
import type { Options } from "./Options.ts"
import { isInReach } from "./Amending.ts"
import type { Leader } from "./ServerState.ts"
import * as Versions from "./Version.ts"

/** The latest that was asked for in this batch takes the place of what was under way. */
export const begin = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  if (batch.transfers.length === 0) return state
  const wanted = batch.transfers.at(-1)
  const to = wanted ?? best(core.options, state, at)
  const isPossible = to !== undefined && to !== state.id && Configurations.isVoter(state.configuration, to)
  if (!isPossible || to === state.transfer?.to) return state
  const deadline = Instant(at + core.options.electionTimeoutMillis)
  return { ...state, transfer: { to, deadline, askedAt: undefined } }
}

/** Of the voters in reach that could lead, the one that holds most. */
export const best = <S, C, Q>(options: Options, state: Leader<S, C, Q>, at: Instant): ReplicaId | undefined => {
  let found: ReplicaId | undefined
  let most = -1
  for (const [id, { matchIndex }] of state.progress) {
    const isCandidate =
      state.configuration.voters.includes(id) && isInReach(options, state, id, at) && Versions.isUnderstoodBy(state, id)
    if (!isCandidate || matchIndex <= most) continue
    found = id
    most = matchIndex
  }
  return found
}

/** Tells the target when it holds all, and gives up when it is of no use any more. */
export const goOn = <S, C, R, Q, A>(
  core: Core<S, C, R, Q, A>,
  state: Leader<S, C, Q>,
  at: Instant,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  const { transfer } = state
  if (transfer === undefined) return state
  const progress = state.progress.get(transfer.to)
  const isVain =
    at >= transfer.deadline || progress === undefined || !Configurations.isVoter(state.configuration, transfer.to)
  if (isVain) return { ...state, transfer: undefined }
  const isDue = transfer.askedAt === undefined || at >= transfer.askedAt + core.options.heartbeatMillis
  const holdsAll = progress.matchIndex === Logs.lastIndex(state.stateMachine.log)
  if (!isDue) return state
  if (!holdsAll || !progress.admitted) {
    // One that was told and has lost its log since is told again as soon as it has it, whenever that is.
    return transfer.askedAt === undefined ? state : { ...state, transfer: { ...transfer, askedAt: undefined } }
  }
  return { ...tell(state, transfer.to, batch), transfer: { ...transfer, askedAt: at } }
}

/** From now on its followers need not be patient any more, so nothing rests on that. */
export const tell = <S, C, R, Q, A>(
  state: Leader<S, C, Q>,
  to: ReplicaId,
  batch: Batch<C, Q, R, A>
): Leader<S, C, Q> => {
  send(batch, to, { _tag: "TimeoutNow", term: state.currentTerm })
  return state.lease.void ? state : Lease.giveUp(state)
}

/** When to look after it again, if nothing happens before. */
export const deadline = <S, C, Q>({ transfer }: Leader<S, C, Q>, options: Options): number =>
  transfer === undefined
    ? Number.POSITIVE_INFINITY
    : Math.min(transfer.deadline, (transfer.askedAt ?? transfer.deadline) + options.heartbeatMillis)
