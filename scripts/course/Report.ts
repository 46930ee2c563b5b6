/** The table at the end: a row for each configuration, worst tiers first in sight. */
import { type Benchmark, benchmarks } from "../../src/sim/course/Configuration.ts"
import type { Distribution } from "../../src/sim/course/Distribution.ts"
import type { Summary } from "../../src/sim/course/Summary.ts"
import type { Tier } from "../../src/sim/course/Verdict.ts"

const headings: Readonly<Record<Benchmark, string>> = {
  total_msgs: "messages",
  failures: "failures",
  duplicates: "duplicates",
  median_latency: "median latency, ms"
}

/** Markdown, so that it can be put into a document as it is. `whole` gives the distribution as well. */
export const table = (summaries: ReadonlyArray<Summary>, whole: boolean): string => {
  const columns = benchmarks.map((name) => `${headings[name]}${whole ? ": min / median / p90 / p99 / max" : ""}`)
  return lines(
    ["configuration", "correct", ...columns],
    summaries.map((summary) => [
      summary.configuration,
      `${summary.correct}/${summary.runs}`,
      ...benchmarks.map(
        (name) => `${inWords(name, summary.figures[name], whole)} ${tiersInWords(summary.tiers[name], summary.runs)}`
      )
    ])
  )
}

const inWords = (name: Benchmark, figure: Distribution, whole: boolean): string => {
  const shown = name === "median_latency" ? (value: number) => (value * 1000).toFixed(2) : String
  const { minimum, median, p90, p99, maximum } = figure
  if (whole) return [minimum, median, p90, p99, maximum].map(shown).join(" / ")
  return minimum === maximum ? shown(median) : `${shown(minimum)}..${shown(maximum)}`
}

const tiersInWords = (tiers: Readonly<Record<Tier, number>>, runs: number): string => {
  const reached = (["bonus", "full", "partial", "none"] as const).filter((tier) => tiers[tier] > 0)
  const only = reached.find((tier) => tiers[tier] === runs)
  return only ?? reached.map((tier) => `${tier} ${tiers[tier]}`).join(", ")
}

const lines = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = header.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]!.length)))
  const line = (row: ReadonlyArray<string>): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`
  return [line(header), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join("\n")
}
