/**
 * A client that adds rows, one after the other, at whichever PostgreSQL takes them, and remembers
 * which were acknowledged and when. It knows of no failover: it sees an error or a silence, and
 * connects anew, as an application with both addresses in its settings does.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { setTimeout as pause } from "node:timers/promises"
import * as path from "node:path"

export interface Acknowledged {
  readonly row: number
  readonly at: number
}

export interface WriterOptions {
  readonly postgresBin: string
  readonly ports: ReadonlyArray<number>
  readonly password: string
}

const answerMillis = 5000
const betweenRowsMillis = 40
const reconnectMillis = 150

export class Writer {
  readonly acknowledged: Array<Acknowledged> = []
  private readonly options: WriterOptions
  private session: Session | undefined
  private stopped = false
  private row = 0
  private work: Promise<void> | undefined

  constructor(options: WriterOptions) {
    this.options = options
  }

  start(): void {
    this.work = this.write()
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.work
    this.end()
  }

  /** Without waiting, as the last thing before this process ends. */
  end(): void {
    this.session?.end()
  }

  /** The first row acknowledged after this instant. */
  firstAfter(instant: number): Acknowledged | undefined {
    return this.acknowledged.find(({ at }) => at > instant)
  }

  /** For how long at most nothing was acknowledged, of the time between two instants. */
  longestGapMillis(from: number, to: number): number {
    const instants = [from, ...this.acknowledged.map(({ at }) => at).filter((at) => at > from && at < to), to]
    return Math.max(...instants.slice(1).map((at, before) => at - instants[before]!))
  }

  private async write(): Promise<void> {
    while (!this.stopped) {
      this.session ??= new Session(this.options)
      // Its outcome may be unknown; a row is never tried twice, so it is there once or not at all.
      this.row += 1
      if (await this.session.insert(this.row)) {
        this.acknowledged.push({ row: this.row, at: performance.now() })
        await pause(betweenRowsMillis)
      } else {
        this.session.end()
        this.session = undefined
        await pause(reconnectMillis)
      }
    }
  }
}

/** A `psql` that is kept, connected with whoever takes writes. */
class Session {
  private readonly psql: ChildProcessWithoutNullStreams
  private awaited: { readonly row: number; readonly answer: (done: boolean) => void } | undefined

  constructor({ postgresBin, ports, password }: WriterOptions) {
    const target = [
      `host=${ports.map(() => "127.0.0.1").join(",")}`,
      `port=${ports.join(",")}`,
      "user=postgres dbname=postgres connect_timeout=2 target_session_attrs=read-write"
    ].join(" ")
    const flags = ["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--set=ON_ERROR_STOP=1"]
    this.psql = spawn(path.join(postgresBin, "psql"), [target, ...flags], {
      env: { ...process.env, PGPASSWORD: password }
    })
    createInterface({ input: this.psql.stdout }).on("line", (line) => this.settle(line === String(this.awaited?.row)))
    this.psql.stderr.resume()
    // Writing to one that has ended is no news: its end is.
    this.psql.stdin.on("error", () => {})
    this.psql.on("close", () => this.settle(false))
  }

  insert(row: number): Promise<boolean> {
    return new Promise((resolve) => {
      const patience = setTimeout(() => this.settle(false), answerMillis)
      const answer = (done: boolean): void => {
        clearTimeout(patience)
        resolve(done)
      }
      if (this.psql.exitCode !== null || this.psql.signalCode !== null) return answer(false)
      this.awaited = { row, answer }
      this.psql.stdin.write(`INSERT INTO rows (id) VALUES (${row}) RETURNING id;\n`)
    })
  }

  end(): void {
    this.psql.kill("SIGKILL")
  }

  private settle(done: boolean): void {
    this.awaited?.answer(done)
    this.awaited = undefined
  }
}
