/**
 * The load generator, a process by itself, so that it shares no thread with anything. It does one job
 * after the other, and ends when whoever started it does.
 */
import type { DialectName, Dialect } from "./Dialect.ts"
import * as Filling from "./Filling.ts"
import { GrpcDialect } from "./GrpcDialect.ts"
import * as Histogram from "./Histogram.ts"
import { HttpDialect } from "./HttpDialect.ts"
import * as Load from "./Load.ts"
import * as OpenLoad from "./OpenLoad.ts"
import { BalsaDialect, RespDialect } from "./RespDialect.ts"
import * as Usage from "./Usage.ts"
import type { Workload } from "./Workload.ts"

export type Job = LoadJob | FillJob | OpenJob

/** A closed loop, for a window of so long. */
export interface LoadJob {
  readonly _tag: "Load"
  readonly dialect: DialectName
  readonly port: number
  readonly workload: Workload
  /** That the clients share, where the dialect can. */
  readonly connections?: number | undefined
  /** Instead, exactly so many, over which the clients spread what they ask. */
  readonly spread?: number | undefined
  /** How many to choose from; undefined: a fixed set for each size of values. */
  readonly keys?: number | undefined
  readonly windowMillis: number
  /** Of the system's processes, to tell what they used. */
  readonly pids: ReadonlyArray<number>
}

/** Puts every key once: the fixed set for a size of values, or, with Redis' protocol, those from one number to another. */
export interface FillJob {
  readonly _tag: "Fill"
  readonly dialect: DialectName
  readonly port: number
  readonly valueBytes: number
  readonly keys?: { readonly from: number; readonly to: number } | undefined
}

/** An open loop of so many requests a second, which tells how it goes each interval. */
export interface OpenJob extends Omit<OpenLoad.OpenLoadOptions, "dialect" | "onInterval"> {
  readonly _tag: "Open"
  readonly dialect: DialectName
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
  | { readonly _tag: "Over" }

/** On the way to the outcome. */
export interface News {
  readonly _tag: "Interval"
  readonly interval: Omit<OpenLoad.Interval, "puts" | "gets"> & {
    readonly puts: Histogram.HistogramJson
    readonly gets: Histogram.HistogramJson
  }
}

export const dialects: { readonly [name in DialectName]: Dialect } = {
  resp: RespDialect,
  balsa: BalsaDialect,
  http: HttpDialect,
  grpc: GrpcDialect
}

const carryOut = async (job: Job): Promise<Outcome> => {
  const dialect = dialects[job.dialect]
  switch (job._tag) {
    case "Fill":
      if (job.keys === undefined) await Load.fill(dialect, job.port, job.valueBytes)
      else await Filling.run({ ...job, ...job.keys })
      return { _tag: "Filled" }
    case "Load": {
      const sample = (): Sample => ({ servers: Usage.of(job.pids), generator: process.cpuUsage() })
      const { connections, ...rest } = job
      const result = await Load.run({ ...rest, dialect, connections, sample })
      return { _tag: "Measured", result: { ...result, latency: Histogram.toJson(result.latency) } }
    }
    case "Open":
      await OpenLoad.run({ ...job, dialect, onInterval: tell })
      return { _tag: "Over" }
  }
}

const tell = ({ puts, gets, ...interval }: OpenLoad.Interval): void => {
  const news: News = {
    _tag: "Interval",
    interval: { ...interval, puts: Histogram.toJson(puts), gets: Histogram.toJson(gets) }
  }
  process.send?.(news)
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
