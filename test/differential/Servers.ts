/** Servers to compare, on loopback ports and in a temporary directory; what is started here is ended here. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { eventually, freePorts, RealCluster } from "../process/RealCluster.ts"
import { type Endpoint, Side } from "./Side.ts"

export interface Started {
  readonly side: Side
  readonly stop: () => Promise<void>
  /** Without waiting, as the last thing before this process ends. */
  readonly kill: () => void
}

export const etcdProgram = process.env["ETCD_PROGRAM"] ?? "etcd"

/** `undefined` where there is none. */
export const etcdVersion = (): string | undefined => {
  const { status, stdout } = spawnSync(etcdProgram, ["--version"], { encoding: "utf8" })
  return status === 0 ? /etcd Version: (\S+)/.exec(stdout)?.[1] : undefined
}

/** A test without etcd fails, and says why: it must not pass by comparing nothing. */
export const howToGetEtcd = "there is no etcd to compare with: apt-get install etcd-server, or set ETCD_PROGRAM"

export const startEtcd = async (name = "etcd"): Promise<Started> => {
  if (etcdVersion() === undefined) throw new Error(howToGetEtcd)
  const directory = mkdtempSync(path.join(tmpdir(), "balsa-etcd-"))
  const [client, peer] = (await freePorts(2)) as [number, number]
  const clientUrl = `http://127.0.0.1:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const child = spawn(
    etcdProgram,
    [
      ["--data-dir", directory],
      ["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
      ["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
      ["--initial-cluster", `default=${peerUrl}`]
    ].flat(),
    { stdio: ["ignore", "ignore", "ignore"] }
  )
  const side = new Side(name, [{ host: "127.0.0.1", port: client }])
  const started = { side, stop: () => stop(child, side, directory), kill: () => child.kill("SIGKILL") }
  await answers(side, child)
  return started
}

const ids = ["A", "B", "C", "D", "E"]
export const mostReplicas = ids.length

export const startBalsa = async (replicas: number): Promise<Started> => {
  const cluster = await RealCluster.make(ids.slice(0, replicas))
  for (const id of cluster.ids) cluster.start(id)
  const endpoints: ReadonlyArray<Endpoint> = cluster.ids.map((id) => ({
    host: "127.0.0.1",
    port: cluster.ports.get(id)!.client
  }))
  const side = new Side("Balsa", endpoints)
  for (let replica = 0; replica < replicas; replica++) await answers(side, undefined, replica)
  const stop = async (): Promise<void> => {
    side.close()
    await cluster.stopAll()
  }
  return { side, stop, kill: () => cluster.killAll() }
}

/** Until it serves. */
const answers = async (side: Side, child?: ChildProcess, replica = 0): Promise<void> => {
  await eventually(`${side.name} serves`, async () => {
    if (child !== undefined && child.exitCode !== null) throw new Error(`${side.name} ended with ${child.exitCode}`)
    const { status } = await side.ask({ path: "/v3/kv/range", body: `{"key":"AA=="}` }, replica)
    return status === 200 ? true : undefined
  })
}

const stop = async (child: ChildProcess, side: Side, directory: string): Promise<void> => {
  side.close()
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  }
  rmSync(directory, { recursive: true, force: true })
}
