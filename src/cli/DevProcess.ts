/**
 * One replica of a trial cluster as a child process. It has a channel to its parent, and ends
 * when that closes, so not even a killed parent leaves it behind. It is in a session of its
 * own: Ctrl-C reaches the parent alone, which then stops every child once, and cleanly.
 */
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import { type Endpoint, show } from "../client/Endpoint.ts"
import type { DevReplica } from "./DevPlan.ts"

export interface DevProcess {
  readonly replica: DevReplica
  readonly pid: number
  /** Completes when it has ended, with how it ended in words. */
  readonly ended: Effect.Effect<string>
  readonly isRunning: () => boolean
  readonly kill: (signal: "SIGTERM" | "SIGKILL") => void
}

export interface Executable {
  /** This very Node, so that all replicas run on the same one. */
  readonly node: string
  readonly nodeArgv: ReadonlyArray<string>
  readonly script: string
}

export const start = (
  executable: Executable,
  replica: DevReplica,
  onLine: (text: string, stream: "out" | "err") => void
): DevProcess => {
  const argv = [...executable.nodeArgv, executable.script, "serve", ...replica.argv]
  const child = spawn(executable.node, argv, {
    detached: true,
    // What is meant for one replica must not reach them all.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !inherited.has(name))),
    stdio: ["ignore", "pipe", "pipe", "ipc"]
  })
  createInterface({ input: child.stdout! }).on("line", (text) => onLine(text, "out"))
  createInterface({ input: child.stderr! }).on("line", (text) => onLine(text, "err"))
  let failure: string | undefined
  child.on("error", (error) => {
    failure = `could not be started: ${error.message}`
  })
  return {
    replica,
    pid: child.pid ?? 0,
    ended: Effect.callback<string>((resume) => {
      const report = () => resume(Effect.sync(() => failure ?? describeEnd(child)))
      if (!isRunning(child)) return report()
      child.once("close", report)
      return Effect.sync(() => child.off("close", report))
    }),
    isRunning: () => isRunning(child),
    kill: (signal) => void child.kill(signal)
  }
}

const inherited = new Set(["BALSA_ID", "BALSA_PEERS", "BALSA_LISTEN_CLIENT", "BALSA_LISTEN_PEER", "BALSA_DATA_DIR"])

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

const describeEnd = (child: ChildProcess): string =>
  child.signalCode === null ? `ended with exit code ${child.exitCode}` : `was ended by ${child.signalCode}`

/** Asks all of them to stop, at once, and insists after `graceMillis`. */
export const stopAll = (processes: ReadonlyArray<DevProcess>, graceMillis: number): Effect.Effect<void> => {
  const running = processes.filter((process) => process.isRunning())
  for (const process of running) process.kill("SIGTERM")
  return Effect.forEach(
    running,
    (process) =>
      process.ended.pipe(
        Effect.timeoutOrElse({
          duration: graceMillis,
          orElse: () => {
            process.kill("SIGKILL")
            return process.ended
          }
        })
      ),
    { concurrency: "unbounded", discard: true }
  )
}

/** Why nothing can listen there, or undefined when something can. */
export const portProblem = ({ host, port }: Endpoint): Effect.Effect<string | undefined> =>
  Effect.callback<string | undefined>((resume) => {
    const server = createServer()
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(
        Effect.succeed(
          error.code === "EADDRINUSE"
            ? `${show({ host, port })} is in use by another process`
            : `cannot listen on ${show({ host, port })}: ${error.code ?? error.message}`
        )
      )
    )
    server.listen({ host, port, exclusive: true }, () => server.close(() => resume(Effect.as(Effect.void, undefined))))
    return Effect.sync(() => server.close())
  })
