/**
 * How cost grows: with keys, with connections, with replicas. Ends by itself, and takes with it all that it started.
 *
 *     npm run build && npm run bench:scale -- --help
 */
import { writeFileSync } from "node:fs"
import * as ConnectionScale from "./ConnectionScale.ts"
import { Driver } from "./Driver.ts"
import * as KeyScale from "./KeyScale.ts"
import * as Machine from "./Machine.ts"
import type { Measurement } from "./Measurement.ts"
import * as Program from "./Program.ts"
import * as ReplicaScale from "./ReplicaScale.ts"
import * as Report from "./Report.ts"
import * as ScaleOptions from "./ScaleOptions.ts"
import * as ScaleReport from "./ScaleReport.ts"
import * as Systems from "./Systems.ts"

/** What goes on goes to standard error; standard output is the result. */
const tell = (text: string): void => console.error(text)

const main = async (options: ScaleOptions.ScaleOptions): Promise<void> => {
  const reason = Systems.missing("balsa")
  if (reason !== undefined) throw new Error(reason)
  const began = performance.now()
  const directory = Program.temporaryDirectory("balsa-scale-")
  const machine = Machine.describe(directory)
  const driver = new Driver()
  const asked = (part: ScaleOptions.PartName): boolean => options.parts.includes(part)

  const keys: Array<KeyScale.KeyResult> = []
  for (const count of asked("keys") ? options.keys : []) {
    keys.push(await KeyScale.measure(count, driver, options, directory, tell))
  }
  const { results: connections, limit } = asked("connections")
    ? await ConnectionScale.measure(driver, options, directory, tell)
    : { results: [], limit: undefined }
  const replicas: Array<ReplicaScale.ReplicaResult> = []
  for (const count of asked("replicas") ? options.replicas : []) {
    replicas.push(await ReplicaScale.measure(count, driver, options, directory, tell))
  }
  driver.stop()

  const results: ScaleReport.Results = { keys, connections, limit, replicas }
  const header = Report.header(machine).join(options.markdown ? "; " : "\n")
  console.log(ScaleReport.sections(results, header, options.markdown ? "### " : "# "))
  const measurements = [keys, connections, replicas].flatMap((each) => each.flatMap((one) => one.measurements))
  const problems = Report.problems(measurements)
  console.log(problems.length === 0 ? "\nno errors" : `\n${problems.join("\n")}`)
  tell(`took ${Math.round((performance.now() - began) / 1000)} s`)
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ machine, options, ...toJson(results) })}\n`)
    tell(`wrote ${options.json}`)
  }
  if (problems.length > 0) process.exitCode = 1
}

const toJson = ({ limit, ...rest }: ScaleReport.Results) => ({
  limit,
  ...Object.fromEntries(
    Object.entries(rest).map(([part, each]) => [
      part,
      each.map((one: { readonly measurements: ReadonlyArray<Measurement> }) => ({
        ...one,
        measurements: one.measurements.map(Report.toJson)
      }))
    ])
  )
})

Program.endOnSignals()
await Program.run({ ...ScaleOptions, main })
