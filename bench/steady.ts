/**
 * An hour, or as long as one likes, of steady load on three replicas: whether memory, disk, latency or pauses grow. Ends by
 * itself, and takes with it all that it started; ended early by a signal, it still tells what it has seen.
 *
 *     npm run build && npm run bench:steady -- --help
 */
import { writeFileSync } from "node:fs"
import { availableParallelism, loadavg } from "node:os"
import type { Cluster } from "./Cluster.ts"
import * as DirectorySize from "./DirectorySize.ts"
import { Driver } from "./Driver.ts"
import type { News } from "./generator.ts"
import * as Histogram from "./Histogram.ts"
import * as Machine from "./Machine.ts"
import * as Program from "./Program.ts"
import * as Report from "./Report.ts"
import * as Steadiness from "./Steadiness.ts"
import * as SteadyOptions from "./SteadyOptions.ts"
import * as SteadyReport from "./SteadyReport.ts"
import * as Systems from "./Systems.ts"
import * as Usage from "./Usage.ts"
import { VitalsFile } from "./VitalsFile.ts"

const intervalMillis = 10_000
const intervalsInLine = 6
const names = ["A", "B", "C"]
/** Both happen many times within minutes, not once or twice an hour. */
const flags = { "snapshot-log-size": "2MiB", "history-retention": "1m" }

const main = async (options: SteadyOptions.SteadyOptions, stopped: Promise<string>): Promise<void> => {
  const reason = Systems.missing("balsa")
  if (reason !== undefined) throw new Error(reason)
  const directory = Program.temporaryDirectory("balsa-steady-")
  const machine = Machine.describe(directory)
  const driver = new Driver()
  const { cluster, vitals } = await Systems.startWatched(directory, { names, flags })
  const { port } = await cluster.leader()
  const { rate, keys, valueBytes, connections, minutes } = options
  console.error(`${keys} keys of ${valueBytes} bytes, then ${rate} requests a second for ${minutes} min`)
  const filled = await driver.carryOut({ _tag: "Fill", dialect: "resp", port, valueBytes, keys: { from: 0, to: keys } })
  if (filled._tag === "Failed") throw new Error(filled.reason)

  const samples: Array<Steadiness.Sample> = []
  const observe = observer(cluster, directory, vitals, driver)
  const save = (): void => {
    if (options.json === undefined) return
    const verdicts = Steadiness.judge(samples)
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, options, flags, rule: Steadiness.rule, verdicts, samples })}\n`
    )
  }
  const onNews = ({ interval }: News): void => {
    const one = observe(interval)
    // What is left at the end is no whole interval.
    if (interval.seconds * 1000 < intervalMillis / 2 && Object.keys(interval.errors).length === 0) return
    samples.push(one)
    if (samples.length % intervalsInLine > 0) return
    console.error(SteadyReport.line(one))
    save()
  }
  const millis = minutes * 60_000
  const load = driver.carryOut(
    { _tag: "Open", dialect: "resp", port, rate, keys, valueBytes, connections, millis, intervalMillis },
    onNews
  )
  const outcome = await Promise.race([load, stopped])
  if (typeof outcome !== "string" && outcome._tag === "Failed") throw new Error(outcome.reason)
  cluster.checkAlive()
  driver.stop()
  await cluster.stop()
  save()
  tell(samples, options, machine, outcome === "SIGINT" || outcome === "SIGTERM" || outcome === "SIGHUP")
}

/** What is seen once an interval is over. */
const observer = (cluster: Cluster, directory: string, vitals: string, driver: Driver) => {
  const began = performance.now()
  const files = cluster.pids.map((pid) => new VitalsFile(vitals, pid))
  const pids = [...cluster.pids, ...driver.pids]
  let known = { at: began, cpuSeconds: Usage.of(pids)?.cpuSeconds ?? Number.NaN }
  return ({ operations, seconds, errors, puts, gets }: News["interval"]): Steadiness.Sample => {
    const now = { at: performance.now(), cpuSeconds: Usage.of(pids)?.cpuSeconds ?? Number.NaN }
    const used = (now.cpuSeconds - known.cpuSeconds) / ((now.at - known.at) / 1000)
    known = now
    return {
      seconds: (now.at - began) / 1000,
      operationsPerSecond: operations / seconds,
      errors,
      puts: latenciesOf(puts),
      gets: latenciesOf(gets),
      replicas: files.map((file, at) => replicaSample(file, cluster, at, directory)),
      shareOfProcessors: used / availableParallelism(),
      machineLoad: loadavg()[0] ?? Number.NaN
    }
  }
}

const replicaSample = (file: VitalsFile, cluster: Cluster, at: number, directory: string): Steadiness.ReplicaSample => {
  const news = file.news()
  const { name } = cluster.addresses[at]!
  return {
    name,
    residentBytes: news.at(-1)?.residentBytes ?? Number.NaN,
    heapBytes: Math.min(...news.map(({ heapBytes }) => heapBytes)),
    externalBytes: news.at(-1)?.externalBytes ?? Number.NaN,
    pauseMillis: Math.max(...news.map(({ pauseMillis }) => pauseMillis)),
    directoryBytes: DirectorySize.of(Systems.dataDirectoryOf(directory, name)),
    snapshots: cluster.outputOf(at).split("took snapshot at index").length - 1
  }
}

const latenciesOf = (json: Histogram.HistogramJson): Steadiness.Latencies => {
  const histogram = Histogram.fromJson(json)
  if (histogram.total === 0) return { p50: null, p99: null, max: null }
  const at = (percent: number): number => Histogram.percentile(histogram, percent) / 1000
  return { p50: at(50), p99: at(99), max: at(100) }
}

const tell = (
  samples: ReadonlyArray<Steadiness.Sample>,
  { rate, minutes, markdown, json }: SteadyOptions.SteadyOptions,
  machine: Machine.Machine,
  isEarly: boolean
): void => {
  const verdicts = Steadiness.judge(samples)
  const errors = Steadiness.errorsOf(samples)
  const lasted = (samples.at(-1)?.seconds ?? 0) / 60
  if (!markdown) for (const each of [...Report.header(machine), ...Steadiness.rule]) console.log(each)
  console.log(
    `${rate} requests a second for ${lasted.toFixed(1)} min${isEarly ? ` (of ${minutes}: ended early)` : ""}, ${samples.at(-1)?.replicas[0]?.snapshots ?? 0} snapshots.\n`
  )
  console.log(`${SteadyReport.table(verdicts)}\n\n${SteadyReport.conclusion(verdicts, errors)}`)
  if (json !== undefined) console.error(`wrote ${json}`)
  if (verdicts.length === 0 || verdicts.some(({ grew }) => grew) || Object.keys(errors).length > 0) process.exitCode = 1
}

const stopped = new Promise<string>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, resolve)
})
await Program.run({ ...SteadyOptions, main: (options) => main(options, stopped) })
