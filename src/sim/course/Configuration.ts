/**
 * A configuration of the course's simulator, as its files say it: what is asked, what goes wrong
 * and what counts as good. Times are in seconds there and in milliseconds here.
 */
import { Data, Result, Schema, SchemaIssue } from "effect"

/** The file is not used; `message` says which field is wrong and what it may be. */
export class ConfigurationError extends Data.TaggedError("ConfigurationError")<{
  readonly name: string
  readonly message: string
}> {}

export const benchmarks = ["total_msgs", "failures", "duplicates", "median_latency"] as const
export type Benchmark = (typeof benchmarks)[number]

/** Below the first it is a bonus, below the second full marks, below the third some. */
export type Thresholds = readonly [bonus: number, full: number, partial: number]

const kinds = ["kill_leader", "kill_non_leader", "part_easy", "part_hard", "part_end"] as const

export interface Disturbance {
  readonly kind: (typeof kinds)[number]
  /** From the start of the run. */
  readonly at: number
}

export interface Configuration {
  readonly name: string
  readonly lifetimeMillis: number
  readonly startWaitMillis: number
  readonly endWaitMillis: number
  readonly replicas: number
  readonly requests: number
  /** The probability that a request is a get. */
  readonly mix: number
  /** The probability that a message between replicas is lost. */
  readonly drops: number
  /** The run ends when replicas have sent each other so many. */
  readonly maximumMessages: number
  readonly seed: number | string | undefined
  readonly disturbances: ReadonlyArray<Disturbance>
  readonly maximumGetFailFraction: number
  readonly maximumPutFailFraction: number
  readonly maximumGenerationFailFraction: number
  readonly benchmarks: Readonly<Record<Benchmark, Thresholds>>
}

const within = (minimum: number, maximum: number) =>
  Schema.Finite.check(
    Schema.makeFilter(
      (value) => (value >= minimum && value <= maximum) || `must be between ${minimum} and ${maximum}, not ${value}`
    )
  )
const wholeWithin = (minimum: number, maximum: number) =>
  within(minimum, maximum).check(
    Schema.makeFilter((value) => Number.isInteger(value) || `must be a whole number, not ${value}`)
  )
const fraction = Schema.optionalKey(within(0, 1))
const thresholds = Schema.Tuple([Schema.Finite, Schema.Finite, Schema.Finite])

/** Who writes 30 days means something else. */
const maximumSeconds = 86_400
const mostMessages = 900_000

const File = Schema.Struct({
  lifetime: wholeWithin(5, maximumSeconds),
  replicas: wholeWithin(3, 21),
  requests: wholeWithin(0, mostMessages),
  mix: fraction,
  start_wait: Schema.optionalKey(within(0, maximumSeconds)),
  end_wait: Schema.optionalKey(within(0, maximumSeconds)),
  drops: fraction,
  max_packets: Schema.optionalKey(within(0, mostMessages)),
  seed: Schema.optionalKey(Schema.Unknown),
  events: Schema.optionalKey(
    Schema.Array(Schema.Struct({ type: Schema.Literals(kinds), time: within(0, maximumSeconds) }))
  ),
  tests: Schema.Struct({
    maximum_get_fail_fraction: fraction,
    maximum_put_fail_fraction: fraction,
    maximum_get_generation_fail_fraction: fraction,
    benchmarks: Schema.Struct({
      total_msgs: thresholds,
      failures: thresholds,
      duplicates: thresholds,
      median_latency: thresholds
    })
  })
})
type File = typeof File.Type

const decode = Schema.decodeUnknownResult(File)
const format = SchemaIssue.makeFormatterStandardSchemaV1()

export const parse = (name: string, text: string): Result.Result<Configuration, ConfigurationError> => {
  const refuse = (message: string) => Result.fail(new ConfigurationError({ name, message: `${name}: ${message}` }))
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    return refuse(`this is not JSON: ${(error as Error).message}`)
  }
  const file = decode(json, { errors: "all" })
  if (Result.isFailure(file)) {
    const issues = format(file.failure.issue).issues.map(
      ({ path, message }) => `${(path ?? []).map(String).join(".") || "the file"}: ${message}`
    )
    return refuse(issues.join("; "))
  }
  const why = contradictionOf(file.success)
  return why === undefined ? Result.succeed(configurationOf(name, file.success)) : refuse(why)
}

/** What hangs on another field. */
const contradictionOf = (file: File): string | undefined => {
  for (const field of ["start_wait", "end_wait"] as const) {
    const value = file[field] ?? 0
    if (value > file.lifetime) return `${field}: must be at most the lifetime of ${file.lifetime} s, not ${value}`
  }
  if (file.max_packets !== undefined && file.max_packets < file.requests) {
    return `max_packets: must be at least the ${file.requests} requests, not ${file.max_packets}`
  }
  const late = file.events?.find(({ time }) => time > file.lifetime)
  return late === undefined
    ? undefined
    : `events: ${late.type} at ${late.time} s is after the lifetime of ${file.lifetime} s`
}

const configurationOf = (name: string, file: File): Configuration => {
  const startWaitMillis = (file.start_wait ?? Math.min(5, file.lifetime)) * 1000
  return {
    name,
    lifetimeMillis: file.lifetime * 1000,
    startWaitMillis,
    endWaitMillis: (file.end_wait ?? Math.min(2, file.lifetime)) * 1000,
    replicas: file.replicas,
    requests: file.requests,
    mix: file.mix ?? 0.8,
    drops: file.drops ?? 0,
    maximumMessages: file.max_packets ?? Math.max(20_000, file.requests),
    seed: seedOf(file.seed),
    disturbances: (file.events ?? []).map(({ type, time }) => ({ kind: type, at: startWaitMillis + time * 1000 })),
    maximumGetFailFraction: file.tests.maximum_get_fail_fraction ?? 0.5,
    maximumPutFailFraction: file.tests.maximum_put_fail_fraction ?? 0.5,
    maximumGenerationFailFraction: file.tests.maximum_get_generation_fail_fraction ?? 0.1,
    benchmarks: file.tests.benchmarks
  }
}

/** Any value may stand there, and the same one means the same run. */
const seedOf = (seed: unknown): number | string | undefined => {
  if (seed === undefined || seed === null) return undefined
  return typeof seed === "number" ? seed : JSON.stringify(seed)
}

/** From the start of the replicas to the last look at what they answered. */
export const runMillis = (configuration: Configuration): number =>
  configuration.startWaitMillis + configuration.lifetimeMillis + configuration.endWaitMillis
