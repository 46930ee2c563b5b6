/**
 * Three real replicas under load while something happens to their disks, and a verdict on them: in
 * the end the cluster has to be whole again, the clients' history linearizable, and everything
 * there that was acknowledged. Some of what is written is small and often, some large.
 */
import { symlinkSync } from "node:fs"
import * as path from "node:path"
import { stream } from "../../src/sim/Random.ts"
import { Clients } from "../process/Clients.ts"
import { type Operation, Recorder } from "../process/History.ts"
import { judgeKey, judgeRevisions } from "../process/Judge.ts"
import { Network } from "../process/Network.ts"
import { eventually, outcome, RealCluster, type ReplicaProcess } from "../process/RealCluster.ts"
import { recover } from "../process/Recovery.ts"
import { Bulk } from "./Bulk.ts"
import { type Drive, Drives } from "./Drives.ts"
import { type Injection, Strace } from "./Strace.ts"

export interface TrialOptions {
  readonly seed?: number
  /** The file systems of data directories; without one, a replica has its directory where temporary files go. */
  readonly drive?: (drives: Drives, id: string) => Promise<Drive | undefined>
  readonly bulkBytes?: number
  /** For each replica, besides those that it needs. */
  readonly flags?: ReadonlyArray<string>
  /** Where the history goes if it is kept. */
  readonly name: string
}

export interface Ending {
  readonly code: number | null
  readonly log: string
  /** Since it was waited for. */
  readonly millis: number
}

export interface Verdict {
  /** Lines; none if all is well. */
  readonly problems: ReadonlyArray<string>
  readonly history: ReadonlyArray<Operation>
}

export class Trial {
  readonly cluster: RealCluster
  readonly drives: Drives
  readonly recorder = new Recorder()
  readonly clients: Clients
  readonly bulk: Bulk
  private readonly straces: Array<Strace> = []
  private readonly started: Array<ReplicaProcess> = []
  private readonly expected = new Set<ReplicaProcess>()
  private load: Promise<unknown> = Promise.resolve()

  private constructor(cluster: RealCluster, drives: Drives, { seed = 1, bulkBytes = 100_000 }: TrialOptions) {
    this.cluster = cluster
    this.drives = drives
    this.clients = new Clients({ cluster, recorder: this.recorder, random: stream(seed, "clients") })
    this.bulk = new Bulk({ cluster, random: stream(seed, "bulk"), bytes: bulkBytes })
  }

  /** Starts a cluster and its load, lets `act` do its worst, and cleans up whatever comes of it. */
  static async of<A>(options: TrialOptions, act: (trial: Trial) => Promise<A>): Promise<A> {
    const drives = new Drives()
    const cluster = await RealCluster.make(["A", "B", "C"])
    const needed = cluster.arguments.bind(cluster)
    cluster.arguments = (id) => [...needed(id), ...(options.flags ?? [])]
    const trial = new Trial(cluster, drives, options)
    const start = cluster.start.bind(cluster)
    cluster.start = (id) => {
      const one = start(id)
      trial.started.push(one)
      return one
    }
    const killAll = (): void => cluster.killAll()
    // Before the drives go, which do so at the end as well: they were told to first.
    process.prependOnceListener("exit", killAll)
    try {
      await trial.begin(options)
      return await act(trial)
    } finally {
      process.off("exit", killAll)
      trial.stopLoad()
      await Promise.all(trial.straces.map((strace) => strace.detach()))
      await cluster.stopAll()
      await drives.close()
    }
  }

  private async begin({ drive }: TrialOptions): Promise<void> {
    const { cluster } = this
    for (const id of cluster.ids) {
      const own = await drive?.(this.drives, id)
      if (own !== undefined) symlinkSync(own.mount, this.directory(id))
    }
    for (const id of cluster.ids) cluster.start(id)
    await cluster.leader()
    this.load = Promise.all([this.clients.run(), this.bulk.run()])
    await this.progress(50)
  }

