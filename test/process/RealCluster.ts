/**
 * Real replicas: processes of `dist/main.js` on loopback ports and in a temporary directory.
 * Everything that is started here is ended here, by its process id.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"

/** Another build can be put to the test, such as one that is known to be wrong. */
export const program = path.resolve(process.env["BALSA_PROGRAM"] ?? "dist/main.js")

export interface ReplicaProcess {
  readonly id: string
  readonly child: ChildProcess
  /** All that it has printed. */
  readonly log: () => string
}

export interface Ports {
  readonly client: number
  readonly peer: number
}

export class RealCluster {
  readonly directory: string
  readonly ports: ReadonlyMap<string, Ports>
  /** Where `from` dials `to`; a network of proxies may stand between them. */
  peerPort = (_from: string, to: string): number => this.ports.get(to)!.peer
  private readonly processes = new Map<string, ReplicaProcess>()
  private readonly all: Array<ReplicaProcess> = []

  private constructor(directory: string, ports: ReadonlyMap<string, Ports>) {
    this.directory = directory
    this.ports = ports
  }

  static async make(ids: ReadonlyArray<string>): Promise<RealCluster> {
    if (!existsSync(program)) throw new Error(`${program} is not there; build it first: npm run build`)
    const free = await freePorts(2 * ids.length)
    const ports = new Map(ids.map((id, at) => [id, { client: free[2 * at]!, peer: free[2 * at + 1]! }]))
    return new RealCluster(mkdtempSync(path.join(tmpdir(), "balsa-process-")), ports)
  }

  get ids(): ReadonlyArray<string> {
    return [...this.ports.keys()]
  }

  arguments(id: string): ReadonlyArray<string> {
    const peers = this.ids.filter((other) => other !== id)
    const addresses = peers.map((other) => `${other}=127.0.0.1:${this.peerPort(id, other)}`)
    return [...this.place(id), "--peers", addresses.join(",")]
  }

  /** Of one that begins a cluster alone, or belongs to one already. */
  place(id: string): ReadonlyArray<string> {
    const { client, peer } = this.ports.get(id)!
    const listen = ["--listen-client", `127.0.0.1:${client}`, "--listen-peer", `127.0.0.1:${peer}`]
    return ["--id", id, "--data-dir", path.join(this.directory, id), ...listen]
  }

  start(id: string, args: ReadonlyArray<string> = this.arguments(id)): ReplicaProcess {
    const started = run(args, id)
    this.processes.set(id, started)
    this.all.push(started)
    return started
  }

  /** A replica that is new asks these members to take it in. */
  join(id: string, through: ReadonlyArray<string>): ReplicaProcess {
    const addresses = through.map((member) => `127.0.0.1:${this.ports.get(member)!.client}`)
    return this.start(id, [...this.place(id), "--join", addresses.join(",")])
  }

  /** Tells one to stop, and gives its exit code. */
  async stop(id: string): Promise<number | null> {
    await end(this.process(id), "SIGTERM")
    return this.process(id).child.exitCode
  }

  /** Who votes, as this replica has it, once no change is under way. */
  async voters(id: string): Promise<ReadonlyArray<string> | undefined> {
    const answer = await this.post(id, "/balsa/v1/members", {}, 1000).catch(() => undefined)
    const body = answer?.body as MembersAnswer | undefined
    if (body === undefined || body.configuration.joint || !body.configuration.committed) return undefined
    return body.members.filter(({ role }) => role === "voter").map((member) => member.id)
  }

  /** Starts it unless it runs. */
  revive(id: string): void {
    if (hasEnded(this.process(id))) this.start(id)
  }

  process(id: string): ReplicaProcess {
    return this.processes.get(id)!
  }

  /** Ends one at once, as a power cut would, and waits until it is gone. */
  async kill(id: string): Promise<void> {
    await end(this.process(id), "SIGKILL")
  }

  /** It stands still, keeps its connections and memory, and knows nothing of it. */
  freeze(id: string): void {
    this.process(id).child.kill("SIGSTOP")
  }

