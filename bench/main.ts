/**
 * Balsa beside etcd, Redis and a bare loop: the same values from the same load generator, in turn. Ends by
 * itself, and takes with it all that it started.
 *
 *     npm run build && npm run bench -- --help
 */
import { writeFileSync } from "node:fs"
import * as Chart from "./Chart.ts"
import { Driver } from "./Driver.ts"
import { dialects } from "./generator.ts"
import * as Machine from "./Machine.ts"
import * as Measurement from "./Measurement.ts"
import * as Options from "./Options.ts"
import * as Profile from "./Profile.ts"
import * as Program from "./Program.ts"
import * as Report from "./Report.ts"
import * as Systems from "./Systems.ts"
import type * as Workload from "./Workload.ts"

/** What goes on goes to standard error; standard output is the result. */
const tell = (text: string): void => console.error(text)

const main = async (options: Options.Options): Promise<void> => {
  const directory = Program.temporaryDirectory("balsa-bench-")
  if (options.profile !== undefined) return Profile.draw(options.profile, options, directory)

  const names = options.systems.filter((name) => {
    const reason = Systems.missing(name)
    if (reason !== undefined && (name === "balsa" || name === "gateway")) throw new Error(reason)
    if (reason !== undefined) tell(`! ${name} is left out: ${reason}`)
    return reason === undefined
  })
  if (names.length === 0) throw new Error("nothing is left to measure")

  const machine = Machine.describe(directory)
  const driver = new Driver()
  const systems = await Systems.startAll(names, directory)
  tell(systems.map(({ name, version, dialect }) => `${name} ${version} (${dialect})`).join(", "))
  const each = plan(systems, options)
  const seconds =
    options.rounds * each.length * (options.seconds + overheadSeconds) + each.length * (warmUpSeconds + overheadSeconds)
  tell(`${options.rounds * each.length} measurements, about ${Math.ceil(seconds / 60)} min`)
  const deadline = setTimeout(
    () => Program.giveUp(`not finished in twice the time it should take`),
    2000 * seconds + 120_000
  )

  await warmUp(driver, each, options)
  const measurements = await measureAll(driver, each, options)
  clearTimeout(deadline)
  driver.stop()
  await Promise.all(systems.map(({ cluster }) => cluster.stop()))

  const cells = Report.cells(measurements)
  const rounds = `${options.rounds} ${options.rounds === 1 ? "round" : "rounds"} of ${options.seconds} s`
  for (const line of Report.header(machine)) console.log(line)
  console.log(`Medians of ${rounds}; ${systems.map(({ name, version }) => `${name} ${version}`).join(", ")}\n`)
  console.log(Report.tables(cells))
  const problems = Report.problems(measurements)
  console.log(problems.length === 0 ? "\nno errors" : `\n${problems.join("\n")}`)
  if (options.json !== undefined) {
    const versions = Object.fromEntries(systems.map(({ name, version }) => [name, version]))
    const result = { machine, options, versions, cells, measurements: measurements.map(Report.toJson) }
    writeFileSync(options.json, `${JSON.stringify(result)}\n`)
    tell(`wrote ${options.json}`)
  }
  if (options.svg !== undefined) {
    const subtitle = `${machine.date}, ${machine.processors}, ${rounds}, every write synced to disk; each group has its own scale`
    writeFileSync(options.svg, Chart.svg(cells, "Operations per second", subtitle))
    tell(`wrote ${options.svg}`)
  }
  if (problems.length > 0) process.exitCode = 1
}

interface Pair {
  readonly system: Systems.System
  readonly workload: Workload.Workload
}

/** The systems take turns within each workload, so that what else the machine does falls on all. */
const plan = (systems: ReadonlyArray<Systems.System>, options: Options.Options): ReadonlyArray<Pair> =>
  options.workloads.flatMap((workload) =>
    systems.filter(({ dialect }) => dialects[dialect].speaks(workload)).map((system) => ({ system, workload }))
  )

const overheadSeconds = 0.5
const warmUpSeconds = 0.5

/** Every value that is asked for must be there; and what is compiled while it runs should be by then. */
const warmUp = async (driver: Driver, each: ReadonlyArray<Pair>, { connections }: Options.Options): Promise<void> => {
  tell("filling and warming up")
  const filled = new Set<string>()
  for (const { system, workload } of each) {
    const what = `${system.cluster.pids.join()} ${workload.valueBytes}`
    if (!filled.has(what)) await Measurement.fill(driver, system, workload)
    filled.add(what)
    await Measurement.take({ driver, system, workload, connections, round: 0, seconds: warmUpSeconds })
  }
}

const measureAll = async (
  driver: Driver,
  each: ReadonlyArray<Pair>,
  { rounds, seconds, connections }: Options.Options
): Promise<ReadonlyArray<Measurement.Measurement>> => {
  const measurements: Array<Measurement.Measurement> = []
  for (let round = 1; round <= rounds; round++) {
    tell(`round ${round} of ${rounds}`)
    // There and back: whatever a measurement leaves behind does not fall on the same one each time.
    for (const { system, workload } of round % 2 === 1 ? each : each.toReversed()) {
      const one = await Measurement.take({ driver, system, workload, connections, round, seconds })
      tell(`  ${Report.line(one)}`)
      measurements.push(one)
    }
  }
  return measurements
}

Program.endOnSignals()
await Program.run({ ...Options, main })
