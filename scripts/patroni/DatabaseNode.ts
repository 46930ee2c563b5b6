/**
 * A PostgreSQL and the Patroni that looks after it, as processes of this machine. Patroni starts
 * PostgreSQL apart from itself, so that it outlives Patroni: its process is known from the file
 * `postmaster.pid`, and ended by its id after a look at whose data it serves.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import * as Configuration from "./Configuration.ts"
import type { Installation } from "./Installation.ts"
import { until } from "./Timeline.ts"

/** What Patroni says of itself and its PostgreSQL. */
export interface PatroniStatus {
  readonly state: string
  readonly role: string
  readonly timeline?: number
  readonly sync_standby?: boolean
}

export class DatabaseNode {
  readonly facts: Configuration.NodeFacts
  private readonly installation: Installation
  private patroni: ChildProcess | undefined

  constructor(facts: Configuration.NodeFacts, installation: Installation) {
    this.facts = facts
    this.installation = installation
    mkdirSync(facts.directory)
    writeFileSync(this.configurationFile, JSON.stringify(Configuration.of(facts), undefined, 2))
    writeFileSync(this.logFile, "")
    const { account } = installation
    if (account === undefined) return
    for (const file of [facts.directory, this.configurationFile, this.logFile])
      chownSync(file, account.uid, account.gid)
  }

  get name(): string {
    return this.facts.name
  }

  get configurationFile(): string {
    return path.join(this.facts.directory, "patroni.yml")
  }

  private get logFile(): string {
    return path.join(this.facts.directory, "patroni.log")
  }

  start(): void {
    const log = openSync(this.logFile, "a")
    this.patroni = spawn("patroni", [this.configurationFile], {
      ...this.installation.account,
      cwd: this.facts.directory,
      env: environment(this.facts),
      stdio: ["ignore", log, log]
    })
    closeSync(log)
  }

  /** PostgreSQL alone, all of its processes, while its Patroni looks on. */
  async killPostgres(): Promise<void> {
    const doomed = this.postgresProcesses()
    for (const pid of doomed) kill(pid, "SIGKILL")
    await until(`${this.name}'s PostgreSQL is gone`, 10_000, () => (doomed.some(lives) ? undefined : true))
  }

  /** Both at once, as a power cut would. */
  async kill(): Promise<void> {
    const doomed = [...this.patroniProcesses(), ...this.postgresProcesses()]
    const gone = this.patroni !== undefined && this.isRunning ? once(this.patroni, "exit") : undefined
    for (const pid of doomed) kill(pid, "SIGKILL")
    await gone
    await until(`${this.name} is gone`, 10_000, () => (doomed.some(lives) ? undefined : true))
  }

  /** Without waiting, as the last thing before this process ends. */
  end(): void {
    for (const pid of [...this.patroniProcesses(), ...this.postgresProcesses()]) kill(pid, "SIGKILL")
  }

  get isRunning(): boolean {
    return this.patroni !== undefined && this.patroni.exitCode === null && this.patroni.signalCode === null
  }

  /** Nothing while it does not answer. One that has ended by itself will not answer any more. */
  async status(): Promise<PatroniStatus | undefined> {
    if (!this.isRunning) throw new Error(`Patroni of ${this.name} has ended:\n${this.log.slice(-20).join("\n")}`)
    try {
      const response = await fetch(`http://127.0.0.1:${this.facts.restPort}/patroni`, {
        signal: AbortSignal.timeout(2000)
      })
      return (await response.json()) as PatroniStatus
    } catch {
      return undefined
    }
  }

  /** The lines that Patroni and PostgreSQL have written so far. */
  get log(): ReadonlyArray<string> {
    return readFileSync(this.logFile, "utf8").split("\n")
  }

  /** What `patronictl` says, asking the store as an administrator would. */
  async patronictl(...args: ReadonlyArray<string>): Promise<string> {
    const { account } = this.installation
    const settings = { ...account, env: environment(this.facts), timeout: 15_000 }
    const { stdout } = await promisify(execFile)("patronictl", ["-c", this.configurationFile, ...args], settings)
    return stdout.trimEnd()
  }

  /** Its first process, if it runs now, and no other that has come by that id since. */
  get postmaster(): number | undefined {
    const data = path.join(this.facts.directory, "data")
    try {
      const pid = Number(readFileSync(path.join(data, "postmaster.pid"), "utf8").split("\n")[0])
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(data) ? pid : undefined
    } catch {
      return undefined
    }
  }

  private postgresProcesses(): ReadonlyArray<number> {
    const { postmaster } = this
    return postmaster === undefined ? [] : familyOf(postmaster)
  }

  /** Patroni, and what it has running, such as a `pg_basebackup`. */
  private patroniProcesses(): ReadonlyArray<number> {
    return this.isRunning ? familyOf(this.patroni!.pid!) : []
  }
}

/** Settings of whoever runs this must reach neither Patroni nor PostgreSQL. */
const environment = ({ directory }: Configuration.NodeFacts): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PATRONI|PG)/.test(name))),
  HOME: directory,
  LC_ALL: "C.UTF-8"
})

/** A process and all that come from it. */
const familyOf = (eldest: number): ReadonlyArray<number> => {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  const parents = new Map(pids.map((pid) => [Number(pid), statusOf(Number(pid))?.parent]))
  const family = [eldest]
  // It grows while it is gone through.
  for (const one of family) for (const [pid, parent] of parents) if (parent === one) family.push(pid)
  return family
}

/** A process that has ended, and that nobody has asked for its end yet, lives no more. */
const lives = (pid: number): boolean => {
  const status = statusOf(pid)
  return status !== undefined && status.state !== "Z"
}

const statusOf = (pid: number): { readonly state: string; readonly parent: number } | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The program's name stands before, in parentheses, and may hold anything.
    const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return { state, parent: Number(parent) }
  } catch {
    return undefined
  }
}

const kill = (pid: number, signal: "SIGKILL"): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It was faster.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}
