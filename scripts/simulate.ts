/**
 * Simulates whole clusters, a seed each, until one breaks a rule or the budget is used up. `--help` says how.
 *
 * A run that breaks a rule is made small, drawn as a chart and told as a script.
 */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Chart from "../src/sim/Chart.ts"
import * as Cuts from "../src/sim/Cuts.ts"
import * as Marks from "../src/sim/Marks.ts"
import { toggles, type Toggle } from "../src/sim/Plan.ts"
import * as Register from "../src/sim/Register.ts"
import * as Replay from "../src/sim/Replay.ts"
import { shrink } from "../src/sim/Shrink.ts"
import * as SessionStore from "../src/sim/SessionStore.ts"
import * as Simulation from "../src/sim/Simulation.ts"
import * as Store from "../src/sim/Store.ts"
import { type AnySubject, erase } from "../src/sim/Subject.ts"
import { load } from "./simulate/Machine.ts"

const usage = `Simulates whole clusters, a seed each, until one breaks a rule or the budget is used up.

npm run simulate                               200 seeds from 1 on
npm run simulate -- --seed 42                  that one, twice: both must be the same run
npm run simulate -- --seeds 10000 [--from 7]   so many
npm run simulate -- --minutes 10               as many as fit
npm run simulate -- --faults crash,loss        no other faults than these ("none": none)
npm run simulate -- --machine store            the key-value store instead of registers
npm run simulate -- --machine sessions         commands that are sent again under their names
npm run simulate -- --machine FILE.ts          a machine of yours: the file exports \`definition\` and \`sample\`
npm run simulate -- --size 3                   clusters of this size only
npm run simulate -- --seed 42 --cuts JSON      a run of which something is left out
npm run simulate -- --replay FILE              a recorded script

It ends with 1 where a rule was broken, and with 2 where it was not understood.`

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h", default: false },
    seed: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    minutes: { type: "string" },
    faults: { type: "string" },
    machine: { type: "string", default: "registers" },
    size: { type: "string" },
    cuts: { type: "string", default: "{}" },
    replay: { type: "string" }
  }
})

if (values.help) {
  console.log(usage)
  process.exit(0)
}

const misused = (why: string): never => {
  console.error(why)
  return process.exit(2)
}

const subjects = [erase(Register.subject), erase(Store.subject), erase(SessionStore.subject)]
const own = values.machine.endsWith(".ts")
  ? await load(values.machine).catch((error: Error) => misused(error.message))
  : undefined
const subject: AnySubject =
  own?.subject ??
  subjects.find(({ name }) => name === values.machine) ??
  misused(`there is no machine "${values.machine}": name a file, or ${subjects.map(({ name }) => name).join(" or ")}`)

/** Everything but what is listed is off. */
const off = (): ReadonlyArray<Toggle> => {
  if (values.faults === undefined) return own?.off ?? []
  const listed = values.faults.split(",").filter((name) => name !== "" && name !== "none")
  const unknown = listed.find((name) => !toggles.some((toggle) => toggle === name))
  if (unknown !== undefined) misused(`there is no fault "${unknown}"; there are ${toggles.join(", ")}`)
  return toggles.filter((toggle) => !listed.includes(toggle))
}

const given: Cuts.Cuts = {
  ...(off().length === 0 ? {} : { off: off() }),
  ...(values.size === undefined ? {} : { size: Number(values.size) }),
  ...Cuts.fromWords(values.cuts)
}

const run = (seed: number, cuts: Cuts.Cuts, record = false): Simulation.Outcome =>
  Simulation.run({ seed, subject, cuts, record })

const command = (seed: number, cuts: Cuts.Cuts): string => {
  const machine = values.machine === "registers" ? "" : ` --machine ${values.machine}`
  return `npm run simulate -- --seed ${seed}${machine}${cuts === given && values.cuts === "{}" ? options() : ` --cuts '${Cuts.inWords(cuts)}'`}`
}

const options = (): string =>
  (values.faults === undefined ? "" : ` --faults ${values.faults}`) +
  (values.size === undefined ? "" : ` --size ${values.size}`)

const longest = 200

