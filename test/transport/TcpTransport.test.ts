import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as Handshake from "../../src/codec/Handshake.ts"
import { Index, type ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Message } from "../../src/raft/Message.ts"
import type { Address } from "../../src/transport/Address.ts"
import { A, B, bulk, C, freeAddresses, frameOf, greeted, ping, serve, start, until } from "./TcpHarness.ts"

const ids = [A, B, C]
const cluster = "test"

/** Options of one replica among those at `addresses`, by place: A, B, C. */
const member = (id: ReplicaId, addresses: ReadonlyArray<Address>) => ({
  cluster,
  id,
  listen: addresses[ids.indexOf(id)]!,
  peers: new Map(addresses.map((address, i) => [ids[i]!, address] as const).filter(([peer]) => peer !== id))
})

const hello = (from: ReplicaId, to: ReplicaId, purpose: Handshake.Purpose = "Control") =>
  Handshake.hello({ cluster, from, to, incarnation: 1, epoch: undefined, purpose, address: undefined })

const numbers = (received: ReadonlyArray<readonly [ReplicaId, number]>, from: ReplicaId) =>
  received.filter(([peer]) => peer === from).map(([, number]) => number)

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe("messages", () => {
  it.live("pass between all replicas, whole and in order", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(3)
      const replicas = yield* Effect.forEach(ids, (id) => start(member(id, addresses)))
      yield* until("everyone connected", () =>
        replicas.every((replica) => replica.transport.connections().every(({ connected }) => connected))
      )
      for (let round = 0; round < 50; round++) {
        replicas.forEach(({ transport }, i) => {
          for (const to of ids) if (to !== ids[i]) transport.send(to, range(round * 4, round * 4 + 4).map(ping))
        })
        if (round % 10 === 0) yield* Effect.sleep(1)
      }
      yield* until("all received", () => replicas.every(({ received }) => received.length === 400))
      replicas.forEach(({ received }, i) => {
        for (const from of ids) if (from !== ids[i]) assert.deepStrictEqual(numbers(received, from), range(0, 200))
      })
      for (const { transport } of replicas) {
        assert.deepStrictEqual(
          transport.connections().map(({ dropped, lastError }) => [dropped, lastError]),
          [
            [0, undefined],
            [0, undefined]
          ]
        )
      }
    })
  )

  it.live("that are large go in several frames, and one that no frame holds is dropped alone", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const lengths: Array<number> = []
      const onMessage = (message: Message<Uint8Array>) => {
        if (message._tag === "Forward") lengths.push(message.requests[0]!.command.length)
      }
      const limits = { maxFrameBytes: 3 << 20, maxQueuedBytes: 64 << 20 }
      const a = yield* start({ ...member(A, addresses), limits })
      const b = yield* start({ ...member(B, addresses), limits, onMessage })
      yield* until("A connected", () => a.connectedTo(B))
      a.transport.send(B, [bulk(1, 700_000), bulk(2, 700_000), bulk(3, 2_000_000), bulk(4, 4_000_000), bulk(5, 10)])
      yield* until("the last one", () => numbers(b.received, A).includes(5))
      assert.deepStrictEqual(numbers(b.received, A), [1, 2, 3, 5])
      assert.deepStrictEqual(lengths, [700_000, 700_000, 2_000_000, 10])
      assert.strictEqual(a.transport.connections()[0]!.dropped, 1)
      assert.match(a.lines.join("\n"), /messages to peer B dropped: 4000\d\d\d bytes/)
    })
  )

  it.live("to a peer that is away are dropped at once and never delivered later", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const a = yield* start(member(A, addresses))
      a.transport.send(B, [ping(1), ping(2)])
      const b = yield* start(member(B, addresses))
      yield* until("A connected", () => a.connectedTo(B))
      a.transport.send(B, [ping(3)])
      yield* until("the new message", () => b.received.length > 0)
      assert.deepStrictEqual(b.received, [[A, 3]])
      assert.strictEqual(a.transport.connections()[0]!.dropped, 2)
    })
  )
})

