/** What so many connections to the leader cost: memory, puts and gets spread over them; and what is said to one too many. */
import { mkdirSync, rmSync } from "node:fs"
import * as path from "node:path"
import { defaultMost, openFilesAllowed } from "../src/server/Connections.ts"
import * as Crowd from "./Crowd.ts"
import type { Driver } from "./Driver.ts"
import * as Measurement from "./Measurement.ts"
import { line } from "./Report.ts"
import type { ScaleOptions } from "./ScaleOptions.ts"
import { WatchedCluster } from "./WatchedCluster.ts"
import * as Workload from "./Workload.ts"

export interface ConnectionResult {
  readonly connections: number
  /** More than without connections, after a collection, with all of them open and idle. The kernel's part is not in it. */
  readonly heapBytes: number
  readonly externalBytes: number
  readonly measurements: ReadonlyArray<Measurement.Measurement>
}

/** What came of more connections than a replica takes. */
export interface LimitResult {
  readonly asked: number
  readonly taken: number
  readonly refusals: Readonly<Record<string, number>>
  /** Whether a put went through on one that was taken. */
  readonly answersAfterwards: boolean
}

const warmUpSeconds = 1
/** More than a replica takes. */
const overTheLimit = defaultMost + 100
/** Logs, peers and whatever else a process has open. */
const reserve = 200

/** Why so many cannot be opened here, and what to do; undefined if they can. */
export const obstacle = (connections: number, allowed = openFilesAllowed()): string | undefined =>
  allowed !== undefined && connections + reserve > allowed
    ? `${connections} connections need ${connections + reserve} open files, and ${allowed} are allowed: raise that (ulimit -n ${connections + reserve}), or ask for fewer (--connections)`
    : undefined

export const measure = async (
  driver: Driver,
  options: ScaleOptions,
  parent: string,
  tell: (text: string) => void
): Promise<{ readonly results: ReadonlyArray<ConnectionResult>; readonly limit: LimitResult | undefined }> => {
  const problem = obstacle(Math.max(...options.connections))
  if (problem !== undefined) throw new Error(problem)
  const directory = path.join(parent, "connections")
  mkdirSync(directory)
  const cluster = await WatchedCluster.start(directory, { count: options.members })
  const system = cluster.as("balsa")
  const workload = Workload.parse(`put-${options.clients}-${options.valueBytes}B`)
  await Measurement.fill(driver, system, workload)
  await Measurement.take({ driver, system, workload, connections: undefined, round: 0, seconds: warmUpSeconds })
  const results: Array<ConnectionResult> = []
  for (const connections of options.connections) {
    results.push(await measureOne(connections, cluster, driver, options))
    tell(`${connections} connections`)
    for (const one of results.at(-1)!.measurements) tell(`  ${line(one)}`)
  }
  const limit = obstacle(overTheLimit) === undefined ? await exceed(cluster) : undefined
  await cluster.cluster.stop()
  rmSync(directory, { recursive: true, force: true })
  return { results, limit }
}

const measureOne = async (
  connections: number,
  cluster: WatchedCluster,
  driver: Driver,
  { clients, valueBytes, seconds }: ScaleOptions
): Promise<ConnectionResult> => {
  const leads = await cluster.leaderAt()
  const { port } = await cluster.cluster.leader()
  const alone = await cluster.collected(leads)
  const crowd = await Crowd.gather(port, connections)
  const together = await cluster.collected(leads)
  crowd.close()
  if (crowd.size < connections) throw new Error(`${connections} connections: ${JSON.stringify(crowd.refusals)}`)

  const measurements: Array<Measurement.Measurement> = []
  for (const [name, spread] of [
    [`put-${clients}`, connections],
    [`get-${clients}`, connections],
    // Each with a request under way.
    [`put-${connections}`, undefined]
  ] as const) {
    const workload = Workload.parse(`${name}-${valueBytes}B`)
    const system = cluster.as("balsa")
    measurements.push(
      await Measurement.take({ driver, system, workload, connections: undefined, spread, round: 1, seconds })
    )
  }
  return {
    connections,
    heapBytes: together.heapBytes - alone.heapBytes,
    externalBytes: together.externalBytes - alone.externalBytes,
    measurements
  }
}

const exceed = async (cluster: WatchedCluster): Promise<LimitResult> => {
  const { port } = await cluster.cluster.leader()
  const crowd = await Crowd.gather(port, overTheLimit)
  const { size, refusals } = crowd
  crowd.close()
  // Whoever was taken is gone: there is room again, and the leader still leads.
  let answersAfterwards = false
  await cluster.until("the leader takes connections again", async () => {
    const after = await Crowd.gather(port, 1)
    after.close()
    answersAfterwards = after.size === 1
    return answersAfterwards
  })
  return { asked: overTheLimit, taken: size, refusals, answersAfterwards }
}
