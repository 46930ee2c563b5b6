/**
 * Simulates short runs, and for every reduction in them and every prefix of its effects a fork
 * in which the replica dies there, until a rule is broken or the budget is used up.
 *
 *   node scripts/crash-points.ts                              20 runs of 300 steps
 *   node scripts/crash-points.ts --seeds 500 --steps 1000     more and longer ones, from --from (1) on
 *   node scripts/crash-points.ts --minutes 10                 as many as fit
 *   node scripts/crash-points.ts --seed 7 --point 31,2        one fork: the 31st reduction, two effects
 */
import { parseArgs } from "node:util"
import * as Chart from "../src/sim/Chart.ts"
import * as CrashPoints from "../src/sim/CrashPoints.ts"
import * as Register from "../src/sim/Register.ts"
import { erase } from "../src/sim/Subject.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    minutes: { type: "string" },
    steps: { type: "string", default: "300" },
    after: { type: "string", default: "40" },
    size: { type: "string" },
    point: { type: "string" }
  }
})

const [reduction, carried] = (values.point ?? "").split(",").map(Number)
const only = reduction === undefined || carried === undefined ? {} : { only: { reduction, carried } }
const size = values.size === undefined ? {} : { size: Number(values.size) }
const from = Number(values.seed ?? values.from)
const minutes = Number(values.minutes ?? Number.POSITIVE_INFINITY)
const seeds =
  values.seed !== undefined ? 1 : values.minutes === undefined ? Number(values.seeds) : Number.POSITIVE_INFINITY
const began = performance.now()
const total = { runs: 0, reductions: 0, forks: 0, cutBehindPersist: 0 }

for (let seed = from; seed < from + seeds && performance.now() - began < minutes * 60_000; seed++) {
  const outcome = CrashPoints.run({
    seed,
    subject: erase(Register.subject),
    steps: Number(values.steps),
    stepsAfter: Number(values.after),
    ...size,
    ...only
  })
  const { failure } = outcome
  total.runs++
  total.reductions += outcome.reductions
  total.forks += outcome.forks
  total.cutBehindPersist += outcome.cutBehindPersist
  if (failure === undefined) continue
  const at = failure.point === undefined ? "" : ` --point ${failure.point.reduction},${failure.point.carried}`
  const sized = values.size === undefined ? "" : ` --size ${values.size}`
  console.log(`${Chart.draw(failure.trace, 40)}\n\nseed ${seed} breaks a rule: ${failure.rule}\n  ${failure.detail}`)
  console.log(
    `replay: node scripts/crash-points.ts --seed ${seed}${at} --steps ${values.steps} --after ${values.after}${sized}`
  )
  process.exit(1)
}

console.log(
  `${total.runs} runs, ${total.reductions} reductions, ${total.forks} forks, ${total.cutBehindPersist} of them cut ` +
    `behind Persist, ${((performance.now() - began) / 1000).toFixed(1)} s; no rule was broken`
)
