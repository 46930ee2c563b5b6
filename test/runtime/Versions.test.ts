/** Two programs in one cluster: replicas are replaced one at a time, forth and back, while clients go on. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import type { KvCommand } from "../../src/kv/KvCommand.ts"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { StoreCommand } from "../../src/sessions/Store.ts"
import { former, latest, present, StoreCluster } from "./StoreCluster.ts"
import { begin, get, put, valueIn } from "./TestCluster.ts"

const once = (key: string, command: KvCommand): StoreCommand => ({ session: { _tag: "Key", key }, command })

const small = { snapshotLogEntries: 12, snapshotRetryMillis: 200 }

/** Ten writes by way of any replica that runs; each is acknowledged. */
const write = Effect.fnUntraced(function* (
  cluster: StoreCluster,
  name: string,
  through: (id: ReplicaId) => boolean = () => true
) {
  yield* cluster.leader
  for (let n = 0; n < 10; n++) {
    const all = cluster.all().filter(({ id }) => through(id))
    const by = all[n % all.length]!
    const pending = yield* cluster.ended(by.replicated.propose(put(`${name}${n}`, "v")))
    assert.strictEqual(pending.result()?._tag, "Put", String(pending.error()))
  }
})

const replace = Effect.fnUntraced(function* (cluster: StoreCluster, id: ReplicaId, program: typeof present) {
  yield* cluster.stop(id)
  yield* write(cluster, `without ${id} `)
  yield* cluster.start(id, program)
  yield* write(cluster, `with new ${id} `)
})

const startAll = (cluster: StoreCluster, program: typeof present) =>
  Effect.forEach(cluster.ids, (id) => cluster.start(id, program))

const why = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "it succeeded"

/** Acknowledged under the names that `write` gives, and read anew. */
const assertKept = Effect.fnUntraced(function* (cluster: StoreCluster, names: ReadonlyArray<string>) {
  const leader = yield* cluster.leader
  for (const name of names) {
    const answer = yield* cluster.ended(leader.replicated.query(get(`${name}9`)))
    assert.strictEqual(answer.result() && valueIn(answer.result()!), "v", name)
  }
})

const upgraded = ["A", "B", "C"].flatMap((id) => [`without ${id} `, `with new ${id} `])

