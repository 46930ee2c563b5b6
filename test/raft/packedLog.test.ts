/** A log whose older blocks are packed against one that packs nothing: nobody can tell which is which, but by what it costs. */
import { describe, expect, test } from "vitest"
import type { Packer } from "../../src/raft/Block.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import * as Logs from "../../src/raft/Log.ts"
import { Index, type LogEntry, type LogPosition, origin, Term } from "../../src/raft/LogEntry.ts"
import * as Replica from "../../src/raft/Replica.ts"
import { draws } from "./Draws.ts"
import { pack } from "../../src/sim/Packing.ts"
import { A, B, entry, machine, members, now, options, position, received } from "./builders.ts"

type Log = Logs.Log<string>

const all = (log: Log): ReadonlyArray<LogEntry<string>> => Logs.slice(log, Index(1), log.length)

/** Entries that continue `log`. */
const more = (log: Log, count: number, term: number): ReadonlyArray<LogEntry<string>> =>
  Array.from({ length: count }, (_, at) => entry(Logs.lastIndex(log) + 1 + at, term))

/** One comparison for each: the arrays are long. */
const expectEqual = (packed: Log, plain: Log): void => {
  const [one, other] = [all(packed), all(plain)]
  expect(one.length).toBe(other.length)
  expect(one.findIndex((entry, at) => !isSame(entry, other[at]!))).toBe(-1)
  expect([packed.base, packed.length, Logs.last(packed)]).toEqual([plain.base, plain.length, Logs.last(plain)])
}

const isSame = (one: LogEntry<string>, other: LogEntry<string>): boolean =>
  one.index === other.index &&
  one.term === other.term &&
  one.payload._tag === "Command" &&
  other.payload._tag === "Command" &&
  one.payload.command === other.payload.command &&
  one.payload.time === other.payload.time &&
  one.payload.request.sequence === other.payload.request.sequence

const expectSameAnswers = (packed: Log, plain: Log, draw: (below: number) => number, term: number): void => {
  for (let probe = 0; probe < 20; probe++) {
    const index = Index(Math.max(0, plain.base.index - 2 + draw(plain.length + 5)))
    const limit = position(index, draw(term + 2))
    expect(Logs.termAt(packed, index)).toBe(Logs.termAt(plain, index))
    expect(Logs.get(packed, index)).toEqual(Logs.get(plain, index))
    expect(Logs.lastAtMost(packed, limit)).toEqual(Logs.lastAtMost(plain, limit))
    expect(Logs.holds(packed, limit)).toBe(Logs.holds(plain, limit))
    expect(Logs.slice(packed, index, 3)).toEqual(Logs.slice(plain, index, 3))
  }
}

const objects = ({ shelves, blocks, tail }: Log): number =>
  [...shelves.flat(), ...blocks, tail].reduce((sum, block) => sum + (Array.isArray(block) ? block.length : 0), 0)

/** Tells of each entry that is made again. */
const counting = (plainBlocks: number, onMade: () => void): Packer<string> => ({
  plainBlocks,
  pack: (entries) => {
    const packed = pack(entries)
    return {
      termAt: (place) => packed.termAt(place),
      entryAt: (place) => {
        onMade()
        return packed.entryAt(place)
      }
    }
  }
})

