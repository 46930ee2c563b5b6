import { expect, it } from "vitest"
import { obstacle } from "../../bench/ConnectionScale.ts"
import * as Histogram from "../../bench/Histogram.ts"
import type { Measurement } from "../../bench/Measurement.ts"
import * as ScaleReport from "../../bench/ScaleReport.ts"

const measurement = (workload: string, operationsPerSecond: number): Measurement => {
  const latency = Histogram.empty()
  Histogram.record(latency, 1_000_000 / operationsPerSecond)
  return {
    system: "balsa",
    workload,
    round: 1,
    operationsPerSecond,
    latency,
    cpuMicros: 40,
    residentBytes: 3_000_000,
    generatorCpuMicros: 5,
    errors: {},
    leaderChanged: false
  }
}

it("shows what each number of keys, connections and replicas costs", () => {
  const results: ScaleReport.Results = {
    keys: [
      {
        keys: 1000,
        keysPerSecond: 50_000,
        memory: { residentBytes: 150_000_000, heapBytes: 400_000, externalBytes: 256_000 },
        measurements: [measurement("put-64", 10_000)],
        snapshot: { bytes: 2_000_000, millis: 1500, pauseMillis: 12.4 },
        restartMillis: 900
      }
    ],
    connections: [
      { connections: 64, heapBytes: 320_000, externalBytes: 64_000, measurements: [measurement("get-64", 20_000)] }
    ],
    limit: { asked: 20, taken: 10, refusals: { "-ERR max": 9, ECONNRESET: 1 }, answersAfterwards: true },
    replicas: []
  }
  expect(`\n${ScaleReport.sections(results, "Here and now.", "## ")}\n`).toBe(`
Here and now.

## Keys

| keys  | filled, keys/s | resident, MB | per key, B | of it heap | of it values | snapshot, MB |   s | longest pause, ms | restart, s |
| ----- | -------------: | -----------: | ---------: | ---------: | -----------: | -----------: | --: | ----------------: | ---------: |
| 1,000 |         50,000 |          150 |        656 |        400 |          256 |            2 | 1.5 |                12 |        0.9 |

| keys  | workload | operations/s | p50 / p99 ms | CPU us per operation |
| ----- | -------: | -----------: | -----------: | -------------------: |
| 1,000 |   put-64 |       10,000 |  0.10 / 0.10 |                   40 |

## Connections

| connections | per connection, B | of it heap |
| ----------- | ----------------: | ---------: |
| 64          |             6,000 |      5,000 |

| connections | workload | operations/s | p50 / p99 ms | CPU us per operation |
| ----------- | -------: | -----------: | -----------: | -------------------: |
| 64          |   get-64 |       20,000 |  0.05 / 0.05 |                   40 |

Of 20 connections at once the leader took 10; the others: 9 x "-ERR max", 1 x "ECONNRESET". When they had gone, the next one was taken.
`)
})

it("says what to do where so many connections cannot be opened", () => {
  expect(obstacle(64, 1024)).toBe(undefined)
  expect(obstacle(10_000, undefined)).toBe(undefined)
  expect(obstacle(1000, 1024)).toContain("ulimit -n 1200")
})
