/** The judge of histories is judged: it must object to what is wrong, and must not be at a loss. */
import { expect, it } from "vitest"
import { judge } from "../../src/sim/Judgement.ts"
import type { Operation } from "../../src/sim/Operation.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"

type Told = { readonly at: number; readonly value: number; readonly version: number } | undefined

const operation = (number: number, kind: "Command" | "Query", invokedAt: number, told: Told): Operation => ({
  number,
  client: 1,
  replica: ReplicaId("A"),
  kind,
  input: kind === "Command" ? { key: 0, value: number, bytes: 1 } : { key: 0 },
  invokedAt,
  floor: 0,
  ending:
    told === undefined
      ? { _tag: "Unknown", reason: "GaveUp", at: 1000 }
      : { _tag: "Done", output: { value: told.value, version: told.version }, at: told.at }
})

it("accepts a write that nobody was told of, and somebody saw", () => {
  const history = [operation(1, "Command", 1, undefined), operation(2, "Query", 2, { at: 3, value: 1, version: 1 })]
  expect(() => judge(history)).not.toThrow()
})

it("objects to a read of what was overwritten before it", () => {
  const history = [
    operation(1, "Command", 1, { at: 2, value: 0, version: 0 }),
    operation(2, "Command", 3, { at: 4, value: 1, version: 1 }),
    operation(3, "Query", 5, { at: 6, value: 1, version: 1 })
  ]
  expect(() => judge(history)).toThrow("the history is linearizable")
})

it("objects to a write that is seen, and seen to be gone", () => {
  const history = [
    operation(1, "Command", 1, undefined),
    operation(2, "Query", 2, { at: 3, value: 1, version: 1 }),
    operation(3, "Query", 4, { at: 5, value: 0, version: 0 })
  ]
  expect(() => judge(history)).toThrow("the history is linearizable")
})

it("decides where many writes have no answer", () => {
  const lost = Array.from({ length: 40 }, (_, number) => operation(number + 1, "Command", number + 1, undefined))
  const seen = operation(41, "Query", 50, { at: 51, value: 40, version: 25 })
  judge([...lost, seen])
  expect(() =>
    judge([...lost, { ...seen, ending: { _tag: "Done", output: { value: 40, version: 41 }, at: 51 } }])
  ).toThrow("the history is linearizable")
})
