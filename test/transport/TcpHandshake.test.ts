import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import * as Frame from "../../src/codec/Frame.ts"
import * as Handshake from "../../src/codec/Handshake.ts"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import type { TcpLimits } from "../../src/transport/TcpLimits.ts"
import { A, B, C, dial, freeAddresses, frameOf, greeted, ping, serve, start, until } from "./TcpHarness.ts"

const hello = (
  from: ReplicaId,
  to: ReplicaId,
  {
    incarnation = 1,
    epoch,
    purpose = "Control"
  }: Partial<Pick<Handshake.Hello, "incarnation" | "epoch" | "purpose">> = {}
) => Handshake.hello({ cluster: "one", from, to, incarnation, epoch, purpose, address: undefined })

const rejected = (reason: string) =>
  Effect.map(
    Metric.value(
      Metric.withAttributes(
        Metric.counter("balsa_transport_rejected_total", {
          incremental: true,
          description: "Connections closed and messages refused because of what came or went, by reason"
        }),
        { reason }
      )
    ),
    ({ count }) => count
  )

/** Two replicas that should find each other, but for what `b` changes. */
const pair = Effect.fnUntraced(function* (change: {
  readonly cluster?: string
  readonly id?: ReplicaId
  readonly peer?: ReplicaId
}) {
  const [atA, atB] = yield* freeAddresses(2)
  const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, atB!]]) })
  const b = yield* start({
    cluster: change.cluster ?? "one",
    id: change.id ?? B,
    listen: atB!,
    peers: new Map([[change.peer ?? A, atA!]])
  })
  return { a, b, atA: atA!, atB: atB! }
})

describe("refusals", () => {
  it.live("another cluster: both sides say so in one line", () =>
    Effect.gen(function* () {
      const { a, b, atB } = yield* pair({ cluster: "two" })
      const line = `peer B at 127.0.0.1:${atB.port} refused us: it belongs to cluster "two", we are of "one"`
      yield* until("A was refused", () => a.lines.includes(line))
      yield* until("B told it", () => b.lines.some((line) => line.includes('closed the connection of replica "A"')))
      yield* until("B was refused", () => b.lines.some((line) => line.endsWith('cluster "one", we are of "two"')))
      yield* Effect.sleep(300)
      assert.strictEqual(a.lines.filter((other) => other === line).length, 1)
      assert.isFalse(a.connectedTo(B) || b.connectedTo(A))
      assert.strictEqual(a.transport.connections()[0]!.lastError, 'it belongs to cluster "two", we are of "one"')
    })
  )

  it.live("another replica listens there", () =>
    Effect.gen(function* () {
      const { a, atB } = yield* pair({ id: C })
      const line = `peer B at 127.0.0.1:${atB.port} refused us: it is replica "C", not "B"; check the addresses of the peers`
      yield* until("A was refused", () => a.lines.includes(line))
    })
  )

  it.live("a replica that is not among the peers", () =>
    Effect.gen(function* () {
      const { a, b } = yield* pair({ peer: C })
      yield* until("A was refused", () => a.lines.some((line) => line.includes('refused us: it knows no member "A"')))
      yield* until("B told it", () =>
        b.lines.some((line) => line.endsWith("it is not a member of this cluster; add it: balsa member add"))
      )
    })
  )

  it.live("no common version, dialled and dialling", () =>
    Effect.gen(function* () {
      const [atA, atB] = yield* freeAddresses(2)
      yield* serve(atB!.port, (socket) => {
        const later = { ...hello(B, A), minVersion: 4, maxVersion: 5 }
        socket.end(Handshake.encodeAnswer({ verdict: "NoCommonVersion", hello: later }))
      })
      const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, atB!]]) })
      yield* until("A was refused", () =>
        a.lines.some((line) => line.endsWith("it speaks protocol 4 to 5, we speak 3"))
      )
      const bare = yield* greeted(atA!, { ...hello(B, A), minVersion: 4, maxVersion: 5 })
      assert.strictEqual(bare.answer()!.verdict, "NoCommonVersion")
      yield* until("closed", () => bare.closed())
      const older = yield* greeted(atA!, { ...hello(B, A), minVersion: 0, maxVersion: 5 })
      assert.strictEqual(older.answer()!.verdict, "Accepted")
    })
  )

  it.live("a peer that accepts us but is not the one we dialled", () =>
    Effect.gen(function* () {
      const [atA, atB] = yield* freeAddresses(2)
      yield* serve(atB!.port, (socket) => {
        socket.write(Handshake.encodeAnswer({ verdict: "Accepted", hello: hello(C, A) }))
      })
      const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, atB!]]) })
      yield* until("A noticed", () => a.lines.some((line) => line.includes('accepted us, but it is replica "C"')))
      assert.isFalse(a.connectedTo(B))
    })
  )
})

