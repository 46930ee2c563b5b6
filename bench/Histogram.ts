/**
 * Latencies in whole microseconds, as HdrHistogram counts them: buckets whose width grows with the
 * value, so that every percentile is right to 0.2 % and a million samples take as much room as one.
 * Histograms of several rounds add up, which percentiles do not.
 */

/** Of the buckets between a power of two and the next. */
const halfBits = 9
const half = 1 << halfBits
/** Half an hour; what takes longer counts as that. */
const mostMicros = 2 ** 31 - 1

export interface Histogram {
  /** How many, by bucket; what is not there is none. */
  readonly counts: Map<number, number>
  total: number
  maxMicros: number
}

export const empty = (): Histogram => ({ counts: new Map(), total: 0, maxMicros: 0 })

export const record = (histogram: Histogram, micros: number): void => {
  const value = Math.min(mostMicros, Math.max(0, Math.round(micros)))
  const bucket = bucketOf(value)
  histogram.counts.set(bucket, (histogram.counts.get(bucket) ?? 0) + 1)
  histogram.total++
  if (value > histogram.maxMicros) histogram.maxMicros = value
}

export const sum = (histograms: ReadonlyArray<Histogram>): Histogram => {
  const all = empty()
  for (const { counts, total, maxMicros } of histograms) {
    for (const [bucket, count] of counts) all.counts.set(bucket, (all.counts.get(bucket) ?? 0) + count)
    all.total += total
    all.maxMicros = Math.max(all.maxMicros, maxMicros)
  }
  return all
}

/** The least value that `percent` of all do not exceed (nearest rank); NaN of nothing. */
export const percentile = ({ counts, total, maxMicros }: Histogram, percent: number): number => {
  const rank = Math.max(1, Math.ceil((percent / 100) * total))
  let seen = 0
  for (const bucket of [...counts.keys()].sort((a, b) => a - b)) {
    seen += counts.get(bucket)!
    if (seen >= rank) return Math.min(maxMicros, highestIn(bucket))
  }
  return Number.NaN
}

/** Below `2 * half` each value has a bucket; above, a bucket holds 2, then 4, 8... */
const bucketOf = (value: number): number => {
  const shift = Math.max(0, 31 - Math.clz32(value) - halfBits)
  return shift * half + (value >>> shift)
}

const highestIn = (bucket: number): number => {
  const shift = Math.max(0, Math.floor(bucket / half) - 1)
  return (bucket - shift * half + 1) * 2 ** shift - 1
}

/** As text, for another process or a file. */
export const toJson = ({ counts, total, maxMicros }: Histogram): HistogramJson => ({
  buckets: [...counts].sort(([a], [b]) => a - b),
  total,
  maxMicros
})

export interface HistogramJson {
  readonly buckets: ReadonlyArray<readonly [number, number]>
  readonly total: number
  readonly maxMicros: number
}

export const fromJson = ({ buckets, total, maxMicros }: HistogramJson): Histogram => ({
  counts: new Map(buckets),
  total,
  maxMicros
})