describe("a cluster of two programs", () => {
  it.effect("upgrades one replica at a time: what is new means something once all understand it", () => {
    const cluster = new StoreCluster(small)
    return Effect.gen(function* () {
      yield* startAll(cluster, former)
      yield* write(cluster, "before ")
      for (const id of cluster.ids) {
        yield* replace(cluster, id, present)
        const isLast = id === cluster.ids.at(-1)
        if (isLast) break
        // Whoever could raise it leads, and hears from those who do not understand it.
        const leader = yield* cluster.leader
        if (leader.id !== id) yield* cluster.ended(leader.replicated.transferLeadership(id))
        assert.strictEqual((yield* cluster.leader).id, id)
        yield* write(cluster, `led by ${id} `)
        assert.deepStrictEqual(new Set(cluster.versions()), new Set([1]))
        const refused = yield* cluster.ended(cluster.get(id).replicated.propose(once("early", put("x", "1"))))
        assert.strictEqual(refused.error()?._tag, "NotUnderstood")
        yield* cluster.assertSame
      }
      yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
      const first = yield* cluster.ended(cluster.all()[0]!.replicated.propose(once("k", put("x", "1"))))
      const again = yield* cluster.ended(cluster.all()[1]!.replicated.propose(once("k", put("x", "1"))))
      assert.deepStrictEqual(again.result(), { _tag: "Repeated", result: first.result() as never })
      yield* assertKept(cluster, ["before ", ...upgraded])
      yield* cluster.assertSame
      assert.isTrue(cluster.lines.some((line) => line.includes(`commands are of version ${latest} from now on`)))
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  it.effect("goes back one replica at a time, once the version is limited", () => {
    const cluster = new StoreCluster(small)
    return Effect.gen(function* () {
      yield* startAll(cluster, present)
      yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
      yield* write(cluster, "before ")
      const leader = yield* cluster.leader
      yield* cluster.ended(leader.replicated.propose(once("k", put("x", "1"))))
      const limited = yield* cluster.ended(leader.replicated.amend({ _tag: "Version", ceiling: 1 }))
      assert.isUndefined(limited.error())
      yield* cluster.until("version 1", () => cluster.versions().every((version) => version === 1))
      const downAt = leader.replicated.status().lastApplied
      const refused = yield* cluster.ended(leader.replicated.propose(once("l", put("x", "2"))))
      assert.strictEqual(refused.error()?._tag, "NotUnderstood")
      yield* cluster.assertSame
      for (const { state } of cluster.all()) assert.strictEqual(state().stateMachine.value.sessions.keys.bytes, 0)
      yield* cluster.until("snapshots of that", () =>
        cluster.all().every(({ replicated }) => (replicated.status().snapshot?.index ?? 0) >= downAt)
      )
      for (const id of cluster.ids) {
        yield* replace(cluster, id, former)
        yield* cluster.assertSame
      }
      assert.deepStrictEqual(new Set(cluster.versions()), new Set([1]))
      yield* assertKept(cluster, ["before ", ...upgraded])
      // And forth again; the limit holds until it is lifted.
      for (const id of cluster.ids) yield* replace(cluster, id, present)
      assert.deepStrictEqual(new Set(cluster.versions()), new Set([1]))
      const next = yield* cluster.leader
      yield* cluster.ended(next.replicated.amend({ _tag: "Version", ceiling: undefined }))
      yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
      const anew = yield* cluster.ended(next.replicated.propose(once("k", put("x", "1"))))
      assert.strictEqual(anew.result()?._tag, "Put")
      yield* cluster.assertSame
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  it.effect("a command that is under way when the version comes down means nothing to anybody", () => {
    const cluster = new StoreCluster()
    return Effect.gen(function* () {
      yield* startAll(cluster, present)
      yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
      const leader = yield* cluster.leader
      const follower = cluster.all().find((one) => one !== leader)!
      // Into one batch: the command is in the mailbox with its bytes of version 2 when the limit is logged before it.
      const limit = yield* begin(leader.replicated.amend({ _tag: "Version", ceiling: 1 }))
      const late = yield* begin(follower.replicated.propose(once("k", put("x", "1"))))
      yield* cluster.until("both ends", () => limit.settled() && late.settled())
      assert.isUndefined(limit.error())
      assert.strictEqual(late.result()?._tag, "UnknownCommand", String(late.error()))
      yield* cluster.assertSame
      const answer = yield* cluster.ended(leader.replicated.query(get("x")))
      assert.isUndefined(answer.result() && valueIn(answer.result()!))
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  it.effect(
    "who comes back with a program that is too old says so, loses nothing, and goes on when it is upgraded",
    () => {
      const cluster = new StoreCluster({ snapshotLogEntries: 1000 })
      return Effect.gen(function* () {
        yield* startAll(cluster, present)
        yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
        const leader = yield* cluster.leader
        const gone = cluster.ids.find((id) => id !== leader.id)!
        yield* cluster.ended(leader.replicated.amend({ _tag: "Version", ceiling: 1 }))
        yield* cluster.until("a snapshot of it", () => cluster.get(gone).replicated.status().snapshot !== undefined)
        yield* write(cluster, "before ")
        // It has said what it understands; the others agree on that while it is away.
        yield* cluster.stop(gone)
        yield* cluster.ended(leader.replicated.amend({ _tag: "Version", ceiling: undefined }))
        yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
        yield* cluster.ended(leader.replicated.propose(once("k", put("x", "1"))))
        yield* write(cluster, "meanwhile ")

        const old = yield* cluster.start(gone, former)
        yield* cluster.until("it is outdated", () => old.replicated.status().outdatedBy === latest)
        assert.isTrue(cluster.lines.some((line) => line.startsWith("Error") && line.includes("newer version of Balsa")))
        const refused = [
          yield* cluster.ended(old.replicated.propose(put("x", "2"))),
          yield* cluster.ended(old.replicated.query(get("x"))),
          yield* cluster.ended(old.replicated.queryLocal(get("x")))
        ]
        for (const pending of refused) assert.include(pending.error()?.message, "version of Balsa here")
        yield* write(cluster, "beside ", (id) => id !== gone)
        yield* cluster.until("it stores all the same", () => {
          const [own, others] = [old, leader].map(({ replicated }) => replicated.status().lastIndex)
          return own === others
        })

        yield* cluster.stop(gone)
        const held = cluster.disks.get(gone)!.contents()
        const begun = yield* Effect.exit(cluster.start(gone, former))
        assert.include(why(begun), `The log says that the cluster has agreed on version ${latest}`)
        assert.include(why(begun), "nothing was changed")
        assert.deepStrictEqual(cluster.disks.get(gone)!.contents().entries, held.entries)

        yield* cluster.start(gone, present)
        yield* cluster.assertSame
        const again = yield* cluster.ended(cluster.get(gone).replicated.propose(once("k", put("x", "1"))))
        assert.strictEqual(again.result()?._tag, "Repeated")
        yield* assertKept(cluster, ["before ", "meanwhile ", "beside "])
      }).pipe(Effect.scoped, Effect.provide(cluster.logger))
    }
  )

  it.effect("an old program does not start from a snapshot that is newer, and changes nothing", () => {
    const cluster = new StoreCluster(small)
    return Effect.gen(function* () {
      yield* startAll(cluster, present)
      yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
      yield* write(cluster, "before ")
      yield* write(cluster, "after ")
      const { id } = cluster.all().find(({ replicated }) => replicated.status().role !== "Leader")!
      yield* cluster.until("a snapshot", () => cluster.get(id).replicated.status().snapshot !== undefined)
      yield* cluster.stop(id)
      const begun = yield* Effect.exit(cluster.start(id, former))
      assert.include(why(begun), "written by a newer version of Balsa")
      yield* cluster.start(id, present)
      yield* cluster.assertSame
      yield* assertKept(cluster, ["before ", "after "])
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })
})
