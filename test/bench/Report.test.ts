import { expect, it } from "vitest"
import * as Chart from "../../bench/Chart.ts"
import * as Histogram from "../../bench/Histogram.ts"
import type { Measurement } from "../../bench/Measurement.ts"
import type { SystemName } from "../../bench/Options.ts"
import * as Report from "../../bench/Report.ts"

const measurement = (system: SystemName, operationsPerSecond: number, more: Partial<Measurement> = {}): Measurement => {
  const latency = Histogram.empty()
  Histogram.record(latency, 1_000_000 / operationsPerSecond)
  return {
    system,
    workload: "put-64",
    round: 1,
    operationsPerSecond,
    latency,
    cpuMicros: 20,
    residentBytes: 3_000_000,
    generatorCpuMicros: 5,
    errors: {},
    leaderChanged: false,
    ...more
  }
}

it("shows medians, how they compare, and which are in doubt", () => {
  const cells = Report.cells([
    measurement("balsa", 4000),
    measurement("balsa", 1000),
    measurement("balsa", 2000, { errors: { "wrong answer": 3 } }),
    measurement("etcd", 500, { cpuMicros: null, residentBytes: null }),
    measurement("bare", 4000),
    measurement("etcd", 250, { workload: "serializable-1" })
  ])
  expect(`\n${Report.tables(cells)}\n`).toBe(`
| operations/s   |      balsa | etcd |  bare | balsa : etcd | balsa : bare |
| -------------- | ---------: | ---: | ----: | -----------: | -----------: |
| put-64         | 2,000 (1!) |  500 | 4,000 |        4.00x |        0.50x |
| serializable-1 |          - |  250 |     - |            - |            - |

| p50 / p99 / p99.9 ms |              balsa |               etcd |               bare |
| -------------------- | -----------------: | -----------------: | -----------------: |
| put-64               | 0.50 / 1.00 / 1.00 | 2.00 / 2.00 / 2.00 | 0.25 / 0.25 / 0.25 |
| serializable-1       |                  - | 4.00 / 4.00 / 4.00 |                  - |

| CPU us per operation | balsa | etcd | bare |
| -------------------- | ----: | ---: | ---: |
| put-64               |  20.0 |    - | 20.0 |
| serializable-1       |     - | 20.0 |    - |

| memory, MB     | balsa | etcd | bare |
| -------------- | ----: | ---: | ---: |
| put-64         |     3 |    - |    3 |
| serializable-1 |     - |    3 |    - |
`)
})

it("says how often what went wrong, and that silence is no success", () => {
  const wrong = measurement("redis", 10, { errors: { "closed by the server": 2 }, leaderChanged: true, round: 4 })
  expect(Report.problems([measurement("balsa", 1), wrong, measurement("bare", 0)])).toEqual([
    "! 2 x closed by the server (redis, put-64, round 4)",
    "! the leader changed (redis, put-64, round 4)",
    "! no answer at all (bare, put-64, round 1)"
  ])
})

it("draws the fastest of a group as the longest bar", () => {
  const drawn = Chart.svg(Report.cells([measurement("balsa", 500), measurement("etcd", 1000)]), "a < b", "")
  const bars = [...drawn.matchAll(/<rect x="190" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width))
  expect(bars).toEqual([220, 440])
  expect(drawn).toContain("a &lt; b")
})
