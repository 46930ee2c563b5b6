/** The open loop and the filling, with a dialect that answers at the next turn of the event loop, or not at all. */
import { expect, it } from "vitest"
import type { Dialect } from "../../bench/Dialect.ts"
import * as Filling from "../../bench/Filling.ts"
import * as OpenLoad from "../../bench/OpenLoad.ts"

const dialect = (problem: (number: number) => string | undefined, seen: Array<string> = []): Dialect => ({
  request: (operation, { key }) => ({ bytes: Buffer.from(`${operation} ${key}`), expected: Buffer.alloc(0) }),
  open: (_, ends) => {
    setImmediate(ends.onOpen)
    return {
      send: ({ bytes }, done) => {
        const number = seen.push(bytes.toString("latin1"))
        setImmediate(() => done(problem(number)))
      },
      close: () => undefined
    }
  },
  speaks: () => true,
  connections: (clients) => clients
})

const run = async (problem: (number: number) => string | undefined) => {
  const seen: Array<string> = []
  const intervals: Array<OpenLoad.Interval> = []
  await OpenLoad.run({
    dialect: dialect(problem, seen),
    port: 0,
    rate: 1000,
    keys: 10,
    valueBytes: 8,
    connections: 3,
    millis: 300,
    intervalMillis: 100,
    onInterval: (interval) => intervals.push(interval)
  })
  return { seen, intervals }
}

it("sends as many as it should, of both kinds and of all keys, and counts each once", async () => {
  const { seen, intervals } = await run(() => undefined)
  expect(seen.length).toBe(300)
  expect(intervals.reduce((sum, { operations }) => sum + operations, 0)).toBe(300)
  expect(intervals.reduce((sum, { puts, gets }) => sum + puts.total + gets.total, 0)).toBe(300)
  expect(new Set(seen).size).toBe(20)
  expect(intervals.length).toBeGreaterThanOrEqual(2)
})

it("counts what goes wrong, and not as an operation", async () => {
  const { intervals } = await run((number) => (number <= 7 ? "no" : undefined))
  expect(intervals.reduce((sum, { errors }) => sum + (errors["no"] ?? 0), 0)).toBe(7)
  expect(intervals.reduce((sum, { operations }) => sum + operations, 0)).toBe(293)
})

it("fills every key once", async () => {
  const seen: Array<string> = []
  await Filling.run(
    { port: 0, valueBytes: 8, from: 100, to: 2000 },
    dialect(() => undefined, seen)
  )
  const keys = seen.flatMap((text) => text.match(/bench\/8\/\d{8}/g) ?? [])
  expect(keys.toSorted()).toEqual(
    Array.from({ length: 1900 }, (_, at) => `bench/8/${String(at + 100).padStart(8, "0")}`)
  )
})

it("does not go on where one is refused", () =>
  expect(
    Filling.run(
      { port: 0, valueBytes: 8, from: 0, to: 2000 },
      dialect(() => "full")
    )
  ).rejects.toThrow("full"))
