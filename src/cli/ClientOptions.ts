/** What every client command takes: where the cluster is, how long to wait, how to print. */
import { Effect, type Option, Ref, Result } from "effect"
import * as Flag from "effect/cli/Flag"
import * as Backoff from "../client/Backoff.ts"
import * as Endpoint from "../client/Endpoint.ts"
import type { Cluster } from "../client/Gateway.ts"
import { type Environment, Host } from "./Host.ts"
import * as Setting from "./Setting.ts"
import type { UsageError } from "./UsageError.ts"

export const outputFormats = ["table", "json", "jsonl", "plain"] as const
export type OutputFormat = (typeof outputFormats)[number]

export const defaultEndpoints = "127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403"
export const defaultTimeout = "5s"

export const clientFlags = {
  endpoints: Flag.String("endpoints").pipe(
    Flag.withAlias("e"),
    Flag.withMetavar("HOST:PORT,..."),
    Flag.withDescription(`Replicas to ask, tried in this order; ${defaultEndpoints} (BALSA_ENDPOINTS)`),
    Flag.optional
  ),
  output: Flag.String("output").pipe(
    Flag.withAlias("o"),
    Flag.withMetavar(outputFormats.join("|")),
    Flag.withDescription("Form of the output; table for a terminal, plain otherwise (BALSA_OUTPUT)"),
    Flag.optional
  ),
  timeout: Flag.String("timeout").pipe(
    Flag.withMetavar("DURATION"),
    Flag.withDescription(`How long to wait in all, such as 500ms; ${defaultTimeout} (BALSA_TIMEOUT)`),
    Flag.optional
  )
}

export interface ClientFlags {
  readonly endpoints: Option.Option<string>
  readonly output: Option.Option<string>
  readonly timeout: Option.Option<string>
}

export interface ClientOptions extends Cluster {
  /** Undefined when it was not chosen; what is best then is each command's to say. */
  readonly output: OutputFormat | undefined
}

export const parse = (
  command: string,
  flags: ClientFlags,
  environment: Environment,
  usualTimeout = defaultTimeout
): Result.Result<ClientOptions, UsageError> =>
  Result.gen(function* () {
    const setting = (flag: keyof ClientFlags) =>
      Setting.from(flag, flags[flag], environment, `BALSA_${flag.toUpperCase()}`)
    const where = setting("endpoints") ?? { source: "--endpoints", value: defaultEndpoints }
    const endpoints: Array<Endpoint.Endpoint> = []
    for (const item of Setting.list(where)) {
      const parsed = Endpoint.parseUrl(item)
      if (Result.isFailure(parsed)) return yield* Setting.fail(command, `${where.source}: "${item}" ${parsed.failure}`)
      if (!endpoints.some((other) => Endpoint.equals(other, parsed.success))) endpoints.push(parsed.success)
    }
    if (endpoints.length === 0) {
      return yield* Setting.fail(command, `${where.source} names no endpoint; write HOST:PORT, or several with commas`)
    }
    const timeout = setting("timeout") ?? { source: "--timeout", value: usualTimeout }
    const output = yield* parseOutput(command, flags.output, environment)
    return { endpoints, timeoutMillis: yield* Setting.millis(timeout, command), output }
  })

/** As `parse`, with the environment of this process. */
export const resolve = (
  command: string,
  flags: ClientFlags,
  usualTimeout?: string
): Effect.Effect<ClientOptions, UsageError> =>
  Effect.flatMap(Host, (host) => Effect.fromResult(parse(command, flags, host.environment, usualTimeout)))

/** Whether somebody said how long, for commands that would otherwise wait for as long as it makes sense. */
export const choosesTimeout = (flags: ClientFlags, environment: Environment): boolean =>
  Setting.from("timeout", flags.timeout, environment, "BALSA_TIMEOUT") !== undefined

/** For commands that last: what they ask is asked again while a leader is elected, and first where it was answered last. */
export const patient = (cluster: Cluster): Effect.Effect<Cluster> =>
  Effect.map(Ref.make<Endpoint.Endpoint | undefined>(undefined), (preferred) => ({
    ...cluster,
    backoff: Backoff.defaults,
    preferred
  }))

/** Whether lines of JSON are wanted, for commands that print one thing. */
export const isJson = ({ output }: Pick<ClientOptions, "output">): boolean => output === "json" || output === "jsonl"

/** For commands that ask nobody, and have no other of these flags. */
export const parseOutput = (
  command: string,
  flag: Option.Option<string>,
  environment: Environment
): Result.Result<OutputFormat | undefined, UsageError> => {
  const output = Setting.from("output", flag, environment, "BALSA_OUTPUT")
  const format = outputFormats.find((name) => name === output?.value)
  return output === undefined || format !== undefined
    ? Result.succeed(format)
    : Setting.fail(
        command,
        `${output.source}: "${output.value}" is not an output format; use ${outputFormats.join(", ")}`
      )
}