describe("connections", () => {
  it.live("come back after a peer restarts, with one line for each change", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const a = yield* start(member(A, addresses))
      for (let life = 1; life <= 3; life++) {
        const b = yield* start(member(B, addresses))
        yield* until("connected both ways", () => a.connectedTo(B) && b.connectedTo(A))
        a.transport.send(B, [ping(life)])
        yield* until("the message", () => b.received.length === 1)
        assert.deepStrictEqual(b.received, [[A, life]])
        yield* b.stop
        yield* until("A noticed", () => !a.connectedTo(B))
        a.transport.send(B, [ping(100)])
        // Several attempts fail in this time; they are told in one line.
        yield* until("A tried again", () => a.lines.at(-1)!.includes("ECONNREFUSED"))
        yield* Effect.sleep(200)
      }
      const at = `peer B at 127.0.0.1:${addresses[1]!.port}`
      const life = [`${at} connected`, `${at} disconnected: the peer closed the connection`]
      const away = `${at} is not reachable: nothing listens there (ECONNREFUSED)`
      const told = a.lines[0] === away ? a.lines.slice(1) : a.lines
      assert.deepStrictEqual(told, [...life, away, ...life, away, ...life, away])
    })
  )

  it.live("are dialled at once when the peer dials us", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const a = yield* start({
        ...member(A, addresses),
        limits: { minBackoffMillis: 30_000, maxBackoffMillis: 30_000 }
      })
      yield* until("A gave up for a while", () => a.lines.length === 1)
      yield* start(member(B, addresses))
      yield* until("A connected long before its pause is over", () => a.connectedTo(B))
    })
  )

  it.live("end when a peer reads nothing: the queue is bounded, the rest dropped, sending never waits", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      yield* serve(addresses[1]!.port, (socket) =>
        socket.once("data", () => {
          socket.pause()
          socket.write(Handshake.encodeAnswer({ verdict: "Accepted", hello: hello(B, A) }))
        })
      )
      const limits = { maxQueuedBytes: 1 << 20, acknowledgeMillis: 50, silenceMillis: 500, minBackoffMillis: 60_000 }
      const a = yield* start({ ...member(A, addresses), limits: { ...limits, maxBackoffMillis: 60_000 } })
      yield* until("connected", () => a.connectedTo(B))
      const message = bulk(1, 500_000)
      const [before, memory] = [performance.now(), process.memoryUsage().arrayBuffers]
      // Half a gigabyte, of which only the kernel's buffers and the queue may be kept.
      for (let i = 0; i < 1000; i++) a.transport.send(B, [message])
      assert.isBelow(performance.now() - before, 2000)
      assert.isBelow(process.memoryUsage().arrayBuffers - memory, 64 << 20)
      const { dropped } = a.transport.connections()[0]!
      assert.isAbove(dropped, 900)
      assert.isBelow(dropped, 1000)
      yield* until("given up", () => !a.connectedTo(B))
      assert.strictEqual(a.transport.connections()[0]!.lastError, "no sign of life for 500 ms on the bulk connection")
    })
  )

  it.live("that are slow are bounded in messages too", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      yield* serve(addresses[1]!.port, (socket) =>
        socket.once("data", () => {
          socket.pause()
          socket.write(Handshake.encodeAnswer({ verdict: "Accepted", hello: hello(B, A) }))
        })
      )
      const limits = { maxQueuedMessages: 100, maxQueuedBytes: 1 << 30 }
      const a = yield* start({ ...member(A, addresses), limits })
      yield* until("connected", () => a.connectedTo(B))
      a.transport.send(B, [bulk(0, 16_000_000)])
      for (let i = 0; i < 200; i++) a.transport.send(B, [bulk(i, 10)])
      assert.strictEqual(a.transport.connections()[0]!.dropped, 101)
    })
  )

  it.live("live through long pauses and through a peer that only listens", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const limits = { acknowledgeMillis: 20, silenceMillis: 200 }
      const a = yield* start({ ...member(A, addresses), limits })
      const b = yield* start({ ...member(B, addresses), limits })
      yield* until("connected", () => a.connectedTo(B))
      for (let i = 0; i < 5; i++) {
        a.transport.send(B, [ping(i)])
        yield* Effect.sleep(250)
      }
      assert.deepStrictEqual(numbers(b.received, A), [0, 1, 2, 3, 4])
      assert.notInclude(a.lines.join("\n"), "disconnected")
    })
  )

  it.live("of a peer replace each other, and nothing comes from the older one any more", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const a = yield* start(member(A, addresses))
      const older = yield* greeted(addresses[0]!, hello(B, A))
      older.socket.write(frameOf([ping(1)]))
      yield* until("the first message", () => a.received.length === 1)
      const newer = yield* greeted(addresses[0]!, hello(B, A))
      older.socket.write(frameOf([ping(2)]))
      newer.socket.write(frameOf([ping(3)]))
      yield* until("the older one closed", () => older.closed())
      yield* until("the third message", () => numbers(a.received, B).includes(3))
      assert.deepStrictEqual(numbers(a.received, B), [1, 3])
      assert.isFalse(newer.closed())
    })
  )

  it.live("are freed with the layer: the port can be bound again and peers see the end", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const first = yield* start(member(A, addresses))
      const bare = yield* greeted(addresses[0]!, hello(B, A))
      yield* first.stop
      yield* until("the connection closed", () => bare.closed())
      const again = yield* start(member(A, addresses))
      assert.strictEqual(again.exit(), undefined)
    })
  )
})

describe("failures", () => {
  it.live("a port in use is an error that says what to do", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      yield* start(member(A, addresses))
      const error = yield* Effect.flip(start(member(A, addresses)))
      assert.strictEqual(
        error.message,
        `cannot listen for peers on 127.0.0.1:${addresses[0]!.port}: another process listens there; ` +
          "stop it, or choose another address with --listen-peer"
      )
    })
  )

  it.live("an address that is not ours is an error that says what to do", () =>
    Effect.gen(function* () {
      const listen = { host: "192.0.2.1", port: 7501 }
      const error = yield* Effect.flip(start({ cluster, id: A, listen, peers: new Map() }))
      assert.match(error.message, /192\.0\.2\.1:7501: this machine has no such address/)
    })
  )

  it.live("a receiver that throws ends `receive` with its defect", () =>
    Effect.gen(function* () {
      const addresses = yield* freeAddresses(2)
      const a = yield* start({
        ...member(A, addresses),
        onMessage: () => {
          throw new Error("a rule is broken")
        }
      })
      const bare = yield* greeted(addresses[0]!, hello(B, A))
      bare.socket.write(frameOf([{ _tag: "ReadIndexReply", term: Term(1), number: 1, index: Index(1) }]))
      yield* until("the end", () => a.exit() !== undefined)
      assert.isTrue(Exit.hasDies(a.exit()!))
    })
  )
})
