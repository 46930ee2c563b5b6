import { describe, expect, it } from "vitest"
import * as Histogram from "../../bench/Histogram.ts"
import { shuffle } from "../../bench/Workload.ts"

const of = (...values: ReadonlyArray<number>): Histogram.Histogram => {
  const histogram = Histogram.empty()
  for (const value of values) Histogram.record(histogram, value)
  return histogram
}

describe("percentile", () => {
  const hundred = of(...Array.from({ length: 100 }, (_, at) => at + 1))
  it.each([
    [0, 1],
    [1, 1],
    [50, 50],
    [99, 99],
    [99.1, 100],
    [100, 100]
  ])("%d of 1 to 100 is %d", (percent, expected) => expect(Histogram.percentile(hundred, percent)).toBe(expected))

  it("of nothing is no number", () => expect(Histogram.percentile(Histogram.empty(), 50)).toBeNaN())
  it("is never more than the largest sample", () => expect(Histogram.percentile(of(1_000_003), 99.9)).toBe(1_000_003))

  it("is right to 0.2 %, never too small, whatever the size", () => {
    const random = shuffle(7)
    for (let time = 0; time < 20_000; time++) {
      const value = random() >>> (1 + (random() % 30))
      // A larger one, so that the largest sample does not hide what the bucket says.
      const told = Histogram.percentile(of(value, 2 ** 31 - 1), 50)
      expect(told).toBeGreaterThanOrEqual(value)
      expect(told).toBeLessThanOrEqual(value * 1.002)
    }
  })

  it("takes what is beyond its range as the most that it can tell", () =>
    expect(Histogram.percentile(of(1e12), 50)).toBe(2 ** 31 - 1))
})

describe("sum", () => {
  it("has the percentiles of all samples together", () => {
    const sum = Histogram.sum([of(1, 2, 3, 4, 5, 6, 7, 8, 9), of(1000)])
    expect([sum.total, Histogram.percentile(sum, 90), Histogram.percentile(sum, 91)]).toEqual([10, 9, 1000])
  })
})

it("comes back from JSON as it was", () => {
  const histogram = of(3, 3, 70_000, 12)
  expect(Histogram.fromJson(JSON.parse(JSON.stringify(Histogram.toJson(histogram))))).toEqual(histogram)
})
