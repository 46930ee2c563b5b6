/** The cluster's time as a leader tells it: what leases expire by, and history is kept by. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { begin, put, TestCluster } from "./TestCluster.ts"

describe("the cluster's time", () => {
  it.effect("is told by who leads, and goes on with its clock", () => {
    const cluster = new TestCluster("A B C")
    return Effect.gen(function* () {
      yield* cluster.startAll
      const leader = yield* cluster.leader
      for (const id of cluster.ids) {
        assert.strictEqual(cluster.get(id).clusterTime() === undefined, id !== leader.id)
      }
      const before = leader.clusterTime()!
      yield* TestClock.adjust(100)
      assert.strictEqual(leader.clusterTime()! - before, 100)
    })
  })

  it.effect("stands still while nobody leads", () => {
    const cluster = new TestCluster("A B C")
    return Effect.gen(function* () {
      yield* cluster.startAll
      const leader = yield* cluster.leader
      yield* TestClock.adjust(5_000)
      const stamped = leader.clusterTime()!
      const written = yield* begin(leader.replicated.propose(put("k", "v")))
      yield* cluster.until("the write", () => written.result() !== undefined)
      const others = cluster.ids.filter((id) => id !== leader.id)
      yield* cluster.until("it is applied", () =>
        others.every(
          (id) => cluster.get(id).state().stateMachine.lastApplied === leader.state().stateMachine.lastApplied
        )
      )
      yield* leader.stop
      yield* cluster.get(others[0]!).stop
      yield* TestClock.adjust(60_000)
      assert.isUndefined(cluster.get(others[1]!).clusterTime())
      yield* cluster.start(others[0]!)
      yield* cluster.until("another leader", () => others.some((id) => cluster.get(id).clusterTime() !== undefined))
      const now = others.map((id) => cluster.get(id).clusterTime()).find((time) => time !== undefined)!
      assert.isAtLeast(now, stamped)
      assert.isBelow(now - stamped, 1_000)
    })
  })
})