describe("epochs", () => {
  const nobody = { host: "127.0.0.1", port: 1 }
  const at = Effect.fnUntraced(function* (epoch: () => number | undefined, limits: Partial<TcpLimits> = {}) {
    const [atA, atB] = yield* freeAddresses(2)
    const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, atB!]]), epoch, limits })
    return { a, atA: atA!, atB: atB! }
  })

  it.live("replicas of different ones refuse each other and say what to do", () =>
    Effect.gen(function* () {
      const { a, atA, atB } = yield* at(() => 3)
      const b = yield* start({
        cluster: "one",
        id: B,
        listen: atB,
        peers: new Map([[A, atA]]),
        epoch: () => 2
      })
      const reason =
        "it is of epoch 2, we are of epoch 3: the cluster was restored from a backup in between; " +
        "move away the data directory of the replica with the lower epoch and start it with an empty one"
      yield* until("A was refused", () => a.lines.includes(`peer B at 127.0.0.1:${atB.port} refused us: ${reason}`))
      yield* until("A refused", () => a.lines.includes(`closed the connection of replica "B" at 127.0.0.1: ${reason}`))
      yield* until("B was refused", () => b.lines.some((line) => line.includes("it is of epoch 3, we are of epoch 2")))
      assert.isFalse(a.connectedTo(B) || b.connectedTo(A))
    })
  )

  it.live("one that is not admitted takes any, and what it takes it holds to", () =>
    Effect.gen(function* () {
      let epoch: number | undefined
      const { a, atA } = yield* at(() => epoch, { acknowledgeMillis: 20, repeatLogMillis: 0 })
      const bare = yield* greeted(atA, hello(B, A, { epoch: 2 }))
      assert.deepStrictEqual([bare.answer()!.verdict, bare.answer()!.hello.epoch], ["Accepted", undefined])
      bare.socket.write(frameOf([ping(1)]))
      yield* until("heard", () => a.received.length === 1)
      epoch = 2
      yield* Effect.sleep(100)
      assert.isFalse(bare.closed())
      const other = yield* greeted(atA, hello(B, A, { epoch: 3 }))
      assert.strictEqual(other.answer()!.verdict, "WrongEpoch")
      assert.strictEqual(other.answer()!.hello.epoch, 2)
      epoch = 3
      yield* until("closed", () => bare.closed())
      assert.isTrue(
        a.lines.some((line) => line.includes("closed the connection of peer B at 127.0.0.1: it is of epoch 2"))
      )
    })
  )

  it.live("a connection that was made before one of them was known is given up when they differ", () =>
    Effect.gen(function* () {
      const own: { epoch: number | undefined } = { epoch: undefined }
      const [atA, atB] = yield* freeAddresses(2)
      const answer = Handshake.encodeAnswer({ verdict: "Accepted", hello: hello(B, A, { epoch: 2 }) })
      yield* serve(atB!.port, (socket) => void socket.on("data", () => socket.write(answer)))
      const peers = new Map([[B, atB!]])
      const limits = { acknowledgeMillis: 20 }
      const a = yield* start({ cluster: "one", id: A, listen: atA!, peers, limits, epoch: () => own.epoch })
      yield* until("connected", () => a.connectedTo(B))
      own.epoch = 3
      yield* until("given up", () => !a.connectedTo(B))
      const line = "disconnected: it is of epoch 2, we are of epoch 3"
      yield* until("told", () => a.lines.some((other) => other.includes(line)))
      // It accepts us still, and we do not.
      yield* until("refused", () =>
        a.lines.some((other) => other.includes("refused us: it is of epoch 2, we are of epoch 3"))
      )
      assert.isFalse(a.connectedTo(B))
    })
  )

  it.live("a later start of a peer takes the place of an earlier one, and never the other way round", () =>
    Effect.gen(function* () {
      const [atA] = yield* freeAddresses(1)
      const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, nobody]]), incarnation: 9 })
      const first = yield* greeted(atA!, hello(B, A, { incarnation: 5 }))
      assert.strictEqual(first.answer()!.hello.incarnation, 9)
      const later = yield* greeted(atA!, hello(B, A, { incarnation: 6 }))
      // Whether or not the older connection has seen its end.
      first.socket.write(frameOf([ping(1)]))
      yield* until("the earlier one is closed", () => first.closed())
      const earlier = yield* greeted(atA!, hello(B, A, { incarnation: 5 }))
      assert.strictEqual(earlier.answer()!.verdict, "OldIncarnation")
      earlier.socket.write(frameOf([ping(2)]))
      yield* until("closed", () => earlier.closed())
      assert.isTrue(a.lines.some((line) => line.endsWith("a later start of it is connected already")))
      later.socket.write(frameOf([ping(3)]))
      yield* until("the later one is heard", () => a.received.length > 0)
      assert.deepStrictEqual(a.received, [[B, 3]])
      // A second connection of the same start replaces the first, as ever.
      const again = yield* greeted(atA!, hello(B, A, { incarnation: 6 }))
      yield* until("replaced", () => later.closed())
      assert.strictEqual(again.answer()!.verdict, "Accepted")
      // With the later one gone there is nothing to protect: a clock may have been set back.
      again.socket.end()
      yield* until("gone", () => again.closed())
      assert.strictEqual((yield* greeted(atA!, hello(B, A, { incarnation: 5 }))).answer()!.verdict, "Accepted")
    })
  )
})

