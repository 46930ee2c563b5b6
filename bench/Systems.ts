/**
 * The systems that are compared, each as three members with the same durability: a write is
 * acknowledged when a majority has synced it. Same heartbeat and election timeout for both.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync } from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { Cluster, type Launch } from "./Cluster.ts"
import type { SystemName } from "./Options.ts"

export interface System {
  readonly name: SystemName
  readonly version: string
  readonly cluster: Cluster
}

const heartbeatMillis = 100
const electionTimeoutMillis = 1000

const program = fileURLToPath(new URL("../dist/main.js", import.meta.url))

/** Why this one cannot be started here; undefined if it can. */
export const missing = (name: SystemName): string | undefined => {
  switch (name) {
    case "balsa":
      return existsSync(program) ? undefined : "dist/main.js is not there; build it first: npm run build"
    case "etcd":
      return spawnSync("etcd", ["--version"]).status === 0
        ? undefined
        : "etcd is not installed (Debian: apt-get install etcd-server), so there is nothing to compare with"
  }
}

export const start = async (name: SystemName, parent: string): Promise<System> => {
  const directory = path.join(parent, name)
  mkdirSync(directory)
  const launch = name === "balsa" ? balsa(directory) : etcd(directory)
  const cluster = await Cluster.start(launch, directory, ["A", "B", "C"])
  await cluster.leader()
  return { name, version: await versionAt(cluster.addresses[0]!.client), cluster }
}

/** A copy is started: a build that comes in between does not change what is measured. */
const balsa = (directory: string): Launch => {
  const copy = path.join(directory, "main.mjs")
  copyFileSync(program, copy)
  return {
    program: process.execPath,
    arguments: (own, all) => [
      copy,
      ...flags({
        id: own.name,
        peers: all.flatMap(({ name, peer }) => (name === own.name ? [] : `${name}=127.0.0.1:${peer}`)).join(","),
        "data-dir": path.join(directory, own.name),
        "listen-client": `127.0.0.1:${own.client}`,
        "listen-peer": `127.0.0.1:${own.peer}`,
        heartbeat: `${heartbeatMillis}ms`,
        "election-timeout": `${electionTimeoutMillis}ms`
      })
    ]
  }
}

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

const flags = (values: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(values).flatMap(([name, value]) => [`--${name}`, value])

const versionAt = async (port: number): Promise<string> => {
  const response = await fetch(`http://127.0.0.1:${port}/version`, { signal: AbortSignal.timeout(5000) })
  const version = (await response.json()) as { readonly balsa?: string; readonly etcdserver?: string }
  return version.balsa ?? version.etcdserver ?? "?"
}