describe("a packed log", () => {
  for (const [seed, plainBlocks] of [
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 1],
    [5, 1],
    [6, 4],
    [7, 4]
  ] as const) {
    test(`answers as one that is not, whatever is done to both: seed ${seed}, ${plainBlocks} plain blocks`, () => {
      const draw = draws(seed)
      let packed: Log = Logs.make<string>(origin, [], { pack, plainBlocks })
      let plain: Log = Logs.empty
      let term = 1
      const versions: Array<readonly [Log, Log]> = [[packed, plain]]
      const both = (change: (log: Log) => Log): void => {
        packed = change(packed)
        plain = change(plain)
      }
      for (let turn = 0; turn < 200; turn++) {
        for (let changes = 1 + draw(3); changes > 0; changes--) {
          const choice = draw(10)
          if (choice < 2) {
            const dropped = draw(draw(4) === 0 ? plain.length + 1 : 200)
            const from = Index(Math.max(plain.base.index, Logs.lastIndex(plain) - dropped) + 1)
            both((log) => Logs.truncate(log, from))
            term++
          } else if (choice < 7) {
            const added = more(plain, draw(3) === 0 ? draw(3_000) : draw(90), term)
            both((log) => Logs.append(log, added))
          } else if (choice < 9 && plain.length > 0) {
            const at = Logs.get(
              plain,
              Index(plain.base.index + 1 + draw(draw(3) === 0 ? plain.length : Math.min(plain.length, 150)))
            )!
            both((log) => Logs.compact(log, { index: at.index, term: at.term }))
          } else if (choice === 9) {
            term++
            const base: LogPosition = position(plain.base.index + draw(plain.length + 100), term)
            both((log) => Logs.rebase(log, base))
          }
        }
        expectEqual(packed, plain)
        expectSameAnswers(packed, plain, draw, term)
        const [before, plainBefore] = versions.at(-1)!
        const change = Logs.difference(before, packed)
        expect(change).toEqual(Logs.difference(plainBefore, plain))
        expectEqual(change === undefined ? before : Logs.change(before, change), plain)
        versions.push([packed, plain])
      }
      for (const [old, then] of versions) expectEqual(old, then)
    })
  }

  test("keeps no more objects than of the newest blocks, at every length", () => {
    const entries = more(Logs.empty, 9_000, 1)
    for (const plainBlocks of [0, 1, 4]) {
      let log: Log = Logs.make<string>(origin, [], { pack, plainBlocks })
      const kept: Array<number> = []
      for (const entry of entries) {
        log = Logs.append(log, [entry])
        kept.push(objects(log))
      }
      expect(Math.max(...kept)).toBe(plainBlocks * 64 + 63)
      // The newest are objects: all of them, but for where a shelf is full.
      expect(kept.filter((count, at) => count < Math.min(at + 1, plainBlocks * 64)).length).toBeLessThan(
        2 * plainBlocks * 64 + 1
      )
    }
  })

  test("makes entries again only for who asks for them", () => {
    let made = 0
    const packer = counting(1, () => made++)
    const log = Logs.make<string>(origin, more(Logs.empty, 6_000, 1), packer)
    const longer = Logs.append(log, more(log, 3, 2))
    expect(Logs.difference(log, longer)?.log?.from).toBe(6_001)
    expect(Logs.difference(longer, Logs.compact(longer, position(3_000, 1)))).toEqual({
      base: position(3_000, 1),
      log: undefined
    })
    expect([Logs.termAt(longer, Index(7)), Logs.holds(longer, position(4_095, 1))]).toEqual([1, true])
    expect(Logs.lastAtMost(longer, position(6_003, 1))).toEqual(position(6_000, 1))
    expect(Logs.last(Logs.truncate(longer, Index(65)))).toEqual(position(64, 1))
    expect(made).toBe(0)
    expect(Logs.get(longer, Index(7))).toEqual(entry(7, 1))
    expect(made).toBe(1)
    // Back into a block, which goes on as a tail of objects: as many as are left of it.
    expect(Logs.last(Logs.truncate(longer, Index(70)))).toEqual(position(69, 1))
    expect(made).toBe(1 + 5)
  })

  test("leaves a block as it is that cannot be packed", () => {
    const stubborn: Packer<string> = {
      plainBlocks: 0,
      pack: (some) => (some[0]!.index === 65 ? undefined : pack(some))
    }
    const entries = more(Logs.empty, 300, 1)
    const log = Logs.make<string>(origin, entries, stubborn)
    expect(objects(log)).toBe(64 + (300 % 64))
    expect(Logs.get(log, Index(70))).toBe(entries[69])
    expectEqual(log, Logs.of(entries))
  })
})

describe("a replica that packs its log", () => {
  const entries = more(Logs.empty, 200, 1)
  const start = (plainBlocks: number, packs: boolean) => {
    const packing: typeof machine = packs ? { ...machine, pack } : machine
    const raft = Replica.make(packing, { ...options, plainBlocks })
    const state = raft.init({
      id: A,
      incarnation: 1,
      configuration: Configurations.of(members(3)),
      at: now,
      seed: 1,
      hardState: { currentTerm: Term(1), votedFor: undefined },
      admitted: true,
      image: undefined,
      base: origin,
      entries,
      snapshots: []
    })
    return { raft, state }
  }

  test("does so if it can and should", () => {
    expect(objects(start(1, true).state.stateMachine.log)).toBe(64 + 8)
    expect(objects(start(Number.POSITIVE_INFINITY, true).state.stateMachine.log)).toBe(200)
    expect(objects(start(1, false).state.stateMachine.log)).toBe(200)
  })

  test("applies what was packed before it was committed", () => {
    const { raft, state } = start(0, true)
    const [prev, leaderCommit] = [position(200, 1), Index(200)]
    const append = { _tag: "AppendEntries", term: Term(1), prev, entries: [], leaderCommit, round: 1 } as const
    const [after] = raft.reduce(state, received(B, append))
    expect(after.stateMachine.lastApplied).toBe(200)
    expect(after.stateMachine.value).toEqual(entries.map(({ index, term }) => `${index}.${term}`))
  })
})
