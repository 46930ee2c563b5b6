/**
 * What one seed decides about a run besides the order of things: the cluster, its limits, the
 * load, the weather between replicas, and which faults there are at all. Limits are often
 * tiny, so that what is rare in life is common here.
 */
import type { Options } from "../../src/raft/Options.ts"
import type { MailboxLimits } from "../../src/runtime/Mailbox.ts"
import type { WaitingLimits } from "../../src/runtime/Requests.ts"
import { type Random, stream } from "../../src/sim/Random.ts"
import type { LinkFaults } from "../../src/transport/MemoryTransport.ts"
import type { Temper } from "./SeededScheduler.ts"

export interface SeededPlan {
  readonly names: string
  readonly temper: Temper
  readonly raft: Partial<Options>
  readonly limits: Partial<MailboxLimits & WaitingLimits>
  readonly requestTimeoutMillis: number
  readonly clients: number
  readonly operationsEach: number
  readonly keys: number
  readonly thinkMillis: number
  /** The chance that a client loses patience before its answer comes. */
  readonly impatience: number
  readonly weather: LinkFaults
  readonly disk: DiskWeather
  /** Mean time between two acts of the nemesis, and how long it has. */
  readonly calmMillis: number
  readonly troubleMillis: number
  readonly troubles: ReadonlyArray<Trouble>
}

export interface DiskWeather {
  readonly delayMillis: number
  /** The chance that a single write hangs for several election timeouts. */
  readonly hang: number
  readonly hangMillis: number
  /** The chance that a single write fails, and with it the replica. */
  readonly failure: number
  /** The chance that something done with a snapshot fails. */
  readonly snapshotFailure: number
}

export type Trouble = "Cut" | "CutOneWay" | "Isolate" | "Heal" | "Crash" | "FailDisk" | "Rot" | "Fill" | "MakeRoom"

export const draw = (seed: number): SeededPlan => {
  const random = stream(seed, "plan")
  const electionTimeoutMillis = random.pick([60, 150, 500])
  const sometimes = (probability: number, value: () => number): number => (random.chance(probability) ? value() : 0)
  return {
    names: random.pick(["A B C", "A B C", "A B C", "A B C D", "A B C D E"]),
    temper: {
      opsBetweenYields: random.pick([2048, 200, 30, 8]),
      disorder: random.pick([0, 0.3, 1]),
      haste: sometimes(0.3, () => 0.002)
    },
    raft: {
      electionTimeoutMillis,
      heartbeatMillis: electionTimeoutMillis / 5,
      readRetryMillis: electionTimeoutMillis / 2,
      maxAppendEntries: random.pick([1, 3, 4096]),
      maxInflightAppends: random.pick([1, 2, 64]),
      maxReadRounds: random.pick([1, 4]),
      maxWaitingReads: random.pick([2, 1000]),
      maxUncommittedBytes: random.pick([60, 200, 1_000_000]),
      snapshotLogEntries: random.pick([2, 7, 20, 250_000]),
      snapshotChunkBytes: random.pick([7, 60, 512 * 1024]),
      snapshotRetryMillis: random.pick([0.2, 2]) * electionTimeoutMillis,
      snapshotPatienceMillis: random.pick([0.5, 2, 20]) * electionTimeoutMillis
    },
    limits: random.pick<SeededPlan["limits"]>([
      {},
      { maxMailboxMessages: 16, maxMailboxRequests: 2 },
      { maxMailboxMessages: 3, maxMailboxRequests: 4, maxWaitingRequests: 3, maxWaitingBytes: 60 }
    ]),
    requestTimeoutMillis: random.pick([1, 4, 20]) * electionTimeoutMillis,
    clients: 2 + random.below(4),
    operationsEach: 5 + random.below(25),
    keys: 1 + random.below(3),
    thinkMillis: random.pick([2, 20, 100]),
    impatience: sometimes(0.3, () => 0.15),
    weather: {
      delayMillis: random.pick([0, 1, 10]),
      jitterMillis: random.pick([0, 2, 20]),
      loss: sometimes(0.4, () => random.pick([0.02, 0.15])),
      duplication: sometimes(0.4, () => random.pick([0.05, 0.3])),
      reordering: sometimes(0.4, () => random.pick([0.05, 0.5]))
    },
    disk: {
      delayMillis: random.pick([0, 0.2, 5]),
      hang: sometimes(0.4, () => 0.02),
      hangMillis: random.pick([1, 4]) * electionTimeoutMillis,
      failure: sometimes(0.4, () => random.pick([0.005, 0.03])),
      snapshotFailure: sometimes(0.4, () => random.pick([0.02, 0.3]))
    },
    calmMillis: random.pick([0.3, 1, 4]) * electionTimeoutMillis,
    troubleMillis: random.pick([4, 12, 30]) * electionTimeoutMillis,
    troubles: pickTroubles(random)
  }
}

const pickTroubles = (random: Random): ReadonlyArray<Trouble> => {
  const all: ReadonlyArray<Trouble> = ["Cut", "CutOneWay", "Isolate", "Crash", "FailDisk", "Rot", "Fill"]
  const chosen = all.filter(() => random.chance(0.5))
  return chosen.length === 0 ? [] : [...chosen, "Heal", ...(chosen.includes("Fill") ? (["MakeRoom"] as const) : [])]
}
