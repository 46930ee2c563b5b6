/** Locks and elections of the client against a real etcd, alone and beside etcdctl's. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { assert, describe } from "vitest"
import { Election } from "../../src/client/Election.ts"
import { prefixRange } from "../../src/client/KeyRange.ts"
import { Kv } from "../../src/client/Kv.ts"
import { Lease } from "../../src/client/Lease.ts"
import { Lock } from "../../src/client/Lock.ts"
import * as Txn from "../../src/client/Txn.ts"
import { Watch } from "../../src/client/Watch.ts"
import { environment } from "../faults/Command.ts"
import { eventually } from "../process/RealCluster.ts"
import { cluster, itAsks, tag, text } from "./AskEtcd.ts"
import { etcdctl as probe } from "./EtcdCluster.ts"

/** etcd's own client, until the scope closes. */
const etcdctl = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const env = { ...environment, ETCDCTL_API: "3", ETCDCTL_ENDPOINTS: (await cluster()).endpoints[0] }
      const child = spawn("etcdctl", args, { env, stdio: ["ignore", "pipe", "inherit"] })
      let said = ""
      child.stdout.on("data", (piece) => (said += String(piece)))
      const stop = Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, "exit")
        child.kill("SIGTERM")
        await gone
      })
      const hears = (part: string) =>
        Effect.promise(() => eventually(part, async () => said.includes(part) || undefined))
      return { said: () => said, hears, stop }
    }),
    ({ stop }) => stop
  )

/** Until so many keys were put there. */
const arrivals = (prefix: string, startRevision: number, count: number) =>
  Effect.flatMap(Watch, (watch) =>
    watch.events(prefixRange(prefix), { startRevision, only: "puts" }).pipe(Stream.take(count), Stream.runDrain)
  )

describe("locks and elections of a real etcd", () => {
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
    "wait in one line with etcdctl's",
    Effect.gen(function* () {
      const lock = yield* Lock
      const holding = yield* Scope.make()
      const { token } = yield* Scope.provide(lock.acquire("lock/c"), holding)
      const theirs = yield* etcdctl("lock", "lock/c")
      yield* arrivals("lock/c/", token + 1, 1)
      assert.strictEqual(theirs.said(), "", "it waits for ours")
      yield* Scope.close(holding, Exit.void)
      yield* theirs.hears("lock/c/")
      assert.isUndefined(yield* Effect.scoped(lock.tryAcquire("lock/c")), "ours waits for it")
      const ours = yield* Effect.forkChild(Effect.scoped(lock.acquire("lock/c")))
      yield* theirs.stop
      assert.isAbove((yield* Fiber.join(ours)).token, 0)
    }).pipe(Effect.scoped),
    [probe]
  )

  itAsks(
    "stand in one election with etcdctl's",
    Effect.gen(function* () {
      const election = yield* Election
      const theirs = yield* etcdctl("elect", "el/b", "theirs")
      yield* theirs.hears("theirs")
      assert.strictEqual(text((yield* election.leader("el/b"))?.value), "theirs")
      const ours = yield* Effect.forkChild(Effect.scoped(election.campaign("el/b", "ours")))
      yield* theirs.stop
      assert.strictEqual(text((yield* Fiber.join(ours)).key)?.slice(0, 5), "el/b/")
    }).pipe(Effect.scoped),
    [probe]
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
