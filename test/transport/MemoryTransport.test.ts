import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Index, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Message } from "../../src/raft/Message.ts"
import { type LinkFaults, MemoryNetwork } from "../../src/transport/MemoryTransport.ts"
import { Transport } from "../../src/transport/Transport.ts"

const [A, B, C] = [ReplicaId("A"), ReplicaId("B"), ReplicaId("C")]

const ping = (number: number): Message<Uint8Array> => ({
  _tag: "ReadIndexReply",
  term: Term(1),
  number,
  index: Index(1)
})
const pings = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => ping(from + i))

/** One replica: what it received and when, as "time from number". */
const join = Effect.fnUntraced(function* (network: MemoryNetwork, id: ReplicaId, joining = () => false) {
  const received: Array<string> = []
  const messages: Array<Message<Uint8Array>> = []
  const clock = yield* Clock.Clock
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(network.layer(id, { joining }), scope)
  const transport = yield* Transport.pipe(Effect.provideContext(context))
  const running = transport.receive((from, message) => {
    messages.push(message)
    received.push(
      `${clock.currentTimeMillisUnsafe()} ${from} ${message._tag === "ReadIndexReply" ? message.number : "?"}`
    )
  })
  yield* Effect.forkIn(running, scope)
  yield* TestClock.adjust(0)
  return { transport, received, messages, leave: Scope.close(scope, Exit.void) }
})

const settle = TestClock.adjust(0)

