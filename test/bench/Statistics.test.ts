import { describe, expect, it } from "vitest"
import { median, percentile } from "../../bench/Statistics.ts"

describe("median", () => {
  it("is the middle one, in whatever order they came", () => expect(median([10, 9, 2])).toBe(9))
  it("is the mean of the middle two", () => expect(median([4, 1, 10, 2])).toBe(3))
  it("of one is that one", () => expect(median([7])).toBe(7))
  it("of nothing is no number", () => expect(median([])).toBeNaN())
})

describe("percentile", () => {
  const hundred = Float64Array.from({ length: 100 }, (_, at) => at + 1)
  it.each([
    [0, 1],
    [1, 1],
    [50, 50],
    [99, 99],
    [99.1, 100],
    [100, 100]
  ])("%d of 1 to 100 is %d", (percent, expected) => expect(percentile(hundred, percent)).toBe(expected))
  it("is always one of the samples", () => expect(percentile(Float64Array.of(1, 100), 50)).toBe(1))
  it("of nothing is no number", () => expect(percentile(new Float64Array(), 50)).toBeNaN())
})
