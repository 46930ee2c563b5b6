/** How cost grows, for people: a table for each question. */
import type { ConnectionResult, LimitResult } from "./ConnectionScale.ts"
import * as Histogram from "./Histogram.ts"
import type { KeyResult } from "./KeyScale.ts"
import type { Measurement } from "./Measurement.ts"
import type { ReplicaResult } from "./ReplicaScale.ts"
import { aligned, count, known } from "./Report.ts"

export interface Results {
  readonly keys: ReadonlyArray<KeyResult>
  readonly connections: ReadonlyArray<ConnectionResult>
  readonly limit: LimitResult | undefined
  readonly replicas: ReadonlyArray<ReplicaResult>
}

const rate = (one: Measurement): string => count(one.operationsPerSecond)
const latency = ({ latency }: Measurement): string =>
  [50, 99].map((percent) => (Histogram.percentile(latency, percent) / 1000).toFixed(2)).join(" / ")
const cpu = ({ cpuMicros }: Measurement): string => known(cpuMicros ?? Number.NaN, (micros) => micros.toFixed(0))

const megabytes = (bytes: number): string => count(bytes / 1e6)
const seconds = (millis: number): string => (millis / 1000).toFixed(1)

export const ofKeys = (results: ReadonlyArray<KeyResult>): string => {
  const memory = aligned([
    [
      "keys",
      "filled, keys/s",
      "resident, MB",
      "per key, B",
      "of it heap",
      "of it values",
      "snapshot, MB",
      "s",
      "longest pause, ms",
      "restart, s"
    ],
    ...results.map(({ keys, keysPerSecond, memory, snapshot, restartMillis }) => [
      count(keys),
      count(keysPerSecond),
      megabytes(memory.residentBytes),
      count((memory.heapBytes + memory.externalBytes) / keys),
      count(memory.heapBytes / keys),
      count(memory.externalBytes / keys),
      megabytes(snapshot.bytes),
      seconds(snapshot.millis),
      count(snapshot.pauseMillis),
      seconds(restartMillis)
    ])
  ])
  return `${memory}\n\n${rates(
    "keys",
    results.map(({ keys, measurements }) => [keys, measurements])
  )}`
}

export const ofConnections = (results: ReadonlyArray<ConnectionResult>): string => {
  const memory = aligned([
    ["connections", "per connection, B", "of it heap"],
    ...results.map(({ connections, heapBytes, externalBytes }) => [
      count(connections),
      count((heapBytes + externalBytes) / connections),
      count(heapBytes / connections)
    ])
  ])
  return `${memory}\n\n${rates(
    "connections",
    results.map(({ connections, measurements }) => [connections, measurements])
  )}`
}

export const ofLimit = ({ asked, taken, refusals, answersAfterwards }: LimitResult): string =>
  [
    `Of ${count(asked)} connections at once the leader took ${count(taken)}; the others: `,
    Object.entries(refusals)
      .map(([answer, times]) => `${times} x "${answer}"`)
      .join(", ") || "none",
    answersAfterwards ? ". When they had gone, the next one was taken." : ". It takes no more since."
  ].join("")

export const ofReplicas = (results: ReadonlyArray<ReplicaResult>): string =>
  rates(
    "replicas",
    results.map(({ replicas, measurements }) => [replicas, measurements])
  )

/** A row for each number and workload. */
const rates = (what: string, results: ReadonlyArray<readonly [number, ReadonlyArray<Measurement>]>): string =>
  aligned([
    [what, "workload", "operations/s", "p50 / p99 ms", "CPU us per operation"],
    ...results.flatMap(([number, measurements]) =>
      measurements.map((one) => [count(number), one.workload, rate(one), latency(one), cpu(one)])
    )
  ])

/** All of it, in the order in which it was asked for. */
export const sections = (results: Results, describe: string, heading: string): string =>
  [
    describe,
    ...(results.keys.length === 0 ? [] : [`${heading}Keys\n\n${ofKeys(results.keys)}`]),
    ...(results.connections.length === 0
      ? []
      : [
          `${heading}Connections\n\n${ofConnections(results.connections)}`,
          ...(results.limit === undefined ? [] : [ofLimit(results.limit)])
        ]),
    ...(results.replicas.length === 0 ? [] : [`${heading}Replicas\n\n${ofReplicas(results.replicas)}`])
  ].join("\n\n")
