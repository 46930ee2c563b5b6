/** A mailbox that fills while the disk hangs: peers' messages are dropped, requests refused, neither at the other's cost. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Index, origin, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Message } from "../../src/raft/Message.ts"
import { Transport } from "../../src/transport/Transport.ts"
import { begin, put, TestCluster } from "./TestCluster.ts"

const [A, B, C] = ["A", "B", "C"].map(ReplicaId) as [ReplicaId, ReplicaId, ReplicaId]

type Wire = Message<Uint8Array>

/** A's peers are played by the test: what it sends is kept, what it hears is said by hand. */
const alone = Effect.fnUntraced(function* (limits: { maxMailboxMessages: number; maxMailboxRequests: number }) {
  const sent: Array<Wire> = []
  let deliver: (from: ReplicaId, message: Wire) => void = () => {}
  const played = Layer.succeed(Transport, {
    send: (_, messages) => void sent.push(...messages),
    receive: (say) =>
      Effect.suspend(() => {
        deliver = say
        return Effect.never
      }),
    setMembers: () => {},
    connections: () => []
  })
  const cluster = new TestCluster("A B C", { limits, around: ({ disk }) => Layer.merge(disk.layer, played) })
  const { replicated } = yield* cluster.start(A)
  const term = Term(1)
  deliver(B, {
    _tag: "AppendEntries",
    term,
    prev: origin,
    entries: [{ index: Index(1), term, payload: { _tag: "NoOp" } }],
    leaderCommit: Index(0),
    round: 0
  })
  yield* TestClock.adjust(1)
  // A replica with a disk that was empty introduces itself again and again; nobody answers here.
  const take = () => sent.splice(0).filter(({ _tag }) => _tag !== "Introduce")
  return { replicated, take, disk: cluster.disk(A), say: (from: ReplicaId, message: Wire) => deliver(from, message) }
})

const question: Wire = { _tag: "PreVote", term: Term(1), last: { index: Index(1), term: Term(1) } }

/** Something to write. */
const nextEntry: Wire = {
  _tag: "AppendEntries",
  term: Term(1),
  prev: { index: Index(1), term: Term(1) },
  entries: [{ index: Index(2), term: Term(1), payload: { _tag: "NoOp" } }],
  leaderCommit: Index(1),
  round: 0
}

const tags = (messages: ReadonlyArray<Wire>) => messages.map(({ _tag }) => _tag)

describe("a full mailbox", () => {
  it.effect(
    "drops messages of peers and still takes requests, refuses those beyond their own limit, and recovers",
    () =>
      Effect.gen(function* () {
        const { disk, replicated, say, take } = yield* alone({ maxMailboxMessages: 10, maxMailboxRequests: 2 })
        assert.deepStrictEqual(tags(take()), ["AppendEntriesReply"])
        disk.slow(50)
        say(B, nextEntry)
        yield* TestClock.adjust(1)
        // The disk is at work, so from here on everything waits.
        for (let asked = 0; asked < 100; asked++) say(C, question)

        const writes = yield* Effect.forEach([1, 2, 3, 4], (n) => begin(replicated.propose(put(`k${n}`, "v"))))
        assert.deepStrictEqual(
          writes.map((write) => write.error()?._tag),
          [undefined, undefined, "ResourceExhausted", "ResourceExhausted"],
          "two were taken after messages had begun to be dropped"
        )
        const refused = writes[3]!.error()
        assert.isTrue(refused?._tag === "ResourceExhausted" && refused.limit === "maxMailboxRequests")
        say(C, question)
        assert.isEmpty(take())
        yield* TestClock.adjust(60)
        const said = take()
        const answers = tags(said).filter((tag) => tag === "PreVoteReply")
        assert.lengthOf(answers, 10, "as many as the mailbox holds")
        const forwarded = said.flatMap((message) => (message._tag === "Forward" ? message.requests : []))
        assert.deepStrictEqual(
          forwarded.map(({ request }) => request.sequence),
          [1, 2]
        )

        say(C, question)
        const again = yield* begin(replicated.propose(put("k", "v")))
        yield* TestClock.adjust(1)
        assert.isFalse(again.settled(), "taken, and forwarded")
        assert.deepStrictEqual(tags(take()).toSorted(), ["Forward", "PreVoteReply"])
      })
  )

  it.effect("a rush of clients drops no heartbeat", () =>
    Effect.gen(function* () {
      const { disk, replicated, say, take } = yield* alone({ maxMailboxMessages: 10, maxMailboxRequests: 20 })
      take()
      disk.slow(50)
      say(B, nextEntry)
      yield* TestClock.adjust(1)
      const writes = yield* Effect.forEach(Array.from({ length: 30 }), (_, n) =>
        begin(replicated.propose(put(`k${n}`, "v")))
      )
      assert.lengthOf(
        writes.filter((write) => write.settled()),
        10,
        "refused"
      )
      say(C, question)
      yield* TestClock.adjust(60)
      assert.include(tags(take()), "PreVoteReply")
    })
  )
})