  thaw(id: string): void {
    this.process(id).child.kill("SIGCONT")
  }

  /** Those that nobody killed, and that ended all the same. */
  endedByThemselves(): ReadonlyArray<ReplicaProcess> {
    return this.all.filter(({ child }) => child.exitCode !== null)
  }

  /** Without waiting, as the last thing before this process ends. */
  killAll(): void {
    for (const one of this.processes.values()) if (!hasEnded(one)) one.child.kill("SIGKILL")
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.processes.values()].map((one) => end(one, "SIGKILL")))
    rmSync(this.directory, { recursive: true, force: true })
  }

  async post(id: string, route: string, body: object, timeoutMillis = 8000): Promise<Answer> {
    return post(this.ports.get(id)!.client, route, body, timeoutMillis)
  }

  /** The id of the replica that says it leads, in the latest term that anybody knows; tries until one does. */
  async leader(among: ReadonlyArray<string> = this.ids): Promise<string> {
    return eventually("a leader", () => this.leaderNow(among))
  }

  /** The same, if there is one at the moment. */
  async leaderNow(among: ReadonlyArray<string> = this.ids): Promise<string | undefined> {
    const logs = await Promise.all(
      among.map(async (id) => {
        const answer = await this.post(id, "/v3/maintenance/status", {}, 500).catch(() => undefined)
        const status = answer?.body as
          | { header?: { member_id?: string }; leader?: string; raftTerm?: string }
          | undefined
        const leads = status?.leader !== undefined && status.leader === status.header?.member_id
        return { id, leads, term: Number(status?.raftTerm ?? 0) }
      })
    )
    const latest = Math.max(...logs.map(({ term }) => term))
    return logs.find(({ leads, term }) => leads && term === latest)?.id
  }
}

interface MembersAnswer {
  readonly configuration: { readonly joint: boolean; readonly committed: boolean }
  readonly members: ReadonlyArray<{ readonly id: string; readonly role: string }>
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

const post = async (port: number, route: string, body: object, timeoutMillis: number): Promise<Answer> => {
  const response = await fetch(`http://127.0.0.1:${port}${route}`, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMillis)
  })
  return { status: response.status, body: await response.json() }
}

/** A replica with these arguments, its output gathered. */
export const run = (args: ReadonlyArray<string>, id = "?", node = process.execPath): ReplicaProcess => {
  const child = spawn(node, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] })
  const pieces: Array<string> = []
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => pieces.push(String(piece)))
  return { id, child, log: () => pieces.join("") }
}

export const hasEnded = ({ child }: ReplicaProcess): boolean => child.exitCode !== null || child.signalCode !== null

const end = async (one: ReplicaProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> => {
  if (hasEnded(one)) return
  const gone = once(one.child, "exit")
  one.child.kill(signal)
  await gone
}

/** The exit code of a process that ends by itself, and what it printed. */
export const outcome = async (one: ReplicaProcess): Promise<{ code: number | null; log: string }> => {
  if (!hasEnded(one)) await once(one.child, "close")
  return { code: one.child.exitCode, log: one.log() }
}

/** Tries until there is a result; fails loudly when there is none in time. */
export const eventually = async <A>(
  what: string,
  attempt: () => Promise<A | undefined>,
  millis = 30_000
): Promise<A> => {
  const start = performance.now()
  while (performance.now() - start < millis) {
    const result = await attempt()
    if (result !== undefined) return result
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${what}: not within ${millis} ms`)
}

/**
 * Ports that nobody listens on, held together until all are known so that they differ. Below those
 * that the system gives to outgoing connections: one of these could take the port of a replica
 * that is down, and a replica that dials it could then even be connected with itself.
 */
export const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers: Array<Server> = []
  while (servers.length < count) {
    const server = createServer().listen(12_000 + Math.floor(Math.random() * 20_000), "127.0.0.1")
    const listening = once(server, "listening").then(
      () => true,
      () => false
    )
    if (await listening) servers.push(server)
  }
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

export const base64 = (text: string): string => Buffer.from(text).toString("base64")