const fail = (outcome: Simulation.Outcome): never => {
  const { seed, failure } = outcome
  console.log(`\nseed ${seed} breaks a rule: ${failure!.rule}\n  ${failure!.detail}`)
  console.log(`  cluster of ${outcome.plan.size}, ${outcome.steps} steps; making it smaller ...`)
  const { cuts, trials } = shrink((tried) => run(seed, tried), { cuts: given, outcome })
  const small = run(seed, cuts, true)
  console.log(
    `  in ${trials} trials down to a cluster of ${small.plan.size}, ${small.steps} steps, ${small.history.length} requests\n`
  )
  console.log(`the last of it:\n${Chart.draw(small.failure!.trace, 40)}\n`)
  const script = Replay.run(small.script!, own?.subject)
  const file = join(mkdtempSync(join(tmpdir(), "balsa-")), `seed_${seed}.script`)
  writeFileSync(file, script)
  const lines = script.split("\n")
  if (lines.length <= longest) console.log(`as a script:\n\n${script}`)
  else console.log(`as a script of ${lines.length} lines; its end:\n\n${lines.slice(-longest).join("\n")}`)
  if (!script.includes("BROKEN")) console.log("(the script alone does not show it: it hangs on how long effects take)")
  console.log(`rule:   ${small.failure!.rule}\n        ${small.failure!.detail}`)
  console.log(`whole:  ${command(seed, given)}`)
  console.log(`small:  ${command(seed, cuts)}`)
  console.log(`script: npm run simulate --${own === undefined ? "" : ` --machine ${values.machine}`} --replay ${file}`)
  return process.exit(1)
}

const total = { seeds: 0, millis: 0, events: 0, commits: 0, terms: 0, answered: 0, faults: 0 }
const marks: Marks.Tally = new Map()
const kinds = new Map<string, number>()
const watched = new Map<string, number>()
const began = performance.now()

const add = (outcome: Simulation.Outcome): void => {
  total.seeds++
  total.millis += outcome.simulatedMillis
  total.events += outcome.events
  total.commits += outcome.commits
  total.terms += outcome.terms
  total.answered += outcome.answered
  for (const [name, count] of outcome.faults) kinds.set(name, (kinds.get(name) ?? 0) + count)
  for (const [name, count] of outcome.watched) watched.set(name, (watched.get(name) ?? 0) + count)
  for (const [mark, count] of outcome.marks) marks.set(mark, (marks.get(mark) ?? 0) + count)
  if (outcome.failure !== undefined) fail(outcome)
}

/** Per second of this process: another's load does not count. */
const report = (): string => {
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage()
  const faults = [...kinds.values()].reduce((sum, count) => sum + count, 0)
  return (
    `${total.seeds} seeds, ${(total.millis / 60_000).toFixed(1)} simulated minutes, ${total.events} checked events ` +
    `(${Math.round(total.events / seconds)}/s, ${Math.round((total.events * 1e6) / (user + system))}/s of processor), ` +
    `${total.commits} commits, ${total.terms} leaders, ${total.answered} answers, ${faults} faults, ` +
    `${marks.size} of ${Marks.names.length} marks`
  )
}

const one = (seed: number): void => {
  const outcome = run(seed, given)
  add(outcome)
  const again = run(seed, given)
  console.log(JSON.stringify(outcome.plan))
  console.log(report())
  console.log(`trace ${outcome.digest.toString(16)}, again ${again.digest.toString(16)}`)
  if (outcome.digest === again.digest) return
  console.log("the same seed gave two different runs")
  process.exit(1)
}

const many = (): void => {
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes)
  const seeds = Number(values.seeds ?? (values.minutes === undefined ? 200 : Number.POSITIVE_INFINITY))
  const from = Number(values.from)
  let said = began
  for (let seed = from; seed < from + seeds && performance.now() - began < minutes * 60_000; seed++) {
    add(run(seed, given))
    if (performance.now() - said < 5000) continue
    said = performance.now()
    console.log(report())
  }
  console.log(report())
  console.log(`faults: ${[...kinds].map(([name, count]) => `${name} ${count}`).join(", ")}`)
  if (watched.size > 0) console.log(`watch: ${[...watched].map(([name, count]) => `${name} ${count}`).join(", ")}`)
  const missing = Marks.missing(marks)
  if (missing.length > 0) console.log(`marks not hit: ${missing.join(", ")}`)
  console.log("no rule was broken")
}

if (values.replay !== undefined) {
  const script = Replay.run(readFileSync(values.replay, "utf8"), own?.subject)
  console.log(script)
  process.exit(script.includes("BROKEN") ? 1 : 0)
} else if (values.seed === undefined) many()
else one(Number(values.seed))
