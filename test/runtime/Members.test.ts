/** Members and leadership as users of a replica change them, on whole replicas under a clock that tests move. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { MemberChange } from "../../src/raft/Amendment.ts"
import type { KvAnswer } from "../../src/kv/KvQuery.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { MembersAmendment } from "../../src/runtime/Amendments.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import { begin, get, put, type Running, TestCluster, valueIn } from "./TestCluster.ts"

const [A, B, C, D] = ["A", "B", "C", "D"].map(ReplicaId) as [ReplicaId, ReplicaId, ReplicaId, ReplicaId]

const members = (...changes: ReadonlyArray<MemberChange>): MembersAmendment => ({
  _tag: "Members",
  changes,
  autoLeave: true,
  force: false
})

const others = (cluster: TestCluster, leader: Running): ReadonlyArray<ReplicaId> =>
  cluster.ids.filter((id) => id !== leader.id)

const roles = ({ replicated }: Running): string =>
  replicated
    .members()
    .members.map(({ id, role }) => `${id} ${role}`)
    .join(", ")

/** What becomes of a request, within a few seconds of the clock. */
const settle = <A>(cluster: TestCluster, request: Parameters<typeof begin<A>>[0]) =>
  Effect.gen(function* () {
    const pending = yield* begin(request)
    yield* cluster.until("an answer", () => pending.settled())
    return pending
  })

/** Without an Effect around the answer. */
const locally = ({ direct }: Running["replicated"]) =>
  Effect.suspend((): Effect.Effect<KvAnswer, RequestError> => {
    const answer = direct.queryLocal(get("x"))
    return answer._tag === "Unavailable" ? Effect.fail(answer) : Effect.succeed(answer)
  })

describe("members", () => {
  it.effect("change wherever it is asked for, and asking again is no error", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const [stays, goes] = others(cluster, leader) as [ReplicaId, ReplicaId]
      for (const through of [cluster.get(stays), leader, cluster.get(stays)]) {
        const removed = yield* settle(cluster, through.replicated.amend(members({ _tag: "Remove", id: goes })))
        assert.isUndefined(removed.error())
        assert.strictEqual(
          roles(through),
          [leader.id, stays]
            .toSorted()
            .map((id) => `${id} voter`)
            .join(", ")
        )
      }
    })
  )

  it.effect("a leader that is removed says of no command that it has logged that nothing was done", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      // While its disk works, commands gather with the answers that commit its removal: they are one batch.
      cluster.disk(leader.id).slow(5)
      yield* begin(leader.replicated.amend(members({ _tag: "Remove", id: leader.id })))
      const asked: Array<{ readonly key: string; readonly write: Effect.Success<ReturnType<typeof begin>> }> = []
      for (let turn = 0; turn < 60; turn++) {
        for (const key of [`a${turn}`, `b${turn}`]) {
          asked.push({ key, write: yield* begin(leader.replicated.propose(put(key, "1"))) })
        }
        yield* TestClock.adjust(1)
      }
      yield* cluster.until("it is outside", () => leader.replicated.status().outside)
      yield* cluster.until("answers", () => asked.every(({ write }) => write.settled()), 20_000)
      const next = cluster.get(others(cluster, leader).find((id) => cluster.get(id).state()._tag === "Leader")!)
      let refused = 0
      for (const { key, write } of asked) {
        const error = write.error() as { readonly outcomeUnknown: boolean } | undefined
        if (error === undefined || error.outcomeUnknown) continue
        refused++
        const read = yield* settle(cluster, next.replicated.query(get(key)))
        assert.isUndefined(valueIn(read.result()!), key)
      }
      assert.isAbove(refused, 0)
    })
  )

  it.effect("one that is removed serves nobody, and says why", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const gone = cluster.get(others(cluster, leader)[0]!)
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      yield* settle(cluster, leader.replicated.amend(members({ _tag: "Remove", id: gone.id })))
      yield* cluster.until("it notices", () => gone.replicated.status().outside)
      const asked = [
        gone.replicated.queryLocal(get("x")),
        locally(gone.replicated),
        gone.replicated.query(get("x")),
        gone.replicated.propose(put("x", "2"))
      ]
      for (const ask of asked) {
        const pending = yield* settle<unknown>(cluster, ask)
        assert.strictEqual(pending.error()?._tag, "Unavailable")
      }
      const local = yield* settle<unknown>(cluster, gone.replicated.queryLocal(get("x")))
      assert.include(local.error()?.message, "not a member")
    })
  )

  it.effect("that are changed twice in one moment change one after the other", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const [one, other] = others(cluster, leader) as [ReplicaId, ReplicaId]
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      // In one batch, so that the second meets the first before that is committed.
      const { amend } = leader.replicated
      const changes = [
        amend(members({ _tag: "Demote", id: one })),
        amend(members({ _tag: "Move", id: other, address: "elsewhere:1" }))
      ]
      const both = yield* settle(cluster, Effect.all(changes, { concurrency: "unbounded" }))
      assert.isUndefined(both.error())
      assert.include(roles(leader), `${one} learner`)
      assert.strictEqual(Configurations.addressOf(leader.state().configuration, other), "elsewhere:1")
    })
  )

  it.effect("one that joins is a learner, then votes, and is told everybody's address", () =>
    Effect.gen(function* () {
      const addresses = new Map([A, B, C, D].map((id) => [id, `${id}:1`]))
      const cluster = new TestCluster("A B C D", { founders: ["A", "B", "C"], addresses })
      yield* cluster.startAll
      const leader = yield* cluster.leader
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      const add = members({ _tag: "Add", id: D, address: "D:1", promote: true })
      const added = yield* settle(cluster, cluster.get(B).replicated.amend(add))
      assert.isUndefined(added.error())
      const { replicated, state } = cluster.get(D)
      yield* cluster.until("it votes", () => roles(cluster.get(D)) === "A voter, B voter, C voter, D voter")
      for (const id of cluster.ids) assert.strictEqual(Configurations.addressOf(state().configuration, id), `${id}:1`)
      const read = yield* settle(cluster, replicated.query(get("x")))
      assert.strictEqual(valueIn(read.result()!), "1")
    })
  )

  it.effect("a plan is the leader's to make, and tells what may fail before and after", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      const [one, other] = others(cluster, leader) as [ReplicaId, ReplicaId]
      const removal = members({ _tag: "Remove", id: one })
      const elsewhere = yield* settle(cluster, cluster.get(one).replicated.plan(removal))
      assert.strictEqual(elsewhere.error()?.message, `only the leader can tell: ask ${leader.id}`)

      const plan = (yield* settle(cluster, leader.replicated.plan(removal))).result()!
      assert.deepInclude(plan.before, { quorum: 2, tolerates: 1, inReach: [A, B, C] })
      assert.deepInclude(plan.after, { quorum: 2, tolerates: 0 })
      assert.isUndefined(plan.refusal)

      // With one out of reach, removing another leaves no majority in reach.
      yield* cluster.get(other).stop
      yield* cluster.until("its silence is noticed", () => {
        const status = leader.replicated.members().members.find(({ id }) => id === other)
        return status?.progress?.inReach === false
      })
      const bad = (yield* settle(cluster, leader.replicated.plan(removal))).result()!
      assert.deepInclude(bad.refusal, { reason: "WouldLoseQuorum", forcible: true })
      const refused = yield* settle(cluster, leader.replicated.amend(removal))
      assert.deepInclude(refused.error(), { _tag: "AmendmentRefused", reason: "WouldLoseQuorum" })
      assert.strictEqual(roles(leader), "A voter, B voter, C voter")
    })
  )
})