describe("strangers", () => {
  const lonely = Effect.fnUntraced(function* (limits: Partial<TcpLimits> = {}) {
    const [atA] = yield* freeAddresses(1)
    // Nobody is at B; what A says about that is left out.
    const peers = new Map([[B, { host: "127.0.0.1", port: 1 }]])
    const a = yield* start({ cluster: "one", id: A, listen: atA!, peers, limits })
    return { a, atA: atA!, complaints: () => a.lines.filter((line) => line.startsWith("closed")) }
  })

  it.live("that send garbage are closed, counted each and told once", () =>
    Effect.gen(function* () {
      const { a, atA, complaints } = yield* lonely()
      const before = yield* rejected("NotAFrame")
      for (let i = 0; i < 5; i++) {
        const bare = yield* dial(atA)
        bare.socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        yield* until("closed", () => bare.closed())
        assert.strictEqual(bare.bytes().length, 0)
      }
      assert.deepStrictEqual(complaints(), [
        "closed the connection of a stranger at 127.0.0.1: it sent bytes that are no frame"
      ])
      assert.strictEqual((yield* rejected("NotAFrame")) - before, 5)
      assert.deepStrictEqual(a.received, [])
    })
  )

  it.live("that send a message without a hello, or a long frame, are closed", () =>
    Effect.gen(function* () {
      const { a, atA, complaints } = yield* lonely()
      const rude = yield* dial(atA)
      rude.socket.write(frameOf([ping(1)]))
      yield* until("closed", () => rude.closed())
      const long = yield* dial(atA)
      const writer = Frame.open(5000)
      writer.raw(Buffer.alloc(5000))
      long.socket.write(Frame.seal(writer).subarray(0, 100))
      yield* until("closed", () => long.closed())
      assert.match(complaints().join("\n"), /a frame that is no hello\n.*a frame of 5000 bytes, and the limit is 4096$/)
      assert.deepStrictEqual(a.received, [])
    })
  )

  it.live("that say nothing are closed after a while", () =>
    Effect.gen(function* () {
      const { atA, complaints } = yield* lonely({ handshakeTimeoutMillis: 100 })
      const bare = yield* dial(atA)
      yield* until("closed", () => bare.closed())
      assert.deepStrictEqual(complaints(), [
        "closed the connection of a stranger at 127.0.0.1: it said nothing for 100 ms"
      ])
      // A peer that has greeted may be silent for as long as it likes.
      const peer = yield* greeted(atA, hello(B, A))
      yield* Effect.sleep(200)
      assert.isFalse(peer.closed())
    })
  )

  it.live("are few at a time", () =>
    Effect.gen(function* () {
      const { a, atA } = yield* lonely({ maxStrangers: 1 })
      // B may have one for each lane besides.
      const quiet = [yield* dial(atA), yield* dial(atA), yield* dial(atA)]
      yield* until("accepted", () => quiet.every(({ socket }) => socket.readyState === "open"))
      const more = yield* dial(atA)
      yield* until("closed", () => more.closed())
      assert.isFalse(quiet.some(({ closed }) => closed()))
      assert.include(a.lines, "refused a connection from 127.0.0.1: 3 are open already")
    })
  )

  it.live("that are dialled in place of a peer and say nothing, or something else, are given up", () =>
    Effect.gen(function* () {
      const [atA, atB, atC] = yield* freeAddresses(3)
      yield* serve(atB!.port, () => {})
      yield* serve(atC!.port, (socket) => socket.write("220 mail ready, and what are you?\r\n"))
      const peers = new Map([
        [B, atB!],
        [C, atC!]
      ] as const)
      const limits = { handshakeTimeoutMillis: 50 }
      const a = yield* start({ cluster: "one", id: A, listen: atA!, peers, limits })
      const silent = `peer B at 127.0.0.1:${atB!.port} is not reachable: no answer to our handshake within 50 ms`
      const other = `peer C at 127.0.0.1:${atC!.port} is not reachable: what listens there does not speak our protocol`
      yield* until("both told", () => a.lines.length === 2)
      yield* Effect.sleep(300)
      assert.sameMembers(a.lines, [silent, other])
    })
  )
})

