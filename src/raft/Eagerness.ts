/**
 * Whom a leader supplies now, where messages are dear (`lazyFollowers`): no more followers than make a majority, and the
 * others when they would otherwise hear nothing for too long. Whatever a follower is sent carries all that it lacks, so
 * turns are taken, and in a busy cluster every append is somebody's heartbeat too.
 *
 * A follower that has not answered in time is not counted on: another is asked in its place, and itself again later and
 * later; and where answers often fail to come, as many more are asked as that makes necessary. That changes how soon
 * something is known and by whom, never what is known: which of its followers a leader speaks to, and how often, is its own
 * business (§5.3).
 */
import * as Configurations from "./Configuration.ts"
import * as Logs from "./Log.ts"
import { Index, Instant, type ReplicaId } from "./LogEntry.ts"
import type { Options } from "./Options.ts"
import * as Progresses from "./Progress.ts"
import type { Progress } from "./Progress.ts"
import type { Answers, Leader } from "./ServerState.ts"

/** Beyond so many doublings the patience is as long as a heartbeat anyway. */
const maxDoublings = 20

interface Pace {
  /** An answer that has not come by then is lost, or as good as that. */
  readonly patienceMillis: number
  readonly heartbeatMillis: number
}

/** Where answers take longer than was thought, they are waited for: what is sent for nothing makes all of it slower yet. */
const patienceFactor = 3

const paceOf = <S, C, Q>({ answers }: Leader<S, C, Q>, options: Options): Pace => ({
  heartbeatMillis: options.heartbeatMillis,
  patienceMillis: Math.min(
    options.heartbeatMillis,
    Math.max(options.appendPatienceMillis, patienceFactor * answers.millis)
  )
})

/** What a majority must come to hold, and the round that it must confirm: somebody waits for both. */
interface Target {
  readonly last: Index
  /** 0 where no read waits. */
  readonly round: number
}

const targetOf = <S, C, Q>(state: Leader<S, C, Q>): Target => ({
  last: Logs.lastIndex(state.stateMachine.log),
  round: state.rounds.at(-1)?.number ?? 0
})

/** Whether its answer to an append may make up a majority. */
const isCountable = (progress: Progress): boolean => progress.admitted && progress._tag !== "Snapshot"

const fulfils = (progress: Progress, { last, round }: Target): boolean =>
  progress.admitted && progress.matchIndex >= last && progress.confirmedRound >= round

/** Told all of it, for the first time just now: an answer may be on its way. */
const isHopeful = (progress: Progress, { last, round }: Target, pace: Pace, at: Instant): boolean =>
  progress.unanswered === 1 &&
  isCountable(progress) &&
  progress.nextIndex > last &&
  progress.sentRound >= round &&
  at < progress.sentAt + pace.patienceMillis

/** When it may be sent something again that it has not answered. */
const patientUntil = ({ sentAt, unanswered }: Progress, { patienceMillis, heartbeatMillis }: Pace): number =>
  unanswered === 0
    ? 0
    : sentAt + Math.min(heartbeatMillis, patienceMillis * 2 ** Math.min(unanswered - 1, maxDoublings))

/** When it must be spoken to, whatever there is to say: lest it stands for election, or the leader hears no majority. */
const heartbeatDeadline = (progress: Progress, pace: Pace): number =>
  progress._tag === "Snapshot"
    ? progress.sentAt + pace.heartbeatMillis
    : Math.max(progress.heardAt + pace.heartbeatMillis, patientUntil(progress, pace))

/** One that the leader of a new term has not spoken to yet, or that is being sent a snapshot, does not wait for its turn. */
const isUrgent = (progress: Progress): boolean =>
  progress._tag === "Snapshot" || (progress.incarnation === 0 && progress.unanswered === 0)

