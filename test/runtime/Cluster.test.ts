/** What a cluster promises, shown on the real interpreter under a clock that the test moves. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Logs from "../../src/raft/Log.ts"
import { Index, ReplicaId } from "../../src/raft/LogEntry.ts"
import { defaults } from "../../src/raft/Options.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import { begin, get, put, type Running, TestCluster, valueIn } from "./TestCluster.ts"

const [A, B, C, D] = ["A", "B", "C", "D"].map(ReplicaId) as [ReplicaId, ReplicaId, ReplicaId, ReplicaId]
const { electionTimeoutMillis } = defaults

const finish = Effect.fnUntraced(function* <R>(cluster: TestCluster, request: Effect.Effect<R, RequestError>) {
  const pending = yield* begin(request)
  yield* cluster.until("an answer", pending.settled)
  const error = pending.error()
  if (error !== undefined) return yield* Effect.die(error)
  return pending.result()!
})

/** Every replica holds the same log, has applied all of it, and reads the same. */
const assertEqualLogs = (cluster: TestCluster) => {
  const states = cluster.ids.map((id) => cluster.get(id).state().stateMachine)
  const logs = states.map(({ log }) => Logs.slice(log, Index(1), log.length))
  for (const log of logs) assert.deepStrictEqual(log, logs[0])
  for (const { log, lastApplied } of states) assert.strictEqual(lastApplied, log.length)
}

describe("a cluster of three", () => {
  it.effect("elects its first leader within two election timeouts and serves through every replica", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const took = yield* cluster.until("a leader", () => cluster.leaders().length > 0)
      assert.isAtLeast(took, electionTimeoutMillis)
      assert.isAtMost(took, 2 * electionTimeoutMillis + 20)
      yield* cluster.leader
      for (const id of cluster.ids) {
        yield* finish(cluster, cluster.get(id).replicated.propose(put("k", `from ${id}`)))
        for (const other of cluster.ids) {
          const answer = yield* finish(cluster, cluster.get(other).replicated.query(get("k")))
          assert.strictEqual(valueIn(answer), `from ${id}`)
        }
      }
      yield* cluster.until("equal logs", () =>
        cluster.ids.every((id) => cluster.get(id).replicated.status().lastApplied === 4)
      )
      assertEqualLogs(cluster)
    })
  )

  it.effect("holds a request that comes before there is a leader, and answers it then", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const write = yield* begin(cluster.get(A).replicated.propose(put("k", "early")))
      const read = yield* begin(cluster.get(B).replicated.query(get("k")))
      yield* TestClock.adjust(electionTimeoutMillis - 50)
      assert.isFalse(write.settled() || read.settled())
      yield* cluster.until("answers", () => write.settled() && read.settled(), 2000)
      assert.isUndefined(write.error())
      assert.isUndefined(read.error())
    })
  )

  it.effect("deposes a leader that is cut off: it steps down, tells its clients, and the rest elect another", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const old = yield* cluster.leader
      yield* finish(cluster, old.replicated.propose(put("k", "before")))
      const others = cluster.ids.filter((id) => id !== old.id)
      cluster.network.partition([old.id], cluster.ids)
      const write = yield* begin(old.replicated.propose(put("k", "lost?")))
      const read = yield* begin(old.replicated.query(get("k")))
      const noticed = yield* cluster.until("the old leader steps down", () => old.state()._tag !== "Leader")
      assert.isAtMost(noticed, electionTimeoutMillis + 20)
      yield* cluster.until("its clients are told", () => write.settled() && read.settled(), 20)
      const writeError = write.error()
      const readError = read.error()
      assert.isTrue(writeError?._tag === "Unavailable" && writeError.outcomeUnknown)
      assert.isTrue(readError?._tag === "Unavailable" && !readError.outcomeUnknown)

      // From now on it refuses at once, and says that nothing was done.
      const refused = yield* begin(old.replicated.propose(put("k", "refused")))
      yield* cluster.until("a refusal", refused.settled, 10)
      const refusal = refused.error()
      assert.isTrue(refusal?._tag === "Unavailable" && !refusal.outcomeUnknown)
      assert.isFalse(old.replicated.status().available)
      assert.strictEqual(valueIn(yield* Effect.orDie(old.replicated.queryLocal(get("k")))), "before")

      const next = yield* cluster.leader
      assert.include(others, next.id)
      yield* finish(cluster, next.replicated.propose(put("k", "after")))

      cluster.network.healAll()
      const { term } = next.replicated.status()
      yield* cluster.until("the old leader follows", () => old.replicated.status().leader === next.id)
      assert.strictEqual(next.replicated.status().term, term, "coming back deposes nobody")
      assert.strictEqual(valueIn(yield* finish(cluster, old.replicated.query(get("k")))), "after")
      yield* cluster.until("equal logs", () =>
        cluster.ids.every((id) => {
          const { lastApplied, lastIndex } = cluster.get(id).replicated.status()
          return lastApplied === lastIndex && lastIndex === next.replicated.status().lastIndex
        })
      )
      assertEqualLogs(cluster)
    })
  )

  it.effect("a leader that hears but cannot send steps down, and one that sends but cannot hear", () =>
    Effect.gen(function* () {
      for (const direction of ["deaf", "mute"] as const) {
        const cluster = new TestCluster("A B C")
        yield* cluster.startAll
        const old = yield* cluster.leader
        for (const id of cluster.ids.filter((other) => other !== old.id)) {
          if (direction === "deaf") cluster.network.cutOneWay(id, old.id)
          else cluster.network.cutOneWay(old.id, id)
        }
        yield* cluster.until(`a ${direction} leader steps down`, () => old.state()._tag !== "Leader", 2000)
      }
    })
  )

  it.effect("a minority answers unavailable at once, and the majority does not notice", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const alone = cluster.get(cluster.ids.find((id) => id !== leader.id)!)
      cluster.network.partition([alone.id], cluster.ids)
      // Its first patience, then one round of asking that a majority does not answer.
      yield* cluster.until("it notices", () => !alone.replicated.status().available, 4 * electionTimeoutMillis + 20)
      for (const request of [alone.replicated.propose(put("k", "v")), alone.replicated.query(get("k"))]) {
        const pending = yield* begin<unknown>(request)
        yield* cluster.until("a refusal", pending.settled, 10)
        const error = pending.error()
        assert.isTrue(error?._tag === "Unavailable" && !error.outcomeUnknown)
      }
      const { term } = leader.replicated.status()
      yield* TestClock.adjust("20 seconds")
      cluster.network.healAll()
      yield* cluster.until("it is back", () => alone.replicated.status().leader === leader.id)
      assert.strictEqual(leader.replicated.status().term, term)
      assert.strictEqual(alone.replicated.status().term, term, "asking raised no term")
    })
  )

  it.effect("get safety: a read that follows an uncommitted write waits for its outcome", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      yield* finish(cluster, leader.replicated.propose(put("k", "old")))
      // Entries arrive late, other messages at once: a read round could be confirmed long before the write is.
      for (const id of cluster.ids) if (id !== leader.id) cluster.disk(id).slow(80)
      const write = yield* begin(leader.replicated.propose(put("k", "new")))
      yield* TestClock.adjust(1)
      const readers = cluster.ids.map((id) => cluster.get(id))
      const reads = yield* Effect.forEach(readers, ({ replicated }) => begin(replicated.query(get("k"))))
      for (let passed = 0; passed < 1000 && !reads.every((read) => read.settled()); passed += 5) {
        for (const read of reads) {
          if (read.settled()) assert.strictEqual(valueIn(read.result()!), "new")
        }
        yield* TestClock.adjust(5)
      }
      assert.isTrue(write.settled())
      for (const read of reads) assert.strictEqual(valueIn(read.result()!), "new")
    })
  )

  it.effect("a follower's write is applied once, though the way to the leader fails under it", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const follower = cluster.get(cluster.ids.find((id) => id !== leader.id)!)
      // Doubled on the way there; lost on its first way there.
      cluster.network.setFaults(follower.id, leader.id, { duplication: 1 })
      yield* finish(cluster, follower.replicated.propose(put("doubled", "1")))
      cluster.network.cutOneWay(follower.id, leader.id)
      const lost = yield* begin(follower.replicated.propose(put("lost", "1")))
      yield* TestClock.adjust(20)
      cluster.network.healAll()
      yield* cluster.until("the lost one is sent again", lost.settled, 3 * electionTimeoutMillis)
      assert.isUndefined(lost.error())
      for (const key of ["doubled", "lost"]) {
        const answer = yield* finish(cluster, follower.replicated.query(get(key)))
        assert.strictEqual(answer._tag === "Range" ? answer.kvs[0]?.version : undefined, 1)
      }
    })
  )

  it.effect("survives the crash of its leader: what was acknowledged is there, from disk", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      let leader: Running = yield* cluster.leader
      for (let round = 1; round <= 5; round++) {
        yield* finish(cluster, leader.replicated.propose(put(`k${round}`, `v${round}`)))
        const crashed = leader.id
        yield* leader.stop
        cluster.disk(crashed).crash("Lost")
        yield* cluster.until("another leader", () => cluster.leaders().some(({ id }) => id !== crashed))
        yield* cluster.start(crashed)
        leader = yield* cluster.leader
        for (let earlier = 1; earlier <= round; earlier++) {
          const answer = yield* finish(cluster, cluster.get(crashed).replicated.query(get(`k${earlier}`)))
          assert.strictEqual(valueIn(answer), `v${earlier}`)
        }
      }
    })
  )
})

