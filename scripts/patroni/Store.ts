/**
 * What Patroni keeps its leader in: three replicas of Balsa, or three members of etcd. The same
 * run against etcd says whether it is the run or Balsa that is to blame.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { freePorts, RealCluster } from "../../test/process/RealCluster.ts"
import type { StoreKind } from "./Installation.ts"

export interface Store {
  readonly kind: StoreKind
  /** `HOST:PORT` of each, for clients. */
  readonly addresses: ReadonlyArray<string>
  readonly ids: ReadonlyArray<string>
  readonly start: (id: string) => void
  /** At once, as a power cut would. */
  readonly kill: (id: string) => Promise<void>
  /** The address at which this one answers clients. */
  readonly address: (id: string) => string
  /** Without waiting, as the last thing before this process ends. */
  readonly end: () => void
}

interface Status {
  readonly leader: string | undefined
  readonly own: string | undefined
  readonly term: number
  readonly applied: number
}

/** Who says of itself that it leads, in the latest term that anybody knows. */
export const leaderOf = async (store: Store, among = store.ids): Promise<string | undefined> => {
  const all = await Promise.all(among.map(async (id) => ({ id, status: await statusOf(store, id) })))
  const latest = Math.max(...all.map(({ status }) => status?.term ?? 0))
  return all.find(
    ({ status }) => status?.leader !== undefined && status.leader === status.own && status.term === latest
  )?.id
}

/** How far it has come in the log; nothing while it does not answer or knows no leader. */
export const appliedBy = async (store: Store, id: string): Promise<number | undefined> => {
  const status = await statusOf(store, id)
  return status?.leader === undefined ? undefined : status.applied
}

const statusOf = async (store: Store, id: string): Promise<Status | undefined> => {
  try {
    const response = await fetch(`http://${store.address(id)}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
      signal: AbortSignal.timeout(1000)
    })
    const body = (await response.json()) as {
      header?: { member_id?: string }
      leader?: string
      raftTerm?: string
      raftAppliedIndex?: string
    }
    return {
      leader: body.leader,
      own: body.header?.member_id,
      term: Number(body.raftTerm ?? 0),
      applied: Number(body.raftAppliedIndex ?? 0)
    }
  } catch {
    return undefined
  }
}

const ids = ["A", "B", "C"]

export const make = (kind: StoreKind): Promise<Store> => (kind === "balsa" ? balsa() : etcd())

const balsa = async (): Promise<Store> => {
  const cluster = await RealCluster.make(ids)
  const address = (id: string) => `127.0.0.1:${cluster.ports.get(id)!.client}`
  return {
    kind: "balsa",
    ids,
    addresses: ids.map(address),
    address,
    start: (id) => void cluster.start(id),
    kill: (id) => cluster.kill(id),
    end: () => {
      cluster.killAll()
      rmSync(cluster.directory, { recursive: true, force: true, maxRetries: 3 })
    }
  }
}

const etcd = async (): Promise<Store> => {
  const directory = mkdtempSync(path.join(tmpdir(), "balsa-patroni-etcd-"))
  const ports = await freePorts(2 * ids.length)
  const processes = new Map<string, ChildProcess>()
  const address = (id: string) => `127.0.0.1:${ports[2 * ids.indexOf(id)]}`
  const peer = (id: string) => `http://127.0.0.1:${ports[2 * ids.indexOf(id) + 1]}`
  const client = (id: string) => `http://${address(id)}`
  return {
    kind: "etcd",
    ids,
    addresses: ids.map(address),
    address,
    start: (id) => {
      const settings = {
        name: id,
        "data-dir": path.join(directory, id),
        "listen-client-urls": client(id),
        "advertise-client-urls": client(id),
        "listen-peer-urls": peer(id),
        "initial-advertise-peer-urls": peer(id),
        "initial-cluster": ids.map((other) => `${other}=${peer(other)}`).join(",")
      }
      const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
      processes.set(id, spawn("etcd", args, { stdio: "ignore" }))
    },
    kill: async (id) => {
      const child = processes.get(id)!
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, "exit")
      child.kill("SIGKILL")
      await gone
    },
    end: () => {
      for (const child of processes.values()) child.kill("SIGKILL")
      rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
    }
  }
}
