/** The limits of a seed's replicas, and the programs that they run. */
import type { Options } from "../raft/Options.ts"
import type { Random } from "./Random.ts"

/** Their names and bits are as few. */
export const maxHosts = 7

/** Of the programs that replicas run. */
export interface Versions {
  /** What each understands at first. */
  readonly first: ReadonlyArray<number>
  /** How likely a start is that of a later one. */
  readonly replaced: number
}

/** Tiny limits make rare paths common. Those of snapshots have a stream of their own. */
export const drawOptions = (random: Random, snapshots: Random): Options => {
  const electionTimeoutMillis = random.pick([100, 300, 500])
  return {
    electionTimeoutMillis,
    firstElectionMillis: 0,
    voteRetryMillis: Number.POSITIVE_INFINITY,
    lazyFollowers: false,
    appendPatienceMillis: electionTimeoutMillis / 10,
    heartbeatMillis: electionTimeoutMillis / random.pick([3, 5, 10]),
    maxAppendEntries: random.pick([1, 2, 3, 4, 64]),
    maxAppendBytes: random.pick([1, 40, 1000, 1_000_000]),
    maxInflightAppends: random.pick([1, 2, 3, 16]),
    maxInflightBytes: random.pick([1, 100, 1_000_000]),
    maxUncommittedBytes: random.pick([1, 100, 1_000_000, 1_000_000]),
    maxReadRounds: random.pick([1, 1, 2, 4]),
    readRetryMillis: electionTimeoutMillis / random.pick([1, 2, 4]),
    maxApplyEntries: random.pick([1, 2, 5, 1024]),
    maxWaitingReads: random.pick([1, 3, 1000, 1000, 1000]),
    snapshotLogEntries: snapshots.pick([4, 4, 5, 6, 8, 12, 20, 60]),
    snapshotLogBytes: snapshots.pick([200, 2000, 1_000_000, 1_000_000]),
    snapshotChunkBytes: snapshots.pick([24, 40, 100, 200]),
    snapshotRetryMillis: electionTimeoutMillis * snapshots.pick([0.3, 1, 2]),
    snapshotPatienceMillis: electionTimeoutMillis * snapshots.pick([0.3, 0.3, 1, 1, 3, 10]),
    heartbeatBesideBytes: snapshots.pick([1, 100, 64 * 1024]),
    leaseReads: false,
    maxClockDrift: 0.05,
    appliesLater: snapshots.chance(0.5),
    plainBlocks: snapshots.pick([0, 0, 1, Number.POSITIVE_INFINITY]),
    roundPatienceMillis: electionTimeoutMillis * snapshots.pick([0, 0.05, 0.2, 1])
  }
}

/** Where reads rest on clocks, how wrong these may be. */
export const drawDrift = (random: Random, isOff: boolean): number | undefined => {
  const drift = random.pick([undefined, undefined, 0.01, 0.1, 0.3])
  return isOff ? undefined : drift
}

export const drawVersions = (random: Random, isOff: boolean): Versions => {
  const share = random.pick([0, 0.5, 1])
  const first = Array.from({ length: maxHosts }, () => (random.chance(share) && !isOff ? 2 : 1))
  const replaced = random.pick([0, 0.1, 0.5])
  return { first, replaced: isOff ? 0 : replaced }
}
