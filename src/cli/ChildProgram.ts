/**
 * A program that a command runs. It keeps the terminal and the process group, so that Ctrl-C reaches it as if it had been started by
 * hand; whatever ends the command ends the program first, and the command's exit code is the program's.
 */
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { constants } from "node:os"
import { Host } from "./Host.ts"
import { ProgramEnd } from "./ProgramEnd.ts"

export interface ChildProgram {
  readonly argv: readonly [string, ...ReadonlyArray<string>]
  /** Beside the environment of this process. */
  readonly environment: Readonly<Record<string, string>>
  /** What it reads; the command's own input if nothing is said. */
  readonly input?: Uint8Array | undefined
}

/** After it was told to end; then it is killed. */
const graceMillis = 8000

/** Its exit code; 128 and the number of a signal that ended it, as a shell has it. */
export const run = (program: ChildProgram): Effect.Effect<number, ProgramEnd> =>
  Effect.flatMap(Host, (host) =>
    Effect.acquireUseRelease(
      Effect.sync(() => start(program, host.lendsInput)),
      (child) => ended(child, program.argv[0]),
      (child) => stop(child, host)
    )
  )

const start = ({ argv: [command, ...rest], environment, input }: ChildProgram, lendsInput: boolean): ChildProcess => {
  const child = spawn(command, rest, {
    env: { ...process.env, ...environment },
    stdio: [input === undefined ? (lendsInput ? "inherit" : "ignore") : "pipe", "inherit", "inherit"]
  })
  // Whoever does not read all of it closes it early.
  child.stdin?.on("error", () => {})
  child.stdin?.end(input)
  return child
}

const ended = (child: ChildProcess, command: string): Effect.Effect<number, ProgramEnd> =>
  Effect.callback((resume) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const missing = error.code === "ENOENT"
      const message = `BALSA_EXEC: cannot run ${command}: ${missing ? "there is no such program" : (error.code ?? error.message)}`
      // As a shell has it: 127 for what is not there, 126 for what is and does not run.
      resume(Effect.fail(new ProgramEnd({ exitCode: missing ? 127 : 126, message })))
    }
    const onExit = (): void => resume(Effect.succeed(codeOf(child)))
    if (hasEnded(child)) return onExit()
    child.once("error", onError).once("exit", onExit)
    return Effect.sync(() => void child.off("error", onError).off("exit", onExit))
  })

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const codeOf = (child: ChildProcess): number =>
  child.signalCode === null ? (child.exitCode ?? 1) : 128 + constants.signals[child.signalCode]

/** Only one that still runs has been interrupted. What a terminal's Ctrl-C has told it already is not told twice. */
const stop = (child: ChildProcess, { inputTerminal, lendsInput, signal }: Host): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (hasEnded(child) || child.pid === undefined) return Effect.void
    const knows = signal.received === "SIGINT" && inputTerminal && lendsInput
    if (!knows) child.kill(signal.received ?? "SIGTERM")
    return ended(child, "").pipe(
      Effect.timeoutOrElse({
        duration: graceMillis,
        orElse: () => {
          child.kill("SIGKILL")
          return ended(child, "")
        }
      }),
      Effect.map((code) => {
        if (signal.received !== undefined) signal.exitCode = code
      }),
      Effect.ignore
    )
  })
