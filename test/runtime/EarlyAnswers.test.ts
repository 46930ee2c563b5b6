/** Clients are answered while the disk works, where what they are told was on it before; and nothing else is said meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import * as Logs from "../../src/raft/Log.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import { begin, get, put, type Running, type Step, TestCluster, valueIn } from "./TestCluster.ts"

const [A, B, C] = ["A", "B", "C"].map(ReplicaId) as [ReplicaId, ReplicaId, ReplicaId]

const local = (replica: Running, key: string) =>
  Effect.map(Effect.orDie(replica.replicated.queryLocal(get(key))), valueIn)

/**
 * A leader whose disk is at work on a second write, for `secondMillis`, in a batch that began with the acknowledgements of the
 * first: both were asked for while it was still at work on the first.
 */
const atWork = Effect.fnUntraced(function* (cluster: TestCluster, secondMillis: number) {
  yield* cluster.startAll
  const leader = yield* cluster.leader
  const disk = cluster.disk(leader.id)
  yield* TestClock.adjust(30)
  disk.slow(40)
  const confirmed = disk.confirmed()
  const first = yield* begin(leader.replicated.propose(put("first", "1")))
  const second = yield* begin(leader.replicated.propose(put("second", "2")))
  yield* TestClock.adjust(30)
  assert.isFalse(first.settled(), "it is not on the leader's disk, so nobody may hear of it")
  disk.slow(secondMillis)
  yield* TestClock.adjust(20)
  assert.strictEqual(disk.confirmed(), confirmed + 1, "the second write is under way")
  return { leader, disk, first, second, confirmed }
})

describe("while its disk works", () => {
  it.effect(
    "a leader's client is answered, and finds what it was told of; who waits for the disk goes on waiting",
    () =>
      Effect.gen(function* () {
        const cluster = new TestCluster("A B C")
        const { leader, first, second } = yield* atWork(cluster, 200)
        assert.isTrue(first.settled() && first.error() === undefined)
        assert.isFalse(second.settled())
        assert.strictEqual(yield* local(leader, "first"), "1")
        assert.isUndefined(yield* local(leader, "second"))
        yield* TestClock.adjust(200)
        assert.isTrue(second.settled() && second.error() === undefined)
        assert.strictEqual(yield* local(leader, "second"), "2")
      })
  )

  it.effect("a follower's client is answered, and the leader hears nothing of what is not on the follower's disk", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const follower = cluster.get(cluster.ids.find((id) => id !== leader.id)!)
      const disk = cluster.disk(follower.id)
      yield* TestClock.adjust(30)
      disk.slow(40)
      const first = yield* begin(follower.replicated.propose(put("first", "1")))
      yield* TestClock.adjust(20)
      // The others have committed the first by now; the follower's disk is still at work on it.
      yield* begin(leader.replicated.propose(put("second", "2")))
      assert.isFalse(first.settled())
      const confirmed = disk.confirmed()
      disk.slow(300)
      yield* TestClock.adjust(40)
      assert.strictEqual(disk.confirmed(), confirmed + 1, "the second write is under way")
      assert.isTrue(first.settled() && first.error() === undefined)
      assert.strictEqual(yield* local(follower, "first"), "1")
      const state = leader.state()
      const { lastIndex } = follower.replicated.status()
      assert.isTrue(state._tag === "Leader" && state.progress.get(follower.id)!.matchIndex < lastIndex)
    })
  )

  it.effect("a replica that is alone answers nobody: what it has committed is what is being written", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A")
      const alone = yield* cluster.start(A)
      yield* cluster.until("it leads", () => alone.state()._tag === "Leader")
      cluster.disk(A).slow(40)
      const first = yield* begin(alone.replicated.propose(put("first", "1")))
      const second = yield* begin(alone.replicated.propose(put("second", "2")))
      const read = yield* begin(alone.replicated.query(get("second")))
      yield* TestClock.adjust(30)
      assert.deepStrictEqual([first.settled(), second.settled(), read.settled()], [false, false, false])
      yield* TestClock.adjust(20)
      assert.deepStrictEqual([first.settled(), second.settled(), read.settled()], [true, false, false])
      assert.isUndefined(yield* local(alone, "second"))
      yield* TestClock.adjust(40)
      assert.deepStrictEqual([second.settled(), read.settled()], [true, true])
    })
  )
})

