/**
 * Reads without asking (thesis §6.4.1), where it is opted for. Followers that acknowledge a heartbeat promise to vote
 * for nobody for an election timeout; while a majority is bound by that, nobody else can lead, and what
 * this leader has is the latest.
 *
 * The promise is counted from when the heartbeat *left* here, and shortened by how much clocks may differ. It rests on the
 * monotonic clock only, and is given up for the rest of the term once another was asked to take over: that
 * one's request for votes releases the followers.
 */
import * as Configurations from "./Configuration.ts"
import * as Logs from "./Log.ts"
import { Instant } from "./LogEntry.ts"
import type { Options } from "./Options.ts"
import type { Progress } from "./Progress.ts"
import type { Leader, Lease } from "./ServerState.ts"

export const none: Lease = { sent: [], until: Instant(0), void: false }

/** As much of a promise as a clock that is too slow may count of one that another measures with a clock that is too fast. */
const share = ({ maxClockDrift }: Options): number => (1 - maxClockDrift) / (1 + maxClockDrift)

/**
 * A round begins: what confirms it confirms that followers were patient from `at` on. One that begins shortly after
 * another is taken for that one, so that few need be remembered however many there are.
 */
export const onRound = (lease: Lease, round: number, at: Instant, options: Options): Lease => {
  const last = lease.sent.at(-1)
  const isSoon = last !== undefined && at < last.at + options.heartbeatMillis / 4
  if (!options.leaseReads || lease.void || isSoon) return lease
  const fresh = lease.sent.filter((one) => one.at + 2 * options.electionTimeoutMillis > at)
  return { ...lease, sent: [...fresh, { round, at }] }
}

/** Whether it is time for a round of which nobody but the lease has any use. */
export const isDue = <S, C, Q>({ lease }: Leader<S, C, Q>, options: Options, at: Instant): boolean =>
  options.leaseReads && !lease.void && at >= (lease.sent.at(-1)?.at ?? 0) + options.heartbeatMillis

/**
 * Until when a majority of each configuration that may be in force is bound. Computed anew each time: another
 * configuration has other majorities.
 */
export const renew = <S, C, Q>(state: Leader<S, C, Q>, options: Options): Leader<S, C, Q> => {
  if (!options.leaseReads || state.lease.void) return state
  const { sent } = state.lease
  const until = Configurations.quorumValue(state.configuration, (id) =>
    id === state.id ? Number.POSITIVE_INFINITY : boundUntil(state.progress.get(id), sent, share(options))
  )
  return until === state.lease.until ? state : { ...state, lease: { ...state.lease, until: Instant(until) } }
}

const boundUntil = (progress: Progress | undefined, sent: Lease["sent"], share: number): number => {
  if (progress === undefined || !progress.admitted) return 0
  let from: number | undefined
  for (const { round, at } of sent) if (round <= progress.confirmedRound) from = at
  return from === undefined ? 0 : from + progress.patienceMillis * share
}

/** Whether this leader may answer for the cluster at `at`. It must know what was committed before its term, too. */
export const holds = <S, C, Q>(state: Leader<S, C, Q>, options: Options, at: Instant): boolean => {
  const { log, commitIndex } = state.stateMachine
  return (
    options.leaseReads &&
    !state.lease.void &&
    state.transfer === undefined &&
    at < state.lease.until &&
    Logs.termAt(log, commitIndex) === state.currentTerm
  )
}

export const giveUp = <S, C, Q>(state: Leader<S, C, Q>): Leader<S, C, Q> => ({
  ...state,
  lease: { ...none, void: true }
})
