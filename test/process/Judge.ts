/**
 * The verdict on a history of real processes. Each key is a register of its own, so each is
 * judged alone (linearizability is local); revisions, which all keys share, must besides
 * never run backwards. A history that could not be decided is a failure like a wrong one.
 */
import { type Call, check, type Model } from "../../src/sim/Linearizability.ts"
import type { Asked, Found, Operation } from "./History.ts"

type State = Found | null

/** What the answer showed; a field that it does not have is not compared. */
interface Shown {
  readonly found?: Found | null
  readonly deleted?: number
}

const register: Model<State, Asked, Shown> = {
  initial: null,
  apply: (state, asked) => {
    switch (asked.op) {
      case "get":
        return [state, { found: state }]
      case "put":
        return [{ value: asked.value!, version: (state?.version ?? 0) + 1 }, { found: state }]
      case "delete":
        return [null, { found: state, deleted: state === null ? 0 : 1 }]
    }
  },
  same: (one, other) =>
    (other.found === undefined || key(one.found ?? null) === key(other.found)) &&
    (other.deleted === undefined || one.deleted === other.deleted),
  key: (state) => key(state)
}

const key = (state: State): string => (state === null ? "" : `${state.version} ${state.value}`)

const defaultMaxSteps = 500_000

/** What is wrong with the history of one key, in lines; nothing if it is linearizable. */
export const judgeKey = (history: ReadonlyArray<Operation>, maxSteps = defaultMaxSteps): ReadonlyArray<string> => {
  const name = history[0]?.key ?? "?"
  switch (check(callsOf(history), register, maxSteps)) {
    case "Linearizable":
      return []
    case "Undecided":
      return [`key ${name}: undecided after ${maxSteps} steps, ${history.length} operations`]
    case "NotLinearizable":
      return [`key ${name}: not linearizable`, ...explain(history, maxSteps)]
  }
}

/** What was refused never happened; what nobody knows may have happened at any time since, and a get changes nothing. */
const callsOf = (history: ReadonlyArray<Operation>): ReadonlyArray<Call<Asked, Shown>> =>
  history
    .filter(({ op, outcome }) => outcome === "ok" || (outcome === "unknown" && op !== "get"))
    .map((operation) => ({
      input: operation,
      at: operation.start,
      answer: operation.outcome === "ok" ? { output: operation, at: operation.end } : undefined
    }))

const shown = 16

/** The first answer that no order of what came before explains, and what surrounds it. */
const explain = (history: ReadonlyArray<Operation>, maxSteps: number): ReadonlyArray<string> => {
  const answers = history.filter(({ outcome }) => outcome === "ok").toSorted((one, other) => one.end - other.end)
  // A prefix of a linearizable history is linearizable, so halving finds the first that is not.
  let low = 0
  let high = answers.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    const wrong = check(callsOf(until(history, answers[middle]!.end)), register, maxSteps) === "NotLinearizable"
    if (wrong) high = middle
    else low = middle + 1
  }
  const first = answers[low]
  if (first === undefined) return []
  const before = until(history, first.end).toSorted((one, other) => one.end - other.end)
  return [
    `  cannot be explained: ${describe(first)}`,
    "  before it:",
    ...before.slice(-shown).map((one) => `    ${describe(one)}`)
  ]
}

/** The history as it was known at an instant. */
const until = (history: ReadonlyArray<Operation>, instant: number): ReadonlyArray<Operation> =>
  history
    .filter(({ start }) => start <= instant)
    .map((operation) => (operation.end <= instant ? operation : { ...operation, outcome: "unknown" as const }))

export const describe = (operation: Operation): string => {
  const { id, client, replica, op, start, end, outcome, value, found, deleted, revision, reason } = operation
  const found_ =
    found === undefined ? "" : found === null ? " found nothing" : ` found ${found.value} (${found.version})`
  return [
    `${start.toFixed(2)}-${end.toFixed(2)} #${id} client ${client} through ${replica}: ${op}`,
    value === undefined ? "" : ` ${value}`,
    ` ${outcome}${found_}`,
    deleted === undefined ? "" : ` deleted ${deleted}`,
    revision === undefined ? "" : ` at revision ${revision}`,
    reason === undefined ? "" : ` (${reason})`
  ].join("")
}

/**
 * Each change takes the next revision and each answer names the last one, so a revision is a
 * register too, and one that only grows: whoever begins after somebody's answer sees at least
 * that revision, and a change a later one. It spans keys, and takes no search.
 */
export const judgeRevisions = (history: ReadonlyArray<Operation>): ReadonlyArray<string> => {
  const answered = history.filter(({ outcome, revision }) => outcome === "ok" && revision !== undefined)
  const byEnd = answered.toSorted((one, other) => one.end - other.end)
  const changes = new Map<number, Operation>()
  const problems: Array<string> = []
  let ended = 0
  let latest: Operation | undefined
  for (const operation of answered.toSorted((one, other) => one.start - other.start)) {
    for (; byEnd[ended] !== undefined && byEnd[ended]!.end < operation.start; ended++) {
      if (latest === undefined || byEnd[ended]!.revision! > latest.revision!) latest = byEnd[ended]
    }
    const least = latest === undefined ? 0 : latest.revision! + (changed(operation) ? 1 : 0)
    if (operation.revision! < least)
      problems.push("revisions run backwards:", `  ${describe(latest!)}`, `  ${describe(operation)}`)
    if (!changed(operation)) continue
    const twin = changes.get(operation.revision!)
    if (twin !== undefined)
      problems.push("one revision, two changes:", `  ${describe(twin)}`, `  ${describe(operation)}`)
    changes.set(operation.revision!, operation)
  }
  return problems.slice(0, 3 * maxShown)
}

/** One that goes wrong is seldom alone. */
const maxShown = 4

const changed = ({ op, deleted }: Operation): boolean => op === "put" || (op === "delete" && deleted === 1)
