/** Who takes part in a run, and what can be asked of them. */
import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import { freePorts } from "../../test/process/RealCluster.ts"
import type { Times } from "./Configuration.ts"
import { DatabaseNode } from "./DatabaseNode.ts"
import type { Installation } from "./Installation.ts"
import type { Store } from "./Store.ts"
import { type Timeline, until } from "./Timeline.ts"
import { Writer } from "./Writer.ts"

export class Cast {
  readonly store: Store
  readonly nodes: readonly [DatabaseNode, DatabaseNode]
  readonly writer: Writer
  readonly timeline: Timeline
  readonly times: Times
  /** Everything of PostgreSQL and Patroni: configurations, logs and data. */
  readonly directory: string
  private readonly postgresBin: string
  private readonly password: string

  private constructor(store: Store, installation: Installation, times: Times, timeline: Timeline, ports: Ports) {
    this.store = store
    this.times = times
    this.timeline = timeline
    this.postgresBin = installation.postgresBin
    this.password = randomUUID()
    this.directory = mkdtempSync(path.join(tmpdir(), "balsa-patroni-"))
    // PostgreSQL's user has to get through to the folders of its own.
    chmodSync(this.directory, 0o711)
    const node = (name: string, { postgresPort, restPort }: Ports[number]): DatabaseNode => {
      const { postgresBin, password } = this
      const directory = path.join(this.directory, name)
      const stores = store.addresses
      return new DatabaseNode(
        { name, directory, postgresPort, restPort, postgresBin, stores, password, times },
        installation
      )
    }
    this.nodes = [node("one", ports[0]), node("two", ports[1])]
    this.writer = new Writer({
      postgresBin: this.postgresBin,
      ports: ports.map(({ postgresPort }) => postgresPort),
      password: this.password
    })
  }

  static async make(store: Store, installation: Installation, times: Times, timeline: Timeline): Promise<Cast> {
    const [first, second, third, fourth] = await freePorts(4)
    const ports: Ports = [
      { postgresPort: first!, restPort: second! },
      { postgresPort: third!, restPort: fourth! }
    ]
    return new Cast(store, installation, times, timeline, ports)
  }

  other(node: DatabaseNode): DatabaseNode {
    return this.nodes[0] === node ? this.nodes[1] : this.nodes[0]
  }

  /** The one that Patroni calls the primary and that takes writes, once there is exactly one. */
  primary(limitMillis: number): Promise<DatabaseNode> {
    return until("there is a primary", limitMillis, async () => {
      const [first, second] = await Promise.all(this.nodes.map((node) => this.isPrimary(node)))
      return first === second ? undefined : first === true ? this.nodes[0] : this.nodes[1]
    })
  }

  /** Patroni has said `master` until version 4. */
  async isPrimary(node: DatabaseNode): Promise<boolean> {
    if (!node.isRunning) return false
    const status = await node.status()
    if (status?.state !== "running" || !["master", "primary"].includes(status.role)) return false
    return (await this.query(node, "SELECT pg_is_in_recovery()").catch(() => "t")) === "f"
  }

  async query(node: DatabaseNode, sql: string): Promise<string> {
    const target = `host=127.0.0.1 port=${node.facts.postgresPort} user=postgres dbname=postgres connect_timeout=2`
    const args = [target, "--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--command", sql]
    const env = { ...process.env, PGPASSWORD: this.password }
    const { stdout } = await promisify(execFile)(path.join(this.postgresBin, "psql"), args, { env, timeout: 15_000 })
    return stdout.trim()
  }

  /** Without waiting, as the last thing before this process ends. */
  end(keep: boolean): void {
    this.writer.end()
    for (const node of this.nodes) node.end()
    this.store.end()
    if (!keep) rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

interface NodePorts {
  readonly postgresPort: number
  readonly restPort: number
}

type Ports = readonly [NodePorts, NodePorts]
