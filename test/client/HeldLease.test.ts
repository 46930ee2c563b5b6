/** A lease that is looked after, by the clock of a test: when it is renewed, when it is lost, and what that ends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { ReadUnanswered } from "../../src/client/ClientError.ts"
import { hold, type Keeping } from "../../src/client/HeldLease.ts"
import { LeaseId } from "../../src/client/LeaseId.ts"
import { nowMillis } from "../../src/client/MonotonicTime.ts"
import { LeaseNotFound } from "../../src/client/Refusal.ts"

const id = LeaseId(7n)
const endpoint = { host: "h", port: 1 }
const unanswered = Effect.fail(new ReadUnanswered({ attempts: [] }))

/** A server that a test speaks for: what each renewal comes to, by its number. */
const begin = Effect.fnUntraced(function* (renewal: (at: number) => ReturnType<Keeping<never>["keepAlive"]>) {
  const began = yield* nowMillis
  const told: Array<string> = []
  const tell = (what: string): Effect.Effect<void> =>
    Effect.map(nowMillis, (now) => void told.push(`${Math.round(now - began)} ${what}`))
  let renewals = 0
  const scope = yield* Scope.make()
  const lease = yield* hold({
    grant: Effect.succeed({ id, ttlSeconds: 9 }),
    keepAlive: () => Effect.andThen(tell("renew"), () => renewal(renewals++)),
    revoke: () => tell("revoke"),
    requestMillis: 5000
  }).pipe(Scope.provide(scope))
  return { lease, told, close: Scope.close(scope, Exit.void) }
})

describe("a held lease", () => {
  it.effect("is renewed after a third of its time, and revoked with its scope", () =>
    Effect.gen(function* () {
      const { lease, told, close } = yield* begin(() => Effect.succeed(9))
      yield* TestClock.adjust(12_500)
      assert.deepEqual(told, ["3000 renew", "6000 renew", "9000 renew", "12000 renew"])
      assert.isFalse(yield* lease.isLost)
      yield* close
      assert.strictEqual(told.at(-1), "12500 revoke")
      yield* TestClock.adjust(30_000)
      assert.strictEqual(told.length, 5, "nobody renews it any more")
      assert.isTrue(yield* lease.isLost)
    })
  )

  it.effect("is lost when the server has it no more, which ends what rests on it", () =>
    Effect.gen(function* () {
      const { lease, told, close } = yield* begin((at) =>
        at === 0 ? Effect.succeed(9) : Effect.fail(new LeaseNotFound({ endpoint, reason: "gone" }))
      )
      let interrupted = false
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
      const fiber = yield* Effect.forkChild(Effect.flip(lease.during(work)))
      yield* TestClock.adjust(5999)
      assert.isFalse(yield* lease.isLost)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "LeaseLost")
      assert.isTrue(interrupted)
      yield* close
      assert.notInclude(told.join(), "revoke", "what is gone needs no end")
    })
  )

  it.effect("is lost when nobody answers for as long as it lives, and not before", () =>
    Effect.gen(function* () {
      const { lease, told } = yield* begin((at) => (at === 0 ? Effect.succeed(9) : unanswered))
      yield* TestClock.adjust(11_999)
      assert.isFalse(yield* lease.isLost, "renewed at 3000, it lives until 12000")
      yield* TestClock.adjust(1)
      assert.isTrue(yield* lease.isLost)
      assert.isAtLeast(told.length, 5, "it is tried again sooner than usual")
      assert.strictEqual((yield* Effect.flip(lease.lost)).reason, "it was not renewed in time")
    })
  )

  it.effect("survives renewals that fail, if one comes in time", () =>
    Effect.gen(function* () {
      const { lease } = yield* begin((at) => (at % 4 === 3 ? Effect.succeed(9) : unanswered))
      yield* TestClock.adjust(60_000)
      assert.isFalse(yield* lease.isLost)
    })
  )

  it.effect("counts its time from before the renewal was asked for", () =>
    Effect.gen(function* () {
      const { lease } = yield* begin((at) => (at === 0 ? Effect.delay(Effect.succeed(9), 4000) : Effect.never))
      // Asked for at 3000, answered at 7000: the server may have counted from 3000 on.
      yield* TestClock.adjust(11_999)
      assert.isFalse(yield* lease.isLost)
      yield* TestClock.adjust(1)
      assert.isTrue(yield* lease.isLost)
    })
  )

  it.effect("is lost when whoever looks after it fails in a way that nobody foresaw", () =>
    Effect.gen(function* () {
      const { lease } = yield* begin(() => Effect.die(new Error("a bug")))
      yield* TestClock.adjust(3000)
      assert.include((yield* Effect.flip(lease.lost)).reason, "a bug")
    })
  )
})
