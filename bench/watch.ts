/**
 * What watchers cost: the memory of one that is idle, and what a write costs with none, with 10,000 that watch other keys, with as many
 * that watch other ranges, and with a slow one that watches what is written. The machine and the hub alone, no disk and no network.
 *
 *     node --expose-gc bench/watch.ts --watchers 10000
 */
import { parseArgs } from "node:util"
import { historySince, type KvCommand } from "../src/kv/KvCommand.ts"
import { KvMachine } from "../src/kv/KvMachine.ts"
import type { KvState } from "../src/kv/KvState.ts"
import type { Watch } from "../src/kv/Watch.ts"
import type { Watcher } from "../src/kv/Watcher.ts"
import { WatchHub } from "../src/kv/WatchHub.ts"
import { ClusterTime } from "../src/raft/LogEntry.ts"

const { values } = parseArgs({
  options: { watchers: { type: "string", default: "10000" }, writes: { type: "string", default: "200000" } }
})
const watchers = Number(values.watchers)
const writes = Number(values.writes)
const gc = (globalThis as { gc?: () => void }).gc
if (gc === undefined) throw new Error("run with node --expose-gc")

const context = { time: ClusterTime(0), version: historySince }
const value = new Uint8Array(256)
const commandOf = (n: number): KvCommand => ({ _tag: "Put", key: `written/${n % 1000}`, value, prevKv: false })
const watchOf = (key: string, rangeEnd?: string): Watch => ({
  key,
  rangeEnd,
  startRevision: 0,
  prevKv: false,
  noPut: false,
  noDelete: false
})
const turns: Array<() => void> = []
const settle = (): void => {
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn()
}

interface Case {
  readonly name: string
  readonly watch: (n: number) => Watch
  readonly count: number
  readonly takes: boolean
}

const number = (n: number): string => String(n).padStart(8, "0")
const cases: ReadonlyArray<Case> = [
  { name: "no watcher", count: 0, takes: true, watch: () => watchOf("") },
  { name: "idle, a key each", count: watchers, takes: true, watch: (n) => watchOf(`idle/${number(n)}`) },
  {
    name: "idle, a prefix each (8 lengths)",
    count: watchers,
    takes: true,
    watch: (n) => {
      const prefix = `idle/${"x".repeat(n % 8)}${number(n)}`
      return watchOf(`${prefix}/`, `${prefix}0`)
    }
  },
  { name: "idle, one and the same range", count: watchers, takes: true, watch: () => watchOf("idle/a", "idle/bb") },
  {
    name: "idle, a range of its own each",
    count: watchers,
    takes: true,
    watch: (n) => watchOf(`idle/${number(n)}`, `idle/${number(n)}x`)
  },
  { name: "one that takes all", count: 1, takes: true, watch: () => watchOf("written/", "written0") },
  { name: "100 that take all", count: 100, takes: true, watch: () => watchOf("written/", "written0") },
  { name: "one that never takes", count: 1, takes: false, watch: () => watchOf("written/", "written0") },
  { name: `${watchers} that never take`, count: watchers, takes: false, watch: () => watchOf("written/", "written0") }
]

/** What went out of use a moment ago may be seen in use for a while. */
const usedBytes = async (): Promise<number> => {
  for (let n = 0; n < 5; n++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    gc()
  }
  return process.memoryUsage().heapUsed
}

/** The machine, and now and then a compaction, about 64 writes to a step. Gives processor time a write, which others on the machine do not add to. */
const writeAll = (hub: WatchHub, begun: KvState, count: number): number => {
  let state = begun
  const began = process.cpuUsage()
  for (let n = 0; n < count; n++) {
    state = KvMachine.apply(state, commandOf(n), context)[0]
    if (n % 64 !== 63) continue
    if (n % 8192 === 8191) {
      state = KvMachine.apply(state, { _tag: "Compact", revision: state.revision - 4096 }, context)[0]
    }
    hub.advance(state)
    settle()
  }
  const { user, system } = process.cpuUsage(began)
  return (user + system) / count
}

const begun = KvMachine.apply(KvMachine.initial, commandOf(0), context)[0]
const made = ({ watch, count, takes }: Case): { readonly hub: WatchHub; readonly all: ReadonlyArray<Watcher> } => {
  const hub = new WatchHub(begun, { schedule: (turn) => turns.push(turn) })
  const all = Array.from({ length: count }, (_, n) => {
    const watcher = hub.watch(watch(n), () => {
      if (takes) watcher.take(1_000_000)
    })
    return watcher
  })
  return { hub, all }
}

const kept: Array<object> = []
// Before anything is written, so that nothing else comes and goes meanwhile.
for (const one of cases.filter(({ count }) => count > 100)) {
  const before = await usedBytes()
  kept.push(made(one))
  const bytes = ((await usedBytes()) - before) / one.count
  console.log(`${one.name.padEnd(36)} ${bytes.toFixed(0)} bytes each`)
}
kept.length = 0
writeAll(made(cases[0]!).hub, begun, writes)
for (const one of cases) {
  const { hub, all } = made(one)
  const micros = writeAll(hub, begun, writes)
  const upToDate = all.filter((watcher) => watcher.progress() === hub.revision).length
  console.log(`${one.name.padEnd(36)} a write ${micros.toFixed(2)} us; ${upToDate} of ${all.length} up to date`)
}
