/** Who is asked when, by the clock of a test: order, shares of time, pauses, and what is said at the end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/client/Backoff.ts"
import type { Attempt } from "../../src/client/ClientError.ts"
import type { Endpoint } from "../../src/client/Endpoint.ts"
import * as Failover from "../../src/client/Failover.ts"
import { nowMillis } from "../../src/client/MonotonicTime.ts"

const [a, b, c] = [1, 2, 3].map((port): Endpoint => ({ host: "h", port })) as [Endpoint, Endpoint, Endpoint]
const backoff = { firstMillis: 100, maxMillis: 400 }

const failed = (endpoint: Endpoint, kind: Attempt["kind"] = "NotSent", isOpen = false): Failover.Tried<never> => ({
  _tag: "GoOn",
  attempt: { endpoint, kind, reason: kind },
  isOpen
})

const done: Failover.Tried<string> = { _tag: "Done", value: "done" }

interface Call {
  readonly port: number
  readonly at: number
  readonly shareMillis: number
}

/** Runs to its end by the clock, and tells who was asked. */
const run = (
  cluster: Failover.Endpoints,
  limits: Failover.Limits,
  tryOne: (endpoint: Endpoint, at: number) => Failover.Tried<string>
) =>
  Effect.gen(function* () {
    const began = yield* nowMillis
    const calls: Array<Call> = []
    const fiber = yield* Effect.forkChild(
      Effect.result(
        Failover.first(cluster, limits, (endpoint, { shareMillis }) =>
          Effect.map(nowMillis, (now) => {
            calls.push({ port: endpoint.port, at: now - began, shareMillis })
            return tryOne(endpoint, calls.length - 1)
          })
        )
      )
    )
    yield* TestClock.adjust(60_000)
    return { calls, ports: calls.map(({ port }) => port), result: yield* Fiber.join(fiber) }
  })

const limits: Failover.Limits = { write: false, totalMillis: 3000 }

describe("one thing at whichever endpoint can", () => {
  it.effect("asks each once in its order, and gives the others their share of the time", () =>
    Effect.gen(function* () {
      const { calls, ports, result } = yield* run({ endpoints: [a, b, c] }, limits, (endpoint) => failed(endpoint))
      assert.deepEqual(ports, [1, 2, 3])
      assert.deepEqual(
        calls.map(({ shareMillis }) => shareMillis),
        [1000, 1500, 3000]
      )
      assert.strictEqual(result._tag === "Failure" && result.failure._tag, "ClusterUnavailable")
    })
  )

  it.effect("stops at the first that can, and begins with it the next time", () =>
    Effect.gen(function* () {
      const preferred = yield* Ref.make<Endpoint | undefined>(undefined)
      const cluster = { endpoints: [a, b, c], preferred }
      const first = yield* run(cluster, limits, (endpoint) => (endpoint === b ? done : failed(endpoint)))
      assert.deepEqual(first.ports, [1, 2])
      const second = yield* run(cluster, limits, (endpoint) => (endpoint === b ? done : failed(endpoint)))
      assert.deepEqual(second.ports, [2])
      const avoiding = yield* run(cluster, { ...limits, avoid: b }, (endpoint) => failed(endpoint))
      assert.deepEqual(avoiding.ports, [1, 3, 2])
    })
  )

  it.effect("goes round until the time is up, with pauses that grow to their limit and are never the same", () =>
    Effect.gen(function* () {
      const { calls, result } = yield* run({ endpoints: [a], backoff }, limits, (endpoint) => failed(endpoint))
      assert.strictEqual(result._tag, "Failure")
      const pauses = calls.slice(1).map(({ at }, index) => at - calls[index]!.at)
      for (const [round, pause] of pauses.entries()) {
        const full = Math.min(400, 100 * 2 ** round)
        // The clock of the test counts whole milliseconds.
        assert.isAtLeast(pause, Math.floor(full / 2), `round ${round}`)
        assert.isAtMost(pause, Math.ceil(full), `round ${round}`)
      }
      assert.isAtLeast(pauses.length, 8)
      assert.isAbove(new Set(pauses.slice(2)).size, 1, "by chance")
      assert.isBelow(calls.at(-1)!.at, 3000)
    })
  )

  it.effect("is done as soon as somebody can", () =>
    Effect.gen(function* () {
      const { ports, result } = yield* run({ endpoints: [a, b], backoff }, limits, (endpoint, at) =>
        at === 4 ? done : failed(endpoint)
      )
      assert.deepEqual(ports, [1, 2, 1, 2, 1])
      assert.isTrue(result._tag === "Success" && result.success === "done")
    })
  )

  it.effect("says at the end what is known", () =>
    Effect.gen(function* () {
      const ending = (write: boolean, ...tried: ReadonlyArray<Failover.Tried<string>>) =>
        Effect.map(
          run({ endpoints: [a, b].slice(0, tried.length) }, { ...limits, write }, (_, at) => tried[at]!),
          ({ result }) => (result._tag === "Failure" ? result.failure._tag : "Success")
        )
      assert.strictEqual(yield* ending(false, failed(a, "TimedOut", true)), "ReadUnanswered")
      assert.strictEqual(yield* ending(false, failed(a, "TimedOut"), failed(b, "NoQuorum")), "ClusterUnavailable")
      assert.strictEqual(yield* ending(true, failed(a, "NotSent")), "ClusterUnavailable")
      assert.strictEqual(yield* ending(true, failed(a, "Broken", true), failed(b, "NotSent")), "OutcomeUnknown")
    })
  )

  it.effect("remembers over all rounds that a write may have been carried out", () =>
    Effect.gen(function* () {
      const { result } = yield* run({ endpoints: [a], backoff }, { ...limits, write: true }, (endpoint, at) =>
        failed(endpoint, at === 0 ? "Broken" : "NotSent", at === 0)
      )
      assert.strictEqual(result._tag === "Failure" && result.failure._tag, "OutcomeUnknown")
    })
  )
})

describe("a pause", () => {
  it.effect("has no end of numbers", () =>
    Effect.gen(function* () {
      assert.isAtMost(yield* Backoff.pause(Backoff.defaults, 5000), Backoff.defaults.maxMillis)
    })
  )
})