describe("a memory network", () => {
  it.effect("delivers in order, later and never inside `send`", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const a = yield* join(network, A)
      const b = yield* join(network, B)
      a.transport.send(B, pings(0, 3))
      assert.deepStrictEqual(b.received, [])
      yield* settle
      assert.deepStrictEqual(b.received, ["0 A 0", "0 A 1", "0 A 2"])
      assert.deepStrictEqual(a.transport.connections(), [
        { id: B, address: "memory:B", relation: "Member", connected: true, lastError: undefined, dropped: 0 }
      ])
    })
  )

  it.effect("passes messages through the codec, and refuses to send what no peer would accept", () =>
    Effect.gen(function* () {
      const entry = { index: Index(3), term: Term(1), payload: { _tag: "NoOp" } } as const
      const append = { _tag: "AppendEntries", term: Term(1), leaderCommit: Index(0), round: 0 } as const
      const gap = { ...append, prev: { index: Index(1), term: Term(1) }, entries: [entry] }
      const fits = { ...append, prev: { index: Index(2), term: Term(1) }, entries: [entry] }
      const strict = MemoryNetwork.make()
      const a = yield* join(strict, A)
      const b = yield* join(strict, B)
      assert.throws(() => a.transport.send(B, [gap]), /no peer would accept this message/)
      a.transport.send(B, [fits])
      yield* settle
      assert.deepStrictEqual(b.messages, [fits])
      assert.notStrictEqual(b.messages[0], fits)
      const loose = MemoryNetwork.make({ codec: false })
      const c = yield* join(loose, C)
      const d = yield* join(loose, A)
      d.transport.send(C, [gap])
      yield* settle
      assert.strictEqual(c.messages[0], gap)
    })
  )

  it.effect("cuts links one way and both ways, and what was under way is lost", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const a = yield* join(network, A)
      const b = yield* join(network, B)
      network.cutOneWay(A, B)
      a.transport.send(B, [ping(1)])
      b.transport.send(A, [ping(2)])
      yield* settle
      assert.deepStrictEqual([a.received, b.received], [["0 B 2"], []])
      assert.strictEqual(a.transport.connections()[0]!.lastError, "the link is cut")
      network.cut(A, B)
      b.transport.send(A, [ping(3)])
      network.heal(A, B)
      network.setFaults(A, B, { delayMillis: 10 })
      a.transport.send(B, [ping(4)])
      network.cut(A, B)
      network.healAll()
      a.transport.send(B, [ping(5)])
      yield* TestClock.adjust(20)
      assert.deepStrictEqual([a.received, b.received], [["0 B 2"], ["10 A 5"]])
      assert.strictEqual(a.transport.connections()[0]!.dropped, 2)
    })
  )

  it.effect("partitions groups", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const replicas = yield* Effect.forEach([A, B, C], (id) => join(network, id))
      network.partition([A], [A, B, C])
      replicas[0]!.transport.send(B, [ping(1)])
      replicas[1]!.transport.send(A, [ping(2)])
      replicas[1]!.transport.send(C, [ping(3)])
      yield* settle
      assert.deepStrictEqual(
        replicas.map(({ received }) => received),
        [[], [], ["0 B 3"]]
      )
    })
  )

  it.effect("slows links by the clock, and keeps their order even when one gets faster", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const a = yield* join(network, A)
      const b = yield* join(network, B)
      network.setFaults(A, B, { delayMillis: 100 })
      a.transport.send(B, [ping(1)])
      yield* TestClock.adjust(50)
      network.setFaults(A, B, {})
      a.transport.send(B, [ping(2)])
      b.transport.send(A, [ping(3)])
      yield* TestClock.adjust(49)
      assert.deepStrictEqual(b.received, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(b.received, ["100 A 1", "100 A 2"])
      assert.deepStrictEqual(a.received, ["50 B 3"])
    })
  )

  it.effect("loses what is sent to a replica that is not there, and a restarted one starts empty", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const a = yield* join(network, A)
      a.transport.send(B, [ping(1)])
      const first = yield* join(network, B)
      network.setFaults(A, B, { delayMillis: 10 })
      a.transport.send(B, [ping(2)])
      yield* first.leave
      assert.strictEqual(a.transport.connections()[0]!.lastError, "it is not running")
      const second = yield* join(network, B)
      yield* TestClock.adjust(10)
      a.transport.send(B, [ping(3)])
      yield* TestClock.adjust(10)
      assert.deepStrictEqual([first.received, second.received], [[], ["20 A 3"]])
    })
  )

  it.effect("keeps to the members that it is told, and to former ones for a while", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const [a, b, c] = [yield* join(network, A), yield* join(network, B), yield* join(network, C)]
      const members = (...ids: ReadonlyArray<ReplicaId>) => new Map(ids.map((id) => [id, `${id}:1`]))
      const exchange = Effect.fnUntraced(function* (number: number) {
        a.transport.send(B, [ping(number)])
        a.transport.send(C, [ping(number)])
        b.transport.send(A, [ping(number)])
        c.transport.send(A, [ping(number)])
        yield* settle
        return [a, b, c].map(({ received }) => received.splice(0).map((line) => line.split(" ")[1]))
      })
      assert.deepStrictEqual(yield* exchange(1), [[B, C], [A], [A]])
      a.transport.setMembers(members(A, B, C))
      a.transport.setMembers(members(A, B))
      assert.deepStrictEqual(yield* exchange(2), [[B, C], [A], [A]])
      assert.deepStrictEqual(
        a.transport.connections().map(({ id, address, relation }) => [id, address, relation]),
        [
          [B, "B:1", "Member"],
          [C, "C:1", "Former"]
        ]
      )
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual(yield* exchange(3), [[B], [A], []])
      assert.deepStrictEqual(
        a.transport.connections().map(({ id }) => id),
        [B]
      )
      assert.strictEqual(c.transport.connections()[0]!.lastError, "it refuses us (Removed)")
    })
  )

  it.effect("lets one that joins hear and answer whoever comes", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const a = yield* join(network, A)
      const b = yield* join(network, B, () => true)
      b.transport.setMembers(new Map())
      b.transport.send(A, [ping(1)])
      a.transport.send(B, [ping(2)])
      yield* settle
      b.transport.send(A, [ping(3)])
      yield* settle
      assert.deepStrictEqual([a.received, b.received], [["0 B 3"], ["0 A 2"]])
    })
  )

  it.effect("keeps the order of each lane, and none between them", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make({ seed: 2 })
      const a = yield* join(network, A)
      const b = yield* join(network, B)
      network.setFaults(A, B, { jitterMillis: 20 })
      const term = Term(1)
      for (let i = 0; i < 50; i++) a.transport.send(B, [ping(i), { _tag: "Forward", term, requests: [] }])
      yield* TestClock.adjust(100)
      const control = b.messages.flatMap((message) => (message._tag === "ReadIndexReply" ? [message.number] : []))
      assert.isTrue(inOrder(control))
      assert.strictEqual(b.messages.length, 100)
      assert.isTrue(b.messages.some(({ _tag }, i) => _tag === (i % 2 === 0 ? "Forward" : "ReadIndexReply")))
    })
  )

  const faulty = (seed: number, faults: Partial<LinkFaults>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const network = MemoryNetwork.make({ seed })
        const a = yield* join(network, A)
        const b = yield* join(network, B)
        network.setFaults(A, B, faults)
        a.transport.send(B, pings(0, 200))
        yield* TestClock.adjust(1000)
        return b.received.map((line) => Number(line.split(" ")[2]))
      })
    )
  const inOrder = (numbers: ReadonlyArray<number>) => numbers.every((n, i) => i === 0 || n >= numbers[i - 1]!)
  const all = Array.from({ length: 200 }, (_, i) => i)

  it.effect("drops, doubles and reorders as it is told, and nothing else", () =>
    Effect.gen(function* () {
      const lossy = yield* faulty(3, { loss: 0.5 })
      assert.isTrue(lossy.length > 60 && lossy.length < 140 && inOrder(lossy))
      const doubling = yield* faulty(3, { duplication: 0.5 })
      assert.deepStrictEqual(Array.from(new Set(doubling)), all)
      assert.isTrue(doubling.length > 260 && doubling.length < 340 && inOrder(doubling))
      const jittery = yield* faulty(3, { jitterMillis: 20 })
      assert.deepStrictEqual(jittery, all)
      const shuffling = yield* faulty(3, { jitterMillis: 20, reordering: 0.5 })
      assert.sameMembers(shuffling, all)
      assert.isFalse(inOrder(shuffling))
    })
  )

  it.effect("repeats a run exactly for the same seed", () =>
    Effect.gen(function* () {
      const faults = { loss: 0.1, duplication: 0.1, jitterMillis: 20, reordering: 0.3 }
      assert.deepStrictEqual(yield* faulty(5, faults), yield* faulty(5, faults))
      assert.notDeepEqual(yield* faulty(5, faults), yield* faulty(6, faults))
    })
  )

  it.effect("lets two replicas that answer each other at once run without starving others", () =>
    Effect.gen(function* () {
      const network = MemoryNetwork.make()
      const a = yield* join(network, A)
      let echoes = 0
      yield* Effect.gen(function* () {
        const b = yield* Transport
        return yield* b.receive((from, message) => {
          if (++echoes < 10_000) b.send(from, [message])
          b.send(B, [ping(echoes)])
        })
      }).pipe(Effect.provide(network.layer(B)), Effect.forkScoped)
      yield* settle
      a.transport.send(B, [ping(1)])
      // B also talks to itself without end; A must be heard all the same.
      for (let i = 0; i < 100 && a.received.length === 0; i++) yield* Effect.yieldNow
      assert.isAbove(a.received.length, 0)
    })
  )
})
