/**
 * What the command line takes from the process it runs in: environment, streams, colour.
 * Data goes to standard output, everything else to standard error.
 */
import { Context, Effect } from "effect"

export type Environment = Readonly<Record<string, string | undefined>>

export interface Host {
  readonly environment: Environment
  /** Whether a person reads standard output. */
  readonly terminal: boolean
  readonly color: boolean
  readonly out: (data: string | Uint8Array) => Effect.Effect<void>
  readonly err: (text: string) => Effect.Effect<void>
  readonly readInput: Effect.Effect<Uint8Array>
  /** What a signal makes of the exit code. A server that stops when told to has done well. */
  readonly signal: { exitCode: number }
}

const readAll = async (): Promise<Uint8Array> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** NO_COLOR and FORCE_COLOR as no-color.org and force-color.org say; empty means unset. */
const wantsColor = (environment: Environment, argv: ReadonlyArray<string>): boolean => {
  if (argv.includes("--no-color") || environment["NO_COLOR"]) return false
  if (environment["FORCE_COLOR"] && environment["FORCE_COLOR"] !== "0") return true
  return process.stdout.isTTY && environment["TERM"] !== "dumb"
}

export const fromProcess = (argv: ReadonlyArray<string>): Host => ({
  environment: process.env,
  terminal: process.stdout.isTTY,
  color: wantsColor(process.env, argv),
  out: (data) => Effect.sync(() => void process.stdout.write(data)),
  err: (text) => Effect.sync(() => void process.stderr.write(`${text}\n`)),
  readInput: Effect.promise(readAll),
  signal: { exitCode: 130 }
})

export const Host = Context.Reference<Host>("balsa/cli/Host", { defaultValue: () => fromProcess([]) })
