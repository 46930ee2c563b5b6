/**
 * Three real replicas, clients that never tire, and faults from a seed: phase by phase until
 * the time is up, then everything heals and the cluster has to show that it is whole. Keys
 * are judged while it goes on, so that a long run ends soon after something went wrong.
 */
import { stream } from "../../src/sim/Random.ts"
import { Clients, sleep } from "./Clients.ts"
import * as Fault from "./Fault.ts"
import { Recorder, type Operation, type Outcome } from "./History.ts"
import { judgeKey, judgeRevisions } from "./Judge.ts"
import { Network } from "./Network.ts"
import { RealCluster } from "./RealCluster.ts"
import { recover } from "./Recovery.ts"

export interface NemesisOptions {
  readonly seed: number
  /** How long faults go on; recovery comes after it. */
  readonly seconds: number
  readonly say: (line: string) => void
}

export interface Report {
  /** Lines; none if all is well. */
  readonly problems: ReadonlyArray<string>
  readonly history: ReadonlyArray<Operation>
  readonly total: Readonly<Record<Outcome, number>>
  readonly keys: number
  /** How often each kind of fault began. */
  readonly faults: ReadonlyMap<string, number>
}

export const run = async (options: NemesisOptions): Promise<Report> => {
  const cluster = await RealCluster.make(["A", "B", "C"])
  const network = await Network.between(cluster.ports)
  cluster.peerPort = network.port
  // Whoever ends this process ends the replicas with it.
  const killAll = (): void => cluster.killAll()
  process.once("exit", killAll)
  try {
    return await torment(options, { cluster, network, random: stream(options.seed, "targets") })
  } finally {
    process.off("exit", killAll)
    await cluster.stopAll()
    await network.close()
  }
}

const torment = async ({ seed, seconds, say }: NemesisOptions, stage: Fault.Stage): Promise<Report> => {
  const { cluster } = stage
  const recorder = new Recorder()
  const clients = new Clients({ cluster, recorder, random: stream(seed, "clients") })
  const court = new Court(recorder)
  const faults = new Map<string, number>()
  const problems: Array<string> = []
  for (const id of cluster.ids) cluster.start(id)
  await cluster.leader()
  const asking = clients.run()
  const progress = (what: string): void => {
    const { ok, refused, unknown } = recorder.total
    const at = (recorder.now() / 1000).toFixed(1)
    say(`${at} s: ${ok} ok, ${refused} refused, ${unknown} unknown, ${clients.keys.size} keys; ${what}`)
  }
  try {
    const random = stream(seed, "plan")
    let deck: Array<Fault.Fault["_tag"]> = []
    while (recorder.now() < seconds * 1000 && problems.length === 0) {
      if (deck.length === 0) deck = shuffled(Fault.kinds, random.below)
      const drawn = [deck.pop()!, ...(random.chance(0.3) ? [random.pick(Fault.kinds)] : [])]
      const phase = drawn.map((kind) => Fault.draw(random, kind))
      for (const { _tag } of phase) faults.set(_tag, (faults.get(_tag) ?? 0) + 1)
      const millis = random.between(1200, 3500)
      const quietMillis = random.between(100, 1500)
      await endure(phase, stage, { millis, progress })
      await sleep(quietMillis)
      problems.push(...endings(cluster), ...(await court.sit(clients.keys)))
    }
    if (problems.length === 0) {
      progress("everything heals")
      problems.push(...(await recover(stage, { clients, stop: () => (clients.stop(), asking) })))
      problems.push(...endings(cluster), ...(await court.sit(clients.keys)))
    }
  } catch (error) {
    problems.push(`the run broke off: ${String(error)}`)
  }
  clients.stop()
  if (problems.length > 0) problems.push(...cluster.ids.flatMap((id) => lastLines(cluster, id)))
  const report = { problems, history: recorder.history(), total: recorder.total, keys: clients.keys.size, faults }
  progress(problems.length === 0 ? "all is well" : "something is wrong")
  return report
}

const endure = async (
  phase: ReadonlyArray<Fault.Fault>,
  stage: Fault.Stage,
  { millis, progress }: { readonly millis: number; readonly progress: (what: string) => void }
): Promise<void> => {
  const running: Array<Fault.Running> = []
  try {
    for (const fault of phase) {
      const begun = await Fault.begin(fault, stage)
      running.push(begun)
      progress(
        `${Fault.show(fault)}${begun.target === undefined ? "" : ` (${begun.target})`}, ${Math.round(millis)} ms`
      )
    }
    await sleep(millis)
  } finally {
    await Promise.all(running.map(({ end }) => end()))
    stage.network.heal()
  }
}

/** Judges each key once for every time that its history has grown, a key at a time: clients go on meanwhile. */
class Court {
  private readonly recorder: Recorder
  private readonly judged = new Map<string, number>()

  constructor(recorder: Recorder) {
    this.recorder = recorder
  }

  async sit(keys: ReadonlySet<string>): Promise<ReadonlyArray<string>> {
    const problems: Array<string> = []
    for (const key of keys) {
      const history = this.recorder.ofKey(key)
      const ended = history.filter(({ outcome }) => outcome === "ok").length
      if (this.judged.get(key) === ended) continue
      this.judged.set(key, ended)
      problems.push(...judgeKey(history))
      await sleep(0)
    }
    return [...problems, ...judgeRevisions(this.recorder.history())]
  }
}

const endings = (cluster: RealCluster): ReadonlyArray<string> =>
  cluster.endedByThemselves().map(({ id, child }) => `replica ${id} ended by itself, with code ${child.exitCode}`)

const lastLines = (cluster: RealCluster, id: string): ReadonlyArray<string> => [
  `the last that ${id} said:`,
  ...cluster
    .process(id)
    .log()
    .trimEnd()
    .split("\n")
    .slice(-12)
    .map((line) => `  ${line}`)
]

const shuffled = <A>(all: ReadonlyArray<A>, below: (bound: number) => number): Array<A> => {
  const rest = [...all]
  return Array.from(all, () => rest.splice(below(rest.length), 1)[0]!)
}
