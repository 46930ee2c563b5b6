/** Replicas that tell of themselves, and waiting for what they are to come to. */
import * as Systems from "./Systems.ts"
import type { Cluster } from "./Cluster.ts"
import * as MemberStatus from "./MemberStatus.ts"
import * as SnapshotLog from "./SnapshotLog.ts"
import { type Vital, VitalsFile } from "./VitalsFile.ts"

export class WatchedCluster {
  readonly cluster: Cluster
  private readonly vitals: string

  private constructor(cluster: Cluster, vitals: string) {
    this.cluster = cluster
    this.vitals = vitals
  }

  /** So many replicas. */
  static async start(
    directory: string,
    { count, ...how }: Omit<Systems.Watched, "names"> & { readonly count: number }
  ): Promise<WatchedCluster> {
    const names = Array.from({ length: count }, (_, at) => String.fromCodePoint(firstName + at))
    const nodeFlags = ["--expose-gc", ...(how.nodeFlags ?? [])]
    const { cluster, vitals } = await Systems.startWatched(directory, { ...how, names, nodeFlags })
    await cluster.leader()
    return new WatchedCluster(cluster, vitals)
  }

  /** As the benchmark's systems, spoken to in Redis' protocol or as gateway. */
  as(name: "balsa" | "gateway"): Pick<Systems.System, "name" | "cluster" | "dialect" | "leader"> {
    const { cluster } = this
    return { name, cluster, dialect: name === "balsa" ? "resp" : "http", leader: () => cluster.leader() }
  }

  get size(): number {
    return this.cluster.addresses.length
  }

  async leaderAt(): Promise<number> {
    const { port } = await this.cluster.leader()
    return this.cluster.addresses.findIndex(({ client }) => client === port)
  }

  /** What it tells next, as it is. */
  async latest(at: number): Promise<Vital> {
    const file = new VitalsFile(this.vitals, this.cluster.pidOf(at))
    file.news()
    let found: Vital | undefined
    await this.until(`replica ${at} tells of itself`, () => {
      found = file.news().at(-1)
      return found !== undefined
    })
    return found!
  }

  /** After a full collection. Long ones may cost the leader its place: whoever asks for it next waits. */
  async collected(at: number): Promise<Vital> {
    const pid = this.cluster.pidOf(at)
    const file = new VitalsFile(this.vitals, pid)
    file.news()
    process.kill(pid, "SIGUSR2")
    let found: Vital | undefined
    await this.until(`replica ${at} has collected`, () => {
      found = file.news().find(({ collected }) => collected)
      return found !== undefined
    })
    return found!
  }

  /** The longest that an event loop did not turn since then, of any of them. */
  longestPauseSince(epochMillis: number): number {
    const each = this.cluster.pids.flatMap((pid) => new VitalsFile(this.vitals, pid).all())
    return Math.max(0, ...each.filter(({ at }) => at >= epochMillis).map(({ pauseMillis }) => pauseMillis))
  }

  snapshots(at: number): SnapshotLog.SnapshotLog {
    return SnapshotLog.read(this.cluster.outputOf(at))
  }

  /** All have applied what the leader has committed, and none takes a snapshot. */
  async quiet(): Promise<void> {
    const { port } = await this.cluster.leader()
    const leader = await MemberStatus.at(port)
    const most = leader?.commitIndex ?? 0
    for (let at = 0; at < this.size; at++) {
      await this.until(`replica ${at} has applied all`, () => this.hasApplied(at, most))
      await this.until(`replica ${at} is done with its snapshot`, () => !SnapshotLog.isTaking(this.snapshots(at)))
    }
  }

  async hasApplied(at: number, index: number): Promise<boolean> {
    const status = await MemberStatus.at(this.cluster.addresses[at]!.client)
    return status !== undefined && status.appliedIndex >= index
  }

  /** Fails if one of them ends, or it takes too long. */
  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + longestMillis
    while (!(await isSo())) {
      this.cluster.checkAlive()
      if (performance.now() > deadline) throw new Error(`waited ${longestMillis} ms until ${what}`)
      await new Promise((resolve) => setTimeout(resolve, pollMillis))
    }
  }
}

const firstName = 0x41
const pollMillis = 20
const longestMillis = 300_000
