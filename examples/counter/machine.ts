/** A counter that many may add to: the smallest machine there is. */
import { Schema } from "effect"
import { Replicated } from "../../src/index.ts"
import type { Sample } from "../../src/simulator.ts"

const Add = Schema.TaggedStruct("Add", { amount: Schema.Int })
const Value = Schema.TaggedStruct("Value", {})

export const definition = Replicated.define({
  name: "counter",
  state: Schema.Struct({ value: Schema.Int, additions: Schema.Int }),
  command: Add,
  result: Schema.Int,
  query: Value,
  answer: Schema.Int,
  initial: { value: 0, additions: 0 },
  /** Tells the value after the addition, so everybody who adds 1 is told another number. */
  apply: (state, { amount }) => {
    const value = state.value + amount
    return [{ value, additions: state.additions + 1 }, value]
  },
  read: (state) => state.value
})

export class Counter extends Replicated.Service<Counter>()("examples/Counter", definition) {}

export const add = (amount: number): typeof Add.Type => ({ _tag: "Add", amount })
export const value: typeof Value.Type = { _tag: "Value" }

/** For the simulator: what clients ask, and what must hold of every state that is applied. */
export const sample: Sample<typeof definition> = {
  command: (random) => add(random.below(12) - 3),
  query: () => value,
  alter: (_, state) => ({ ...state, value: state.value + 1 }),
  rule: (before, after, { amount }, result) => {
    if (after.value !== before.value + amount) return `${before.value} and ${amount} is not ${after.value}`
    return result === after.value ? undefined : `told ${result}, and it is ${after.value}`
  }
}
