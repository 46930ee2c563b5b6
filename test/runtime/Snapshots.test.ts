/** Snapshots in the life of a cluster, on the real loop: taken, sent, installed, started from, damaged, and in the way of nobody. */
import { unstamped } from "../../src/raft/Machine.ts"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Logger } from "effect"
import { TestClock } from "effect/testing"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { type Index, ReplicaId } from "../../src/raft/LogEntry.ts"
import type { Options } from "../../src/raft/Options.ts"
import { begin, get, put, type Running, TestCluster, valueIn } from "./TestCluster.ts"

const A = ReplicaId("A")

/** Small enough that a few dozen writes bring several snapshots, in many chunks, and a log that is soon too short. */
const small: Partial<Options> = {
  snapshotLogEntries: 20,
  snapshotChunkBytes: 100,
  snapshotRetryMillis: 200,
  snapshotPatienceMillis: 300
}

/** Writes `k<n>` = `v<n>`, one after another, each answered. */
const write = Effect.fnUntraced(function* (cluster: TestCluster, { replicated }: Running, from: number, to: number) {
  for (let n = from; n < to; n++) {
    const pending = yield* begin(replicated.propose(put(`k${n}`, `v${n}`)))
    for (let passed = 0; !pending.settled() && passed < 5000; passed++) yield* TestClock.adjust(1)
    if (pending.error() !== undefined) return yield* Effect.die(pending.error())
    assert.isTrue(pending.settled(), `k${n}: ${cluster.describe()}`)
  }
})

const stateBytes = ({ state }: Running): Buffer => Buffer.concat([...KvStateCodec.encode(state().stateMachine.value)])

/** All have applied all, hold the same, and the chain over all that they applied is the same. */
const assertSame = Effect.fnUntraced(function* (cluster: TestCluster) {
  const running = cluster.ids.map((id) => cluster.get(id))
  yield* cluster.until("all have applied the same", () =>
    running.every(({ replicated }) => {
      const { lastApplied, lastIndex } = replicated.status()
      return lastApplied === lastIndex && lastIndex === running[0]!.replicated.status().lastIndex
    })
  )
  for (const one of running) {
    assert.isTrue(stateBytes(one).equals(stateBytes(running[0]!)), `${one.id} holds the same`)
    assert.strictEqual(one.state().stateMachine.hash, running[0]!.state().stateMachine.hash)
  }
})

const snapshotIndex = (cluster: TestCluster, id: ReplicaId): number =>
  cluster.get(id).replicated.status().snapshot?.index ?? 0

const crashAll = (cluster: TestCluster) =>
  Effect.forEach(
    cluster.ids,
    (id) =>
      Effect.andThen(
        cluster.get(id).stop,
        Effect.sync(() => cluster.disk(id).crash("Lost"))
      ),
    { discard: true }
  )

describe("a replica that was away", () => {
  it.effect("is sent a snapshot while writes go on, and the cluster goes on under its leader meanwhile", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { raft: small })
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const away = cluster.ids.find((id) => id !== leader.id)!
      yield* write(cluster, leader, 0, 10)
      yield* cluster.get(away).stop
      yield* TestClock.adjust(400)
      yield* write(cluster, leader, 10, 100)
      const { term } = leader.replicated.status()
      const before = leader.replicated.status().log.firstIndex
      assert.isAbove(before, 12, "the log no longer goes back to where it left")
      const back = yield* cluster.start(away)
      const percents = new Set<number>()
      let next = 100
      for (; back.replicated.status().log.firstIndex < before && next < 400; next++) {
        yield* write(cluster, leader, next, next + 1)
        const { receivingPercent } = back.replicated.status()
        if (receivingPercent !== undefined) percents.add(receivingPercent)
      }
      assert.isBelow(next, 400, "a snapshot was installed, though newer ones were taken all the time")
      assert.isAbove(percents.size, 3, "it came in pieces, and the status told how many had come")
      yield* write(cluster, leader, next, next + 30)
      yield* assertSame(cluster)
      assert.strictEqual(leader.replicated.status().term, term)
      const read = yield* begin(back.replicated.query(get("k5")))
      yield* cluster.until("a read", read.settled)
      assert.strictEqual(valueIn(read.result()!), "v5", "what only the snapshot could tell it")
    })
  )

  it.effect("tells its clients that nobody knows what became of the writes that a snapshot covers", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { raft: small, requestTimeoutMillis: 60_000 })
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const [behind, other] = cluster.ids.filter((id) => id !== leader.id) as [ReplicaId, ReplicaId]
      const { replicated, state } = cluster.get(behind)
      // What it asks for reaches the leader; what the leader says does not reach it. The third keeps it hopeful.
      cluster.network.cutOneWay(leader.id, behind)
      const covered = yield* begin(replicated.propose(put("covered", "1")))
      yield* TestClock.adjust(5)
      yield* cluster.until("it is applied elsewhere", () => valueAt(cluster, other, "covered") === "1")
      yield* write(cluster, leader, 0, 120)
      assert.isAbove(leader.replicated.status().log.firstIndex, 10)
      assert.isFalse(covered.settled())
      cluster.network.healAll()
      yield* cluster.until("a snapshot is installed", () => state().stateMachine.log.base.index > 0)
      yield* cluster.until("its client is told", covered.settled, 100)
      const error = covered.error()
      assert.isTrue(error?._tag === "Unavailable" && error.outcomeUnknown, `${error?._tag}`)
      assert.match(error!.message, /snapshot, which does not tell what became of the write/)
      const later = yield* begin(replicated.propose(put("later", "2")))
      yield* cluster.until("a later write", later.settled)
      assert.isUndefined(later.error())
      yield* assertSame(cluster)
    })
  )
})