describe("a cluster of four", () => {
  it.effect("a split vote elects nobody in its term, and is over in a later one", () =>
    Effect.gen(function* () {
      // A and B have one seed, so they stand at the same moment; A reaches C first, B reaches D first.
      const cluster = new TestCluster("A B C D", { seedOf: (number) => [5, 5, 70, 71][number]! })
      yield* cluster.startAll
      const first = yield* cluster.leader
      // They begin anew with equal logs: with an empty one each would wait until all others have answered.
      yield* finish(cluster, first.replicated.propose(put("k", "first")))
      yield* cluster.until("equal logs", () =>
        cluster.ids.every((id) => cluster.get(id).replicated.status().lastApplied === 2)
      )
      for (const id of cluster.ids) yield* cluster.get(id).stop
      cluster.network.setFaults(A, D, { delayMillis: 30 })
      cluster.network.setFaults(B, C, { delayMillis: 30 })
      yield* cluster.startAll
      yield* cluster.until("two candidates", () => [A, B].every((id) => cluster.get(id).state()._tag === "Candidate"))
      yield* TestClock.adjust(100)
      const voted = cluster.ids.map((id) => cluster.get(id).state().votedFor)
      assert.deepStrictEqual(voted, [A, B, A, B], "two votes each")
      assert.isEmpty(cluster.leaders())
      const { term } = cluster.get(A).replicated.status()
      cluster.network.setFaults(A, D, {})
      cluster.network.setFaults(B, C, {})
      const leader = yield* cluster.leader
      assert.isAbove(leader.replicated.status().term, term)
      yield* finish(cluster, leader.replicated.propose(put("k", "v")))
    })
  )
})
