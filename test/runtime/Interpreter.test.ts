/** What the reducer cannot show: disks that fail or are slow, limits, and the end of a replica. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { KvAnswer } from "../../src/kv/KvQuery.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import { Mailbox } from "../../src/runtime/Mailbox.ts"
import { defaultWaitingLimits, Requests, type Waiter } from "../../src/runtime/Requests.ts"
import type { RequestError } from "../../src/runtime/RequestError.ts"
import { begin, get, put, TestCluster, valueIn } from "./TestCluster.ts"

const A = ReplicaId("A")

describe("a disk", () => {
  it.effect("whose write fails ends the replica, and nothing that rests on the write is said", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const [one, other] = cluster.ids.filter((id) => id !== leader.id).map((id) => cluster.get(id))
      // Only this follower could make a majority; its disk fails, so it must not say that it holds the entry.
      cluster.network.cut(leader.id, other!.id)
      cluster.disk(one!.id).failNext("WriteFailed")
      const write = yield* begin(leader.replicated.propose(put("k", "v")))
      const { lastIndex } = leader.replicated.status()
      yield* TestClock.adjust(50)
      const exit = one!.fiber.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isFailure(exit))
      const error =
        exit !== undefined && Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
      assert.strictEqual(error?._tag, "StorageError")
      const state = leader.state()
      assert.isTrue(state._tag === "Leader" && state.progress.get(one!.id)!.matchIndex <= lastIndex)
      assert.isAtMost(leader.replicated.status().commitIndex, lastIndex)
      assert.isFalse(write.settled() && write.error() === undefined)
    })
  )

  it.effect("that is slow delays every acknowledgement until the entry is on it", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      const followers = cluster.ids.filter((id) => id !== leader.id)
      for (const id of followers) cluster.disk(id).slow(150)
      const write = yield* begin(leader.replicated.propose(put("k", "v")))
      yield* TestClock.adjust(140)
      assert.isFalse(write.settled())
      yield* TestClock.adjust(20)
      assert.isTrue(write.settled() && write.error() === undefined)
    })
  )

  it.effect("that is slow keeps a local read from showing what only memory holds, where a replica is alone", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A")
      const alone = yield* cluster.start(A)
      yield* cluster.until("it leads", () => alone.state()._tag === "Leader")
      cluster.disk(A).slow(100)
      const write = yield* begin(alone.replicated.propose(put("k", "v")))
      yield* TestClock.adjust(50)
      const atOnce = () => valueIn(alone.replicated.direct.queryLocal(get("k")) as KvAnswer)
      assert.isUndefined(atOnce())
      assert.isUndefined(valueIn(yield* Effect.orDie(alone.replicated.queryLocal(get("k")))))
      yield* TestClock.adjust(60)
      assert.isTrue(write.settled())
      assert.strictEqual(atOnce(), "v")
      assert.strictEqual(valueIn(yield* Effect.orDie(alone.replicated.queryLocal(get("k")))), "v")
    })
  )

  it.effect("that hangs longer than the election timeout costs the leadership, not the data", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      cluster.disk(leader.id).slow("10 seconds")
      const write = yield* begin(leader.replicated.propose(put("k", "v")))
      yield* cluster.until("another leader", () => cluster.leaders().some(({ id }) => id !== leader.id))
      cluster.disk(leader.id).slow(0)
      yield* cluster.until("the old one follows", () => leader.state()._tag === "Follower", 20_000)
      yield* cluster.until("an answer", write.settled)
      const read = yield* begin((yield* cluster.leader).replicated.query(get("k")))
      yield* cluster.until("a read", read.settled)
      // Its entry reached the others before the disk hung, so the next leader commits it.
      assert.strictEqual(valueIn(read.result()!), "v")
    })
  )
})

describe("limits", () => {
  it.effect("a full mailbox refuses requests at once, and says which limit it was", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A", { limits: { maxMailboxRequests: 2 } })
      const alone = yield* cluster.start(A)
      yield* cluster.until("it leads", () => alone.state()._tag === "Leader")
      cluster.disk(A).slow(1000)
      const first = yield* begin(alone.replicated.propose(put("k", "1")))
      yield* TestClock.adjust(1)
      const rest = yield* Effect.forEach([2, 3, 4], (n) => begin(alone.replicated.propose(put("k", `${n}`))))
      const error = rest[2]!.error()
      assert.isTrue(error?._tag === "ResourceExhausted" && error.limit === "maxMailboxRequests")
      yield* TestClock.adjust("3 seconds")
      for (const taken of [first, rest[0]!, rest[1]!]) assert.isTrue(taken.settled() && taken.error() === undefined)
    })
  )

  it.effect("too many uncommitted bytes refuse further commands until some are committed", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { raft: { maxUncommittedBytes: 3000 } })
      yield* cluster.startAll
      const leader = yield* cluster.leader
      for (const id of cluster.ids) if (id !== leader.id) cluster.disk(id).slow(100)
      const writes = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
        begin(leader.replicated.propose(put(`k${n}`, "x".repeat(1000))))
      )
      yield* TestClock.adjust(10)
      const errors = writes.map((write) => write.error())
      assert.deepStrictEqual(
        errors.map((error) => error?._tag),
        [undefined, undefined, "ResourceExhausted", "ResourceExhausted", "ResourceExhausted"]
      )
      yield* TestClock.adjust(300)
      const again = yield* begin(leader.replicated.propose(put("k", "x".repeat(1000))))
      yield* cluster.until("room again", again.settled, 500)
      assert.isUndefined(again.error())
    })
  )

  it.effect("a request that takes too long is told so, and whether it may still be applied", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", { requestTimeoutMillis: 200 })
      yield* cluster.startAll
      const early = yield* begin(cluster.get(A).replicated.propose(put("k", "v")))
      yield* TestClock.adjust(400)
      const none = early.error()
      assert.isTrue(none?._tag === "RequestTimeout" && !none.outcomeUnknown, "no leader was given it")
      const leader = yield* cluster.leader
      cluster.network.partition([leader.id], cluster.ids)
      const late = yield* begin(leader.replicated.propose(put("k", "v")))
      yield* TestClock.adjust(400)
      const unknown = late.error()
      assert.isTrue(unknown?._tag === "RequestTimeout" && unknown.outcomeUnknown)
    })
  )

  it("a mailbox drops messages of peers beyond their limit, refuses requests beyond theirs, and neither crowds the other", () => {
    const mailbox = new Mailbox<string>({ maxMailboxMessages: 2, maxMailboxRequests: 1 })
    mailbox.offerMessage("m1")
    mailbox.offerMessage("m2")
    mailbox.offerMessage("m3")
    assert.strictEqual(mailbox.dropped, 1)
    assert.isTrue(mailbox.offerRequest("r1"))
    assert.isFalse(mailbox.offerRequest("r2"))
    assert.deepStrictEqual(mailbox.takeAll(), ["m1", "m2", "r1"])
    assert.deepStrictEqual(mailbox.takeAll(), [])
    mailbox.offerMessage("m4")
    assert.deepStrictEqual(mailbox.takeAll(), ["m4"], "taking makes room")
  })

  it.effect("too many waiting requests, their bytes, or a command that is too long: each is named", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C", {
        limits: { maxWaitingRequests: 3, maxWaitingBytes: 2500, maxCommandBytes: 2000 }
      })
      const alone = yield* cluster.start(A)
      const write = (bytes: number) => begin(alone.replicated.propose(put("k", "x".repeat(bytes))))
      const limitOf = (error: RequestError | undefined) =>
        error?._tag === "ResourceExhausted" ? error.limit : error?._tag
      assert.strictEqual(limitOf((yield* write(2000)).error()), "maxCommandBytes")
      yield* write(1500)
      assert.strictEqual(limitOf((yield* write(1500)).error()), "maxWaitingBytes")
      yield* write(100)
      yield* begin(alone.replicated.query(get("k")))
      assert.strictEqual(limitOf((yield* begin(alone.replicated.query(get("k")))).error()), "maxWaitingRequests")
      yield* TestClock.adjust("6 seconds")
      // Alone it reaches no majority, and says that; there is room again.
      assert.strictEqual(limitOf((yield* write(1500)).error()), "Unavailable")
    })
  )
})

describe("the end of a replica", () => {
  it.effect("tells every request that waits, in the middle of a batch too", () =>
    Effect.gen(function* () {
      const cluster = new TestCluster("A B C")
      yield* cluster.startAll
      const leader = yield* cluster.leader
      cluster.disk(leader.id).slow(300)
      const write = yield* begin(leader.replicated.propose(put("k", "v")))
      yield* TestClock.adjust(1)
      const read = yield* begin(leader.replicated.query(get("k")))
      yield* Fiber.interrupt(leader.fiber)
      const writeError = write.error()
      const readError = read.error()
      assert.isTrue(writeError?._tag === "Unavailable" && writeError.outcomeUnknown)
      assert.isTrue(readError?._tag === "Unavailable" && !readError.outcomeUnknown)
    })
  )
})

describe("Requests", () => {
  const make = () => {
    const heard: Array<string> = []
    const waiter = (name: string): Waiter<string, string> => ({
      succeed: (value) => heard.push(`${name}: ${value}`),
      fail: (error: RequestError) =>
        heard.push(`${name}: ${error._tag}${"outcomeUnknown" in error && error.outcomeUnknown ? ", unknown" : ""}`)
    })
    const requests = new Requests<string, string>({
      replica: A,
      incarnation: 3,
      timeoutMillis: 100,
      patienceMillis: 10,
      limits: defaultWaitingLimits
    })
    return { heard, waiter, requests }
  }
  const bytes = new Uint8Array([1])

  it("answers once, whatever comes twice", () => {
    const { heard, requests, waiter } = make()
    const id = requests.add(bytes, waiter("w"), 0)
    requests.onReply(id, { _tag: "Applied", result: "done" })
    requests.onReply(id, { _tag: "Superseded" })
    requests.onReply(id, { _tag: "Refused", reason: "NoQuorum" })
    assert.deepStrictEqual(heard, ["w: done"])
    assert.strictEqual(requests.size, 0)
  })

  it("gives a superseded command a new name, and keeps its deadline", () => {
    const { heard, requests, waiter } = make()
    const id = requests.add(bytes, waiter("w"), 0)
    const again = requests.onReply(id, { _tag: "Superseded" })
    assert.deepStrictEqual(again, { request: { ...id, sequence: 2 }, command: bytes })
    requests.expire(100)
    assert.deepStrictEqual(heard, ["w: RequestTimeout"])
  })

  it("a refusal of what an earlier leader was given is no outcome: it waits on, or is unknown", () => {
    const { heard, requests, waiter } = make()
    const fresh = requests.add(bytes, waiter("fresh"), 0)
    const given = requests.add(bytes, waiter("given"), 0)
    const lost = requests.add(bytes, waiter("lost"), 0)
    requests.onSubmitted(given)
    requests.onSubmitted(lost)
    requests.onReply(fresh, { _tag: "Refused", reason: "UncommittedBytes" })
    requests.onReply(given, { _tag: "Refused", reason: "UncommittedBytes" })
    requests.onReply(lost, { _tag: "Refused", reason: "NoQuorum" })
    requests.onReply(given, { _tag: "Applied", result: "done" })
    assert.deepStrictEqual(heard, ["fresh: ResourceExhausted", "lost: Unavailable, unknown", "given: done"])
  })

  it("of what a leader declines its client is told at once, and that nobody can tell whether it was done", () => {
    const { heard, requests, waiter } = make()
    const busy = requests.add(bytes, waiter("busy"), 0)
    const full = requests.add(bytes, waiter("full"), 0)
    for (const id of [busy, full]) requests.onSubmitted(id)
    requests.onReply(busy, { _tag: "Declined", reason: "UncommittedBytes" })
    requests.onReply(full, { _tag: "Declined", reason: "NoSpace" })
    assert.deepStrictEqual(heard, ["busy: ResourceExhausted, unknown", "full: ResourceExhausted, unknown"])
  })

  it("an installed snapshot leaves the outcome of what it covers unknown, and touches nothing else", () => {
    const { heard, requests, waiter } = make()
    const covered = requests.add(bytes, waiter("covered"), 0)
    const query = requests.add(undefined, waiter("query"), 0)
    const neverGiven = requests.add(bytes, waiter("never given"), 0)
    const last = requests.add(bytes, waiter("last"), 0)
    const later = requests.add(bytes, waiter("later"), 0)
    for (const id of [covered, last, later]) requests.onSubmitted(id)
    requests.onInstalled(undefined)
    requests.onInstalled({ ...later, incarnation: 2 })
    requests.onInstalled({ ...later, replica: ReplicaId("B") })
    assert.deepStrictEqual(heard, [])
    requests.onInstalled(last)
    assert.deepStrictEqual(heard, ["covered: Unavailable, unknown", "last: Unavailable, unknown"])
    for (const id of [query, neverGiven, later]) assert.isTrue(requests.take(id))
  })

  it("submits what waits again, in order, with growing patience; queries never", () => {
    const { requests, waiter } = make()
    const ids = [
      requests.add(bytes, waiter("1"), 0),
      requests.add(undefined, waiter("2"), 0),
      requests.add(bytes, waiter("3"), 5)
    ]
    const takeAll = () => ids.every((id) => requests.take(id))
    // The mailbox is emptied before each look, unless said otherwise.
    const sequences = (again: ReadonlyArray<{ request: { sequence: number } }>) =>
      takeAll() && again.map(({ request }) => request.sequence)
    assert.deepStrictEqual(requests.overdue(10), [], "still in the mailbox")
    takeAll()
    assert.deepStrictEqual(sequences(requests.overdue(10)), [1])
    assert.deepStrictEqual(sequences(requests.overdue(15)), [3])
    assert.deepStrictEqual(sequences(requests.overdue(29)), [])
    assert.deepStrictEqual(sequences(requests.overdue(30)), [1])
    assert.deepStrictEqual(sequences(requests.commands(31)), [1, 3])
  })
})
