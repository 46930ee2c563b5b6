/** A client that does not know what became of its command sends it again, at another replica, after whatever has happened. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { KvCommand } from "../../src/kv/KvCommand.ts"
import { StoreStateCodec } from "../../src/codec/StoreCodec.ts"
import { none } from "../../src/sessions/Sessions.ts"
import type { StoreCommand, StoreResult } from "../../src/sessions/Store.ts"
import { latest, present, type StoreReplica, StoreCluster } from "./StoreCluster.ts"
import { begin, get, put } from "./TestCluster.ts"

const once = (key: string, command: KvCommand): StoreCommand => ({ session: { _tag: "Key", key }, command })

const ready = Effect.fnUntraced(function* (cluster: StoreCluster, program = present) {
  yield* Effect.forEach(cluster.ids, (id) => cluster.start(id, program))
  yield* cluster.until(`version ${latest}`, () => cluster.versions().every((version) => version === latest))
  return yield* cluster.leader
})

const say = Effect.fnUntraced(function* (cluster: StoreCluster, by: StoreReplica, command: StoreCommand) {
  const pending = yield* cluster.ended(by.replicated.propose(command))
  assert.isUndefined(pending.error())
  return pending.result()!
})

/** The store's revision, by which each put that took effect counts. */
const revisionOf = Effect.fnUntraced(function* (cluster: StoreCluster, by: StoreReplica) {
  const answer = yield* cluster.ended(by.replicated.query(get("k")))
  return answer.result()?.revision
})

const repeated = (result: StoreResult): unknown => ({ _tag: "Repeated", result })

const crash = Effect.fnUntraced(function* (cluster: StoreCluster, ids: ReadonlyArray<StoreReplica["id"]>) {
  for (const id of ids) {
    yield* cluster.stop(id)
    cluster.disks.get(id)!.crash("Lost")
  }
})

