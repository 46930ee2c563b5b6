/** The rule by which a steady load is judged, against loads that are known to be good or bad. */
import { describe, expect, it } from "vitest"
import * as Steadiness from "../../bench/Steadiness.ts"

const megabyte = 1e6

interface Changed {
  readonly residentMegabytes?: number
  readonly heapMegabytes?: number
  readonly diskMegabytes?: number
  readonly p50?: number
  readonly p99?: number | null
  readonly pauseMillis?: number
}

const sample = (number: number, changed: Changed = {}): Steadiness.Sample => {
  const { residentMegabytes = 200, heapMegabytes = 40, diskMegabytes = 20, p50 = 2, p99 = 8, pauseMillis = 5 } = changed
  const latencies = { p50, p99, max: 20 }
  return {
    seconds: 10 * (number + 1),
    operationsPerSecond: 500,
    errors: {},
    puts: latencies,
    gets: latencies,
    replicas: ["A", "B"].map((name) => ({
      name,
      residentBytes: residentMegabytes * megabyte,
      heapBytes: heapMegabytes * megabyte,
      externalBytes: 0,
      pauseMillis,
      directoryBytes: diskMegabytes * megabyte,
      snapshots: number
    })),
    shareOfProcessors: 0.1,
    machineLoad: 0.2
  }
}

const grown = (of: (number: number) => Changed, length = 100): ReadonlyArray<string> =>
  Steadiness.judge(Array.from({ length }, (_, number) => sample(number, of(number))))
    .filter(({ grew }) => grew)
    .map(({ what }) => what)

describe("a steady load", () => {
  it("that stays as it is has not grown, and each thing is looked at", () => {
    const verdicts = Steadiness.judge(Array.from({ length: 100 }, (_, number) => sample(number)))
    expect(verdicts.map(({ grew }) => grew)).toEqual(Array.from({ length: 12 }, () => false))
    expect(verdicts[4]).toMatchObject({
      what: "resident memory of A",
      first: 200,
      last: 200,
      limit: expect.closeTo(230) as number
    })
  })
  it.each([
    ["memory", (n: number) => ({ residentMegabytes: 200 + n }), ["resident memory of A", "resident memory of B"]],
    ["the heap", (n: number) => ({ heapMegabytes: 40 + n / 5 }), ["heap of A", "heap of B"]],
    ["what is on disk", (n: number) => ({ diskMegabytes: 20 + n / 5 }), ["disk of A", "disk of B"]],
    ["the median", (n: number) => ({ p50: 2 + n / 50 }), ["p50 of puts", "p50 of gets"]],
    ["the tail", (n: number) => ({ p99: 8 + n / 4 }), ["p99 of puts", "p99 of gets"]],
    ["pauses", (n: number) => ({ pauseMillis: 5 + n / 2 }), ["pause of A", "pause of B"]]
  ])("has grown if %s grows", (_, of, what) => expect(grown(of)).toEqual(what))

  it("may find its pace in the first tenth", () =>
    expect(grown((n) => (n < 10 ? { p50: 0.1, residentMegabytes: 50, heapMegabytes: 5 } : {}))).toEqual([]))
  it("may go up and down, as collections and snapshots do", () =>
    expect(grown((n) => ({ heapMegabytes: 40 + (n % 7) * 10, diskMegabytes: 20 + (n % 5) * 4 }))).toEqual([]))
  it("may have bad moments, if they are few", () =>
    expect(grown((n) => (n % 10 === 9 ? { p99: 900, pauseMillis: 700, residentMegabytes: 500 } : {}))).toEqual([]))
  it("has grown where at the end nothing is known", () =>
    expect(grown((n) => (n > 50 ? { p99: null } : {}))).toEqual(["p99 of puts", "p99 of gets"]))
  it("that is too short is not judged", () =>
    expect(Steadiness.judge([0, 1, 2, 3, 4].map((n) => sample(n)))).toEqual([]))
})

it("counts errors over all samples", () =>
  expect(
    Steadiness.errorsOf([
      { ...sample(0), errors: { lost: 1 } },
      { ...sample(1), errors: { lost: 2, wrong: 1 } }
    ])
  ).toEqual({ lost: 3, wrong: 1 }))
