/**
 * Which ordered map holds the keys: the measurement behind docs/decisions/0002-ordered-map.md.
 *
 *     node bench/ordered-map.ts [keys = 1000000] [runs = 3] [name of one candidate]
 *
 * Each candidate runs in processes of its own, and the candidates take turns. Times are processor
 * time, garbage collection included, and the best of the runs counts, because what others do on
 * the machine only ever adds. Keys are 26 bytes and arrive in random order; those looked up
 * are equal strings, not the same ones, as they are when a request has just been decoded.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as OrderedMap from "../src/kv/OrderedMap.ts"

/** What is measured of a candidate. A batch is so many writes that nobody looks between. */
interface Candidate<M> {
  readonly empty: () => M
  readonly get: (map: M, key: string) => unknown
  /** Sets (or with no value, removes) keys; the map given stays as it was, unless `mutable`. */
  readonly write: (map: M, keys: ReadonlyArray<string>, value: object | undefined) => M
  /** Visits 100 pairs from a key on. */
  readonly range: ((map: M, from: string) => number) | undefined
  readonly count: ((map: M, from: string, to: string) => number) | undefined
  /** Writes handed over at once. */
  readonly batch: number
}

/** Runs one candidate with so many keys. */
type Run = (n: number) => Promise<Result>

const ours = (batch: number): Candidate<OrderedMap.OrderedMap<object>> => ({
  empty: () => OrderedMap.empty,
  get: OrderedMap.get,
  write: (map, keys, value) => {
    const owner = batch === 1 ? undefined : OrderedMap.owner()
    for (const key of keys) {
      map = value === undefined ? OrderedMap.remove(map, key, owner) : OrderedMap.set(map, key, value, owner)
    }
    return map
  },
  range: (map, from) => {
    let seen = 0
    OrderedMap.walk(map, from, undefined, () => ++seen < 100)
    return seen
  },
  count: OrderedMap.count,
  batch
})

const native: Candidate<Map<string, object>> = {
  empty: () => new Map(),
  get: (map, key) => map.get(key),
  write: (map, keys, value) => {
    for (const key of keys) {
      if (value === undefined) map.delete(key)
      else map.set(key, value)
    }
    return map
  },
  range: undefined,
  count: undefined,
  batch: 64
}

const byteOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** As much of the two libraries' types as is used here, so that this compiles without them. */
interface SortedBTree {
  readonly clone: () => SortedBTree
  readonly get: (key: string) => unknown
  readonly set: (key: string, value: object) => boolean
  readonly delete: (key: string) => boolean
  readonly forRange: (from: string, to: string, includeTo: boolean, visit?: () => object | undefined) => number
}
interface SortedBTreeModule {
  readonly default: {
    readonly default: new (entries: undefined, compare: typeof byteOrder, maxNodeSize: number) => SortedBTree
  }
}
interface RedBlackTree {
  readonly get: (key: string) => unknown
  readonly insert: (key: string, value: object) => RedBlackTree
  readonly remove: (key: string) => RedBlackTree
  readonly find: (key: string) => RedBlackIterator
  readonly ge: (key: string) => RedBlackIterator
}
interface RedBlackIterator {
  readonly valid: boolean
  readonly index: number
  readonly next: () => void
  readonly update: (value: object) => RedBlackTree
}
interface RedBlackTreeModule {
  readonly default: (compare: typeof byteOrder) => RedBlackTree
}

const sortedBTree = async (batch: number, fanout: number): Promise<Candidate<SortedBTree>> => {
  const BTree = (await load<SortedBTreeModule>("sorted-btree")).default.default
  return {
    empty: () => new BTree(undefined, byteOrder, fanout),
    get: (map, key) => map.get(key),
    write: (map, keys, value) => {
      const next = map.clone()
      for (const key of keys) {
        if (value === undefined) next.delete(key)
        else next.set(key, value)
      }
      return next
    },
    range: (map, from) => {
      let seen = 0
      map.forRange(from, "\u00ff", false, () => (++seen < 100 ? undefined : { break: true }))
      return seen
    },
    count: (map, from, to) => map.forRange(from, to, false),
    batch
  }
}

const redBlackTree = async (): Promise<Candidate<RedBlackTree>> => {
  const createTree = (await load<RedBlackTreeModule>("functional-red-black-tree")).default
  return {
    empty: () => createTree(byteOrder),
    get: (map, key) => map.get(key),
    write: (map, keys, value) => {
      for (const key of keys) {
        if (value === undefined) map = map.remove(key)
        else {
          // `insert` keeps both of two equal keys, so an overwrite goes through an iterator.
          const at = map.find(key)
          map = at.valid ? at.update(value) : map.insert(key, value)
        }
      }
      return map
    },
    range: (map, from) => {
      let seen = 0
      const at = map.ge(from)
      for (; seen < 100 && at.valid; seen++) at.next()
      return seen
    },
    count: (map, from, to) => map.ge(to).index - map.ge(from).index,
    batch: 1
  }
}

const load = async <M>(name: string): Promise<M> => {
  try {
    return await import(name)
  } catch {
    process.stdout.write(JSON.stringify({ absent: `not installed: npm i --no-save ${name}` }))
    process.exit(0)
  }
}