const valueAt = (cluster: TestCluster, id: ReplicaId, key: string): string | undefined =>
  valueIn(KvMachine.query(cluster.get(id).state().stateMachine.value, get(key)))

describe("a start", () => {
  it.effect("goes on from the snapshot and the log behind it, with everything that was acknowledged", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { raft: small })
      yield* cluster.startAll
      yield* write(cluster, yield* cluster.leader, 0, 75)
      yield* assertSame(cluster)
      const before = cluster.ids.map((id) => stateBytes(cluster.get(id)))
      yield* crashAll(cluster)
      for (const id of cluster.ids) {
        const { state } = yield* cluster.start(id)
        assert.isAtLeast(state().stateMachine.lastApplied, 40, "what the snapshot stands for is there at once")
        assert.isAbove(state().stateMachine.log.base.index, 0, "and the log begins later than it once did")
      }
      yield* cluster.leader
      yield* assertSame(cluster)
      for (const [at, id] of cluster.ids.entries()) {
        assert.isTrue(stateBytes(cluster.get(id)).equals(before[at]!))
        assert.isTrue(cluster.get(id).replicated.status().admitted)
      }
    })
  )

  it.effect("falls back on the snapshot before the latest where that is damaged, and comes to the same state", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A", { raft: small })
      const alone = yield* cluster.start(A)
      yield* cluster.until("it leads", () => alone.state()._tag === "Leader")
      yield* write(cluster, alone, 0, 75)
      const before = stateBytes(alone)
      yield* crashAll(cluster)
      const { snapshots } = cluster.disk(A)
      const [latest, older] = snapshots.found()
      assert.isDefined(older)
      snapshots.damage(latest!)
      const again = yield* cluster.start(A)
      assert.strictEqual(again.state().stateMachine.lastApplied, older.last.index)
      assert.deepStrictEqual(snapshots.found(), [older], "the damaged one is put aside")
      yield* cluster.until(
        "it has applied all",
        () => again.state()._tag === "Leader" && stateBytes(again).equals(before)
      )
      const read = yield* begin(again.replicated.query(get("k74")))
      yield* cluster.until("a read", read.settled)
      assert.strictEqual(valueIn(read.result()!), "v74")
      yield* crashAll(cluster)
      const third = yield* cluster.start(A)
      yield* cluster.until("it leads", () => third.state()._tag === "Leader")
      assert.isTrue(stateBytes(third).equals(before))
    })
  )

  it.effect("without a readable snapshot begins empty, is sent everything, and counts only when it has caught up", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { raft: small })
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const [lost, third] = cluster.ids.filter((id) => id !== leader.id) as [ReplicaId, ReplicaId]
      yield* write(cluster, leader, 0, 75)
      yield* assertSame(cluster)
      yield* cluster.get(lost).stop
      const { snapshots } = cluster.disk(lost)
      for (const snapshot of snapshots.found()) snapshots.damage(snapshot)
      // Nobody sends it anything for now.
      cluster.network.partition([lost], cluster.ids)
      const back = yield* cluster.start(lost)
      assert.isFalse(back.replicated.status().admitted)
      assert.deepStrictEqual(cluster.disk(lost).contents().entries, [])
      assert.isFalse(cluster.disk(lost).contents().admitted, "that is on its disk too")
      assert.strictEqual(cluster.disk(lost).contents().hardState.currentTerm, leader.state().currentTerm)
      yield* write(cluster, leader, 75, 80)
      yield* TestClock.adjust(3000)
      assert.strictEqual(leader.state()._tag, "Leader")

      // The leader's other follower is away, and this one may not take its place.
      cluster.network.healAll()
      cluster.network.partition([third], cluster.ids)
      const commit = (id: ReplicaId): Index => cluster.get(id).replicated.status().commitIndex
      const committed = commit(leader.id)
      const held = yield* begin(leader.replicated.propose(put("held", "1")))
      yield* TestClock.adjust(200)
      assert.strictEqual(commit(leader.id), committed, "what it acknowledges does not count")
      assert.isFalse(held.settled() && held.error() === undefined)

      cluster.network.healAll()
      yield* cluster.until("it is admitted", () => back.replicated.status().admitted)
      yield* assertSame(cluster)
      assert.isTrue(cluster.disk(lost).contents().admitted)
      assert.strictEqual(valueAt(cluster, lost, "k3"), "v3")
    })
  )

  it.effect("without a readable snapshot is refused to a sole voter, with what to do, and changes nothing", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A", { raft: small })
      const alone = yield* cluster.start(A)
      yield* cluster.until("it leads", () => alone.state()._tag === "Leader")
      yield* write(cluster, alone, 0, 75)
      yield* crashAll(cluster)
      const disk = cluster.disk(A)
      for (const snapshot of disk.snapshots.found()) disk.snapshots.damage(snapshot)
      const { base, entries, hardState } = disk.contents()
      const exit = yield* Effect.exit(cluster.start(A))
      const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
      assert.strictEqual(error?.reason, "Corrupt")
      assert.match(error!.message, /begins after entry \d+.*balsa storage inspect.*balsa restore/)
      assert.deepStrictEqual(disk.contents().base, base)
      assert.deepStrictEqual(disk.contents().entries, entries)
      assert.deepStrictEqual(disk.contents().hardState, hardState)
    })
  )
})