describe("the leadership", () => {
  it.effect("is handed over to whom it is asked for, at any replica", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const [through, to] = others(cluster, leader) as [ReplicaId, ReplicaId]
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      const pending = yield* settle(cluster, cluster.get(through).replicated.transferLeadership(to))
      assert.strictEqual(pending.result(), to)
      assert.strictEqual((yield* cluster.leader).id, to)
    })
  )

  it.effect("goes to whoever is best placed, and not back to the one that is to stop", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      const pending = yield* settle(cluster, leader.replicated.transferLeadership())
      assert.include(others(cluster, leader), pending.result())
    })
  )

  it.effect("stays where it is when the other cannot take over, and that is said", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const [silent] = others(cluster, leader) as [ReplicaId]
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      yield* cluster.get(silent).stop
      const pending = yield* settle(cluster, leader.replicated.transferLeadership(silent))
      assert.deepInclude(pending.error(), { _tag: "AmendmentRefused", reason: "NotHandedOver" })
      assert.strictEqual((yield* cluster.leader).id, leader.id)
      const write = yield* settle(cluster, leader.replicated.propose(put("x", "2")))
      assert.isUndefined(write.error())
    })
  )

  it.effect("is not for learners and strangers, nor to be had by nobody else", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A")
      const alone = yield* cluster.start(A)
      yield* cluster.leader
      const stranger = yield* settle(cluster, alone.replicated.transferLeadership(B))
      assert.deepInclude(stranger.error(), { reason: "NotAVoter" })
      const nobody = yield* settle(cluster, alone.replicated.transferLeadership())
      assert.deepInclude(nobody.error(), { reason: "NotHandedOver" })
    })
  )
})

describe("how old a local answer may be", () => {
  it.effect("grows while a follower does not hear its leader, and has no bound without one", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const follower = cluster.get(others(cluster, leader)[0]!)
      yield* settle(cluster, leader.replicated.propose(put("x", "1")))
      yield* cluster.until("it is told", () => follower.replicated.staleness().appliedIndex === 2)
      assert.isAtMost(follower.replicated.staleness().heardLeaderMillisAgo!, 100)
      for (const id of others(cluster, follower)) cluster.network.cut(follower.id, id)
      yield* cluster.until("silence", () => (follower.replicated.staleness().heardLeaderMillisAgo ?? 0) > 300)
      yield* cluster.until("it stands", () => follower.replicated.staleness().heardLeaderMillisAgo === undefined)
      assert.strictEqual(follower.replicated.staleness().appliedIndex, 2)
      assert.isAtMost(leader.replicated.staleness().heardLeaderMillisAgo!, 100)
    })
  )
})