const candidates: Record<string, Run> = {
  "Map (mutable, no order)": async (n) => measure(native, n),
  "ours, a version per write": async (n) => measure(ours(1), n),
  "ours, a version per 64": async (n) => measure(ours(64), n),
  "sorted-btree 32, clone per write": async (n) => measure(await sortedBTree(1, 32), n),
  "sorted-btree 32, clone per 64": async (n) => measure(await sortedBTree(64, 32), n),
  "sorted-btree 64, clone per write": async (n) => measure(await sortedBTree(1, 64), n),
  "sorted-btree 64, clone per 64": async (n) => measure(await sortedBTree(64, 64), n),
  "functional-red-black-tree": async (n) => measure(await redBlackTree(), n)
}

type Result = Record<string, number>

const measure = <M>(candidate: Candidate<M>, n: number): Result => {
  const random = mulberry32(1)
  const keyAt = (i: number): string =>
    Buffer.from(
      `user/${(Math.imul(i, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0")}/profile/00000`,
      "latin1"
    ).toString("latin1")
  const keys = Array.from({ length: n }, (_, i) => keyAt(i))
  const probes = Array.from({ length: n }, () => keyAt(Math.floor(random() * n)))
  const ascending = keys.toSorted()
  const batches = (all: ReadonlyArray<string>): Array<ReadonlyArray<string>> => {
    const result: Array<ReadonlyArray<string>> = []
    for (let i = 0; i < all.length; i += candidate.batch) result.push(all.slice(i, i + candidate.batch))
    return result
  }
  const writeAll = (map: M, all: Array<ReadonlyArray<string>>, value: object | undefined): M => {
    for (const batch of all) map = candidate.write(map, batch, value)
    return map
  }
  const value = { modRevision: 1 }
  const result: Result = {}
  const timed = <A>(name: string, operations: number, unit: number, run: () => A): A => {
    globalThis.gc?.()
    const start = process.cpuUsage()
    const answer = run()
    const { user, system } = process.cpuUsage(start)
    result[name] = ((user + system) * 1000) / operations / unit
    return answer
  }
  const toBuild = batches(keys)
  const toUpdate = batches(probes)
  const toRemove = batches(keys.slice(0, n / 2))
  const toAppend = batches(ascending)
  globalThis.gc?.()
  const heapBefore = process.memoryUsage().heapUsed
  let map = timed("build ns", n, 1, () => writeAll(candidate.empty(), toBuild, value))
  globalThis.gc?.()
  result["heap MB"] = (process.memoryUsage().heapUsed - heapBefore) / 1e6
  let sum = 0
  timed("get ns", n, 1, () => {
    for (const key of probes) if (candidate.get(map, key) !== undefined) sum++
  })
  map = timed("update ns", n, 1, () => writeAll(map, toUpdate, { modRevision: 2 }))
  const { range, count } = candidate
  if (range !== undefined) {
    timed("range(100) us", 10_000, 1000, () => {
      for (let i = 0; i < 10_000; i++) sum += range(map, probes[i % n]!)
    })
  }
  if (count !== undefined) {
    timed("count of half us", 20, 1000, () => {
      for (let i = 0; i < 20; i++) sum += count(map, ascending[n >>> 2]!, ascending[(n >>> 2) * 3]!)
    })
  }
  map = timed("remove ns", n / 2, 1, () => writeAll(map, toRemove, undefined))
  if (candidate.get(map, keys[0]!) !== undefined || candidate.get(map, keys[n - 1]!) === undefined) {
    throw new Error("the candidate does not do as it is told")
  }
  map = timed("build in order ns", n, 1, () => writeAll(candidate.empty(), toAppend, value))
  if (sum < n) throw new Error("keys are missing")
  return result
}

const mulberry32 = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

const columns = [
  "build ns",
  "build in order ns",
  "get ns",
  "update ns",
  "range(100) us",
  "count of half us",
  "remove ns",
  "heap MB"
]

const compare = (n: number, runs: number, only: string | undefined): void => {
  const names = only === undefined ? Object.keys(candidates) : [only]
  const best = new Map<string, Result>()
  const absent = new Map<string, string>()
  for (let run = 0; run < runs; run++) {
    for (const name of names.filter((name) => !absent.has(name))) {
      const self = fileURLToPath(import.meta.url)
      const child = spawnSync(process.execPath, ["--expose-gc", self, "--measure", name, String(n)], {
        encoding: "utf8"
      })
      if (child.status !== 0) throw new Error(child.stderr)
      const result = JSON.parse(child.stdout)
      if ("absent" in result) absent.set(name, result.absent)
      else best.set(name, least(best.get(name), result))
    }
  }
  console.log(`| ${n} keys | ${columns.join(" | ")} |\n|---|${columns.map(() => "--:|").join("")}`)
  for (const name of names) {
    const result = best.get(name) ?? {}
    console.log(`| ${name} | ${absent.get(name) ?? columns.map((column) => shown(result[column])).join(" | ")} |`)
  }
}

const least = (one: Result | undefined, other: Result): Result => {
  const entries = Object.entries(other)
  return Object.fromEntries(entries.map(([name, value]) => [name, Math.min(value, one?.[name] ?? value)]))
}

const shown = (value: number | undefined): string =>
  value === undefined ? "-" : value < 100 ? value.toFixed(1) : value.toFixed(0)

const [first, second, third] = process.argv.slice(2)
if (first === "--measure") {
  process.stdout.write(JSON.stringify(await candidates[second!]!(Number(third))))
} else {
  compare(Number(first ?? 1_000_000), Number(second ?? 3), third)
}
