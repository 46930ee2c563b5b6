/**
 * Whom a leader asks whether it still leads. A majority is enough for a read round (thesis §6.4), so a round goes to those who
 * were the first majority to confirm an earlier one, and to the others only where these leave it unconfirmed for
 * `roundPatienceMillis`. Whoever answers first then is asked from there on. What a follower is sent for other reasons carries
 * the latest round as well, so now and then all of them have the chance to be first.
 *
 * That changes who confirms a round and how soon, never how many must. Learners, and whoever is not admitted, confirm
 * nothing, and so are asked with the others at most, when it is late.
 */
import * as Configurations from "./Configuration.ts"
import { Instant, type ReplicaId } from "./LogEntry.ts"
import type { Options } from "./Options.ts"
import * as Progresses from "./Progress.ts"
import type { Leader } from "./ServerState.ts"

/** Who confirmed the round `number` first: no more than make a majority, and the same as before where they still do. */
export const judge = <S, C, Q>(state: Leader<S, C, Q>, options: Options, number: number): ReadonlySet<ReplicaId> => {
  const { id: self, configuration, progress, prompt } = state
  if (asksAll(options)) return prompt
  const confirms = (id: ReplicaId): boolean =>
    id === self ||
    (Configurations.isVoter(configuration, id) && Progresses.counted(progress.get(id), "confirmedRound") >= number)
  if (Configurations.isQuorum(configuration, prompt) && Array.from(prompt).every(confirms)) return prompt
  const fresh = new Set([self])
  for (const id of Configurations.otherVoters(configuration, self)) {
    if (Configurations.isQuorum(configuration, fresh)) break
    if (confirms(id)) fresh.add(id)
  }
  return fresh
}

/** A lazy leader chooses in another way (see Eagerness), and a lease has rounds of its own, which are few. */
const asksAll = ({ lazyFollowers, leaseReads, roundPatienceMillis }: Options): boolean =>
  lazyFollowers || leaseReads || roundPatienceMillis === 0

/** Whether `peer`, who has not been sent the latest round, is to be sent it at `at`. */
export const isAsked = <S, C, Q>(state: Leader<S, C, Q>, peer: ReplicaId, options: Options, at: Instant): boolean => {
  const { configuration, prompt, rounds } = state
  const oldest = rounds[0]
  return (
    asksAll(options) ||
    prompt.has(peer) ||
    // Otherwise nobody waits for it.
    (oldest !== undefined &&
      (at >= oldest.askedAt + options.roundPatienceMillis || !Configurations.isQuorum(configuration, prompt)))
  )
}

/** When the others are asked too, if nothing happens before. */
export const deadline = <S, C, Q>({ rounds, progress, round }: Leader<S, C, Q>, options: Options): Instant => {
  const oldest = rounds[0]
  if (oldest !== undefined) {
    for (const { sentRound } of progress.values()) {
      if (sentRound < round) return Instant(oldest.askedAt + options.roundPatienceMillis)
    }
  }
  return Instant(Number.POSITIVE_INFINITY)
}
