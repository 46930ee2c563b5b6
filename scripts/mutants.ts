/**
 * Puts known bugs into the core and the store, one at a time, and shows which of the tests notice. The
 * unchanged core must pass all that the mutants are tried with.
 *
 *   node scripts/mutants.ts                    every mutant; each net by itself, up to 300 seeds
 *   node scripts/mutants.ts --only vote        those whose name contains "vote"
 *   node scripts/mutants.ts --part kv          those of the store; "raft": those of the core
 *   node scripts/mutants.ts --seeds 3000       up to so many seeds of the simulator each
 *   node scripts/mutants.ts --quick            stops at the first net that notices, as CI does
 *   node scripts/mutants.ts --list             what there is, and what there is not yet
 *
 * Ends with 1 if a mutant survives or a patch no longer applies.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { mutants, notYet } from "../test/mutants/Mutants.ts"
import type { Net } from "../test/mutants/Suspect.ts"
import * as Verdict from "../test/mutants/Verdict.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    part: { type: "string" },
    seeds: { type: "string", default: "300" },
    minutes: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    list: { type: "boolean", default: false }
  }
})

const chosen = mutants.filter(({ name, part }) => name.includes(values.only) && part === (values.part ?? part))
if (chosen.length === 0) {
  console.error(`no mutant's name contains "${values.only}"; --list shows them`)
  process.exit(2)
}

if (values.list) {
  for (const { name, source, expected } of chosen) console.log(`${name}  (${source}; ${expected})`)
  for (const [bug, needs] of notYet) console.log(`not here: ${bug}  (${needs})`)
  process.exit(0)
}

const seeds = Number(values.seeds)
const taskOf = values.quick ? Verdict.quick : Verdict.thorough
const cache = mkdtempSync(join(tmpdir(), "balsa-mutants-"))
process.on("exit", () => rmSync(cache, { recursive: true, force: true }))
const limits = { silentSeconds: 30, totalSeconds: Number(values.minutes) * 60, cache }

const row = (...cells: ReadonlyArray<string>): void => console.log(`| ${cells.join(" | ")} |`)

const cell = (verdict: Verdict.Verdict, net: Net): string => {
  const notice = verdict.notices.get(net)
  if (notice === undefined) return "-"
  return net === "simulator" ? `${notice.what}: ${notice.rule}` : notice.what
}

let failed = 0
for (const part of new Set(chosen.map((mutant) => mutant.part))) {
  const control = await Verdict.of(undefined, taskOf(part, seeds), limits)
  if (control.notices.size > 0 || control.error !== undefined) {
    console.log(`src/${part} does not pass as it is:`)
    for (const [net, { what, rule }] of control.notices) console.log(`  ${net}, ${what}: ${rule}`)
    console.log(control.error ?? "")
    process.exit(1)
  }
  console.log(`src/${part} passes as it is${control.cut === undefined ? "" : ` (${control.cut})`}`)
}
console.log("")
row("mutant", "expected", "simulator", "golden script", "tests of the part")
row("---", "---", "---", "---", "---")
await Verdict.inTurn(chosen, 2, async ({ name, part, expected }) => {
  const verdict = await Verdict.of(name, taskOf(part, seeds), limits)
  if (verdict.error === undefined && verdict.notices.size > 0) {
    return row(name, expected, cell(verdict, "simulator"), cell(verdict, "scripts"), cell(verdict, "tests"))
  }
  failed++
  console.log(verdict.error ?? `SURVIVES: ${name}${verdict.cut === undefined ? "" : ` (${verdict.cut})`}`)
})
console.log(`\n${chosen.length - failed} of ${chosen.length} mutants are killed`)
process.exitCode = failed === 0 ? 0 : 1
