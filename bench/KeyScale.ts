/** What so many keys cost: memory, puts and gets, ranges, a snapshot, a start. A cluster of its own for each number. */
import { mkdirSync, rmSync } from "node:fs"
import * as path from "node:path"
import type { Driver } from "./Driver.ts"
import * as Measurement from "./Measurement.ts"
import * as MemberStatus from "./MemberStatus.ts"
import { line } from "./Report.ts"
import type { ScaleOptions } from "./ScaleOptions.ts"
import { WatchedCluster } from "./WatchedCluster.ts"
import * as Workload from "./Workload.ts"

export interface KeyResult {
  readonly keys: number
  readonly keysPerSecond: number
  /** Of the leader. */
  readonly memory: Memory
  readonly measurements: ReadonlyArray<Measurement.Measurement>
  readonly snapshot: Snapshot
  readonly restartMillis: number
}

export interface Memory {
  /** When all keys were in, as it was. */
  readonly residentBytes: number
  /** After a collection, and less what a replica without keys has. */
  readonly heapBytes: number
  readonly externalBytes: number
}

export interface Snapshot {
  readonly bytes: number
  /** The leader's, while the others took theirs. */
  readonly millis: number
  /** The longest of any replica meanwhile. */
  readonly pauseMillis: number
}

/** Ranges are read by few: each is a thousand keys. */
const rangeClients = 4

export const measure = async (
  keys: number,
  driver: Driver,
  options: ScaleOptions,
  parent: string,
  tell: (text: string) => void
): Promise<KeyResult> => {
  const directory = path.join(parent, `keys-${keys}`)
  mkdirSync(directory)
  const { members, heapMegabytes } = options
  const nodeFlags = heapMegabytes === undefined ? [] : [`--max-old-space-size=${heapMegabytes}`]
  // The quota is about what an operator can afford; what is to be found out here is what it costs.
  const cluster = await WatchedCluster.start(directory, { count: members, nodeFlags, flags: { "quota-bytes": "0" } })
  const empty = await cluster.collected(await cluster.leaderAt())

  const began = performance.now()
  await fill(cluster, driver, options, 0, keys)
  const keysPerSecond = keys / ((performance.now() - began) / 1000)
  tell(`${keys} keys at ${Math.round(keysPerSecond)} a second`)
  await cluster.quiet()
  const leads = await cluster.leaderAt()
  const { residentBytes } = await cluster.latest(leads)
  const full = await cluster.collected(leads)
  const memory: Memory = {
    residentBytes,
    heapBytes: full.heapBytes - empty.heapBytes,
    externalBytes: full.externalBytes - empty.externalBytes
  }
  tell(`  ${JSON.stringify(memory)}`)

  const measurements = await measureRates(keys, cluster, driver, options)
  for (const one of measurements) tell(`  ${line(one)}`)
  const snapshot = await takeSnapshot(keys, cluster, driver, options)
  tell(`  ${JSON.stringify(snapshot)}`)
  const restartMillis = await restart(cluster)
  tell(`  ready again after ${Math.round(restartMillis)} ms`)
  await cluster.cluster.stop()
  rmSync(directory, { recursive: true, force: true })
  return { keys, keysPerSecond, memory, measurements, snapshot, restartMillis }
}

const fill = async (
  { cluster }: WatchedCluster,
  driver: Driver,
  { valueBytes }: ScaleOptions,
  from: number,
  to: number
): Promise<void> => {
  const { port } = await cluster.leader()
  const outcome = await driver.carryOut({ _tag: "Fill", dialect: "resp", port, valueBytes, keys: { from, to } })
  if (outcome._tag === "Failed") throw new Error(outcome.reason)
}

const warmUpSeconds = 1

const measureRates = async (
  keys: number,
  cluster: WatchedCluster,
  driver: Driver,
  { clients, valueBytes, seconds }: ScaleOptions
): Promise<ReadonlyArray<Measurement.Measurement>> => {
  const measurements: Array<Measurement.Measurement> = []
  for (const [system, name] of [
    [cluster.as("balsa"), `put-${clients}`],
    [cluster.as("balsa"), `get-${clients}`],
    [cluster.as("gateway"), `range-${rangeClients}`]
  ] as const) {
    const workload = Workload.parse(`${name}-${valueBytes}B`)
    const what = { driver, system, workload, connections: undefined, keys }
    await Measurement.take({ ...what, round: 0, seconds: warmUpSeconds })
    measurements.push(await Measurement.take({ ...what, round: 1, seconds }))
  }
  return measurements
}

/** Of what is put again until one is due. */
const piece = 4096

/** All keys keep the values that they have; they are put again until every replica finds that its log is long enough. */
const takeSnapshot = async (
  keys: number,
  cluster: WatchedCluster,
  driver: Driver,
  options: ScaleOptions
): Promise<Snapshot> => {
  await cluster.quiet()
  const leads = await cluster.leaderAt()
  const all = Array.from({ length: cluster.size }, (_, at) => at)
  const before = all.map((at) => cluster.snapshots(at).begun)
  const began = Date.now()
  const isBegun = (): boolean => all.every((at) => cluster.snapshots(at).begun > before[at]!)
  for (let from = 0; !isBegun(); from = (from + piece) % keys) {
    await fill(cluster, driver, options, from, Math.min(keys, from + piece))
  }
  await cluster.quiet()
  const { taken, failed } = cluster.snapshots(leads)
  const last = taken.at(-1)
  if (last === undefined) throw new Error(`no snapshot was taken, and ${failed} failed`)
  await cluster.latest(leads)
  return { ...last, pauseMillis: cluster.longestPauseSince(began) }
}

/** From the start of a follower that was killed until it has applied what was committed before. */
const restart = async (cluster: WatchedCluster): Promise<number> => {
  const { port } = await cluster.cluster.leader()
  const leads = await cluster.leaderAt()
  const at = cluster.size === 1 ? 0 : (leads + 1) % cluster.size
  const { commitIndex } = (await MemberStatus.at(port)) ?? { commitIndex: Number.POSITIVE_INFINITY }
  await cluster.cluster.kill(at)
  const began = performance.now()
  cluster.cluster.startAgain(at)
  await cluster.until(`replica ${at} has applied all again`, () => cluster.hasApplied(at, commitIndex))
  return performance.now() - began
}
