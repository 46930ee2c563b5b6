/** Runs that once broke a rule: a line each in `test/regressions/seeds.jsonl`, with what was wrong. */
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import * as Cuts from "../../src/sim/Cuts.ts"
import * as Register from "../../src/sim/Register.ts"
import * as Simulation from "../../src/sim/Simulation.ts"
import * as Store from "../../src/sim/Store.ts"
import { erase } from "../../src/sim/Subject.ts"

interface Regression {
  readonly seed: number
  readonly machine: string
  readonly cuts: object
  readonly why: string
}

const lines = readFileSync(new URL("../regressions/seeds.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
const subjects = [erase(Register.subject), erase(Store.subject)]

for (const { seed, machine, cuts, why } of lines.map((line) => JSON.parse(line) as Regression)) {
  it(`seed ${seed} ${JSON.stringify(cuts)}: ${why}`, () => {
    const subject = subjects.find(({ name }) => name === machine)!
    const { failure } = Simulation.run({ seed, subject, cuts: Cuts.fromWords(JSON.stringify(cuts)) })
    expect(failure && `${failure.rule}: ${failure.detail}`).toBeUndefined()
  })
}
