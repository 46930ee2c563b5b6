/** Locks and elections of the client, against a real etcd and a real Balsa. */
import { Effect, Fiber, Stream } from "effect"
import { assert, describe } from "vitest"
import { Election } from "../../src/client/Election.ts"
import { prefixRange } from "../../src/client/KeyRange.ts"
import { Kv } from "../../src/client/Kv.ts"
import { Lease } from "../../src/client/Lease.ts"
import { Lock } from "../../src/client/Lock.ts"
import * as Txn from "../../src/client/Txn.ts"
import { Watch } from "../../src/client/Watch.ts"
import { itAsks, tag, text } from "./AskStores.ts"

describe("locks and elections of a real store", () => {
  itAsks(
    "let one in at a time, in the order of arrival, with tokens that grow",
    Effect.gen(function* () {
      const lock = yield* Lock
      let inside = 0
      const tokens: Array<number> = []
      const one = lock.withLock("lock/a")(({ token }) =>
        Effect.gen(function* () {
          assert.strictEqual(++inside, 1)
          tokens.push(token)
          yield* Effect.sleep(20)
          inside--
        })
      )
      yield* Effect.all(
        Array.from({ length: 8 }, () => one),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(tokens.length, 8)
      assert.deepEqual(
        tokens,
        tokens.toSorted((a, b) => a - b)
      )
      assert.strictEqual((yield* (yield* Kv).range(prefixRange("lock/a/"))).count, 0)
    })
  )

  itAsks(
    "are left by who stops waiting, and not had by who only tries",
    Effect.gen(function* () {
      const lock = yield* Lock
      const kv = yield* Kv
      yield* Effect.scoped(
        Effect.gen(function* () {
          const held = yield* lock.acquire("lock/b")
          assert.isUndefined(yield* Effect.scoped(lock.tryAcquire("lock/b")))
          const waiting = yield* Effect.forkChild(Effect.scoped(lock.acquire("lock/b")))
          const line = prefixRange("lock/b/")
          // Who only tried was there for a moment, too.
          const watch = yield* Watch
          yield* watch
            .events(line, { startRevision: held.token + 1, only: "puts" })
            .pipe(Stream.take(2), Stream.runDrain)
          yield* Fiber.interrupt(waiting)
          assert.strictEqual((yield* kv.range(line)).count, 1)
          assert.isTrue((yield* kv.txn(Txn.when(held.isHeld))).succeeded)
        })
      )
      assert.isDefined(yield* Effect.scoped(lock.tryAcquire("lock/b")))
    })
  )

  itAsks(
    "share a lease that outlives them",
    Effect.gen(function* () {
      const lock = yield* Lock
      const lease = yield* (yield* Lease).make({ ttlSeconds: 30 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* lock.acquire("lock/e", { lease })
          yield* lock.acquire("lock/f", { lease })
          assert.isUndefined(yield* Effect.scoped(lock.tryAcquire("lock/f")))
        })
      )
      assert.isFalse(yield* lease.isLost)
      assert.isDefined(yield* Effect.scoped(lock.tryAcquire("lock/e")))
      assert.isDefined(yield* Effect.scoped(lock.tryAcquire("lock/f")))
    }).pipe(Effect.scoped)
  )

  itAsks(
    "tell who leads, in order, and every word of the leader",
    Effect.gen(function* () {
      const election = yield* Election
      assert.isUndefined(yield* election.leader("el/a"))
      const seen: Array<string> = []
      const until = (word: string) =>
        election.observe("el/a").pipe(
          Stream.tap(({ value }) => Effect.sync(() => seen.push(text(value)!))),
          Stream.takeUntil(({ value }) => text(value) === word),
          Stream.runDrain
        )
      const observing = yield* Effect.forkChild(until("second"))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* election.campaign("el/a", "first")
          yield* until("first")
          yield* first.proclaim("first again")
          yield* until("first again")
          const other = yield* Effect.forkChild(
            Effect.scoped(Effect.andThen(election.campaign("el/a", "second"), Fiber.join(observing)))
          )
          assert.strictEqual((yield* election.leader("el/a"))?.token, first.token)
          yield* first.resign
          yield* Fiber.join(other)
          assert.strictEqual(yield* tag(first.proclaim("too late")), "NotLeader")
        })
      )
      assert.includeMembers(seen, ["first", "first again", "second"])
    })
  )
})
