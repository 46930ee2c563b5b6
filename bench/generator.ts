/**
 * The load generator, a process by itself, so that it shares no thread with anything. It does one job
 * after the other, and ends when whoever started it does.
 */
import type { DialectName, Dialect } from "./Dialect.ts"
import { GrpcDialect } from "./GrpcDialect.ts"
import * as Histogram from "./Histogram.ts"
import { HttpDialect } from "./HttpDialect.ts"
import * as Load from "./Load.ts"
import { BalsaDialect, RespDialect } from "./RespDialect.ts"
import * as Usage from "./Usage.ts"
import type { Workload } from "./Workload.ts"

export interface Job {
  readonly dialect: DialectName
  readonly port: number
  readonly workload: Workload
  /** That the clients share, where the dialect can. */
  readonly connections?: number | undefined
  /** The window; 0 just puts every key once. */
  readonly windowMillis: number
  /** Of the system's processes, to tell what they used. */
  readonly pids: ReadonlyArray<number>
}

export interface Sample {
  readonly servers: Usage.Usage | undefined
  readonly generator: NodeJS.CpuUsage
}

export type Outcome =
  | { readonly _tag: "Filled" }
  | { readonly _tag: "Failed"; readonly reason: string }
  | {
      readonly _tag: "Measured"
      readonly result: Omit<Load.LoadResult<Sample>, "latency"> & { readonly latency: Histogram.HistogramJson }
    }

export const dialects: { readonly [name in DialectName]: Dialect } = {
  resp: RespDialect,
  balsa: BalsaDialect,
  http: HttpDialect,
  grpc: GrpcDialect
}

const carryOut = async ({ dialect: name, port, workload, connections, windowMillis, pids }: Job): Promise<Outcome> => {
  const dialect = dialects[name]
  if (windowMillis === 0) {
    await Load.fill(dialect, port, workload.valueBytes)
    return { _tag: "Filled" }
  }
  const sample = (): Sample => ({ servers: Usage.of(pids), generator: process.cpuUsage() })
  const result = await Load.run({ dialect, port, workload, connections, windowMillis, sample })
  return { _tag: "Measured", result: { ...result, latency: Histogram.toJson(result.latency) } }
}

if (process.send !== undefined) {
  process.once("disconnect", () => process.exit(0))
  // Whoever started it decides when it ends.
  process.on("SIGINT", () => undefined)
  process.on("message", (job: Job) => {
    void carryOut(job)
      .catch((error: unknown): Outcome => ({ _tag: "Failed", reason: String(error) }))
      .then((outcome) => process.send?.(outcome))
  })
}
