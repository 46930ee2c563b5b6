/**
 * Cuts the power of three real replicas on this machine, again and again under load, and judges what
 * is left: nothing that was acknowledged may be lost. It mounts ext4 in image files, so it runs as root
 * on Linux, with mkfs.ext4 and perl; test/faults/Drives.ts says what such a power cut is.
 *
 *   node scripts/power-cut.ts                            twenty times, from a seed that it prints
 *   node scripts/power-cut.ts --rounds 200 --seed 42     so often, in that order
 *   node scripts/power-cut.ts --history FOLDER           and keeps the clients' history there
 *
 * It runs dist/main.js, or the program that BALSA_PROGRAM names.
 */
import { parseArgs } from "node:util"
import { run } from "../test/faults/PowerCut.ts"
import { keep } from "../test/process/History.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string" },
    history: { type: "string" }
  }
})

const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed)
const rounds = Number(values.rounds)
if (!Number.isInteger(seed) || !Number.isInteger(rounds) || rounds < 1) {
  console.error("--seed takes a whole number, --rounds one above 0")
  process.exit(2)
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

console.log(`seed ${seed}, ${rounds} rounds`)
const report = await run({ seed, rounds, say: (line) => console.log(line) })
const failed = report.problems.length > 0
const file = keep(`power-cut-${seed}`, report.history, { folder: values.history, failed })
if (file !== undefined) console.log(`history: ${file}`)
if (values.history !== undefined) console.log(report.files.join(" "))
for (const line of report.problems) console.log(line)
process.exitCode = failed ? 1 : 0
