/** The log against a plain array: random changes, sizes over several blocks and shelves, old versions kept. */
import { describe, expect, test } from "vitest"
import type { Block } from "../../src/raft/Block.ts"
import * as Invariants from "../../src/raft/Invariants.ts"
import * as Logs from "../../src/raft/Log.ts"
import { Index, type LogEntry, type LogPosition } from "../../src/raft/LogEntry.ts"
import { draws } from "./Draws.ts"
import { entries, entriesFrom, entry, position } from "./builders.ts"

type Log = Logs.Log<string>

const contents = (log: Log): ReadonlyArray<LogEntry<string>> => Logs.slice(log, Index(1), log.length)

/** A change of entries alone. */
const only = (from: number, added: ReadonlyArray<LogEntry<string>>) => ({
  base: undefined,
  log: { from, entries: added }
})

/** All entries that a log keeps alive, whether or not anybody could ask for them. */
const kept = (log: Log): ReadonlySet<LogEntry<string>> =>
  new Set([...log.shelves, log.blocks].flatMap((shelf) => shelf.flatMap(entriesIn)).concat(log.tail.filter(isThere)))

/** Of a log that packs nothing. */
const entriesIn = (block: Block<string>): ReadonlyArray<LogEntry<string>> =>
  Array.isArray(block) ? (block as ReadonlyArray<LogEntry<string>>).filter(isThere) : []

const isThere = ({ index }: LogEntry<string>): boolean => index > 0

const asArray = (block: Block<string>): ReadonlyArray<unknown> => block as ReadonlyArray<LogEntry<string>>

/** The arrays that a log is made of. */
const arraysOf = ({ shelves, blocks, tail }: Log): ReadonlyArray<ReadonlyArray<unknown>> => [
  shelves,
  ...shelves,
  ...shelves.flat().map(asArray),
  blocks,
  ...blocks.map(asArray),
  tail
]

/** Tells of each time that its last entries are looked at. */
const counting = (log: Log, onRead: () => void): Log => ({
  ...log,
  get tail() {
    onRead()
    return log.tail
  }
})

/** Entries that continue `log`, in terms that grow now and then. */
const more = (log: Log, count: number, term: number): ReadonlyArray<LogEntry<string>> =>
  Array.from({ length: count }, (_, at) => entry(Logs.lastIndex(log) + 1 + at, term))

