/**
 * Whether a store under steady load grows or gets slower. The rule, written down before anything was measured: the first tenth
 * is left out, in which compilers and collectors find their pace; what is left is cut in four quarters of the same
 * length, and the last must not exceed the first by more than `allowed` says.
 *
 * What is compared is chosen so that a neighbour on the machine, or one bad moment, does not decide: medians, and for the heap what
 * was least, which is what collections leave.
 */
import { median } from "./Statistics.ts"

export interface Sample {
  /** Since the start. */
  readonly seconds: number
  readonly operationsPerSecond: number
  readonly errors: Readonly<Record<string, number>>
  readonly puts: Latencies
  readonly gets: Latencies
  readonly replicas: ReadonlyArray<ReplicaSample>
  /** Of all processors, what the replicas and the load generator used. */
  readonly shareOfProcessors: number
  /** Of the last minute, with what is not ours. */
  readonly machineLoad: number
}

/** In milliseconds; null where there was nothing. */
export interface Latencies {
  readonly p50: number | null
  readonly p99: number | null
  readonly max: number | null
}

export interface ReplicaSample {
  readonly name: string
  readonly residentBytes: number
  /** The least since the sample before. */
  readonly heapBytes: number
  readonly externalBytes: number
  readonly pauseMillis: number
  readonly directoryBytes: number
  readonly snapshots: number
}

export interface Verdict {
  readonly what: string
  readonly unit: "MB" | "ms"
  readonly first: number
  readonly last: number
  /** More than that would be growth. */
  readonly limit: number
  readonly grew: boolean
}

/** The last may be so many times the first, and so much more: small numbers vary more. */
interface Allowed {
  readonly times: number
  readonly plus: number
}

const allowed = {
  memory: { times: 1.1, plus: 10 },
  heap: { times: 1.1, plus: 5 },
  disk: { times: 1.25, plus: 5 },
  median: { times: 1.25, plus: 0.5 },
  tail: { times: 1.5, plus: 5 },
  pause: { times: 1.5, plus: 10 }
} satisfies Readonly<Record<string, Allowed>>

export const rule: ReadonlyArray<string> = [
  "The first tenth is left out; of the rest the last quarter is compared with the first. Growth is more than:",
  ...Object.entries({
    "resident memory of a replica, median": allowed.memory,
    "heap in use, least": allowed.heap,
    "log and snapshots on disk, most": allowed.disk,
    "latency of puts and gets, median of the samples' p50": allowed.median,
    "their p99, median of the samples' p99": allowed.tail,
    "longest pause of an event loop, median of the samples": allowed.pause
  }).map(([what, { times, plus }]) => `${what}: ${times} times and ${plus} more`)
]

/** Nothing where there are too few samples to compare. */
export const judge = (samples: ReadonlyArray<Sample>): ReadonlyArray<Verdict> => {
  const quarters = firstAndLast(samples)
  if (quarters === undefined) return []
  const [first, last] = quarters
  const compare = (
    what: string,
    unit: Verdict["unit"],
    { times, plus }: Allowed,
    of: (quarter: ReadonlyArray<Sample>) => number
  ): Verdict => {
    const [before, after] = [of(first), of(last)]
    const limit = before * times + plus
    return { what, unit, first: before, last: after, limit, grew: !(after <= limit) }
  }
  const replicas = first[0]!.replicas.flatMap(({ name }, at) => {
    const each = (quarter: ReadonlyArray<Sample>, pick: (one: ReplicaSample) => number): ReadonlyArray<number> =>
      quarter.map(({ replicas }) => pick(replicas[at]!))
    return [
      compare(`resident memory of ${name}`, "MB", allowed.memory, (quarter) =>
        median(each(quarter, ({ residentBytes }) => residentBytes / 1e6))
      ),
      compare(`heap of ${name}`, "MB", allowed.heap, (quarter) =>
        Math.min(...each(quarter, ({ heapBytes }) => heapBytes / 1e6))
      ),
      compare(`disk of ${name}`, "MB", allowed.disk, (quarter) =>
        Math.max(...each(quarter, ({ directoryBytes }) => directoryBytes / 1e6))
      ),
      compare(`pause of ${name}`, "ms", allowed.pause, (quarter) =>
        median(each(quarter, ({ pauseMillis }) => pauseMillis))
      )
    ]
  })
  const latency = (name: string, pick: (one: Sample) => Latencies): ReadonlyArray<Verdict> => {
    const known = (quarter: ReadonlyArray<Sample>, percentile: "p50" | "p99"): number =>
      median(quarter.flatMap((one) => pick(one)[percentile] ?? []))
    return [
      compare(`p50 of ${name}`, "ms", allowed.median, (quarter) => known(quarter, "p50")),
      compare(`p99 of ${name}`, "ms", allowed.tail, (quarter) => known(quarter, "p99"))
    ]
  }
  return [...latency("puts", ({ puts }) => puts), ...latency("gets", ({ gets }) => gets), ...replicas]
}

const leastInQuarter = 3

const firstAndLast = (
  samples: ReadonlyArray<Sample>
): readonly [ReadonlyArray<Sample>, ReadonlyArray<Sample>] | undefined => {
  const rest = samples.slice(Math.ceil(samples.length / 10))
  const length = Math.floor(rest.length / 4)
  return length < leastInQuarter ? undefined : [rest.slice(0, length), rest.slice(-length)]
}

/** How often what went wrong, in all of them. */
export const errorsOf = (samples: ReadonlyArray<Sample>): Readonly<Record<string, number>> => {
  const all: Record<string, number> = {}
  for (const { errors } of samples) {
    for (const [reason, times] of Object.entries(errors)) all[reason] = (all[reason] ?? 0) + times
  }
  return all
}
