/** One measurement: one system, one workload, once. And what must come before the first. */
import type { Driver } from "./Driver.ts"
import * as Histogram from "./Histogram.ts"
import type { SystemName } from "./Options.ts"
import type { System } from "./Systems.ts"
import type { Workload } from "./Workload.ts"

export interface Measurement {
  readonly system: SystemName
  readonly workload: string
  readonly round: number
  readonly operationsPerSecond: number
  readonly latency: Histogram.Histogram
  /** All servers of the system together; null where there is no /proc. */
  readonly cpuMicros: number | null
  readonly residentBytes: number | null
  /** The load generator's own, which competes with them. */
  readonly generatorCpuMicros: number
  /** What makes this measurement doubtful. */
  readonly errors: Readonly<Record<string, number>>
  readonly leaderChanged: boolean
}

export interface What {
  readonly driver: Driver
  readonly system: Pick<System, "name" | "cluster" | "dialect" | "leader">
  readonly workload: Workload
  readonly connections: number | undefined
  /** See LoadJob. */
  readonly keys?: number | undefined
  readonly spread?: number | undefined
  readonly round: number
  readonly seconds: number
}

/** All clients talk to the leader: a follower would only pass on what it is asked. */
export const take = async ({
  driver,
  system,
  workload,
  connections,
  keys,
  spread,
  round,
  seconds
}: What): Promise<Measurement> => {
  const leader = await system.leader()
  const { pids } = system.cluster
  const windowMillis = seconds * 1000
  const { dialect } = system
  const outcome = await driver.carryOut({
    _tag: "Load",
    dialect,
    port: leader.port,
    workload,
    connections,
    keys,
    spread,
    windowMillis,
    pids
  })
  if (outcome._tag !== "Measured") throw new Error(`${system.name}: ${JSON.stringify(outcome)}`)
  const { before, after, operations, seconds: lasted, latency, errors } = outcome.result
  const since = await system.leader()
  const used = before.servers && after.servers ? after.servers.cpuSeconds - before.servers.cpuSeconds : Number.NaN
  const generator = after.generator.user + after.generator.system - before.generator.user - before.generator.system
  return {
    system: system.name,
    workload: workload.name,
    round,
    operationsPerSecond: operations / lasted,
    latency: Histogram.fromJson(latency),
    cpuMicros: Number.isFinite(used / operations) ? (used / operations) * 1e6 : null,
    residentBytes: after.servers?.residentBytes ?? null,
    generatorCpuMicros: generator / operations,
    errors,
    leaderChanged: since.port !== leader.port || since.term !== leader.term
  }
}

export const fill = async (driver: Driver, system: What["system"], workload: Workload): Promise<void> => {
  const { port } = await system.leader()
  const outcome = await driver.carryOut({
    _tag: "Fill",
    dialect: system.dialect,
    port,
    valueBytes: workload.valueBytes
  })
  if (outcome._tag === "Failed") throw new Error(`${system.name}: ${outcome.reason}`)
}
