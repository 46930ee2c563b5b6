/** The log against a plain array: random changes, sizes over several blocks and shelves, old versions kept. */
import { describe, expect, test } from "vitest"
import * as Logs from "../../src/raft/Log.ts"
import { Index, type LogEntry, type LogPosition } from "../../src/raft/LogEntry.ts"
import * as Seeds from "../../src/raft/Seed.ts"
import { entries, entriesFrom, entry, position } from "./builders.ts"

type Log = Logs.Log<string>

const contents = (log: Log): ReadonlyArray<LogEntry<string>> => Logs.slice(log, Index(1), log.length)

const draws = (first: number): ((below: number) => number) => {
  let seed = first
  return (below) => {
    const [draw, next] = Seeds.next(seed)
    seed = next
    return Math.floor(draw * below)
  }
}

/** Entries that continue `log`, in terms that grow now and then. */
const more = (log: Log, count: number, term: number): ReadonlyArray<LogEntry<string>> =>
  Array.from({ length: count }, (_, at) => entry(log.length + 1 + at, term))

/** By reference, and in one comparison: the arrays are long. */
const expectSame = (log: Log, array: ReadonlyArray<LogEntry<string>>): void => {
  const own = contents(log)
  expect(own.length).toBe(array.length)
  expect(own.findIndex((one, at) => one !== array[at])).toBe(-1)
  expect(Logs.lastIndex(log)).toBe(array.length)
  const last = array.at(-1)
  expect(Logs.last(log)).toEqual(last === undefined ? position(0, 0) : { index: last.index, term: last.term })
}

/** Block and shelf boundaries, and a little to either side. */
const lengths = [0, 1, 63, 64, 65, 127, 128, 4095, 4096, 4097, 4160, 8191, 8192, 8193, 8300]

describe("Log", () => {
  test("holds what was appended, whatever the size, at once or one by one", () => {
    let byOne: Log = Logs.empty
    const all = Array.from({ length: 8_300 }, (_, at) => entry(at + 1, 1 + Math.floor(at / 1_000)))
    for (const [at, one] of all.entries()) {
      byOne = Logs.append(byOne, [one])
      if (lengths.includes(at + 1)) {
        expectSame(byOne, all.slice(0, at + 1))
        expect(byOne).toEqual(Logs.of(all.slice(0, at + 1)))
      }
    }
  })

  test("truncates at every boundary to the very shape that appending gives", () => {
    const all = Array.from({ length: 8_300 }, (_, at) => entry(at + 1, 1))
    const log = Logs.of(all)
    for (const length of lengths) {
      const cut = Logs.truncate(log, Index(length + 1))
      expectSame(cut, all.slice(0, length))
      expect(cut).toEqual(Logs.of(all.slice(0, length)))
    }
    expectSame(log, all)
    expect(Logs.truncate(log, Index(8_301))).toBe(log)
    expect(Logs.append(log, [])).toBe(log)
  })

  test("there is nothing outside the log; before it stands the base", () => {
    const log = Logs.of(entries(1, 1, 2))
    expect([0, 1, 3, 4].map((index) => Logs.termAt(log, Index(index)))).toEqual([0, 1, 2, undefined])
    expect([0, 3, 4].map((index) => Logs.get(log, Index(index))?.index)).toEqual([undefined, 3, undefined])
    expect(Logs.slice(log, Index(2), 9)).toEqual(entriesFrom(2, 1, 2))
    expect(Logs.slice(log, Index(4), 9)).toEqual([])
  })

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`random changes agree with an array, leave old versions alone, and are found again by difference: seed ${seed}`, () => {
      const draw = draws(seed)
      let log: Log = Logs.empty
      let array: ReadonlyArray<LogEntry<string>> = []
      let term = 1
      const versions: Array<readonly [Log, ReadonlyArray<LogEntry<string>>]> = [[log, array]]
      for (let turn = 0; turn < 150; turn++) {
        const before = log
        if (draw(3) === 0 && array.length > 0) {
          const length = draw(4) === 0 ? draw(array.length + 1) : Math.max(0, array.length - draw(200))
          log = Logs.truncate(log, Index(length + 1))
          array = array.slice(0, length)
          term++
        }
        if (draw(4) > 0) {
          const added = more(log, draw(3) === 0 ? draw(3_000) : draw(5), term)
          log = Logs.append(log, added)
          array = [...array, ...added]
        }
        expectSame(log, array)
        versions.push([log, array])
        for (const [one] of [[before], versions[draw(versions.length)]!] as const) {
          const change = Logs.difference(one, log)
          if (change === undefined) expect(contents(one)).toEqual(contents(log))
          else expect(Logs.change(one, change)).toEqual(log)
        }
      }
      expect(Math.max(...versions.map(([one]) => one.length))).toBeGreaterThan(4096 * 2)
      for (const [old, then] of versions) expectSame(old, then)
    })
  }

  test("the difference is the shortest change", () => {
    const log = Logs.of(Array.from({ length: 5_000 }, (_, at) => entry(at + 1, 1)))
    const longer = Logs.append(log, [entry(5_001, 2)])
    expect(Logs.difference(log, log)).toBe(undefined)
    expect(Logs.difference(log, longer)).toEqual({ from: 5_001, entries: [entry(5_001, 2)] })
    expect(Logs.difference(longer, log)).toEqual({ from: 5_001, entries: [] })
    const other = Logs.append(Logs.truncate(log, Index(4_999)), entriesFrom(4_999, 3))
    expect(Logs.difference(longer, other)).toEqual({ from: 4_999, entries: entriesFrom(4_999, 3) })
    // [74] Away and back within one batch: nothing to store, and nothing forgotten.
    const back = Logs.append(Logs.truncate(log, Index(5_000)), [Logs.get(log, Index(5_000))!])
    expect(Logs.difference(log, back)).toBe(undefined)
  })

  test("[45] lastAtMost agrees with looking at every entry", () => {
    const draw = draws(9)
    const bruteForce = (log: Log, limit: LogPosition): LogPosition => {
      const fit = contents(log).findLast((one) => one.index <= limit.index && one.term <= limit.term)
      return fit === undefined ? position(0, 0) : { index: fit.index, term: fit.term }
    }
    for (let turn = 0; turn < 300; turn++) {
      let term = 1 + draw(3)
      const log = Logs.of(
        Array.from({ length: draw(2) === 0 ? draw(8) : draw(300) }, (_, at) => {
          if (draw(5) === 0) term += draw(4)
          return entry(at + 1, term)
        })
      )
      for (let probe = 0; probe < 20; probe++) {
        const limit = position(draw(log.length + 10), draw(term + 3))
        expect(Logs.lastAtMost(log, limit)).toEqual(bruteForce(log, limit))
      }
    }
  })
})
