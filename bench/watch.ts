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

const usedBytes = (): number => {
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

/** The machine, and now and then a compaction, as a replica does it: about 64 writes to a step. */
const writeAll = (
  hub: WatchHub,
  begun: KvState,
  count: number
): { readonly nanos: number; readonly hubNanos: number } => {
  let state = begun
  let hubNanos = 0n
  const began = process.hrtime.bigint()
  for (let n = 0; n < count; n++) {
    state = KvMachine.apply(state, commandOf(n), context)[0]
    if (n % 64 !== 63) continue
    if (n % 8192 === 8191)
      state = KvMachine.apply(state, { _tag: "Compact", revision: state.revision - 4096 }, context)[0]
    const before = process.hrtime.bigint()
    hub.advance(state)
    settle()
    hubNanos += process.hrtime.bigint() - before
  }
  return { nanos: Number(process.hrtime.bigint() - began) / count, hubNanos: Number(hubNanos) / count }
}

const settled = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 50))

writeAll(new WatchHub(KvMachine.initial, { schedule: (turn) => turns.push(turn) }), KvMachine.initial, writes)
for (const { name, watch, count, takes } of cases) {
  const state = KvMachine.apply(KvMachine.initial, commandOf(0), context)[0]
  const fresh = new WatchHub(state, { schedule: (turn) => turns.push(turn) })
  await settled()
  const before = usedBytes()
  const all = Array.from({ length: count }, (_, n) => {
    const watcher = fresh.watch(watch(n), () => {
      if (takes) watcher.take(1_000_000)
    })
    return watcher
  })
  await settled()
  const bytes = count === 0 ? 0 : (usedBytes() - before) / count
  const { nanos, hubNanos } = writeAll(fresh, state, writes)
  const progress = all.filter((watcher) => watcher.progress() === fresh.revision).length
  console.log(
    `${name.padEnd(34)} ${String(count).padStart(6)} watchers  ${bytes.toFixed(0).padStart(5)} bytes each` +
      `  a write ${(nanos / 1000).toFixed(2)} us, of it ${(hubNanos / 1000).toFixed(3)} us for watchers  (${progress} up to date)`
  )
}
