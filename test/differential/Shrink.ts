/**
 * Makes a sequence small that the two servers answer otherwise: leaves out steps, then parts of requests, as long as
 * the same route still differs. Each attempt is a run of its own, and there are only so many.
 */
import { type Difference, type Pair, run } from "./Run.ts"
import type { Create, Sequence, Step, WatchRequest } from "./Sequence.ts"
import { isList, isMeaning, type Template } from "./Template.ts"

export interface Shrunk {
  readonly sequence: Sequence
  readonly difference: Difference
}

export const defaultMaxAttempts = 400

export const shrink = async (pair: Pair, found: Shrunk, maxAttempts = defaultMaxAttempts): Promise<Shrunk> => {
  let smallest = found
  let attempts = 0
  const attempt = async (steps: ReadonlyArray<Step>): Promise<boolean> => {
    if (attempts++ >= maxAttempts) return false
    const sequence = { ...smallest.sequence, steps }
    const difference = await run(pair, sequence)
    if (difference === undefined || !isAlike(difference, found.difference)) return false
    smallest = { sequence, difference }
    return true
  }
  await withoutSteps(() => smallest.sequence.steps, attempt)
  for (let at = 0; at < smallest.sequence.steps.length; at++)
    await withoutParts(() => smallest.sequence.steps, at, attempt)
  return smallest
}

/** Otherwise a small sequence might show something else, that is known already. */
const isAlike = (one: Difference, other: Difference): boolean =>
  one.route === other.route && shapeOf(one.path) === shapeOf(other.path)

const shapeOf = (path: string): string => path.replace(/\d+/g, "0")

type Attempt = (steps: ReadonlyArray<Step>) => Promise<boolean>

/** Half of them, a quarter, and so on to single ones. */
const withoutSteps = async (current: () => ReadonlyArray<Step>, attempt: Attempt): Promise<void> => {
  for (let size = Math.ceil(current().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    // From the end: what came later is needed more seldom.
    for (let end = current().length; end > 0; end -= size) {
      const steps = current()
      await attempt([...steps.slice(0, Math.max(0, end - size)), ...steps.slice(end)])
    }
  }
}

const withoutParts = async (current: () => ReadonlyArray<Step>, at: number, attempt: Attempt): Promise<void> => {
  let next = 0
  for (;;) {
    const steps = current()
    const smaller = smallerSteps(steps[at]!)
    const step = smaller[next]
    if (step === undefined) return
    // What is left has other parts at the same places.
    if (!(await attempt(steps.with(at, step)))) next++
  }
}

const smallerSteps = (step: Step): ReadonlyArray<Step> => {
  if (step.kind === "call") return smallerLists(step.bodies, smaller, 1).map((bodies) => ({ ...step, bodies }))
  if (step.kind === "expire") return []
  return smallerLists(step.requests, smallerRequests, 1).map((requests) => ({ ...step, requests }))
}

/** What it watches, and from where, is told beside the request: these fields stay. */
const smallerRequests = (request: WatchRequest): ReadonlyArray<WatchRequest> => {
  if (request.kind !== "create") return []
  const [name, body] = Object.entries(request.body as { readonly [name: string]: Template })[0]!
  return smaller(body)
    .filter((one) => keeps(one, body))
    .map((one): Create => ({ ...request, body: { [name]: one } }))
}

const kept = ["key", "range_end", "rangeEnd", "start_revision", "startRevision", "filters"]

const keeps = (smaller: Template, body: Template): boolean =>
  kept.every((name) => JSON.stringify(at(smaller, name)) === JSON.stringify(at(body, name)))

const at = (template: Template, name: string): Template | undefined =>
  (template as { readonly [name: string]: Template })[name]

/** With one part left out, or one part smaller. */
const smaller = (template: Template): ReadonlyArray<Template> => {
  if (template === null || typeof template !== "object" || isMeaning(template)) return []
  if (isList(template)) return smallerLists(template, smaller, 0)
  const entries = Object.entries(template)
  return [
    ...entries.map((_, at) => Object.fromEntries(entries.toSpliced(at, 1))),
    ...entries.flatMap(([name, value]) => smaller(value).map((one) => ({ ...template, [name]: one })))
  ]
}

const smallerLists = <A>(
  list: ReadonlyArray<A>,
  smaller: (one: A) => ReadonlyArray<A>,
  least: number
): ReadonlyArray<ReadonlyArray<A>> => [
  ...(list.length > least ? list.map((_, at) => list.toSpliced(at, 1)) : []),
  ...list.flatMap((one, at) => smaller(one).map((smaller) => list.with(at, smaller)))
]
