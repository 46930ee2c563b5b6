/** The service on disks and a network in memory, under a clock that the test moves. */
import { Cause, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { assert, describe, it } from "@effect/vitest"
import { ChangesLost } from "../../src/embed/Changes.ts"
import * as MemoryCluster from "../../src/embed/MemoryCluster.ts"
import { definition, passing, say, Tally } from "./Tally.ts"

describe("a cluster in memory", () => {
  it.effect("applies what any replica is given, and answers at every other", () =>
    Effect.gen(function* () {
      const cluster = yield* Tally.cluster()
      yield* passing(cluster.leader)
      for (const id of cluster.ids) {
        const result = yield* passing(cluster.replica(id).propose(say("hello", 2)))
        assert.deepEqual(result, { before: 2 * cluster.ids.indexOf(id), known: id !== "A" })
      }
      for (const id of cluster.ids) {
        assert.strictEqual(yield* passing(cluster.replica(id).query({ word: "hello" })), 6)
      }
    })
  )

  it.effect("goes on without its leader, which catches up when it is back", () =>
    Effect.gen(function* () {
      const cluster = yield* Tally.cluster({ replicas: 3 })
      const first = yield* passing(cluster.leader)
      yield* passing(cluster.replica(first).propose(say("before")))
      yield* cluster.stop(first)
      assert.notInclude(cluster.running, first)
      const second = yield* passing(cluster.leader)
      assert.notStrictEqual(second, first)
      yield* passing(cluster.replica(second).propose(say("after")))
      const back = yield* cluster.start(first)
      assert.strictEqual(yield* passing(back.query({ word: "before" })), 1)
      assert.strictEqual(yield* passing(back.query({ word: "after" })), 1)
    })
  )

  it.effect("tells who waits that the outcome is unknown when no majority is left", () =>
    Effect.gen(function* () {
      const cluster = yield* Tally.cluster({ replicas: 3, requestTimeoutMillis: 60_000 })
      const leader = yield* passing(cluster.leader)
      for (const id of cluster.ids) if (id !== leader) yield* cluster.stop(id)
      const error = yield* passing(Effect.flip(cluster.replica(leader).propose(say("alone"))))
      assert.deepInclude(error, { _tag: "Unavailable", outcomeUnknown: true })
    })
  )

  it.effect("tells a caller who has waited long enough that the outcome is unknown", () =>
    Effect.gen(function* () {
      const raft = { electionTimeoutMillis: 60_000, heartbeatMillis: 1000 }
      const cluster = yield* Tally.cluster({ replicas: 3, requestTimeoutMillis: 1000, raft })
      const leader = yield* passing(cluster.leader, 400_000)
      for (const id of cluster.ids) if (id !== leader) yield* cluster.stop(id)
      const error = yield* passing(Effect.flip(cluster.replica(leader).propose(say("late"))))
      assert.deepInclude(error, { _tag: "RequestTimeout", outcomeUnknown: true })
    })
  )
})

describe("what is refused before it is submitted", () => {
  it.effect("is a command or a query that the schema refuses, and one that is too long", () =>
    Effect.gen(function* () {
      const tally = yield* Tally
      const invalid = yield* Effect.flip(tally.propose({ _tag: "Say", word: "x", times: 0 }))
      assert.deepInclude(invalid, { _tag: "InvalidCommand", outcomeUnknown: false })
      assert.include(invalid.message, "times")
      const query = yield* Effect.flip(tally.query({ word: "" }))
      assert.strictEqual(query._tag, "InvalidQuery")
      assert.strictEqual((yield* Effect.flip(tally.queryLocal({ word: "" })))._tag, "InvalidQuery")
      const exhausted = yield* Effect.flip(tally.propose(say("much too long for it")))
      assert.deepInclude(exhausted, { _tag: "ResourceExhausted", limit: "maxCommandBytes", outcomeUnknown: false })
      assert.strictEqual((yield* tally.status).lastIndex, 0)
    }).pipe(Effect.provide(Tally.layerMemory({ limits: { maxCommandBytes: 40 } })))
  )

  it.effect("is a request beyond those that may wait", () =>
    Effect.gen(function* () {
      const tally = yield* Tally
      const waits = yield* Effect.forkChild(tally.propose(say("one")), { startImmediately: true })
      const exhausted = yield* Effect.flip(tally.propose(say("two")))
      assert.deepInclude(exhausted, { _tag: "ResourceExhausted", limit: "maxWaitingRequests" })
      yield* passing(Fiber.join(waits))
    }).pipe(Effect.provide(Tally.layerMemory({ limits: { maxWaitingRequests: 1 } })))
  )
})

describe("a replica that ends by itself", () => {
  it.effect("says so to its callers, to those who watch it, and to its subscribers", () =>
    Effect.gen(function* () {
      const cluster = yield* Tally.cluster({ replicas: 1 })
      const tally = cluster.replica("A")
      yield* passing(tally.propose(say("one")))
      const watched = yield* Effect.forkChild(Effect.flip(tally.awaitFailure), { startImmediately: true })
      const subscribed = yield* Effect.forkChild(Effect.flip(Stream.runDrain(tally.changes)), {
        startImmediately: true
      })
      cluster.disk("A").failNext("WriteFailed")
      const waiting = yield* passing(Effect.flip(tally.propose(say("two"))))
      assert.deepInclude(waiting, { _tag: "Unavailable", outcomeUnknown: true })
      const failure = yield* passing(Fiber.join(watched))
      assert.deepInclude(failure, { _tag: "StorageError", reason: "WriteFailed" })
      assert.deepInclude(yield* passing(Fiber.join(subscribed)), { _tag: "ChangesLost", reason: "Ended" })
      const later = yield* Effect.flip(tally.propose(say("three")))
      assert.deepInclude(later, { _tag: "Unavailable", outcomeUnknown: false })
      const lateSubscriber = yield* Effect.flip(Stream.runDrain(tally.changes))
      assert.deepInclude(lateSubscriber, { _tag: "ChangesLost", reason: "Ended" })
    })
  )

  it.effect("is one whose machine throws, and what it threw is what is seen", () =>
    Effect.gen(function* () {
      const broken = {
        ...definition,
        apply: (): never => {
          throw new Error("a mistake in apply")
        }
      }
      const cluster = yield* MemoryCluster.make(broken, { replicas: 3 })
      const tally = cluster.replica(yield* passing(cluster.leader))
      const watched = yield* Effect.forkChild(Effect.exit(tally.awaitFailure), { startImmediately: true })
      const waiting = yield* passing(Effect.flip(tally.propose(say("one"))))
      assert.deepInclude(waiting, { _tag: "Unavailable", outcomeUnknown: true })
      const exit = yield* passing(Fiber.join(watched))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "a mistake in apply")
    })
  )
})

describe("layers", () => {
  it.effect("each hold a replica of their own", () =>
    Effect.gen(function* () {
      const one = yield* Layer.build(Layer.fresh(Tally.layerMemory()))
      const other = yield* Layer.build(Layer.fresh(Tally.layerMemory()))
      const propose = Tally.use((tally) => tally.propose(say("x")))
      yield* passing(Effect.provide(propose, one))
      assert.deepEqual(yield* passing(Effect.provide(propose, one)), { before: 1, known: true })
      assert.deepEqual(yield* passing(Effect.provide(propose, other)), { before: 0, known: false })
    })
  )

  it.effect("that are closed answer no more", () =>
    Effect.gen(function* () {
      const tally = yield* Effect.scoped(
        Effect.gen(function* () {
          const cluster = yield* Tally.cluster({ replicas: 1 })
          return cluster.replica("A")
        })
      )
      assert.strictEqual((yield* Effect.flip(tally.query({ word: "x" })))._tag, "Unavailable")
      const lost = yield* Effect.flip(Stream.runDrain(tally.changes))
      assert.instanceOf(lost, ChangesLost)
    })
  )
})
