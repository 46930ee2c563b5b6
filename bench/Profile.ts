/** Where the leader's time goes: three replicas from the sources, a load, and V8's profiler in the leader. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { Driver } from "./Driver.ts"
import * as FlameGraph from "./FlameGraph.ts"
import type { Options } from "./Options.ts"
import type { Workload } from "./Workload.ts"
import * as Systems from "./Systems.ts"

const warmUpMillis = 3000
const rampMillis = 500
const pollMillis = 50
const pollTimes = 400

export const draw = async (file: string, options: Options, directory: string): Promise<void> => {
  const workload = options.workloads[0]!
  const raw = path.join(directory, "profile")
  process.env["PROFILE_FILE"] = raw
  const preload = fileURLToPath(new URL("./Profiler.ts", import.meta.url))
  const cluster = await Systems.startForProfile(directory, preload)
  const { port } = await cluster.leader()
  const leads = cluster.pids[cluster.addresses.findIndex(({ client }) => client === port)]!
  const driver = new Driver()
  const load = async (windowMillis: number) =>
    driver.carryOut({
      _tag: "Load",
      dialect: "balsa",
      port,
      workload,
      connections: options.connections,
      windowMillis,
      pids: []
    })

  console.error(`the leader is process ${leads}; ${workload.name} for ${options.seconds} s`)
  await driver.carryOut({ _tag: "Fill", dialect: "balsa", port, valueBytes: workload.valueBytes })
  await load(warmUpMillis)
  const loaded = load(options.seconds * 1000 + 2 * rampMillis)
  await pause(rampMillis)
  process.kill(leads, "SIGUSR2")
  await pause(options.seconds * 1000)
  process.kill(leads, "SIGUSR2")
  const outcome = await loaded
  for (let times = 0; !existsSync(`${raw}.${leads}`); times++) {
    if (times === pollTimes) throw new Error("the leader has written no profile")
    await pause(pollMillis)
  }
  driver.stop()
  await cluster.stop()
  if (outcome._tag !== "Measured" || Object.keys(outcome.result.errors).length > 0) {
    throw new Error(`the load did not go well: ${JSON.stringify(outcome).slice(0, 500)}`)
  }
  write(file, readFileSync(`${raw}.${leads}`, "utf8"), workload, outcome.result.operations / outcome.result.seconds)
}

const write = (file: string, text: string, workload: Workload, perSecond: number): void => {
  const profile = FlameGraph.read(JSON.parse(text))
  const title = `The leader's main thread, ${workload.name}, ${Math.round(perSecond).toLocaleString("en-US")}/s while profiled`
  const json = `${file.replace(/\.svg$/, "")}.cpuprofile`
  writeFileSync(file, FlameGraph.svg(profile, title))
  writeFileSync(json, text)
  console.log(FlameGraph.summary(profile))
  console.error(`wrote ${file} and ${json}`)
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))
