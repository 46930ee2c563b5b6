/**
 * System calls that fail, or take their time, in a replica that runs: strace stands between it and
 * the kernel. Node makes the calls that touch files in threads of a pool, so all threads are followed.
 * A `when` counts for each thread by itself.
 *
 *   error=EIO        the call fails and is not made
 *   retval=0         the call says that it has worked, and is not made
 *   delay_enter=N    the call begins N microseconds later
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { environment } from "./Command.ts"
import { eventually } from "../process/RealCluster.ts"

export interface Injection {
  /** Names of system calls, with commas. */
  readonly calls: string
  readonly fault: string
  /** Only calls on these files. */
  readonly files?: ReadonlyArray<string>
}

const optionsOf = ({ calls, fault, files = [] }: Injection): ReadonlyArray<string> => [
  "-e",
  `trace=${calls}`,
  "-e",
  `inject=${calls}:${fault}`,
  "-e",
  "signal=none",
  ...files.flatMap((file) => ["-P", file])
]

export class Strace {
  private readonly child: ChildProcess
  private readonly folder: string
  private said = ""
  private unstarted = false

  private constructor(pid: number, injection: Injection) {
    this.folder = mkdtempSync(path.join(tmpdir(), "balsa-strace-"))
    const args = ["-f", "-p", `${pid}`, "-o", this.output, ...optionsOf(injection)]
    this.child = spawn("strace", args, { env: environment, stdio: ["ignore", "ignore", "pipe"] })
    this.child.stderr!.on("data", (piece) => (this.said += String(piece)))
    this.child.on("error", (error) => {
      this.said += error.message
      this.unstarted = true
    })
  }

  /** Begins with a process; when this returns, it has all of its threads. */
  static async attach(pid: number, injection: Injection): Promise<Strace> {
    const strace = new Strace(pid, injection)
    try {
      await eventually("strace attached", async () => {
        if (strace.said.includes(`Process ${pid} attached`)) return true
        if (strace.ended) throw new Error(`strace: ${strace.said.trim()}`)
        return undefined
      })
      return strace
    } catch (error) {
      await strace.detach()
      throw error
    }
  }

  /** The calls so far, a line each; a fault says `(INJECTED)`, a delay `(DELAYED)`. */
  calls(): ReadonlyArray<string> {
    return readFileSync(this.output, "utf8").trimEnd().split("\n")
  }

  /** The process goes on as if nothing had been. */
  async detach(): Promise<void> {
    if (!this.ended) {
      const gone = once(this.child, "exit")
      this.child.kill("SIGTERM")
      await gone
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  private get ended(): boolean {
    return this.unstarted || this.child.exitCode !== null || this.child.signalCode !== null
  }

  private get output(): string {
    return path.join(this.folder, "calls")
  }
}

/** What to run, and its first arguments, for a program whose calls fail from its start on. */
export const underStrace = (injection: Injection): ReadonlyArray<string> => [
  "strace",
  "-f",
  "--seccomp-bpf",
  "-o",
  "/dev/null",
  ...optionsOf(injection)
]
