/**
 * Makes a failing run small: fewer faults, fewer requests, fewer steps, as long as the same rule
 * breaks. What is dropped is dropped in halves, quarters and so on (Zeller's delta debugging);
 * after so many trials it must do.
 */
import type { Cuts } from "./Cuts.ts"
import { type Toggle, toggles } from "./Plan.ts"
import type { Outcome } from "./Simulation.ts"

export interface Shrunk {
  readonly cuts: Cuts
  readonly outcome: Outcome
  readonly trials: number
}

interface Search {
  readonly run: (cuts: Cuts) => Outcome
  readonly rule: string
  best: { readonly cuts: Cuts; readonly outcome: Outcome }
  left: number
}

export const shrink = (
  run: (cuts: Cuts) => Outcome,
  failed: { readonly cuts: Cuts; readonly outcome: Outcome },
  maxTrials = 500
): Shrunk => {
  const search: Search = { run, rule: failed.outcome.failure?.rule ?? "", best: failed, left: maxTrials }
  for (let size = 1; size < failed.outcome.plan.size; size++) if (attempt(search, { size })) break
  shorten(search)
  for (const toggle of toggles) attempt(search, { off: [...off(search), toggle] })
  for (let before = -1; before !== search.left && search.left > 0; ) {
    const outcome = (): Outcome => search.best.outcome
    before = search.left
    const { cuts } = search.best
    reduce(search, "strikes", search.best.cuts.strikes ?? numbers(outcome().strikes))
    reduce(search, "asks", search.best.cuts.asks ?? numbers(outcome().asks))
    shorten(search)
    if (search.best.cuts === cuts) break
  }
  return { ...search.best, trials: maxTrials - search.left }
}

const off = ({ best }: Search): ReadonlyArray<Toggle> => best.cuts.off ?? []

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, number) => number)

/** Keeps the change if the same rule still breaks. */
const attempt = (search: Search, change: Cuts): boolean => {
  if (search.left <= 0) return false
  search.left--
  const cuts = { ...search.best.cuts, ...change }
  const outcome = search.run(cuts)
  if (outcome.failure?.rule !== search.rule) return false
  search.best = { cuts, outcome }
  return true
}

/** What comes after the failure is nothing; of what comes before it, as little as will do. */
const shorten = (search: Search): void => {
  for (const share of [0.1, 0.25, 0.5, 0.75, 0.9]) {
    const steps = Math.floor(Math.min(search.best.outcome.steps, search.best.outcome.plan.steps) * share)
    if (attempt(search, { steps })) return shorten(search)
  }
}

const reduce = (search: Search, what: "strikes" | "asks", all: ReadonlyArray<number>): void => {
  let kept = all
  if (kept.length > 0 && attempt(search, { [what]: [] })) return
  for (let pieces = 2; kept.length > 0 && search.left > 0; ) {
    const size = Math.ceil(kept.length / pieces)
    let smaller = false
    for (let from = 0; from < kept.length && search.left > 0; ) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)]
      if (attempt(search, { [what]: rest })) {
        kept = rest
        smaller = true
      } else from += size
    }
    if (size === 1 && !smaller) return
    if (size > 1) pieces = Math.min(kept.length, pieces * 2)
  }
}
