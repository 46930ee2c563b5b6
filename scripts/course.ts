/**
 * The simulator of the course that this project began from: clients, losses, partitions and kills around a replica
 * program, judged as there. The network is src/sim/course; docs/course.md explains the figures.
 */
import { writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { setTimeout } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Result } from "effect"
import type { Configuration } from "../src/sim/course/Configuration.ts"
import type { Start } from "../src/course/Replica.ts"
import * as Summary from "../src/sim/course/Summary.ts"
import type { Verdict } from "../src/sim/course/Verdict.ts"
import * as VirtualRun from "../src/sim/course/VirtualRun.ts"
import { mix, text } from "../src/sim/Random.ts"
import * as Choice from "./course/Choice.ts"
import * as RealRun from "./course/RealRun.ts"
import { table } from "./course/Report.ts"

const usage = `npm run course -- [CONFIGURATION ...] [options]

A CONFIGURATION is a file, or the name of one in test/course; without any, the course's seventeen.
Replicas are processes in real time (build first), or run in this one in virtual time.

  --virtual          in virtual time: the seventeen take seconds
  --vary             our own variations too: other sizes, lifetimes, losses and faults
  --runs N           each configuration so many times, with one seed after another (1); --seeds N is the same
  --seed N           the first seed; otherwise the configuration's own, or 1 in virtual time and any in real time
  --replica PROGRAM  another program than scripts/3700kvstore; in virtual time a module that exports \`create\`
  --parallel N       so many real runs at once (1); they take each other's time
  --trace FILE       writes down all that happens in the last run
  --json             prints every verdict as JSON instead of the table
  --help             this

It ends with 1 when a run was not correct, and with 2 when it was not understood.`

const misused = (why: string): never => {
  console.error(why)
  return process.exit(2)
}

const options = () =>
  parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h", default: false },
      virtual: { type: "boolean", default: false },
      vary: { type: "boolean", default: false },
      runs: { type: "string" },
      seeds: { type: "string" },
      seed: { type: "string" },
      replica: { type: "string" },
      parallel: { type: "string", default: "1" },
      trace: { type: "string" },
      json: { type: "boolean", default: false }
    }
  })

const understood = (): ReturnType<typeof options> => {
  try {
    return options()
  } catch (error) {
    return misused(`${(error as Error).message}\n\n${usage}`)
  }
}
const { values, positionals } = understood()

if (values.help) {
  console.log(usage)
  process.exit(0)
}

const whole = (name: string, value: string, least: number): number =>
  /^\d{1,9}$/.test(value) && Number(value) >= least
    ? Number(value)
    : misused(`--${name} takes a whole number from ${least}, not "${value}"`)

const runs = whole("runs", values.runs ?? values.seeds ?? "1", 1)
const parallel = whole("parallel", values.parallel, 1)
if (values.trace !== undefined && parallel > 1) misused("--trace writes down one run at a time: leave --parallel out")
const seed = values.seed === undefined ? undefined : whole("seed", values.seed, 0)
const files = [
  ...(positionals.length > 0 || values.vary ? positionals.map(Choice.fileOf) : Choice.stock()),
  ...(values.vary ? Choice.variations() : [])
]
const configurations = files.map((file) =>
  Result.match(Choice.read(file), { onSuccess: (one) => one, onFailure: ({ message }) => misused(message) })
)

const firstSeed = ({ seed: own }: Configuration): number => {
  if (seed !== undefined) return seed
  if (own !== undefined) return typeof own === "number" ? own : Math.abs(mix(1, text(own)))
  return values.virtual ? 1 : Math.floor(Math.random() * 1_000_000)
}

const staggerMillis = 2000

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** Written at the end: a run that is traced is one that is looked at. */
const trace: Array<string> = []
const note = values.trace === undefined ? undefined : (line: string) => void trace.push(line)

const module = values.replica ?? fileURLToPath(new URL("../src/course/Replica.ts", import.meta.url))
const program = [values.replica ?? fileURLToPath(new URL("3700kvstore", import.meta.url))] as const

const load = async (): Promise<Start> => {
  const loaded = (await import(pathToFileURL(resolve(module)).href)) as { readonly create?: Start }
  return loaded.create ?? misused(`${module} must export \`create\`; see src/course/Replica.ts`)
}

const describe = ({ configuration, seed, correct, checks, tally }: Verdict): ReadonlyArray<string> =>
  correct
    ? []
    : [
        `${configuration} with seed ${seed} is not correct:`,
        ...checks.filter(({ passed }) => !passed).map(({ name, detail }) => `  ${name}: ${detail}`),
        ...tally.complaints.slice(0, 5).map((complaint) => `  ${complaint}`)
      ]

const virtually = async (): Promise<ReadonlyArray<ReadonlyArray<Verdict>>> => {
  const start = await load()
  return configurations.map((configuration) => {
    const first = firstSeed(configuration)
    const began = performance.now()
    const verdicts = Array.from({ length: runs }, (_, at) => {
      trace.length = 0
      const verdict = VirtualRun.run({ configuration, seed: first + at, start, note })
      for (const line of describe(verdict)) say(line)
      return verdict
    })
    const correct = verdicts.filter(({ correct }) => correct).length
    say(`${configuration.name}: ${correct} of ${runs} correct, ${((performance.now() - began) / 1000).toFixed(1)} s`)
    return verdicts
  })
}

const really = async (): Promise<ReadonlyArray<ReadonlyArray<Verdict>>> => {
  const verdicts: Array<Array<Verdict>> = configurations.map(() => [])
  // All of the suite once, then all of it again.
  const firsts = configurations.map(firstSeed)
  const waiting = Array.from({ length: runs }, (_, run) => configurations.map((_, at) => ({ run, at }))).flat()
  const work = async (place: number): Promise<void> => {
    // Processes that start take more than those that run: those of one run at a time.
    await setTimeout(place * staggerMillis)
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const configuration = configurations[next.at]!
      trace.length = 0
      const { verdict, output } = await RealRun.run({
        configuration,
        seed: firsts[next.at]! + next.run,
        program,
        say,
        note
      })
      for (const line of describe(verdict)) say(line)
      for (const [id, text] of output) say(`${configuration.name}: ${id} wrote ${JSON.stringify(text.slice(0, 400))}`)
      say(`${configuration.name}, run ${next.run + 1} of ${runs}: ${verdict.correct ? "correct" : "NOT CORRECT"}`)
      verdicts[next.at]!.push(verdict)
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, waiting.length) }, (_, place) => work(place)))
  return verdicts
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

const verdicts = values.virtual ? await virtually() : await really()
const summaries = configurations.map((configuration, at) => Summary.of(configuration, verdicts[at]!))
if (values.trace !== undefined) writeFileSync(values.trace, `${trace.join("\n")}\n`)
if (values.json) {
  const brief = verdicts.flat().map(({ tally: { latenciesMillis, ...tally }, ...verdict }) => ({
    ...verdict,
    tally: { ...tally, answers: latenciesMillis.length }
  }))
  console.log(JSON.stringify({ summaries, verdicts: brief }, undefined, 2))
} else {
  console.log(table(summaries, runs >= 20))
  for (const { configuration, failed } of summaries) {
    for (const { seed, checks } of failed) console.log(`${configuration}, seed ${seed}: ${checks.join("; ")}`)
  }
  const correct = summaries.filter((one) => one.correct === one.runs).length
  console.log(
    `\n${correct} of ${summaries.length} configurations are correct in all of ${runs} ${runs === 1 ? "run" : "runs"}`
  )
}
process.exitCode = summaries.every((one) => one.correct === one.runs) ? 0 : 1
