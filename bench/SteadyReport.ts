/** A steady load for people: a line each minute, and a verdict at the end. */
import { aligned } from "./Report.ts"
import type { Latencies, Sample, Verdict } from "./Steadiness.ts"

export const line = (one: Sample): string =>
  [
    `${(one.seconds / 60).toFixed(0).padStart(4)} min`,
    `${one.operationsPerSecond.toFixed(0)}/s`,
    `puts ${latencies(one.puts)} gets ${latencies(one.gets)} ms`,
    `resident ${each(one, ({ residentBytes }) => residentBytes / 1e6)} MB`,
    `heap ${each(one, ({ heapBytes }) => heapBytes / 1e6)} MB`,
    `disk ${each(one, ({ directoryBytes }) => directoryBytes / 1e6)} MB`,
    `pause ${each(one, ({ pauseMillis }) => pauseMillis)} ms`,
    `snapshots ${each(one, ({ snapshots }) => snapshots)}`,
    `${(100 * one.shareOfProcessors).toFixed(1)} % of the processors`,
    ...Object.entries(one.errors).map(([reason, times]) => `! ${times} x ${reason}`)
  ].join("  ")

const each = (one: Sample, pick: (replica: Sample["replicas"][number]) => number): string =>
  one.replicas.map((replica) => pick(replica).toFixed(0)).join("/")

const latencies = ({ p50, p99 }: Latencies): string => `${shown(p50)}/${shown(p99)}`
const shown = (value: number | null): string => (value === null ? "-" : value.toFixed(2))

export const table = (verdicts: ReadonlyArray<Verdict>): string =>
  aligned([
    ["", "first quarter", "last quarter", "limit", "grew"],
    ...verdicts.map(({ what, unit, first, last, limit, grew }) => [
      `${what}, ${unit}`,
      ...[first, last, limit].map((value) => value.toFixed(unit === "MB" ? 0 : 2)),
      grew ? "YES" : "no"
    ])
  ])

export const conclusion = (verdicts: ReadonlyArray<Verdict>, errors: Readonly<Record<string, number>>): string => {
  const grown = verdicts.filter(({ grew }) => grew).map(({ what }) => what)
  const problems = Object.entries(errors).map(([reason, times]) => `${times} x ${reason}`)
  return [
    verdicts.length === 0
      ? "Too short to compare."
      : grown.length === 0
        ? "Nothing grew."
        : `Grew: ${grown.join(", ")}.`,
    problems.length === 0 ? "No errors." : `Errors: ${problems.join(", ")}.`
  ].join(" ")
}
