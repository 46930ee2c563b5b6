/** The closed loop, with a dialect that answers at the next turn of the event loop and counts. */
import { expect, it } from "vitest"
import type { Dialect, Done } from "../../bench/Dialect.ts"
import * as Load from "../../bench/Load.ts"
import * as Workload from "../../bench/Workload.ts"

interface Answering {
  readonly connections?: number
  /** What is told of request number so many; undefined is a right answer. */
  readonly problem?: (number: number) => string | undefined
  /** After so many requests nothing is answered any more, and the line is lost instead. */
  readonly loseAfter?: number
}

const answering = ({ connections, problem = () => undefined, loseAfter = Number.POSITIVE_INFINITY }: Answering) => {
  const seen = { asked: 0, underWay: 0, most: 0, opened: 0, lines: new Set<number>(), keys: new Set<string>() }
  const dialect: Dialect = {
    request: (operation, { key }) => {
      seen.keys.add(key)
      return { bytes: Buffer.from(`${operation} ${key}`), expected: Buffer.alloc(0) }
    },
    open: (_, ends) => {
      const own = ++seen.opened
      const waiting = new Set<Done>()
      setImmediate(ends.onOpen)
      return {
        send: (_request, done) => {
          const number = ++seen.asked
          seen.lines.add(own)
          seen.most = Math.max(seen.most, ++seen.underWay)
          const settle = (outcome: string | undefined): void => {
            if (!waiting.delete(once)) return
            seen.underWay--
            done(outcome)
          }
          const once: Done = settle
          waiting.add(once)
          if (number !== loseAfter) setImmediate(() => settle(problem(number)))
          else {
            setImmediate(() => {
              ends.onLost("gone")
              for (const one of waiting) one("gone")
            })
          }
        },
        close: () => undefined
      }
    },
    speaks: () => true,
    connections: (clients) => connections ?? clients
  }
  return { dialect, seen }
}

const run = (dialect: Dialect, name: string, more: { readonly spread?: number; readonly keys?: number } = {}) =>
  Load.run({
    ...more,
    dialect,
    port: 0,
    workload: Workload.parse(name),
    connections: undefined,
    windowMillis: 60,
    sample: () => performance.now()
  })

it("has as many requests under way as clients send at once, on as many connections as are to be shared", async () => {
  const { dialect, seen } = answering({ connections: 2 })
  const { operations, latency, errors, before, after } = await run(dialect, "put-5x3")
  expect([seen.most, seen.opened, errors]).toEqual([15, 2, {}])
  expect(operations).toBeGreaterThan(15)
  expect(operations).toBeLessThan(seen.asked)
  // Those sent before the window but answered in it have no latency, those answered after it do.
  expect(Math.abs(latency.total - operations)).toBeLessThanOrEqual(15)
  expect(after - before).toBeGreaterThanOrEqual(59)
})

it("counts what went wrong, and not as an operation", async () => {
  const { dialect, seen } = answering({ problem: (number) => (number % 2 === 0 ? "no" : undefined) })
  const { operations, errors } = await run(dialect, "get-1")
  expect(Object.keys(errors)).toEqual(["no"])
  expect(errors["no"]).toBe(Math.floor(seen.asked / 2))
  expect(operations).toBeLessThanOrEqual(seen.asked / 2)
})

it("goes on over a new connection when one is lost", async () => {
  const { dialect, seen } = answering({ connections: 1, loseAfter: 5 })
  const { operations, errors } = await run(dialect, "mixed-3")
  expect(seen.opened).toBe(2)
  expect(errors["gone"]).toBeGreaterThan(1)
  expect(operations).toBeGreaterThan(0)
})

it("spreads what few clients ask over many connections, and still has as much under way as there are clients", async () => {
  const { dialect, seen } = answering({})
  const { errors } = await run(dialect, "get-3", { spread: 10 })
  expect([seen.most, seen.opened, errors]).toEqual([3, 10, {}])
  expect(seen.lines.size).toBe(10)
})

it("asks for any of as many keys as there are", async () => {
  const { dialect, seen } = answering({})
  await run(dialect, "put-1", { keys: 5 })
  expect([...seen.keys].toSorted()).toEqual([0, 1, 2, 3, 4].map((at) => `bench/256/0000000${at}`))
})
