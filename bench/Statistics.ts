/** Order statistics, exact: every sample is kept and sorted, nothing is estimated. */

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export const median = (samples: ReadonlyArray<number>): number => {
  const sorted = samples.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  const [below, above] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]]
  return below === undefined || above === undefined ? Number.NaN : (below + above) / 2
}

/** The least of the samples that `percent` of them do not exceed (nearest rank); NaN of nothing. Takes them sorted. */
export const percentile = (sorted: Float64Array, percent: number): number =>
  sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
