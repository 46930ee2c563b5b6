/**
 * Torments three real replicas on this machine and judges what their clients saw.
 *
 *   node scripts/nemesis.ts                            a minute, from a seed that it prints
 *   node scripts/nemesis.ts --minutes 10 --seed 42     so long, and the faults of that seed
 *   node scripts/nemesis.ts --history FOLDER           and keeps the history there
 *
 * It runs dist/main.js, or the program that BALSA_PROGRAM names. A seed fixes the faults and
 * not the run: real processes take their own time.
 */
import { parseArgs } from "node:util"
import { keep } from "../test/process/History.ts"
import { run } from "../test/process/Nemesis.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    history: { type: "string" }
  }
})

const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed)
const minutes = Number(values.minutes)
if (!Number.isInteger(seed) || !(minutes > 0)) {
  console.error("--seed takes a whole number, --minutes a number above 0")
  process.exit(2)
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

console.log(`seed ${seed}, ${minutes} minutes`)
const report = await run({ seed, seconds: minutes * 60, say: (line) => console.log(line) })
console.log(`faults: ${[...report.faults].map(([name, count]) => `${name} ${count}`).join(", ")}`)
const failed = report.problems.length > 0
const file = keep(`nemesis-${seed}`, report.history, { folder: values.history, failed })
if (file !== undefined) console.log(`history: ${file}`)
for (const line of report.problems) console.log(line)
if (failed) console.log(`the same faults again: node scripts/nemesis.ts --minutes ${minutes} --seed ${seed}`)
process.exitCode = failed ? 1 : 0