/** Who is to be supplied at `at`. */
export const choose = <S, C, Q>(state: Leader<S, C, Q>, options: Options, at: Instant): ReadonlySet<ReplicaId> => {
  const pace = paceOf(state, options)
  const chosen = new Set<ReplicaId>()
  for (const [peer, progress] of state.progress) {
    if (isUrgent(progress) || at >= heartbeatDeadline(progress, pace)) chosen.add(peer)
  }
  const target = targetOf(state)
  const counted = new Set<ReplicaId>([state.id])
  const others: Array<readonly [ReplicaId, Progress]> = []
  for (const [peer, progress] of state.progress) {
    if (fulfils(progress, target) || isHopeful(progress, target, pace, at)) counted.add(peer)
    else if (!isCountable(progress)) continue
    else if (!chosen.has(peer)) {
      if (at >= patientUntil(progress, pace)) others.push([peer, progress])
    } else if (progress.unanswered === 0) counted.add(peer)
  }
  const before = chosen.size
  const turns = others.sort(byTurn)
  for (const [peer] of turns) {
    if (Configurations.isQuorum(state.configuration, counted)) break
    counted.add(peer)
    chosen.add(peer)
  }
  const wanted = before + Math.floor((chosen.size - before) / state.answers.rate)
  for (const [peer, { unanswered }] of turns) if (chosen.size < wanted && unanswered === 0) chosen.add(peer)
  return chosen
}

/** One answer more or less counts for so much. */
const weight = 1 / 12

/** An append that was sent once is answered: after so long. */
export const answered = ({ rate, millis }: Answers, tookMillis: number): Answers => ({
  rate: rate + weight * (1 - rate),
  millis: millis + weight * (tookMillis - millis)
})

/** An append is sent again. */
export const unanswered = ({ rate, millis }: Answers): Answers => ({ rate: rate - weight * rate, millis })

/** Who answers comes first, and of those who has heard nothing for longest. */
const byTurn = ([, one]: readonly [ReplicaId, Progress], [, other]: readonly [ReplicaId, Progress]): number =>
  one.unanswered - other.unanswered || one.sentAt - other.sentAt

/** What was sent and not answered in time counts as lost: what is sent now begins where the follower is known to be. */
export const rewind = <S, C, Q>(
  state: Leader<S, C, Q>,
  progress: Progress,
  options: Options,
  at: Instant
): Progress => {
  if (progress.unanswered === 0 || at < patientUntil(progress, paceOf(state, options))) return progress
  switch (progress._tag) {
    case "Probe":
      return progress.asked ? { ...progress, asked: false } : progress
    case "Replicate":
      return progress.nextIndex === progress.matchIndex + 1
        ? progress
        : Progresses.becomeProbe(progress, Index(progress.matchIndex + 1))
    case "Snapshot":
      return progress
  }
}

/**
 * When the choice may be another one, if nothing happens before: somebody's heartbeat is due, or those on whom this leader
 * counts are no majority any more, or one that did not answer may be asked again. What was due when it last sent
 * anything was considered then.
 */
export const deadline = <S, C, Q>(state: Leader<S, C, Q>, options: Options): Instant => {
  const target = targetOf(state)
  const pace = paceOf(state, options)
  let due = Number.POSITIVE_INFINITY
  let retry = Number.POSITIVE_INFINITY
  let sentAt = 0
  for (const progress of state.progress.values()) sentAt = Math.max(sentAt, progress.sentAt)
  for (const progress of state.progress.values()) {
    due = Math.min(due, heartbeatDeadline(progress, pace))
    const until = patientUntil(progress, pace)
    if (isCountable(progress) && !fulfils(progress, target) && until > sentAt) retry = Math.min(retry, until)
  }
  const hope = Configurations.quorumValue(state.configuration, (id) => {
    const progress = state.progress.get(id)
    if (id === state.id || (progress !== undefined && fulfils(progress, target))) return Number.POSITIVE_INFINITY
    return progress !== undefined && isHopeful(progress, target, pace, Instant(sentAt))
      ? progress.sentAt + pace.patienceMillis
      : 0
  })
  return Instant(Math.min(due, hope > 0 ? hope : retry))
}
