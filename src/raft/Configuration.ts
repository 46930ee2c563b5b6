/**
 * Who the members are, and what a majority of them is. Votes and acknowledgements are
 * always judged here, by set of members, so that a doubled message counts once.
 *
 * While the voters change, the configuration is *joint* (§6): it has the voters before and those after,
 * and whatever needs a majority needs one of each. So no two majorities of two configurations that
 * follow each other can miss each other. Learners are sent everything and count for nothing.
 */
import type { ReplicaId } from "./LogEntry.ts"

export interface Configuration {
  /** Without duplicates. */
  readonly voters: ReadonlyArray<ReplicaId>
  /** Where the voters are changing: those of before. Empty otherwise. */
  readonly outgoing: ReadonlyArray<ReplicaId>
  /** Where it is joint: whether the leader ends that by itself, once it is committed. */
  readonly autoLeave: boolean
  /** One that is in `outgoing` as well is a learner once that is left. */
  readonly learners: ReadonlyArray<Learner>
  /** Where peers reach the members, for those of which it is known; the core only keeps them. */
  readonly addresses: ReadonlyArray<MemberAddress>
}

export interface Learner {
  readonly id: ReplicaId
  /** The leader makes it a voter as soon as it has caught up. */
  readonly promote: boolean
}

export interface MemberAddress {
  readonly id: ReplicaId
  /** As the transport understands it: host:port. */
  readonly address: string
}

/** Voters only, and no change under way. */
export const of = (voters: ReadonlyArray<ReplicaId>, addresses: ReadonlyArray<MemberAddress> = []): Configuration => ({
  voters,
  outgoing: [],
  autoLeave: false,
  learners: [],
  addresses
})

export const isJoint = ({ outgoing }: Configuration): boolean => outgoing.length > 0

export const isVoter = ({ voters, outgoing }: Configuration, id: ReplicaId): boolean =>
  voters.includes(id) || outgoing.includes(id)

export const isLearner = (configuration: Configuration, id: ReplicaId): boolean =>
  !isVoter(configuration, id) && configuration.learners.some((learner) => learner.id === id)

export const isMember = (configuration: Configuration, id: ReplicaId): boolean =>
  isVoter(configuration, id) || configuration.learners.some((learner) => learner.id === id)

/** Whoever votes, before or after the change under way. */
export const allVoters = ({ voters, outgoing }: Configuration): ReadonlyArray<ReplicaId> =>
  outgoing.length === 0 ? voters : [...voters, ...outgoing.filter((id) => !voters.includes(id))]

/** Voters first. */
export const members = (configuration: Configuration): ReadonlyArray<ReplicaId> => {
  const voters = allVoters(configuration)
  if (configuration.learners.length === 0) return voters
  return [...voters, ...configuration.learners.map(({ id }) => id).filter((id) => !voters.includes(id))]
}

/** Whom a leader supplies. */
export const peers = (configuration: Configuration, self: ReplicaId): ReadonlyArray<ReplicaId> =>
  members(configuration).filter((id) => id !== self)

/** Whom a candidate asks. */
export const otherVoters = (configuration: Configuration, self: ReplicaId): ReadonlyArray<ReplicaId> =>
  allVoters(configuration).filter((id) => id !== self)

export const addressOf = ({ addresses }: Configuration, id: ReplicaId): string | undefined =>
  addresses.find((member) => member.id === id)?.address

/** How many of so many voters are a majority. */
export const majority = (voters: number): number => Math.floor(voters / 2) + 1

export const isQuorum = ({ voters, outgoing }: Configuration, ids: ReadonlySet<ReplicaId>): boolean =>
  isMajority(voters, ids) && (outgoing.length === 0 || isMajority(outgoing, ids))

const isMajority = (voters: ReadonlyArray<ReplicaId>, ids: ReadonlySet<ReplicaId>): boolean => {
  let count = 0
  for (const id of voters) if (ids.has(id)) count++
  return count >= majority(voters.length)
}

/** The greatest value that a majority has reached: of indexes what is replicated, of instants who was heard. */
export const quorumValue = ({ voters, outgoing }: Configuration, valueOf: (id: ReplicaId) => number): number => {
  const value = majorityValue(voters, valueOf)
  return outgoing.length === 0 ? value : Math.min(value, majorityValue(outgoing, valueOf))
}

const majorityValue = (voters: ReadonlyArray<ReplicaId>, valueOf: (id: ReplicaId) => number): number => {
  const values = voters.map(valueOf).sort((a, b) => b - a)
  return values[majority(voters.length) - 1] ?? 0
}
