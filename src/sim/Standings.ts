/**
 * Which configuration is in force where, told by the oracle itself: a log's digest stands for all of the
 * log, so it stands for the last configuration in it, too. Nothing here rests on what replicas say of that.
 */
import { type Configuration, isJoint, members, of } from "../raft/Configuration.ts"
import type { Index, LogEntry, ReplicaId } from "../raft/LogEntry.ts"
import { leave } from "../raft/Amendment.ts"
import type { CanonicalLog } from "./CanonicalLog.ts"
import { inWords } from "./Subject.ts"
import { require } from "./Violation.ts"

/** The last configuration of a log. */
export interface Standing {
  /** Of its entry; 0 is the founding of the cluster. */
  readonly index: number
  /** Of the log up to that entry. */
  readonly chain: number
  readonly configuration: Configuration
  readonly before: Standing | undefined
  /** Who logged it first. */
  readonly by: number
}

export interface Standings {
  /** By a log's digest. */
  readonly known: Map<number, Standing>
  /** Those that somebody has logged in its last step. */
  fresh: ReadonlyArray<Standing>
  /** The last one that is committed. */
  committed: Standing
}

export const begin = (voters: ReadonlyArray<ReplicaId>): Standings => {
  const founding: Standing = { index: 0, chain: 0, configuration: of(voters), before: undefined, by: -1 }
  return { known: new Map([[0, founding]]), fresh: [], committed: founding }
}

export const at = ({ known }: Standings, chain: number): Standing => known.get(chain)!

/** A log has come to hold these; `chain` has their digests. */
export const onEntries = (
  standings: Standings,
  by: number,
  chain: ReadonlyArray<number>,
  entries: ReadonlyArray<LogEntry<unknown>>
): void => {
  for (const { index, payload } of entries) {
    const own = chain[index]!
    if (standings.known.has(own)) continue
    const before = at(standings, chain[index - 1]!)
    if (payload._tag !== "Configuration") {
      standings.known.set(own, before)
      continue
    }
    const standing: Standing = { index, chain: own, configuration: payload.configuration, before, by }
    standings.known.set(own, standing)
    standings.fresh = [...standings.fresh, standing]
  }
}

/** What it has logged may have been lost with its memory. */
export const forget = (standings: Standings, by: number): void => {
  if (standings.fresh.length > 0) standings.fresh = standings.fresh.filter((standing) => standing.by !== by)
}

/** Changes come one at a time, each after the last one is committed, and no two that may both be in force miss each other (I11). */
export const checkFresh = (standings: Standings, by: number, canon: CanonicalLog): void => {
  const fresh = standings.fresh.filter((standing) => standing.by === by)
  forget(standings, by)
  for (const { index, configuration, before } of fresh) {
    const follows = before!
    require(canon.entries[follows.index]?.chain === follows.chain, "one change of members at a time (I11)", () =>
      `at ${index}, the one at ${follows.index} is not committed`)
    require(isNext(follows.configuration, configuration), "configurations that follow each other overlap (I11)", () =>
      `${inWords(follows.configuration)} at ${follows.index}, ${inWords(configuration)} at ${index}`)
  }
}

const isNext = (one: Configuration, next: Configuration): boolean => {
  if (isJoint(one)) return inWords({ ...leave(one), addresses: [] }) === inWords({ ...next, addresses: [] })
  return sameSet(one.voters, isJoint(next) ? next.outgoing : next.voters)
}

const sameSet = (one: ReadonlyArray<ReplicaId>, other: ReadonlyArray<ReplicaId>): boolean =>
  one.length === other.length && one.every((id) => other.includes(id))

/** The entry at `index` is committed; true where another configuration is by that. */
export const onCommit = (standings: Standings, index: Index, chain: number): boolean => {
  const standing = at(standings, chain)
  if (standing.index !== index) return false
  standings.committed = standing
  return true
}

/** Told here once more, so that a core that counts wrongly is not believed: a majority, and of each where there are two. */
export const isQuorum = ({ voters, outgoing }: Configuration, ids: ReadonlySet<ReplicaId>): boolean =>
  [voters, outgoing].every((side) => side.length === 0 || side.filter((id) => ids.has(id)).length * 2 > side.length)

/** All that may be in force: the committed one, and what stands in any of these logs behind it. */
export const inForce = (
  { known, committed }: Standings,
  logs: ReadonlyArray<ReadonlyArray<number>>
): ReadonlyArray<Configuration> => {
  const later = logs.map((chain) => known.get(chain.at(-1)!)!).filter(({ index }) => index > committed.index)
  return [...new Set([committed, ...later])].map(({ configuration }) => configuration)
}

/** Whoever is a member by any of them. */
export const allMembers = (configurations: ReadonlyArray<Configuration>): ReadonlySet<ReplicaId> =>
  new Set(configurations.flatMap(members))
