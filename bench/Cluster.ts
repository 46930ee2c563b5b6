/**
 * Server processes on free loopback ports, their output in files. What is started here is
 * ended here, by its process: at `stop`, and in any case when this process exits.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync, readFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import * as path from "node:path"
import * as MemberStatus from "./MemberStatus.ts"

export interface Address {
  readonly name: string
  readonly client: number
  readonly peer: number
}

/** How to start one member, given all of them. */
export interface Launch {
  readonly program: string
  readonly arguments: (own: Address, all: ReadonlyArray<Address>) => ReadonlyArray<string>
}

export interface Leader {
  readonly port: number
  readonly term: string
}

export class Cluster {
  readonly addresses: ReadonlyArray<Address>
  private readonly launch: Launch
  private readonly directory: string
  private readonly more: NodeJS.ProcessEnv
  private readonly children: Array<ChildProcess>

  private constructor(launch: Launch, directory: string, addresses: ReadonlyArray<Address>, more: NodeJS.ProcessEnv) {
    this.launch = launch
    this.directory = directory
    this.addresses = addresses
    this.more = more
    this.children = addresses.map((own) => this.spawn(own))
  }

  /** `more` goes into their environment. */
  static async start(
    launch: Launch,
    directory: string,
    names: ReadonlyArray<string>,
    more: NodeJS.ProcessEnv = {}
  ): Promise<Cluster> {
    const ports = await freePorts(2 * names.length)
    const addresses = names.map((name, at) => ({ name, client: ports[2 * at]!, peer: ports[2 * at + 1]! }))
    return new Cluster(launch, directory, addresses, more)
  }

  private spawn(own: Address): ChildProcess {
    const output = openSync(this.logOf(own), "a")
    const child = spawn(this.launch.program, this.launch.arguments(own, this.addresses), {
      cwd: this.directory,
      env: { ...environment(), ...this.more },
      stdio: ["ignore", output, output]
    })
    closeSync(output)
    child.on("error", () => undefined)
    // Before whatever else happens on exit, such as removing their files.
    process.prependOnceListener("exit", () => child.kill("SIGKILL"))
    return child
  }

  private logOf({ name }: Address): string {
    return path.join(this.directory, `${name}.log`)
  }

  /** All that it has said. */
  outputOf(at: number): string {
    return readFileSync(this.logOf(this.addresses[at]!), "utf8")
  }

  pidOf(at: number): number {
    return this.children[at]!.pid!
  }

  /** As if its power had been cut, but for what the system has yet to write. */
  kill(at: number): Promise<void> {
    return end(this.children[at]!)
  }

  /** One that was killed, with what it has on disk. */
  startAgain(at: number): void {
    this.children[at] = this.spawn(this.addresses[at]!)
  }

  get pids(): ReadonlyArray<number> {
    return this.children.flatMap(({ pid }) => pid ?? [])
  }

  /** Whom a majority follows; asks until there is one, or fails with what the servers had to say. */
  async leader(): Promise<Leader> {
    for (let attempt = 0; attempt < 300; attempt++) {
      this.checkAlive()
      const leaders = await Promise.all(this.addresses.map(({ client }) => MemberStatus.at(client)))
      const own = leaders.find((one) => one?.leads === true)
      const following = leaders.filter((one) => one?.leader === own?.leader && one?.term === own?.term)
      if (own !== undefined && following.length === this.addresses.length) return { port: own.port, term: own.term }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`no leader that all follow\n${this.lastWords()}`)
  }

  /** The first member, when it takes connections: for what has no elections. */
  async first(): Promise<Leader> {
    const port = this.addresses[0]!.client
    for (let attempt = 0; attempt < 300; attempt++) {
      this.checkAlive()
      if (await takesConnections(port)) return { port, term: "0" }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`nobody listens on port ${port}\n${this.lastWords()}`)
  }

  checkAlive(): void {
    const gone = this.children.findIndex(
      ({ pid, exitCode, signalCode }) => pid === undefined || exitCode !== null || signalCode !== null
    )
    if (gone >= 0) throw new Error(`${this.addresses[gone]!.name} has ended\n${this.lastWords()}`)
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map(end))
  }

  private lastWords(): string {
    return this.addresses
      .map(({ name }, at) => `--- ${name}.log\n${this.outputOf(at).split("\n").slice(-8).join("\n")}`)
      .join("\n")
  }
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

const takesConnections = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port })
    const settle = (isOpen: boolean): void => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once("connect", () => settle(true))
    socket.once("error", () => settle(false))
  })

/** Nothing of the caller's own set-up may make one of them start otherwise. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(BALSA_|NODE_OPTIONS$|ETCD_(?!UNSUPPORTED_ARCH))/.test(name))
  )

/** Held together until all are known, so that they differ. */
const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
