/** Real members of etcd, as Debian packages it, on loopback ports and in a temporary directory. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { command } from "../faults/Command.ts"
import type { Probe } from "../faults/Probe.ts"
import { eventually, freePorts } from "../process/RealCluster.ts"
import type { RealStore } from "./RealStore.ts"

export const etcd: Probe = {
  what: "etcd",
  advice: "apt-get install etcd-server",
  attempt: async () => void (await command("etcd", "--version"))
}

/** etcd's own client, which Debian packages by itself. */
export const etcdctl: Probe = {
  what: "etcdctl",
  advice: "apt-get install etcd-client",
  attempt: async () => void (await command("etcdctl", "--help"))
}

interface Member {
  readonly name: string
  readonly client: number
  readonly peer: number
  process: ChildProcess | undefined
  said: string
}

export class EtcdCluster implements RealStore {
  readonly #directory = mkdtempSync(path.join(tmpdir(), "balsa-etcd-"))
  readonly #members: ReadonlyArray<Member>

  private constructor(ports: ReadonlyArray<number>) {
    this.#members = Array.from({ length: ports.length / 2 }, (_, at) => ({
      name: `m${at}`,
      client: ports[2 * at]!,
      peer: ports[2 * at + 1]!,
      process: undefined,
      said: ""
    }))
  }

  /** When it answers, it has a leader. */
  static async start(count: number): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(await freePorts(2 * count))
    try {
      for (let at = 0; at < count; at++) cluster.run(at)
      await Promise.all(cluster.#members.map((_, at) => cluster.healthy(at)))
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  get ports(): ReadonlyArray<number> {
    return this.#members.map(({ client }) => client)
  }

  get endpoints(): ReadonlyArray<string> {
    return this.ports.map((port) => `127.0.0.1:${port}`)
  }

  run(at: number): void {
    const member = this.#members[at]!
    const client = `http://127.0.0.1:${member.client}`
    const peer = `http://127.0.0.1:${member.peer}`
    const args = [
      ["--name", member.name],
      ["--data-dir", path.join(this.#directory, member.name)],
      ["--listen-client-urls", client],
      ["--advertise-client-urls", client],
      ["--listen-peer-urls", peer],
      ["--initial-advertise-peer-urls", peer],
      ["--initial-cluster", this.#members.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(",")],
      ["--heartbeat-interval", "50"],
      ["--election-timeout", "500"],
      ["--log-level", "error"]
    ].flat()
    const child = spawn("etcd", args, { stdio: ["ignore", "pipe", "pipe"] })
    member.process = child
    const hear = (piece: unknown): void => {
      member.said = (member.said + String(piece)).slice(-4000)
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
  }

  async kill(at: number): Promise<void> {
    const { process } = this.#members[at]!
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return
    const gone = once(process, "exit")
    process.kill("SIGKILL")
    await gone
  }

  /** The one that says that it leads. */
  async leader(): Promise<number> {
    return eventually("a leader", async () => {
      for (const [at, { client }] of this.#members.entries()) {
        const status = await post(client, "/v3/maintenance/status").catch(() => undefined)
        const header = status?.["header"] as { member_id?: string } | undefined
        if (header !== undefined && status?.["leader"] === header.member_id) return at
      }
      return undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((_, at) => this.kill(at)))
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Until it answers and knows a leader. */
  async healthy(at: number): Promise<void> {
    const member = this.#members[at]!
    await eventually(`etcd ${member.name}`, async () => {
      const { exitCode } = member.process!
      if (exitCode !== null) throw new Error(`etcd ended with ${exitCode}: ${member.said}`)
      const status = await post(member.client, "/v3/maintenance/status").catch(() => undefined)
      return typeof status?.["leader"] === "string" ? true : undefined
    })
  }
}

const post = async (port: number, route: string): Promise<Record<string, unknown>> => {
  const answer = await fetch(`http://127.0.0.1:${port}${route}`, { method: "POST", body: "{}" })
  return (await answer.json()) as Record<string, unknown>
}
