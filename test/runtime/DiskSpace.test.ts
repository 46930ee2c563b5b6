/** A full disk: no writes, and everybody is told why; reads go on; and when there is room, all is as before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as DiskWatch from "../../src/runtime/DiskWatch.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import type { DiskStatus } from "../../src/storage/Storage.ts"
import { begin, get, put, type Running, TestCluster, valueIn } from "./TestCluster.ts"

const isDiskSpace = (error: RequestError | undefined): boolean =>
  error?._tag === "ResourceExhausted" && error.limit === "diskSpace"

const written = Effect.fnUntraced(function* (cluster: TestCluster, { replicated }: Running, value: string) {
  const pending = yield* begin(replicated.propose(put("k", value)))
  yield* cluster.until("an answer", pending.settled)
  return pending.error()
})

const read = Effect.fnUntraced(function* (cluster: TestCluster, { replicated }: Running) {
  const pending = yield* begin(replicated.query(get("k")))
  yield* cluster.until("a read", pending.settled)
  return valueIn(pending.result()!)
})

describe("a full disk", () => {
  it.effect("of the leader refuses every write, here and through followers, and no read; with room it goes on", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const follower = cluster.get(cluster.ids.find((id) => id !== leader.id)!)
      assert.isUndefined(yield* written(cluster, leader, "before"))
      cluster.disk(leader.id).room(false)
      yield* cluster.until("it notices", () => leader.replicated.status().diskFull, DiskWatch.lookEveryMillis + 10)

      const own = yield* begin(leader.replicated.propose(put("k", "refused")))
      assert.isTrue(isDiskSpace(own.error()), "at once")
      assert.isFalse(own.error()?._tag === "ResourceExhausted" && own.error()!.outcomeUnknown)
      const through = yield* begin(follower.replicated.propose(put("k", "refused")))
      yield* cluster.until("the follower's client is told", through.settled, 50)
      assert.isTrue(isDiskSpace(through.error()))
      assert.match(through.error()!.message, /the disk of the leader is full/)
      for (const one of [leader, follower]) assert.strictEqual(yield* read(cluster, one), "before")
      assert.strictEqual(valueIn(yield* Effect.orDie(leader.replicated.queryLocal(get("k")))), "before")
      assert.strictEqual(leader.state()._tag, "Leader")

      cluster.disk(leader.id).room(true)
      yield* cluster.until("it notices", () => !leader.replicated.status().diskFull, DiskWatch.lookEveryMillis + 10)
      for (const [one, value] of [
        [leader, "after"],
        [follower, "and after"]
      ] as const) {
        assert.isUndefined(yield* written(cluster, one, value))
        assert.strictEqual(yield* read(cluster, one), value)
      }
    })
  )

  it.effect(
    "of a follower that waits for room in the middle of a write: its clients are told at once, others served",
    () =>
      Effect.gen(function* () {
        const cluster = new TestCluster("A B C")
        yield* cluster.startAll
        const leader = yield* cluster.leader
        const follower = cluster.get(cluster.ids.find((id) => id !== leader.id)!)
        assert.isUndefined(yield* written(cluster, leader, "before"))
        cluster.disk(follower.id).room(false)
        assert.isUndefined(yield* written(cluster, leader, "without it"))
        yield* TestClock.adjust(DiskWatch.lookEveryMillis)
        const refused = yield* begin(follower.replicated.propose(put("k", "refused")))
        assert.isTrue(isDiskSpace(refused.error()))
        assert.isUndefined(follower.fiber.pollUnsafe(), "it waits, and does not end")

        cluster.disk(follower.id).room(true)
        yield* cluster.until("it goes on", () => !follower.replicated.status().diskFull)
        assert.isUndefined(yield* written(cluster, follower, "after"))
        assert.strictEqual(yield* read(cluster, follower), "after")
      })
  )
})

describe("DiskWatch", () => {
  it.effect("tells each change once, and calls a disk full until there is clearly more room than the reserve", () =>
    Effect.gen(function* () {
      const status = { freeBytes: 200 as number | undefined, reserveBytes: 100, waitsForRoom: false, logBytes: 0 }
      const told: Array<string> = []
      const logger = Logger.layer([Logger.make(({ logLevel }) => void told.push(logLevel))])
      const watch = yield* DiskWatch.make({ status: Effect.sync((): DiskStatus => ({ ...status })) })
      yield* Effect.forkScoped(watch.run((full) => told.push(full ? "full" : "room")).pipe(Effect.provide(logger)))
      const look = Effect.fnUntraced(function* (change: Partial<typeof status>) {
        Object.assign(status, change)
        yield* TestClock.adjust(2 * DiskWatch.lookEveryMillis)
        return told.splice(0)
      })
      assert.deepStrictEqual(yield* look({}), [])
      assert.deepStrictEqual(yield* look({ freeBytes: 100 }), [])
      assert.deepStrictEqual(yield* look({ freeBytes: 99 }), ["Warn", "full"])
      assert.isTrue(watch.isFull())
      assert.deepStrictEqual(yield* look({ freeBytes: 124 }), [])
      assert.deepStrictEqual(yield* look({ freeBytes: 125 }), ["Info", "room"])
      assert.deepStrictEqual(yield* look({ freeBytes: undefined }), [], "a system that does not tell is not full")
      assert.deepStrictEqual(yield* look({ waitsForRoom: true }), ["Warn", "full"])
      assert.deepStrictEqual(yield* look({ waitsForRoom: false }), ["Info", "room"])
      assert.isFalse(watch.isFull())
    })
  )
})

describe("a write that was under way when the disk filled up", () => {
  it.effect("is answered when there is room, or called unknown when that takes too long", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A", { requestTimeoutMillis: 2000 })
      const alone = yield* cluster.start(ReplicaId("A"))
      yield* cluster.until("it leads", () => alone.state()._tag === "Leader")
      for (const millis of [500, 5000]) {
        cluster.disk(alone.id).room(false)
        const pending = yield* begin(alone.replicated.propose(put("k", `${millis}`)))
        yield* TestClock.adjust(millis)
        const error = pending.error()
        if (millis > 2000) assert.isTrue(error?._tag === "RequestTimeout" && error.outcomeUnknown)
        else assert.isFalse(pending.settled())
        cluster.disk(alone.id).room(true)
        yield* TestClock.adjust(2000)
        assert.strictEqual(yield* read(cluster, alone), `${millis}`)
        if (millis < 2000) assert.isUndefined(pending.error())
      }
    })
  )
})
