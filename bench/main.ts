/**
 * Balsa beside etcd: the same requests, through the same JSON gateway, from the same load
 * generator, in turn. Ends by itself, and takes with it all that it started.
 *
 *     npm run build && npm run bench -- --help
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import * as Machine from "./Machine.ts"
import * as Measurement from "./Measurement.ts"
import * as Options from "./Options.ts"
import * as Report from "./Report.ts"
import * as Systems from "./Systems.ts"
import * as Workload from "./Workload.ts"

const main = async (options: Options.Options): Promise<void> => {
  const systems = options.systems.filter((name) => {
    const reason = Systems.missing(name)
    if (reason !== undefined && name === "balsa") throw new Error(reason)
    if (reason !== undefined) console.log(`! ${name} is left out: ${reason}`)
    return reason === undefined
  })
  if (systems.length === 0) throw new Error("nothing is left to measure")

  const directory = mkdtempSync(path.join(tmpdir(), "balsa-bench-"))
  process.once("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  const machine = Machine.describe(directory)
  for (const line of Report.header(machine)) console.log(line)
  const started: Array<Systems.System> = []
  for (const name of systems) started.push(await Systems.start(name, directory))
  for (const { name, version } of started) console.log(`${name} ${version}: 3 members`)

  await warmUp(started, options)
  const measurements = await measureAll(started, options)
  await Promise.all(started.map(({ cluster }) => cluster.stop()))

  console.log(
    `\nMedians of ${options.rounds} rounds of ${options.seconds} s, values of ${Workload.valueBytes} bytes:\n`
  )
  console.log(Report.table(measurements, systems))
  const problems = Report.problems(measurements)
  console.log(problems.length === 0 ? "\nno errors" : `\n${problems.join("\n")}`)
  if (options.json !== undefined) {
    const versions = Object.fromEntries(started.map(({ name, version }) => [name, version]))
    writeFileSync(options.json, `${JSON.stringify({ machine, options, versions, measurements }, undefined, 2)}\n`)
  }
}

const warmUpClients = 64
const warmUpSeconds = 2

const warmUp = async (systems: ReadonlyArray<Systems.System>, options: Options.Options): Promise<void> => {
  console.log("warming up")
  for (const system of systems) {
    await Measurement.fill(system, Workload.operation("put"))
    for (const name of options.operations) {
      const operation = Workload.operation(name)
      await Measurement.take({ system, operation, clients: warmUpClients, round: 0, seconds: warmUpSeconds })
    }
  }
}

/** The systems take turns within each round, so that what else the machine does falls on both. */
const measureAll = async (
  systems: ReadonlyArray<Systems.System>,
  options: Options.Options
): Promise<ReadonlyArray<Measurement.Measurement>> => {
  const operations = options.operations.map(Workload.operation)
  const each = options.rounds * operations.length * options.clients.length * systems.length
  console.log(`${each} measurements, about ${Math.ceil((each * (options.seconds + 0.5)) / 60)} min`)
  const measurements: Array<Measurement.Measurement> = []
  for (let round = 1; round <= options.rounds; round++) {
    console.log(`round ${round} of ${options.rounds}`)
    for (const operation of operations) {
      for (const clients of options.clients) {
        for (const system of systems) {
          const one = await Measurement.take({ system, operation, clients, round, seconds: options.seconds })
          console.log(`  ${Report.line(one)}`)
          measurements.push(one)
        }
      }
    }
  }
  return measurements
}

// Whatever is to be cleaned up hangs on "exit".
process.once("SIGINT", () => process.exit(130))
process.once("SIGTERM", () => process.exit(143))
process.once("SIGHUP", () => process.exit(129))

const options = Options.parse(process.argv.slice(2))
if (options === "help") {
  console.log(Options.help)
} else if (options instanceof Error) {
  console.error(`${options.message}\n\n${Options.help}`)
  process.exitCode = 2
} else {
  await main(options).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  })
}