  directory(id: string): string {
    return path.join(this.cluster.directory, id)
  }

  others(id: string): ReadonlyArray<string> {
    return this.cluster.ids.filter((other) => other !== id)
  }

  /** A replica that has this part now. */
  async one(role: "leader" | "follower"): Promise<string> {
    const leader = await this.cluster.leader()
    return role === "leader" ? leader : this.others(leader)[0]!
  }

  /** From now on, until it is detached, or the end. */
  async inject(id: string, injection: Injection): Promise<Strace> {
    const strace = await Strace.attach(this.cluster.process(id).child.pid!, injection)
    this.straces.push(strace)
    return strace
  }

  /** Waits until so many more operations have been acknowledged. */
  async progress(operations: number, millis = 20_000): Promise<void> {
    const before = this.recorder.total.ok
    await eventually(
      `${operations} operations`,
      async () => (this.recorder.total.ok >= before + operations ? true : undefined),
      millis
    )
  }

  /** Waits for a replica that has to end by itself. */
  async ending(id: string, millis = 10_000): Promise<Ending> {
    const one = this.cluster.process(id)
    const began = performance.now()
    this.expected.add(one)
    const ended = await Promise.race([
      outcome(one),
      new Promise<undefined>((resolve) => setTimeout(resolve, millis, undefined).unref())
    ])
    if (ended === undefined) throw new Error(`${id} did not end within ${millis} ms:\n${one.log()}`)
    return { ...ended, millis: performance.now() - began }
  }

  private stopLoad(): void {
    this.clients.stop()
    this.bulk.stop()
  }

  /** Everything heals: those that ended are started again. Then what there is to say against the cluster. */
  async verdict(): Promise<Verdict> {
    const { cluster, clients, recorder } = this
    const nothingBetween = await Network.between(new Map())
    const stage = { cluster, network: nothingBetween, random: stream(1, "unused") }
    const stop = async (): Promise<void> => {
      this.stopLoad()
      await this.load
    }
    await Promise.all(this.straces.splice(0).map((strace) => strace.detach()))
    const problems = [...(await recover(stage, { clients, stop }))]
    if (problems.length === 0) problems.push(...(await this.bulk.check()))
    if (problems.length === 0) for (const id of cluster.ids) problems.push(...(await this.unwell(id)))
    for (const one of this.started) problems.push(...this.complaints(one))
    for (const key of clients.keys) problems.push(...judgeKey(recorder.ofKey(key)))
    problems.push(...judgeRevisions(recorder.history()))
    return { problems, history: recorder.history() }
  }

  /** Every replica comes to count as one that holds what it promised, and to know of no trouble. */
  private async unwell(id: string): Promise<ReadonlyArray<string>> {
    let last: unknown
    const well = eventually(`the status of ${id}`, async () => {
      const { body } = await this.cluster.post(id, "/v3/maintenance/status", {})
      const { errors, balsa } = (last = body) as {
        errors?: unknown
        balsa?: { admitted: boolean; divergedAt?: number }
      }
      return errors === undefined && balsa?.admitted === true && balsa.divergedAt === undefined ? true : undefined
    })
    return well.then(
      () => [],
      () => [`${id} is not well: ${JSON.stringify(last)}`]
    )
  }

  /** Of a replica that should not have ended, or whose disk was not what it must be. */
  private complaints(one: ReplicaProcess): ReadonlyArray<string> {
    const { id, child, log } = one
    const ended = child.exitCode !== null && !this.expected.has(one)
    return [
      ...(ended ? [`${id} ended by itself, with code ${child.exitCode}`] : []),
      ...log()
        .split("\n")
        .filter((line) => /no longer admitted|come to differ|damaged/.test(line))
    ]
  }

  /** The last lines of everybody. */
  story(lines = 12): ReadonlyArray<string> {
    return this.cluster.ids.flatMap((id) => [
      `the last that ${id} said:`,
      ...this.cluster.process(id).log().trimEnd().split("\n").slice(-lines)
    ])
  }
}
