import { describe, expect, it } from "vitest"
import { type Call, check, type Model } from "../../src/sim/Linearizability.ts"

type Input = { readonly write: number } | "read"

const register: Model<number, Input, number> = {
  initial: 0,
  apply: (state, input) => (input === "read" ? [state, state] : [input.write, 0]),
  same: (one, other) => one === other,
  key: (state) => `${state}`
}

const write = (value: number, at: number, until?: number): Call<Input, number> => ({
  input: { write: value },
  at,
  answer: until === undefined ? undefined : { output: 0, at: until }
})
const read = (output: number, at: number, until: number): Call<Input, number> => ({
  input: "read",
  at,
  answer: { output, at: until }
})

describe("histories that are linearizable", () => {
  const good: ReadonlyArray<readonly [string, ReadonlyArray<Call<Input, number>>]> = [
    ["nothing", []],
    ["one after another", [write(1, 1, 2), read(1, 3, 4), write(2, 5, 6), read(2, 7, 8)]],
    ["a read that overlaps a write sees the old value", [write(1, 1, 4), read(0, 2, 3)]],
    ["a read that overlaps a write sees the new value", [write(1, 1, 4), read(1, 2, 3)]],
    ["overlapping writes in either order", [write(1, 1, 4), write(2, 2, 3), read(1, 5, 6)]],
    ["a write without an answer that happened", [write(1, 1), read(0, 2, 3), read(1, 4, 5)]],
    ["a write without an answer that never happened", [write(1, 1), read(0, 2, 3), read(0, 4, 5)]],
    [
      "reads of three overlapping writes",
      [write(1, 1, 9), write(2, 1, 9), write(3, 1, 9), read(2, 2, 3), read(1, 4, 5)]
    ]
  ]
  for (const [name, history] of good) it(name, () => expect(check(history, register)).toBe("Linearizable"))
})

describe("histories that are not", () => {
  const bad: ReadonlyArray<readonly [string, ReadonlyArray<Call<Input, number>>]> = [
    ["a lost write", [write(1, 1, 2), read(0, 3, 4)]],
    ["a stale read", [write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)]],
    ["a value from nowhere", [read(7, 1, 2)]],
    ["time that runs backwards", [write(1, 1, 8), read(1, 2, 3), read(0, 4, 5)]],
    ["a write that happens twice", [write(1, 1, 2), write(2, 3, 4), read(1, 5, 6), read(2, 7, 8)]],
    ["a write without an answer that comes and goes", [write(1, 1), read(1, 2, 3), read(0, 4, 5)]],
    ["a read from the future", [read(1, 1, 2), write(1, 3, 4)]]
  ]
  for (const [name, history] of bad) it(name, () => expect(check(history, register)).toBe("NotLinearizable"))
})

it("says so when it cannot decide", () => {
  const many = Array.from({ length: 12 }, (_, value) => write(value + 1, 1, 100))
  expect(check([...many, read(99, 101, 102)], register, 1000)).toBe("Undecided")
})