describe("when the disk, or the replica, does not come to the end of it", () => {
  it.effect("a write that fails takes back no answer, and gives none: the replica ends", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      const { leader, disk, first, second } = yield* atWork(cluster, 50)
      disk.failNext("WriteFailed")
      yield* TestClock.adjust(60)
      const exit = leader.fiber.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isFailure(exit) && exit.cause.reasons.every(Cause.isFailReason))
      assert.isTrue(first.settled() && first.error() === undefined)
      assert.propertyVal(second.error() ?? {}, "outcomeUnknown", true)
      const next = yield* cluster.until("another leads", () => cluster.leaders().some(({ id }) => id !== leader.id))
      assert.isAtLeast(next, 0)
      const read = yield* begin(
        cluster
          .leaders()
          .find(({ id }) => id !== leader.id)!
          .replicated.query(get("first"))
      )
      yield* cluster.until("a read", read.settled)
      assert.strictEqual(valueIn(read.result()!), "1")
    })
  )

  it.effect("a full disk holds up what waits for it, and loses no answer", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { raft: { electionTimeoutMillis: 3000 } })
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const disk = cluster.disk(leader.id)
      yield* TestClock.adjust(30)
      disk.slow(40)
      const first = yield* begin(leader.replicated.propose(put("first", "1")))
      const second = yield* begin(leader.replicated.propose(put("second", "2")))
      disk.room(false)
      yield* TestClock.adjust(60)
      assert.isTrue(first.settled() && first.error() === undefined)
      assert.isFalse(second.settled())
      disk.room(true)
      yield* cluster.until("the second is answered", second.settled)
      assert.isUndefined(second.error())
    })
  )

  it.effect(
    "a replica that is stopped meanwhile has answered the first, tells the second, and leaves its disk alone",
    () =>
      Effect.gen(function* () {
        const cluster = new TestCluster("A B C")
        const { leader, disk, first, second, confirmed } = yield* atWork(cluster, 1000)
        const { commitIndex } = leader.state().stateMachine
        yield* leader.stop
        assert.isTrue(first.settled() && first.error() === undefined)
        assert.propertyVal(second.error() ?? {}, "outcomeUnknown", true)
        yield* TestClock.adjust(3000)
        assert.strictEqual(disk.confirmed(), confirmed + 1)
        disk.slow(0)
        const again = yield* cluster.start(leader.id)
        yield* cluster.until("it has caught up", () => again.state().stateMachine.lastApplied >= commitIndex)
        assert.strictEqual(yield* local(again, "first"), "1")
      })
  )
})

it.effect(
  "every step is shown once, in order, when all that it has applied, and its term and vote, are on the disk",
  () =>
    Effect.gen(function* () {
      const shown = new Map<ReplicaId, Step>()
      let steps = 0
      let early = 0
      const objections: Array<string> = []
      const cluster: TestCluster = new TestCluster("A B C", {
        onCarriedOut: (id, step) => {
          const { before, after } = step
          const { hardState, entries, base } = cluster.disk(id).contents()
          const { lastApplied, log } = after.stateMachine
          const last = base.index + entries.length
          const former = shown.get(id)
          if (former !== undefined && former.after !== before)
            objections.push(`${id} leaves out a step, or repeats one`)
          if (hardState.currentTerm !== after.currentTerm || hardState.votedFor !== after.votedFor)
            objections.push(`${id} shows term ${after.currentTerm}, and its disk has ${hardState.currentTerm}`)
          if (lastApplied > last) objections.push(`${id} shows ${lastApplied}, and its disk ends at ${last}`)
          steps++
          if (Logs.lastIndex(log) > last) early++
          shown.set(id, step)
        }
      })
      yield* cluster.startAll
      for (const id of [A, B, C]) cluster.disk(id).slow(7)
      yield* cluster.leader
      for (let round = 0; round < 30; round++) {
        for (const id of [A, B, C]) yield* begin(cluster.get(id).replicated.propose(put(`k${id}`, `${round}`)))
        yield* TestClock.adjust(5)
        if (round === 15) cluster.network.partition([cluster.leaders()[0]!.id], cluster.ids)
        if (round === 15) yield* TestClock.adjust(2000)
      }
      cluster.network.healAll()
      yield* TestClock.adjust(2000)
      assert.deepStrictEqual([...new Set(objections)], [])
      assert.isAbove(steps, 100)
      assert.isAbove(early, 10, "steps that were shown while the disk worked")
    })
)
