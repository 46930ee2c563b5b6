/**
 * The systems that are compared, with the same durability: a write is acknowledged when a majority of three
 * has synced it, in Redis' case when it alone has. Same heartbeat and election timeout for Balsa and etcd.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync } from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { type Address, Cluster, type Launch, type Leader } from "./Cluster.ts"
import type { DialectName } from "./Dialect.ts"
import type { SystemName } from "./Options.ts"

export interface System {
  readonly name: SystemName
  readonly version: string
  readonly cluster: Cluster
  readonly dialect: DialectName
  readonly leader: () => Promise<Leader>
}

const heartbeatMillis = 100
const electionTimeoutMillis = 1000

const local = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const program = local("../dist/main.js")

/** Why this one cannot be started here, and how to get it; undefined if it can. */
export const missing = (name: SystemName): string | undefined => {
  switch (name) {
    case "balsa":
    case "gateway":
      return existsSync(program) ? undefined : "dist/main.js is not there; build it first: npm run build"
    case "etcd":
      return isThere("etcd") ? undefined : "etcd is not installed (Debian: apt-get install etcd-server)"
    case "redis":
      return isThere("redis-server") ? undefined : "Redis is not installed (Debian: apt-get install redis-server)"
    case "bare":
      return undefined
  }
}

const isThere = (command: string): boolean => spawnSync(command, ["--version"]).status === 0

/** Balsa and its gateway are two ways to the same replicas. */
export const startAll = async (names: ReadonlyArray<SystemName>, parent: string): Promise<ReadonlyArray<System>> => {
  const systems: Array<System> = []
  for (const name of names) {
    const sibling = systems.find((one) => one.name === (name === "balsa" ? "gateway" : "balsa"))
    if (sibling !== undefined && (name === "balsa" || name === "gateway")) {
      systems.push({ ...sibling, name, dialect: dialects[name] })
    } else systems.push(await start(name, parent))
  }
  return systems
}

const dialects: { readonly [name in SystemName]: DialectName } = {
  balsa: "balsa",
  gateway: "http",
  etcd: "grpc",
  redis: "resp",
  bare: "resp"
}

const start = async (name: SystemName, parent: string): Promise<System> => {
  const directory = path.join(parent, name)
  mkdirSync(directory)
  const members = name === "redis" ? ["A"] : ["A", "B", "C"]
  const cluster = await Cluster.start(launchOf(name, directory), directory, members)
  const leader = name === "redis" || name === "bare" ? () => cluster.first() : () => cluster.leader()
  const { port } = await leader()
  return { name, version: await versionOf(name, port), cluster, dialect: dialects[name], leader }
}

const launchOf = (name: SystemName, directory: string): Launch => {
  switch (name) {
    case "balsa":
    case "gateway":
      return balsa(directory)
    case "etcd":
      return etcd(directory)
    case "redis":
      return redis(directory)
    case "bare":
      return bare(directory)
  }
}

/** A copy is started: a build that comes in between does not change what is measured. */
const balsa = (directory: string): Launch => balsaBy([copied(directory)], directory)

const copied = (directory: string): string => {
  const copy = path.join(directory, "main.mjs")
  copyFileSync(program, copy)
  return copy
}

/** From its sources, where every function still has its file. */
export const startForProfile = async (parent: string, preload: string): Promise<Cluster> => {
  const launch = balsaBy(["--import", preload, local("../src/main.ts")], parent)
  return Cluster.start(launch, parent, ["A", "B", "C"])
}

export interface Watched {
  readonly names: ReadonlyArray<string>
  /** Of Balsa, beside those that say who is who. */
  readonly flags?: Readonly<Record<string, string>>
  /** Of Node. */
  readonly nodeFlags?: ReadonlyArray<string>
}

/** With what each says of itself in files that begin with `vitals` (see Vitals). */
export const startWatched = async (directory: string, { names, flags = {}, nodeFlags = [] }: Watched) => {
  const vitals = path.join(directory, "vitals")
  const start = [...nodeFlags, "--import", local("./Vitals.ts"), copied(directory)]
  const cluster = await Cluster.start(balsaBy(start, directory, flags), directory, names, { VITALS: vitals })
  return { cluster, vitals }
}

/** Where a replica that `startWatched` has started keeps its log and snapshots. */
export const dataDirectoryOf = (directory: string, name: string): string => path.join(directory, name)

const balsaBy = (
  start: ReadonlyArray<string>,
  directory: string,
  more: Readonly<Record<string, string>> = {}
): Launch => ({
  program: process.execPath,
  arguments: (own, all) => [
    ...start,
    ...flags({
      id: own.name,
      peers: all.flatMap(({ name, peer }) => (name === own.name ? [] : `${name}=127.0.0.1:${peer}`)).join(","),
      "data-dir": dataDirectoryOf(directory, own.name),
      "listen-client": `127.0.0.1:${own.client}`,
      "listen-peer": `127.0.0.1:${own.peer}`,
      heartbeat: `${heartbeatMillis}ms`,
      "election-timeout": `${electionTimeoutMillis}ms`,
      ...more
    })
  ]
})

const etcd = (directory: string): Launch => ({
  program: "etcd",
  arguments: (own, all) =>
    flags({
      name: own.name,
      "initial-cluster": all.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(","),
      "initial-cluster-state": "new",
      "data-dir": path.join(directory, own.name),
      "listen-client-urls": `http://127.0.0.1:${own.client}`,
      "advertise-client-urls": `http://127.0.0.1:${own.client}`,
      "listen-peer-urls": `http://127.0.0.1:${own.peer}`,
      "initial-advertise-peer-urls": `http://127.0.0.1:${own.peer}`,
      "heartbeat-interval": String(heartbeatMillis),
      "election-timeout": String(electionTimeoutMillis),
      // It keeps every old value; at its default of 2 GB a long run would end in "no space".
      "quota-backend-bytes": String(8 * 1024 ** 3),
      logger: "zap",
      "log-outputs": "stderr",
      "log-level": "warn"
    })
})

const redis = (directory: string): Launch => ({
  program: "redis-server",
  arguments: ({ client }) =>
    flags({
      bind: "127.0.0.1",
      port: String(client),
      dir: directory,
      appendonly: "yes",
      appendfsync: "always",
      save: ""
    })
})

const bare = (directory: string): Launch => ({
  program: process.execPath,
  arguments: (own, all) => {
    const first: Address = all[0]!
    const log = path.join(directory, `${own.name}.bare`)
    const role =
      own === first ? ["leader", String(own.client), String(own.peer), log] : ["follower", String(first.peer), log]
    return [local("./bare.ts"), ...role]
  }
})

const flags = (values: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(values).flatMap(([name, value]) => [`--${name}`, value])

const versionOf = async (name: SystemName, port: number): Promise<string> => {
  if (name === "redis") {
    return /v=(\S+)/.exec(spawnSync("redis-server", ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "?"
  }
  if (name === "bare") return process.version
  const response = await fetch(`http://127.0.0.1:${port}/version`, { signal: AbortSignal.timeout(5000) })
  const version = (await response.json()) as { readonly balsa?: string; readonly etcdserver?: string }
  return version.balsa ?? version.etcdserver ?? "?"
}
