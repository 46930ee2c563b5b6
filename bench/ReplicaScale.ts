/** What more replicas cost, on the same processors: every one of them has its share of the work done there. */
import { mkdirSync, rmSync } from "node:fs"
import * as path from "node:path"
import type { Driver } from "./Driver.ts"
import * as Measurement from "./Measurement.ts"
import { line } from "./Report.ts"
import type { ScaleOptions } from "./ScaleOptions.ts"
import { WatchedCluster } from "./WatchedCluster.ts"
import * as Workload from "./Workload.ts"

export interface ReplicaResult {
  readonly replicas: number
  readonly measurements: ReadonlyArray<Measurement.Measurement>
}

const warmUpSeconds = 1

export const measure = async (
  replicas: number,
  driver: Driver,
  { clients, valueBytes, seconds }: ScaleOptions,
  parent: string,
  tell: (text: string) => void
): Promise<ReplicaResult> => {
  const directory = path.join(parent, `replicas-${replicas}`)
  mkdirSync(directory)
  const cluster = await WatchedCluster.start(directory, { count: replicas })
  const system = cluster.as("balsa")
  tell(`${replicas} replicas`)
  const measurements: Array<Measurement.Measurement> = []
  for (const kind of ["put", "get"]) {
    const workload = Workload.parse(`${kind}-${clients}-${valueBytes}B`)
    const what = { driver, system, workload, connections: undefined }
    if (kind === "put") await Measurement.fill(driver, system, workload)
    await Measurement.take({ ...what, round: 0, seconds: warmUpSeconds })
    measurements.push(await Measurement.take({ ...what, round: 1, seconds }))
    tell(`  ${line(measurements.at(-1)!)}`)
  }
  await cluster.cluster.stop()
  rmSync(directory, { recursive: true, force: true })
  return { replicas, measurements }
}
