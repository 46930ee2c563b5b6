/**
 * Who the members are, and what a majority of them is. Votes and acknowledgements are
 * always judged here, by set of members, so that a doubled message counts once.
 *
 * Learners and joint majorities are not implemented yet; they will change this file, and
 * the rules that ask it will not notice.
 */
import type { ReplicaId } from "./LogEntry.ts"

export interface Configuration {
  /** Without duplicates. */
  readonly voters: ReadonlyArray<ReplicaId>
}

export const isMember = (configuration: Configuration, id: ReplicaId): boolean => configuration.voters.includes(id)

export const peers = (configuration: Configuration, self: ReplicaId): ReadonlyArray<ReplicaId> =>
  configuration.voters.filter((id) => id !== self)

export const quorumSize = (configuration: Configuration): number => Math.floor(configuration.voters.length / 2) + 1

export const isQuorum = (configuration: Configuration, members: ReadonlySet<ReplicaId>): boolean => {
  let count = 0
  for (const id of configuration.voters) if (members.has(id)) count++
  return count >= quorumSize(configuration)
}

/** The greatest value that a majority has reached: of indexes what is replicated, of instants who was heard. */
export const quorumValue = (configuration: Configuration, valueOf: (id: ReplicaId) => number): number => {
  const values = configuration.voters.map(valueOf).sort((a, b) => b - a)
  return values[quorumSize(configuration) - 1] ?? 0
}
