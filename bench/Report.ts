/** What was measured, for people: a line while it goes on, and a table of medians at the end. */
import type { Machine } from "./Machine.ts"
import type { Measurement } from "./Measurement.ts"
import type { SystemName } from "./Options.ts"
import { median } from "./Statistics.ts"

/** Medians over the rounds of one system, operation and number of clients. */
export interface Cell {
  readonly operationsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuSecondsPer1000: number
  readonly residentBytes: number
  /** Rounds with errors or a change of leader. */
  readonly doubtful: number
}

export const cell = (rounds: ReadonlyArray<Measurement>): Cell => {
  const of = (pick: (one: Measurement) => number | null): number => median(rounds.map((one) => pick(one) ?? Number.NaN))
  return {
    operationsPerSecond: of((one) => one.operationsPerSecond),
    p50: of((one) => one.latency.p50),
    p99: of((one) => one.latency.p99),
    cpuSecondsPer1000: of((one) => one.cpuSecondsPer1000),
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
    `${one.operation.padEnd(12)} ${String(one.clients).padStart(4)} clients  ${one.system.padEnd(5)}`,
    `${count(one.operationsPerSecond).padStart(7)}/s`,
    `p50 ${millis(one.latency.p50)} p99 ${millis(one.latency.p99)} worst ${millis(one.latency.max)} ms`,
    ...doubts(one)
  ].join("  ")

const doubts = ({ errors, leaderChanged }: Measurement): ReadonlyArray<string> => [
  ...Object.entries(errors).map(([reason, times]) => `! ${times} x ${reason}`),
  ...(leaderChanged ? ["! the leader changed"] : [])
]

/** Both systems share a cell, in the order of `systems`. */
export const table = (measurements: ReadonlyArray<Measurement>, systems: ReadonlyArray<SystemName>): string => {
  const rows = Map.groupBy(measurements, ({ operation, clients }) => `${operation}, ${clients}`)
  const compared = systems.length === 2 ? [`${systems.join(":")} ops/s`] : []
  const head = [systems.join(" / "), "ops/s", "p50 ms", "p99 ms", "CPU s/1000 ops", "RSS MB", ...compared]
  const body = [...rows].map(([name, rounds]) => {
    const cells = systems.map((system) => cell(rounds.filter((one) => one.system === system)))
    const both = (show: (one: Cell) => string): string => cells.map(show).join(" / ")
    const [first, second] = cells
    return [
      name,
      both((one) => count(one.operationsPerSecond) + (one.doubtful > 0 ? ` (${one.doubtful}!)` : "")),
      both((one) => millis(one.p50)),
      both((one) => millis(one.p99)),
      both((one) => known(one.cpuSecondsPer1000, (value) => value.toFixed(2))),
      both((one) => known(one.residentBytes, megabytes)),
      ...(first && second ? [`${(first.operationsPerSecond / second.operationsPerSecond).toFixed(2)}x`] : [])
    ]
  })
  return aligned([head, ...body])
}

const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const row = (texts: ReadonlyArray<string>): string =>
    `| ${texts.map((text, at) => (at === 0 ? text.padEnd(widths[at]!) : text.padStart(widths[at]!))).join(" | ")} |`
  const rule = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`))
  return [row(rows[0]!), `| ${rule.join(" | ")} |`, ...rows.slice(1).map(row)].join("\n")
}

/** How often what went wrong; nothing if nothing did. */
export const problems = (measurements: ReadonlyArray<Measurement>): ReadonlyArray<string> =>
  measurements.flatMap((one) =>
    doubts(one).map((doubt) => `${doubt} (${one.system}, ${one.operation}, ${one.clients} clients, round ${one.round})`)
  )

const known = (value: number, show: (value: number) => string): string => (Number.isNaN(value) ? "-" : show(value))
const count = (value: number): string => Math.round(value).toLocaleString("en-US")
const millis = (value: number): string => known(value, (known) => known.toFixed(2))
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)
const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(0)
