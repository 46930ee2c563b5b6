/**
 * The program of a process that may have a bug in its core: it tries the seeds of the
 * simulator, the golden scripts and the tests of the core, and says what it finds, a line of
 * JSON each. Its parent stops it when it says nothing for too long.
 */
import { readdirSync, readFileSync } from "node:fs"
import * as Register from "../../src/sim/Register.ts"
import * as Script from "../../src/sim/Script.ts"
import * as Simulation from "../../src/sim/Simulation.ts"
import * as Store from "../../src/sim/Store.ts"
import { erase } from "../../src/sim/Subject.ts"
import type { Part } from "./Mutant.ts"

export type Net = "simulator" | "scripts" | "tests"

/** What to try, in this order. */
export type Trial =
  | { readonly net: "simulator"; readonly part: Part; readonly from: number; readonly to: number }
  | { readonly net: "scripts" }
  | { readonly net: "tests"; readonly part: Part; readonly speed: "quick" | "slow" }

export type Line =
  | { readonly _tag: "Trying"; readonly net: Net; readonly what: string }
  | { readonly _tag: "Noticed"; readonly net: Net; readonly what: string; readonly rule: string }
  | { readonly _tag: "Done" }

export interface Task {
  readonly trials: ReadonlyArray<Trial>
  /** Goes on with the next net when one has noticed. */
  readonly all: boolean
}

const say = (line: Line): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const subjects = { raft: erase(Register.subject), kv: erase(Store.subject) }

type Seeds = Extract<Trial, { readonly net: "simulator" }>

const simulate = ({ part, from, to }: Seeds): boolean => {
  for (let seed = from; seed <= to; seed++) {
    say({ _tag: "Trying", net: "simulator", what: `seed ${seed}` })
    const { failure } = Simulation.run({ seed, subject: subjects[part] })
    if (failure === undefined) continue
    const rule = failure.rule === "the core throws nothing" ? `${failure.rule}: ${first(failure.detail)}` : failure.rule
    say({ _tag: "Noticed", net: "simulator", what: `seed ${seed}`, rule })
    return true
  }
  return false
}

const scripts = new URL("../scripts/", import.meta.url)

const readScripts = (): boolean => {
  for (const file of readdirSync(scripts).filter((name) => name.endsWith(".script"))) {
    const what = file.replace(".script", "")
    say({ _tag: "Trying", net: "scripts", what })
    const text = readFileSync(new URL(file, scripts), "utf8")
    const rule = outcome(() => (Script.run(text) === text ? undefined : "reads otherwise"))
    if (rule === undefined) continue
    say({ _tag: "Noticed", net: "scripts", what, rule })
    return true
  }
  return false
}

/** Explores at random, as the simulator does, and takes long; or is about something that no mutant changes. */
const left = ["exploration.test.ts", "OrderedMap.test.ts", "KvDigest.test.ts", "WatchGuarantees.test.ts"]
/** A step at a time: these say best what is wrong. The others run clusters, or try all that there is. */
const isQuick = (file: string): boolean =>
  ["paper", "table", "survivors", "KvMachine", "Txns", "WatchHub"].some((name) => file.startsWith(name))

const runTests = async (part: Part, speed: "quick" | "slow"): Promise<boolean> => {
  const folder = new URL(`../${part}/`, import.meta.url)
  // Only now, because Vitest's `expect` takes a while to load.
  const { collected } = await import("./Collection.ts")
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".test.ts") && !left.includes(name) && isQuick(name) === (speed === "quick")
  )
  for (const file of files.toSorted()) {
    collected.length = 0
    await import(new URL(file, folder).href)
    for (const { name, body } of collected) {
      say({ _tag: "Trying", net: "tests", what: `${file}: ${name}` })
      const rule = await outcomeOf(body)
      if (rule === undefined) continue
      say({ _tag: "Noticed", net: "tests", what: `${file}: ${name}`, rule })
      return true
    }
  }
  return false
}

const first = (text: string): string => text.split("\n")[0] ?? ""

/** What is wrong, in one line. */
const outcome = (body: () => string | undefined): string | undefined => {
  try {
    return body()
  } catch (error) {
    return first(String(error))
  }
}

const outcomeOf = async (body: () => unknown): Promise<string | undefined> => {
  try {
    await body()
    return undefined
  } catch (error) {
    return first(String(error))
  }
}

const attempt = async (trial: Trial): Promise<boolean> => {
  switch (trial.net) {
    case "simulator":
      return simulate(trial)
    case "scripts":
      return readScripts()
    case "tests":
      return runTests(trial.part, trial.speed)
  }
}

const { trials, all } = JSON.parse(process.argv[2] ?? "") as Task
const noticed = new Set<Net>()
for (const trial of trials) {
  if (noticed.has(trial.net) || !(await attempt(trial))) continue
  noticed.add(trial.net)
  if (!all) break
}
say({ _tag: "Done" })
