/**
 * Searches everything that can happen within a small scope, breadth first, until a rule is
 * broken or all is seen.
 *
 *   node scripts/small-scope.ts                              every scope of the tests
 *   node scripts/small-scope.ts --larger                     those that take minutes
 *   node scripts/small-scope.ts --terms 3 --elections 3      one scope; what is not named is 0
 *   node scripts/small-scope.ts --entries 3 --commands 2 --queries 1 --beats 1 --resubmissions 1 --crashes 1
 *   node scripts/small-scope.ts --logs 1/2/ --terms 4 --elections 2
 *                                                            from logs that an earlier history left, as terms
 *   node scripts/small-scope.ts --replicas 5 --consequences  only what a client or an operator would call wrong
 *   node scripts/small-scope.ts --max 5000000                at most so many situations
 */
import { parseArgs } from "node:util"
import * as Scopes from "../src/sim/Scope.ts"
import * as SmallScope from "../src/sim/SmallScope.ts"

const number = { type: "string" } as const

const { values } = parseArgs({
  options: {
    replicas: number,
    terms: number,
    entries: number,
    rounds: number,
    elections: number,
    beats: number,
    commands: number,
    queries: number,
    resubmissions: number,
    crashes: number,
    spares: number,
    amendments: number,
    transfers: number,
    logs: number,
    larger: { type: "boolean", default: false },
    max: number,
    depth: number,
    consequences: { type: "boolean", default: false }
  }
})

const { consequences, larger, logs, max, depth, ...bounds } = values
const rules = consequences ? "consequences" : "all"
const maxSituations = Number(max ?? Number.POSITIVE_INFINITY)
const maxDepth = Number(depth ?? Number.POSITIVE_INFINITY)

const named = Object.entries(bounds).map(([name, bound]) => [name, Number(bound)] as const)
/** `1,1/1/` is a log of two entries of term 1, one of one, and an empty one. */
const terms = (text: string): ReadonlyArray<number> =>
  text
    .split(",")
    .filter((term) => term !== "")
    .map(Number)
const begun = logs === undefined ? {} : { logs: logs.split("/").map(terms) }
const asked = named.length > 0 || logs !== undefined
const listed = larger ? Scopes.larger : Scopes.standard
const scopes = asked ? [["as asked", { ...Scopes.least, ...begun, ...Object.fromEntries(named) }] as const] : listed

for (const [name, scope] of scopes) {
  const began = performance.now()
  const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1)
  const progress = ({ situations, steps, depth }: SmallScope.Progress): void => {
    if (process.stdout.isTTY) process.stdout.write(`\r  depth ${depth}, ${situations} situations, ${steps} steps`)
  }
  const verdict = SmallScope.explore({ ...scope, rules, maxSituations, maxDepth, progress })
  const { situations, steps, complete, failure } = verdict
  if (process.stdout.isTTY) process.stdout.write("\r\u001b[2K")
  console.log(
    `${name}: ${situations} situations, ${steps} steps, depth ${verdict.depth}, ${complete ? "all of it" : "not all of it"}, ${seconds()} s`
  )
  if (failure === undefined) continue
  console.log(`${failure.path.join("\n")}\nbreaks a rule: ${failure.rule}\n  ${failure.detail}`)
  process.exit(1)
}
