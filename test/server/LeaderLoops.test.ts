/** What a leader does by itself: leases expire, and history is compacted. */
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "@effect/vitest"
import * as Leases from "../../src/kv/Leases.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import { Unavailable } from "../../src/runtime/RequestError.ts"
import * as AutomaticCompaction from "../../src/server/AutomaticCompaction.ts"
import * as LeaseExpiry from "../../src/server/LeaseExpiry.ts"
import * as FakeReplica from "./FakeReplica.ts"

const leading = (replica: FakeReplica.FakeReplica, leads: () => boolean = () => true) => ({
  replica,
  store: replica.store,
  clusterTime: () => (leads() ? ClusterTime(replica.time) : undefined)
})

const grant = (replica: FakeReplica.FakeReplica, id: bigint, ttlSeconds: number) =>
  replica.propose({ _tag: "LeaseGrant", id, ttlSeconds })

/** The cluster's time and that of timers go on together. */
const pass = Effect.fnUntraced(function* (replica: FakeReplica.FakeReplica, millis: number) {
  for (let passed = 0; passed < millis; passed += 100) {
    replica.time += 100
    yield* TestClock.adjust(100)
  }
})

describe("leases", () => {
  it.effect("expire when their time is over, with their keys, and not before", () =>
    Effect.gen(function* () {
      const replica = FakeReplica.make()
      yield* grant(replica, 1n, 10)
      yield* grant(replica, 2n, 20)
      yield* replica.propose({ _tag: "Put", key: "k", value: new Uint8Array(0), prevKv: false, lease: 1n })
      const fiber = yield* Effect.forkChild(LeaseExpiry.run(leading(replica)))
      yield* pass(replica, 9_900)
      assert.strictEqual(Leases.size(replica.store().leases), 2)
      yield* pass(replica, 600)
      assert.strictEqual(Leases.size(replica.store().leases), 1)
      assert.strictEqual(replica.store().revision, 3)
      yield* replica.propose({ _tag: "LeaseKeepAlive", id: 2n })
      yield* pass(replica, 19_000)
      assert.strictEqual(Leases.size(replica.store().leases), 1)
      yield* pass(replica, 2_000)
      assert.strictEqual(Leases.size(replica.store().leases), 0)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("are let be by a replica that does not lead", () =>
    Effect.gen(function* () {
      const replica = FakeReplica.make()
      let leads = false
      yield* grant(replica, 1n, 2)
      const proposed = replica.calls.propose
      yield* Effect.forkChild(LeaseExpiry.run(leading(replica, () => leads)))
      yield* pass(replica, 10_000)
      assert.strictEqual(replica.calls.propose, proposed)
      leads = true
      yield* pass(replica, LeaseExpiry.roundMillis)
      assert.strictEqual(Leases.size(replica.store().leases), 0)
    })
  )

  it.effect("many in one command, few commands in a round, and what fails is tried again", () =>
    Effect.gen(function* () {
      const replica = FakeReplica.make()
      const inRound = Leases.maxExpired * LeaseExpiry.maxCommandsInRound
      for (let id = 1n; id <= inRound + 1500; id++) yield* grant(replica, id, 2)
      replica.instead = Effect.fail(new Unavailable({ message: "nobody leads", outcomeUnknown: false }))
      yield* Effect.forkChild(LeaseExpiry.run(leading(replica)))
      yield* pass(replica, 3_000)
      replica.instead = undefined
      const proposed = replica.calls.propose
      yield* pass(replica, LeaseExpiry.roundMillis)
      assert.strictEqual(Leases.size(replica.store().leases), 1500)
      assert.strictEqual(replica.calls.propose, proposed + LeaseExpiry.maxCommandsInRound)
      yield* pass(replica, LeaseExpiry.roundMillis)
      assert.strictEqual(Leases.size(replica.store().leases), 0)
      assert.strictEqual(replica.calls.propose, proposed + LeaseExpiry.maxCommandsInRound + 2)
    })
  )
})

describe("history", () => {
  const put = { _tag: "Put", key: "k", value: new Uint8Array(0), prevKv: false } as const

  it.effect("is kept for the time that it is to be kept, and not much longer", () =>
    Effect.gen(function* () {
      const replica = FakeReplica.make()
      yield* Effect.forkChild(AutomaticCompaction.run({ ...leading(replica), retentionMillis: 60_000 }))
      for (let second = 0; second < 300; second++) {
        yield* replica.propose(put)
        yield* pass(replica, 1_000)
        const { revision, compacted } = replica.store()
        if (second < 59) assert.strictEqual(compacted, 0)
        // What was 60 seconds ago can be read, and what was 70 seconds ago cannot.
        else assert.isAtLeast(revision - compacted, 59)
        if (second > 80) assert.isBelow(revision - compacted, 72)
      }
    })
  )

  it.effect("is kept within limits, whatever its age", () =>
    Effect.gen(function* () {
      const replica = FakeReplica.make()
      const limits = { maxRevisions: 50, maxBytes: 1e9 }
      yield* Effect.forkChild(AutomaticCompaction.run({ ...leading(replica), retentionMillis: 3_600_000, limits }))
      for (let count = 0; count < 200; count++) yield* replica.propose(put)
      yield* pass(replica, 1_100)
      assert.strictEqual(replica.store().compacted, 201 - 50)
    })
  )

  it.effect("is kept for ever where that is asked for, and where the replica does not lead", () =>
    Effect.gen(function* () {
      const replica = FakeReplica.make()
      const limits = { maxRevisions: 50, maxBytes: 1 }
      yield* Effect.forkChild(AutomaticCompaction.run({ ...leading(replica), retentionMillis: 0, limits }))
      yield* Effect.forkChild(
        AutomaticCompaction.run({ ...leading(replica, () => false), retentionMillis: 1_000, limits })
      )
      for (let count = 0; count < 200; count++) yield* replica.propose(put)
      const proposed = replica.calls.propose
      yield* pass(replica, 10_000)
      assert.strictEqual(replica.calls.propose, proposed)
      assert.strictEqual(replica.store().compacted, 0)
    })
  )
})
