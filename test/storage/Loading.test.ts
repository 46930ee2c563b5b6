/** Reading a long log lets others go on, and tells how far it is when it takes more than a second. */
import { Clock, Context, Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { expect, test } from "vitest"
import * as FileStorage from "../../src/storage/FileStorage.ts"
import { Storage } from "../../src/storage/Storage.ts"
import { append, command, image, newDirectory, optionsFor, start } from "./Fixture.ts"

/** Two dozen entries of a megabyte each, in segments of four megabytes. */
const long = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory, { segmentBytes: 1 << 22 })
  for (let i = 1; i <= 24; i++) await storage.persist(append(command(i, 1, Buffer.alloc(1_000_000, i))))
  return image(directory)
}

/** Starts while each look at the clock takes so long; what is logged, and how many turns others had. */
const startSlowly = async (directory: string, nanosPerLook: bigint) => {
  const said: Array<string> = []
  let turns = 0
  const program = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    let elapsed = 0n
    const slow: Clock.Clock = Object.create(clock, {
      monotonicTimeNanos: { value: Effect.sync(() => (elapsed += nanosPerLook)) }
    })
    const others = Effect.gen(function* () {
      while (true) {
        turns++
        yield* Effect.yieldNow
      }
    })
    yield* Effect.forkChild(others)
    const built = Layer.build(FileStorage.layer(optionsFor(directory)))
    return Context.get(yield* Effect.provideService(built, Clock.Clock, slow), Storage).recovered.entries.length
  })
  const logger = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
  const entries = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide([logger, TestClock.layer()])))
  return { entries, said, turns }
}

test("progress is told about once a second, and others go on", async () => {
  const { entries, said, turns } = await startSlowly(await long(), 400_000_000n)
  expect(entries).toBe(24)
  expect(said.length).toBeGreaterThanOrEqual(3)
  expect(said.length).toBeLessThanOrEqual(8)
  const line = /^reading the log: (\d+) %, (\d+) entries, (\d+\.\d) s$/
  const told = said.map((text) => line.exec(text)?.slice(1).map(Number) ?? [])
  expect(told[0]?.[2]).toBe(1.2)
  for (const [i, [percent, count, seconds]] of told.entries()) {
    expect(percent).toBeGreaterThan(told[i - 1]?.[0] ?? 0)
    expect(percent).toBeLessThanOrEqual(100)
    expect(count).toBeGreaterThan(told[i - 1]?.[1] ?? 0)
    expect(seconds).toBeGreaterThanOrEqual((told[i - 1]?.[2] ?? 0) + 1)
  }
  expect(turns).toBeGreaterThanOrEqual(10)
})

test("a quick start says nothing", async () => {
  expect((await startSlowly(await long(), 1_000_000n)).said).toEqual([])
})
