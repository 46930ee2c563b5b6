/**
 * What the command line takes from the process it runs in: environment, streams, colour.
 * Data goes to standard output, everything else to standard error.
 */
import { Context, Effect, type Scope } from "effect"
import { createInterface, type Interface } from "node:readline"
import type { UsageError } from "./UsageError.ts"

export type Environment = Readonly<Record<string, string | undefined>>

export interface Host {
  readonly environment: Environment
  /** Whether a person reads standard output. */
  readonly terminal: boolean
  readonly errorTerminal: boolean
  /** Whether a person writes standard input. */
  readonly inputTerminal: boolean
  readonly color: boolean
  readonly out: (data: string | Uint8Array) => Effect.Effect<void>
  readonly err: (text: string) => Effect.Effect<void>
  /** To its end. */
  readonly readInput: Effect.Effect<Uint8Array, UsageError>
  /** Lines one by one; `undefined` at the end. A person sees the prompt. */
  readonly openLines: Effect.Effect<ReadLine, never, Scope.Scope>
  /** Whoever read standard output has gone; noticed when something is written. */
  readonly readerGone: Effect.Effect<void>
  /** What comes before a command where it is typed: `balsa `, or nothing in a shell. */
  readonly calledBy: string
  /** A program that is started may read standard input. In a shell it is the shell's. */
  readonly lendsInput: boolean
  readonly signal: Signal
}

export type ReadLine = (prompt: string) => Effect.Effect<string | undefined>

export interface Signal {
  /** What a signal makes of the exit code. A server that stops when told to has done well. */
  exitCode: number
  /** The one that came. */
  received: NodeJS.Signals | undefined
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

const openLines: Host["openLines"] = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => createInterface({ input: process.stdin, terminal: false })),
    (lines) => Effect.sync(() => lines.close())
  ),
  readerOf
)

/** Lines that come between two readings wait; they are as many as one chunk of input holds. */
function readerOf(lines: Interface): ReadLine {
  const waiting: Array<string> = []
  let ended = false
  let wake: (() => void) | undefined
  lines.on("line", (line) => {
    waiting.push(line)
    lines.pause()
    wake?.()
  })
  lines.on("close", () => {
    ended = true
    wake?.()
  })
  lines.pause()
  return (prompt) =>
    Effect.callback((resume) => {
      if (process.stdin.isTTY) process.stderr.write(prompt)
      const look = (): boolean => {
        if (waiting.length === 0 && !ended) return false
        wake = undefined
        resume(Effect.succeed(waiting.shift()))
        return true
      }
      if (look()) return
      wake = look
      lines.resume()
      return Effect.sync(() => {
        wake = undefined
      })
    })
}

const readerGone: Effect.Effect<void> = Effect.callback((resume) => {
  const look = (error: NodeJS.ErrnoException): void => {
    if (error.code === "EPIPE") resume(Effect.void)
  }
  process.stdout.on("error", look)
  return Effect.sync(() => process.stdout.off("error", look))
})

export const fromProcess = (argv: ReadonlyArray<string>): Host => ({
  environment: process.env,
  terminal: process.stdout.isTTY,
  errorTerminal: process.stderr.isTTY,
  inputTerminal: process.stdin.isTTY,
  color: wantsColor(process.env, argv),
  out: (data) => Effect.sync(() => void process.stdout.write(data)),
  err: (text) => Effect.sync(() => void process.stderr.write(`${text}\n`)),
  readInput: Effect.promise(readAll),
  openLines,
  readerGone,
  calledBy: "balsa ",
  lendsInput: true,
  signal: { exitCode: 130, received: undefined }
})

/** The same, other than in what is said. */
export const changed = (host: Host, changes: Partial<Host>): Host => Object.assign({}, host, changes)

export const Host = Context.Reference<Host>("balsa/cli/Host", { defaultValue: () => fromProcess([]) })