/** By reference, and in one comparison: the arrays are long. */
const expectSame = (log: Log, array: ReadonlyArray<LogEntry<string>>): void => {
  const own = contents(log)
  expect(own.length).toBe(array.length)
  expect(own.findIndex((one, at) => one !== array[at])).toBe(-1)
  expect(Logs.lastIndex(log)).toBe(log.base.index + array.length)
  const last = array.at(-1)
  expect(Logs.last(log)).toEqual(last === undefined ? log.base : { index: last.index, term: last.term })
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
    expect(Logs.difference(log, longer)).toEqual(only(5_001, [entry(5_001, 2)]))
    expect(Logs.difference(longer, log)).toEqual(only(5_001, []))
    const other = Logs.append(Logs.truncate(log, Index(4_999)), entriesFrom(4_999, 3))
    expect(Logs.difference(longer, other)).toEqual(only(4_999, entriesFrom(4_999, 3)))
    // [74] Away and back within one batch: nothing to store, and nothing forgotten.
    const back = Logs.append(Logs.truncate(log, Index(5_000)), [Logs.get(log, Index(5_000))!])
    expect(Logs.difference(log, back)).toBe(undefined)
  })

  test("the difference of a compacted log is its base, and with it what else changed", () => {
    const log = Logs.of(Array.from({ length: 5_000 }, (_, at) => entry(at + 1, 1)))
    const base = position(4_200, 1)
    const short = Logs.compact(log, base)
    expect(Logs.difference(log, short)).toEqual({ base, log: undefined })
    const longer = Logs.append(short, [entry(5_001, 2)])
    expect(Logs.difference(log, longer)).toEqual({ base, log: { from: 5_001, entries: [entry(5_001, 2)] } })
    expect(Logs.difference(short, longer)).toEqual(only(5_001, [entry(5_001, 2)]))
    // [100] A snapshot that the log does not hold: nothing of it is left, here and on the disk.
    const other = position(4_200, 3)
    expect(Logs.difference(log, Logs.rebase(log, other))).toEqual({ base: other, log: undefined })
    expect(Logs.change(log, { base: other, log: undefined })).toEqual(Logs.make(other, []))
    const grown = Logs.append(Logs.rebase(log, other), entriesFrom(4_201, 3))
    expect(Logs.difference(log, grown)).toEqual({ base: other, log: { from: 4_201, entries: entriesFrom(4_201, 3) } })
  })

  test("[97] compacts at every boundary; what is before the base is not there, and the base answers for it", () => {
    const all = Array.from({ length: 8_300 }, (_, at) => entry(at + 1, 1 + Math.floor(at / 100)))
    const log = Logs.of(all)
    for (const first of lengths.slice(1)) {
      const { index, term } = all[first - 1]!
      const short = Logs.compact(log, { index, term })
      expect(short.base).toEqual({ index, term })
      expectSame(short, all.slice(first))
      expect(Logs.get(short, index)).toBe(undefined)
      expect(Logs.termAt(short, index)).toBe(term)
      expect(Logs.termAt(short, Index(index - 1))).toBe(undefined)
      expect([Logs.holds(short, { index, term }), Logs.holds(short, position(index, term + 1))]).toEqual([true, false])
      expect(Logs.slice(short, Index(1), 2)).toEqual(all.slice(first, first + 2))
      expect(Logs.compact(short, { index, term })).toBe(short)
      expect(Logs.compact(short, position(index - 1, 1))).toBe(short)
      expect(Logs.lastAtMost(short, position(index - 1, 9_999))).toEqual({ index, term })
      // And goes on: to the end and over the next boundary, and back to the base.
      const more = Array.from({ length: 4_200 }, (_, at) => entry(8_301 + at, 100))
      expectSame(Logs.append(short, more), [...all.slice(first), ...more])
      expectSame(Logs.truncate(short, Index(index + 1)), [])
      const anew = [entry(index + 1, 100)]
      expectSame(Logs.append(Logs.truncate(short, Index(index + 1)), anew), anew)
    }
    expectSame(log, all)
  })

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    test(`so do random changes with compaction and snapshots that replace the log: seed ${seed}`, () => {
      const draw = draws(seed)
      let [log, base, term]: [Log, LogPosition, number] = [Logs.empty, position(0, 0), 1]
      let array: ReadonlyArray<LogEntry<string>> = []
      const versions: Array<readonly [Log, ReadonlyArray<LogEntry<string>>, LogPosition]> = [[log, array, base]]
      for (let turn = 0; turn < 200; turn++) {
        // One to three changes, of which a disk sees the sum.
        for (let changes = 1 + draw(3); changes > 0; changes--) {
          const choice = draw(10)
          if (choice < 2) {
            const length = Math.max(0, array.length - draw(draw(4) === 0 ? array.length + 1 : 200))
            log = Logs.truncate(log, Index(base.index + length + 1))
            array = array.slice(0, length)
            term++
          } else if (choice < 7) {
            const added = more(log, draw(3) === 0 ? draw(3_000) : draw(5), term)
            log = Logs.append(log, added)
            array = [...array, ...added]
          } else if (choice < 9 && array.length > 0) {
            const dropped = draw(3) === 0 ? draw(array.length) : draw(Math.min(array.length, 150))
            base = { index: array[dropped]!.index, term: array[dropped]!.term }
            log = Logs.compact(log, base)
            array = array.slice(dropped + 1)
          } else if (choice === 9) {
            // Installed: beyond the log, or in the middle with another term.
            term++
            base = position(base.index + draw(array.length + 100), term)
            log = Logs.rebase(log, base)
            array = []
          }
        }
        expectSame(log, array)
        expect(log.base).toEqual(base)
        expect(Invariants.ofLog(log)).toEqual([])
        expect(kept(log).size).toBe(array.length)
        const [before] = versions.at(-1)!
        const change = Logs.difference(before, log)
        const replayed = change === undefined ? before : Logs.change(before, change)
        expectSame(replayed, array)
        expect(replayed.base).toEqual(base)
        expect(Logs.difference(replayed, log)).toBe(undefined)
        versions.push([log, array, base])
      }
      for (const [old, then, at] of versions) {
        expectSame(old, then)
        expect(old.base).toEqual(at)
      }
    })
  }

  test("compacting, appending and comparing cost what has changed, not what is there", () => {
    const all = Array.from({ length: 100_000 }, (_, at) => entry(at + 1, 1))
    let log = Logs.of(all)
    let reads = 0
    for (let round = 1; round <= 200; round++) {
      const before = log
      const index = 100_000 + round
      log = Logs.append(Logs.compact(log, position(round * 300, 1)), [entry(index, 1)])
      const change = Logs.difference(
        before,
        counting(log, () => reads++)
      )
      expect(change).toMatchObject({ base: position(round * 300, 1), log: { from: index } })
      // The spine of shelves, one shelf of 64 blocks, one block; the others are those of the version before.
      const old = new Set(arraysOf(before))
      const fresh = arraysOf(log).filter((array) => !old.has(array))
      expect(fresh.reduce((sum, array) => sum + array.length, 0)).toBeLessThan(500)
    }
    expect(log.length).toBe(40_200)
    expect(reads).toBeLessThan(200 * 10)
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
