/** One measurement: one system, one operation, so many clients, once. And what must come before the first. */
import * as Load from "./Load.ts"
import type { OperationName, SystemName } from "./Options.ts"
import type { System } from "./Systems.ts"
import * as Usage from "./Usage.ts"
import type { Operation } from "./Workload.ts"

export interface Measurement {
  readonly system: SystemName
  readonly operation: OperationName
  readonly clients: number
  readonly round: number
  readonly operationsPerSecond: number
  readonly latency: Load.Latency
  /** All three servers together; null where there is no /proc. */
  readonly cpuSecondsPer1000: number | null
  readonly residentBytes: number | null
  /** The load generator's own, which competes with them. */
  readonly generatorCpuSecondsPer1000: number
  /** What makes this measurement doubtful. */
  readonly errors: Readonly<Record<string, number>>
  readonly leaderChanged: boolean
}

export interface What {
  readonly system: System
  readonly operation: Operation
  readonly clients: number
  readonly round: number
  readonly seconds: number
}

/** All clients talk to the leader: a follower would only pass on what it is asked. */
export const take = async ({ system, operation, clients, round, seconds }: What): Promise<Measurement> => {
  const { cluster } = system
  const leader = await cluster.leader()
  const load = await Load.run({
    port: leader.port,
    clients,
    operation,
    windowMillis: seconds * 1000,
    sample: () => ({ servers: Usage.of(cluster.pids), generator: process.cpuUsage() })
  })
  const { before, after, operations } = load
  const since = await cluster.leader()
  const used = before.servers && after.servers ? after.servers.cpuSeconds - before.servers.cpuSeconds : Number.NaN
  const generator = after.generator.user + after.generator.system - before.generator.user - before.generator.system
  return {
    system: system.name,
    operation: operation.name,
    clients,
    round,
    operationsPerSecond: operations / load.seconds,
    latency: load.latency,
    cpuSecondsPer1000: Number.isFinite(used / operations) ? (used / operations) * 1000 : null,
    residentBytes: after.servers?.residentBytes ?? null,
    generatorCpuSecondsPer1000: (generator / 1e6 / operations) * 1000,
    errors: load.errors,
    leaderChanged: since.port !== leader.port || since.term !== leader.term
  }
}

/** Puts every key once, so that every get finds something. */
export const fill = async (system: System, put: Operation): Promise<void> => {
  const { port } = await system.cluster.leader()
  let next = 0
  const worker = async (): Promise<void> => {
    for (let request = put.requests[next++]; request !== undefined; request = put.requests[next++]) {
      const text = request.toString("latin1")
      const body = text.slice(text.indexOf("\r\n\r\n") + 4)
      const signal = AbortSignal.timeout(10_000)
      const response = await fetch(`http://127.0.0.1:${port}/v3/kv/put`, { method: "POST", body, signal })
      const answer = await response.text()
      if (response.status !== 200) throw new Error(`${system.name} refuses a put: ${response.status} ${answer}`)
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
}