describe("a command that is sent again", () => {
  it.effect("after the leader's crash is applied once, with the same answer [146]", () => {
    const cluster = new StoreCluster()
    return Effect.gen(function* () {
      const leader = yield* ready(cluster)
      const first = yield* say(cluster, leader, once("k", put("k", "1")))
      yield* crash(cluster, [leader.id])
      const next = yield* cluster.leader
      assert.notStrictEqual(next.id, leader.id)
      assert.deepStrictEqual(yield* say(cluster, next, once("k", put("k", "1"))), repeated(first) as never)
      assert.strictEqual(yield* revisionOf(cluster, next), 2)
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  it.effect("while nobody knows of the first is applied once, whoever of the two is", () => {
    const cluster = new StoreCluster()
    return Effect.gen(function* () {
      const leader = yield* ready(cluster)
      const followers = cluster.all().filter((one) => one !== leader)
      const attempts = yield* Effect.forEach([leader, ...followers, leader], ({ replicated }) =>
        begin(replicated.propose(once("k", put("k", "1"))))
      )
      yield* cluster.until("all end", () => attempts.every((one) => one.settled()))
      const results = attempts.map((one) => one.result()!)
      const first = results.find(({ _tag }) => _tag === "Put")!
      assert.deepStrictEqual(
        results.filter((one) => one !== first),
        [repeated(first), repeated(first), repeated(first)] as never
      )
      assert.strictEqual(yield* revisionOf(cluster, leader), 2)
      yield* cluster.assertSame
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  it.effect("after its first copy was rolled back is applied, and the first never heard of success [148]", () => {
    const cluster = new StoreCluster()
    return Effect.gen(function* () {
      const leader = yield* ready(cluster)
      const followers = cluster.ids.filter((id) => id !== leader.id)
      // It logs what nobody else gets, and loses its leadership with it.
      yield* Effect.forEach(followers, cluster.stop)
      const first = yield* begin(leader.replicated.propose(once("k", put("k", "1"))))
      yield* cluster.until("it hears that nobody knows", () => first.settled())
      const error = first.error()
      assert.isUndefined(first.result())
      assert.isTrue(error !== undefined && "outcomeUnknown" in error && error.outcomeUnknown, String(error))
      const { lastIndex: lost, commitIndex } = leader.replicated.status()
      assert.isAbove(lost, commitIndex)
      yield* cluster.stop(leader.id)
      yield* Effect.forEach(followers, (id) => cluster.start(id, present))
      const next = yield* cluster.leader
      const again = yield* say(cluster, next, once("k", put("k", "1")))
      assert.strictEqual(again._tag, "Put", "the copy at the old leader is not committed")
      const back = yield* cluster.start(leader.id, present)
      yield* cluster.assertSame
      assert.isAtLeast(back.replicated.status().lastIndex, lost)
      assert.deepStrictEqual(yield* say(cluster, back, once("k", put("k", "1"))), repeated(again) as never)
      assert.strictEqual(yield* revisionOf(cluster, next), 2)
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  /** What stands in a snapshot, and only there, once the logs begin after it. */
  const afterSnapshots = Effect.fnUntraced(function* (cluster: StoreCluster, program: typeof present) {
    const leader = yield* ready(cluster, program)
    const first = yield* say(cluster, leader, once("k", put("k", "1")))
    for (let n = 0; n < 40; n++) yield* say(cluster, leader, put(`other ${n}`, "v"))
    yield* cluster.until("the logs begin later", () =>
      cluster.all().every(({ replicated }) => replicated.status().log.firstIndex > 10)
    )
    yield* crash(cluster, cluster.ids)
    yield* Effect.forEach(cluster.ids, (id) => cluster.start(id, program))
    const next = yield* cluster.leader
    return { first, again: yield* say(cluster, next, once("k", put("k", "1"))) }
  })

  it.effect("after all have lost their memory, and the log its beginning, is applied once [147]", () => {
    const cluster = new StoreCluster({ snapshotLogEntries: 10 })
    return Effect.gen(function* () {
      const { first, again } = yield* afterSnapshots(cluster, present)
      assert.deepStrictEqual(again, repeated(first) as never)
      yield* cluster.assertSame
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  it.effect("(that test notices when snapshots forget who has said what)", () => {
    const cluster = new StoreCluster({ snapshotLogEntries: 10 })
    const forgetful: typeof present = {
      ...present,
      state: {
        ...StoreStateCodec,
        encode: (state, version) => StoreStateCodec.encode({ ...state, sessions: none }, version)
      }
    }
    return Effect.gen(function* () {
      const { again } = yield* afterSnapshots(cluster, forgetful)
      assert.strictEqual(again._tag, "Put")
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })

  it.effect("of a client that has registered, is applied once; after another one of it, refused", () => {
    const cluster = new StoreCluster()
    return Effect.gen(function* () {
      const leader = yield* ready(cluster)
      const by = (sequence: number, value: string): StoreCommand => ({
        session: { _tag: "Client", client: "c", sequence },
        command: put("k", value)
      })
      const early = yield* say(cluster, leader, by(1, "1"))
      assert.deepStrictEqual(early, { _tag: "NotApplied", reason: "SessionExpired" })
      const session = yield* say(cluster, leader, { session: { _tag: "Register", client: "c" } })
      assert.deepStrictEqual(session, { _tag: "Registered", sequence: 0 })
      const first = yield* say(cluster, leader, by(1, "1"))
      yield* crash(cluster, [leader.id])
      const next = yield* cluster.leader
      assert.deepStrictEqual(yield* say(cluster, next, by(1, "1")), repeated(first) as never)
      assert.strictEqual((yield* say(cluster, next, by(2, "2")))._tag, "Put")
      assert.deepStrictEqual(yield* say(cluster, next, by(1, "1")), { _tag: "NotApplied", reason: "TooOld" })
      assert.strictEqual(yield* revisionOf(cluster, next), 3)
    }).pipe(Effect.scoped, Effect.provide(cluster.logger))
  })
})
