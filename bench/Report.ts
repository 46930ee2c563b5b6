/** What was measured, for people: a line while it goes on, and tables of medians at the end. */
import * as Histogram from "./Histogram.ts"
import type { Machine } from "./Machine.ts"
import type { Measurement } from "./Measurement.ts"
import { type SystemName, systemNames } from "./Options.ts"
import { median } from "./Statistics.ts"

/** All rounds of one system and workload: medians, and percentiles of all their latencies together. */
export interface Cell {
  readonly system: SystemName
  readonly workload: string
  readonly operationsPerSecond: number
  /** In milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly cpuMicros: number
  readonly residentBytes: number
  /** Rounds with errors or a change of leader. */
  readonly doubtful: number
}

export const cells = (measurements: ReadonlyArray<Measurement>): ReadonlyArray<Cell> =>
  [...Map.groupBy(measurements, ({ workload, system }) => `${workload} ${system}`).values()].map(cell)

const cell = (rounds: ReadonlyArray<Measurement>): Cell => {
  const of = (pick: (one: Measurement) => number | null): number => median(rounds.map((one) => pick(one) ?? Number.NaN))
  const latency = Histogram.sum(rounds.map((one) => one.latency))
  const { system, workload } = rounds[0]!
  return {
    system,
    workload,
    operationsPerSecond: of((one) => one.operationsPerSecond),
    p50: Histogram.percentile(latency, 50) / 1000,
    p99: Histogram.percentile(latency, 99) / 1000,
    p999: Histogram.percentile(latency, 99.9) / 1000,
    cpuMicros: of((one) => one.cpuMicros),
    residentBytes: of((one) => one.residentBytes),
    doubtful: rounds.filter((one) => doubts(one).length > 0).length
  }
}

export const header = (machine: Machine): ReadonlyArray<string> => [
  `${machine.date}, Node ${machine.node}, ${machine.system}, ${machine.processors}, ${gigabytes(machine.memoryBytes)} GB`,
  `append and fdatasync of 4 KiB: ${machine.syncMillis.toFixed(2)} ms (median); load before the start: ${machine.load.toFixed(1)}`,
  "The load generator runs on the same processors and takes its share of them.",
  ...(machine.load > 0.5 ? ["! The machine is not idle: these numbers are noisy."] : []),
  ...(machine.diskIsMemory
    ? ["! The directory for temporary files is in memory: nothing here is durable (set TMPDIR)."]
    : [])
]

export const line = (one: Measurement): string =>
  [
    `${one.workload.padEnd(16)} ${one.system.padEnd(7)}`,
    `${count(one.operationsPerSecond).padStart(8)}/s`,
    `p50 ${millis(Histogram.percentile(one.latency, 50) / 1000)} p99 ${millis(Histogram.percentile(one.latency, 99) / 1000)} ms`,
    `${micros(one.cpuMicros ?? Number.NaN)} us CPU (generator ${micros(one.generatorCpuMicros)})`,
    ...doubts(one)
  ].join("  ")

const doubts = ({ errors, leaderChanged, operationsPerSecond }: Measurement): ReadonlyArray<string> => [
  ...Object.entries(errors).map(([reason, times]) => `! ${times} x ${reason}`),
  ...(leaderChanged ? ["! the leader changed"] : []),
  ...(operationsPerSecond === 0 ? ["! no answer at all"] : [])
]

/** One for rates and how they compare, one for latencies, one for what it costs. */
export const tables = (all: ReadonlyArray<Cell>): string => {
  const systems = systemNames.filter((system) => all.some((one) => one.system === system))
  const workloads = [...new Set(all.map(({ workload }) => workload))]
  const find = (workload: string, system: SystemName): Cell | undefined =>
    all.find((one) => one.workload === workload && one.system === system)
  const ratios = (
    [
      ["balsa", "etcd"],
      ["gateway", "etcd"],
      ["balsa", "bare"]
    ] as const
  ).filter((pair) => pair.every((system) => systems.includes(system)))
  const table = (
    title: string,
    show: (one: Cell) => string,
    more: { readonly head: string; readonly of: (workload: string) => string }[] = []
  ): string => {
    const head = [title, ...systems, ...more.map((one) => one.head)]
    const rows = workloads.map((workload) => [
      workload,
      ...systems.map((system) => {
        const one = find(workload, system)
        return one === undefined ? "-" : show(one)
      }),
      ...more.map(({ of }) => of(workload))
    ])
    return aligned([head, ...rows])
  }
  const compared = ratios.map(([one, other]) => ({
    head: `${one} : ${other}`,
    of: (workload: string) => {
      const [first, second] = [find(workload, one), find(workload, other)]
      return first && second ? `${(first.operationsPerSecond / second.operationsPerSecond).toFixed(2)}x` : "-"
    }
  }))
  return [
    table(
      "operations/s",
      (one) => count(one.operationsPerSecond) + (one.doubtful > 0 ? ` (${one.doubtful}!)` : ""),
      compared
    ),
    table("p50 / p99 / p99.9 ms", (one) => [one.p50, one.p99, one.p999].map(millis).join(" / ")),
    table("CPU us per operation", (one) => micros(one.cpuMicros)),
    table("memory, MB", (one) => known(one.residentBytes, megabytes))
  ].join("\n\n")
}

/** A table as Markdown has it, readable as it is. */
export const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const row = (texts: ReadonlyArray<string>): string =>
    `| ${texts.map((text, at) => (at === 0 ? text.padEnd(widths[at]!) : text.padStart(widths[at]!))).join(" | ")} |`
  const rule = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`))
  return [row(rows[0]!), `| ${rule.join(" | ")} |`, ...rows.slice(1).map(row)].join("\n")
}

/** How often what went wrong; nothing if nothing did. */
export const problems = (measurements: ReadonlyArray<Measurement>): ReadonlyArray<string> =>
  measurements.flatMap((one) =>
    doubts(one).map((doubt) => `${doubt} (${one.system}, ${one.workload}, round ${one.round})`)
  )

/** A round for a file: percentiles, and the whole histogram for whoever wants others. */
export const toJson = (one: Measurement) => ({
  ...one,
  latency: {
    ...Object.fromEntries(
      [50, 90, 99, 99.9, 99.99].map((percent) => [`p${percent}`, Histogram.percentile(one.latency, percent)])
    ),
    unit: "microseconds",
    ...Histogram.toJson(one.latency)
  }
})

export const known = (value: number, show: (value: number) => string): string =>
  Number.isNaN(value) ? "-" : show(value)
export const count = (value: number): string => Math.round(value).toLocaleString("en-US")
const millis = (value: number): string => known(value, (known) => known.toFixed(2))
const micros = (value: number): string => known(value, (known) => known.toFixed(known < 100 ? 1 : 0))
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)
const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(0)
