/**
 * A run's history before the checker that knows nothing of logs (I14), register by register.
 * To be undecided is a failure like any other: so the history is first told all that follows
 * from it, which leaves the search little to guess.
 *
 * Every write leaves a value of its own. One that nobody was answered for, but whose value
 * somebody saw, has happened, by the time the first who saw it was answered, and as the version
 * that they saw. One that nobody saw can only be one of those that were overwritten unseen: all
 * of these are alike.
 */
import { type Call, check, type Model } from "./Linearizability.ts"
import type { Operation } from "./Operation.ts"
import type { Cell, Look, Write } from "./Register.ts"
import { require } from "./Violation.ts"

type Input = Write | Look

/** What an operation saw; a write that was only seen by others saw a value that nobody knows. */
interface Seen {
  readonly value: number | undefined
  readonly version: number
}

export const maxSteps = 200_000

export const judge = (history: ReadonlyArray<Operation>): void => {
  const asked = history.filter(({ kind }) => kind !== "Amendment")
  const keys = new Set(asked.map(({ input }) => (input as Input).key))
  for (const key of keys) {
    const calls = deduce(callsOf(asked, key))
    const verdict = check(calls, modelOf(calls), maxSteps)
    const told = (): string => `${calls.length} calls of register ${key}`
    require(verdict !== "Undecided", "linearizability is decided (I14)", told)
    require(verdict !== "NotLinearizable", "the history is linearizable (I14)", told)
  }
}

/** A read that failed says nothing, and what was refused did not happen. */
const callsOf = (history: ReadonlyArray<Operation>, key: number): ReadonlyArray<Call<Input, Seen>> =>
  history.flatMap(({ input, kind, ending, invokedAt }) => {
    const asked = input as Input
    const answer = ending?._tag === "Done" ? { output: ending.output as Cell, at: ending.at } : undefined
    const silent = answer === undefined && (kind === "Query" || ending?._tag === "Refused")
    return asked.key !== key || silent ? [] : [{ input: asked, at: invokedAt, answer }]
  })

const deduce = (calls: ReadonlyArray<Call<Input, Seen>>): ReadonlyArray<Call<Input, Seen>> => {
  const sightings = new Map<number | undefined, { readonly version: number; readonly at: number }>()
  for (const { answer } of calls) {
    if (answer === undefined) continue
    const { value, version } = answer.output
    const at = Math.min(answer.at, sightings.get(value)?.at ?? Number.POSITIVE_INFINITY)
    sightings.set(value, { version, at })
  }
  return calls.map((call) => {
    const seen = call.answer === undefined && "value" in call.input ? sightings.get(call.input.value) : undefined
    return seen === undefined
      ? call
      : { ...call, answer: { output: { value: undefined, version: seen.version - 1 }, at: seen.at } }
  })
}

const modelOf = (calls: ReadonlyArray<Call<Input, Seen>>): Model<Cell, Input, Seen> => {
  const unseen = new Set(calls.filter(({ answer }) => answer === undefined).map(({ input }) => input))
  return {
    initial: { value: 0, version: 0 },
    apply: (state, input) =>
      "value" in input ? [{ value: input.value, version: state.version + 1 }, state] : [state, state],
    same: (one, other) => one.version === other.version && (other.value === undefined || one.value === other.value),
    key: ({ value, version }) => `${value} ${version}`,
    alike: (one, other) => unseen.has(one) && unseen.has(other)
  }
}
