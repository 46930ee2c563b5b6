/** How a figure is distributed over many runs. */
export interface Distribution {
  readonly minimum: number
  readonly median: number
  readonly p90: number
  readonly p99: number
  readonly maximum: number
}

export const of = (values: ReadonlyArray<number>): Distribution => {
  const sorted = [...values].sort((one, other) => one - other)
  /** The least value that at least so many per cent of all do not exceed. */
  const at = (percent: number): number =>
    sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
  return { minimum: at(0), median: at(50), p90: at(90), p99: at(99), maximum: at(100) }
}