describe("a snapshot that cannot be written", () => {
  it.effect("leaves the log longer, and the service as it was; the next one is written", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { raft: small })
      yield* cluster.startAll
      const leader = yield* cluster.leader
      cluster.disk(leader.id).snapshots.failNext("NoSpace")
      yield* write(cluster, leader, 0, 25)
      assert.strictEqual(snapshotIndex(cluster, leader.id), 0)
      assert.strictEqual(leader.state()._tag, "Leader")
      yield* write(cluster, leader, 25, 50)
      assert.isAbove(snapshotIndex(cluster, leader.id), 30)
      yield* assertSame(cluster)
    })
  )
})

describe("a replica that differs from the others", () => {
  it.effect("serves nobody, by no way, and says so; the others go on", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void (logLevel === "Error" && told.push(String(message))))
      const wrong = ReplicaId("C")
      const bitFlip: typeof KvMachine = {
        ...KvMachine,
        apply: (state, command) =>
          KvMachine.apply(
            state,
            command._tag === "Put" && command.key === "k7" ? { ...command, value: Buffer.from("v6") } : command,
            unstamped
          ),
        // What it applied is what it says it applied.
        digest: (command, result) =>
          command._tag === "Put" && command.key === "k7" ? 1 : KvMachine.digest(command, result)
      }
      const cluster = new TestCluster("A B C", { machineOf: (id) => (id === wrong ? bitFlip : KvMachine) })
      yield* cluster.startAll.pipe(Effect.provide(Logger.layer([logger])))
      yield* cluster.leader
      const writer = cluster.get(A)
      for (const id of cluster.ids) assert.isUndefined(cluster.get(id).replicated.status().divergedAt)
      for (const n of [6, 7, 8]) {
        const pending = yield* begin(writer.replicated.propose(put(`k${n}`, `v${n}`)))
        yield* cluster.until("an answer", pending.settled)
      }
      yield* cluster.until("it is found out", () => cluster.get(wrong).replicated.status().divergedAt !== undefined)
      const { replicated } = cluster.get(wrong)
      for (const request of [
        replicated.propose(put("k", "v")),
        replicated.query(get("k7")),
        replicated.queryLocal(get("k7"))
      ]) {
        const pending = yield* begin<unknown>(request)
        yield* cluster.until("a refusal", pending.settled, 100)
        const error = pending.error()
        assert.isTrue(error?._tag === "Unavailable" && !error.outcomeUnknown)
        assert.match(error!.message, /differ from the others .*balsa storage repair --from-peers/)
      }
      const leader = yield* cluster.leader
      assert.notStrictEqual(leader.id, wrong)
      yield* write(cluster, leader, 10, 15)
      for (const id of cluster.ids.filter((other) => other !== wrong)) {
        assert.isUndefined(cluster.get(id).replicated.status().divergedAt)
      }
      const { divergedAt } = replicated.status()
      assert.lengthOf(told, 1, "said once")
      assert.match(
        told[0]!,
        new RegExp(`after entry ${divergedAt} the hash .* is [0-9a-f]{8} here, and [0-9a-f]{8} there`)
      )
      assert.match(told[0]!, /balsa storage repair --from-peers/)
    })
  )
})