describe("a peer that breaks the protocol", () => {
  const flip = (frame: Buffer) => {
    frame[frame.length - 1]! ^= 1
    return frame
  }
  const tooLong = () => {
    const writer = Frame.open(2000)
    writer.raw(Buffer.alloc(2000))
    return Frame.seal(writer)
  }
  const undecodable = () => {
    const writer = Frame.open(20)
    writer.raw(Buffer.from([3, 77, 0, 0, 0, 0, 0, 0, 0, 0]))
    return Frame.seal(writer)
  }
  for (const [kind, bytes, reason] of [
    ["ChecksumMismatch", () => flip(frameOf([ping(2)])), "a frame whose checksum does not match"],
    ["FrameTooLong", tooLong, "a frame of 2000 bytes, and the limit is 1000"],
    ["UnknownKind", undecodable, "a message of the unknown kind 77"]
  ] as const) {
    it.live(`loses that connection, and nothing else changes: ${kind}`, () =>
      Effect.gen(function* () {
        const [atA] = yield* freeAddresses(1)
        const nobody = { host: "127.0.0.1", port: 1 }
        const peers = new Map([
          [B, nobody],
          [C, nobody]
        ] as const)
        const limits = { maxFrameBytes: 1000 }
        const a = yield* start({ cluster: "one", id: A, listen: atA!, peers, limits })
        const before = yield* rejected(kind)
        const bad = yield* greeted(atA!, hello(B, A))
        const good = yield* greeted(atA!, hello(C, A))
        bad.socket.write(Buffer.concat([frameOf([ping(1)]), bytes(), frameOf([ping(3)])]))
        yield* until("closed", () => bad.closed())
        good.socket.write(frameOf([ping(4)]))
        yield* until("the other peer is heard", () => a.received.length === 2)
        assert.deepStrictEqual(a.received, [
          [B, 1],
          [C, 4]
        ])
        assert.include(a.lines, `closed the connection of peer B at 127.0.0.1: it sent ${reason}`)
        assert.strictEqual((yield* rejected(kind)) - before, 1)
      })
    )
  }
})
