/** Members that come, move and go while the transport runs, and replicas that come before they are known. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Handshake from "../../src/codec/Handshake.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import { type Address, formatAddress } from "../../src/transport/Address.ts"
import type { TcpLimits } from "../../src/transport/TcpLimits.ts"
import { A, B, C, dial, freeAddresses, frameOf, greeted, ping, serveAs, start, until } from "./TcpHarness.ts"

const cluster = "one"

const hello = (
  from: ReplicaId,
  to: ReplicaId,
  change: Partial<Pick<Handshake.Hello, "cluster" | "purpose" | "address">> = {}
) =>
  Handshake.hello({
    cluster,
    from,
    to,
    incarnation: 1,
    epoch: undefined,
    purpose: "Control",
    address: undefined,
    ...change
  })

const at = (members: ReadonlyArray<readonly [ReplicaId, Address]>) =>
  new Map(members.map(([id, address]) => [id, formatAddress(address)]))

/** Nobody listens there. */
const nowhere: Address = { host: "127.0.0.1", port: 1 }

const quick = { acknowledgeMillis: 20, repeatLogMillis: 0, minBackoffMillis: 10, maxBackoffMillis: 50 }

describe("members", () => {
  it.live("are dialled and accepted when they are set, before it runs and while it does", () =>
    Effect.gen(function* () {
      const [atA, atB, atC] = yield* freeAddresses(3)
      const both = at([
        [A, atA!],
        [B, atB!]
      ])
      const a = yield* start({ cluster, id: A, listen: atA!, peers: new Map(), members: both })
      const b = yield* start({ cluster, id: B, listen: atB!, peers: new Map([[A, atA!]]) })
      yield* until("connected", () => a.connectedTo(B) && b.connectedTo(A))
      const c = yield* start({ cluster, id: C, listen: atC!, peers: new Map([[A, atA!]]) })
      yield* until("C is refused", () => c.lines.some((line) => line.includes('it knows no member "C"')))
      a.transport.send(C, [ping(1)])
      const all = new Map([...both, [C, formatAddress(atC!)]])
      for (let again = 0; again < 3; again++) a.transport.setMembers(all)
      yield* until("connected to the new one", () => a.connectedTo(C) && c.connectedTo(A))
      a.transport.send(C, [ping(2)])
      c.transport.send(A, [ping(3)])
      yield* until("heard", () => c.received.length + a.received.length === 2)
      assert.deepStrictEqual([c.received, a.received], [[[A, 2]], [[C, 3]]])
      // Setting the same again has disturbed nobody.
      assert.notInclude(a.lines.join("\n"), "disconnected")
      assert.deepStrictEqual(
        a.transport.connections().map(({ id, relation, connected, dropped }) => [id, relation, connected, dropped]),
        [
          [B, "Member", true, 0],
          [C, "Member", true, 0]
        ]
      )
    })
  )

  it.live("that move are dialled at their new address, and the old connections end", () =>
    Effect.gen(function* () {
      const [atA, before, after] = yield* freeAddresses(3)
      let closed = 0
      yield* serveAs(B, before!.port, (_, socket) => void socket.on("close", () => closed++))
      const came: Array<string> = []
      yield* serveAs(B, after!.port, ({ purpose }) => void came.push(purpose))
      const a = yield* start({ cluster, id: A, listen: atA!, peers: new Map([[B, before!]]) })
      a.transport.send(B, [ping(1)])
      yield* until("connected", () => a.connectedTo(B))
      a.transport.setMembers(at([[B, after!]]))
      yield* until("connected there", () => a.connectedTo(B) && came.length === 2)
      yield* until("and here no more", () => closed === 2)
      const [status, ...others] = a.transport.connections()
      assert.deepStrictEqual([status!.address, status!.dropped, others], [formatAddress(after!), 1, []])
    })
  )

  it.live("whose address is none may dial us, and the status says why we do not", () =>
    Effect.gen(function* () {
      const [atA] = yield* freeAddresses(1)
      const members = new Map([[B, "the old one"]])
      const a = yield* start({ cluster, id: A, listen: atA!, peers: new Map(), members })
      const why = '"the old one" is not HOST:PORT, for example 10.0.0.1:7501 or [::1]:7501'
      yield* until("told", () => a.lines.includes(`peer B cannot be dialled: ${why}`))
      a.transport.send(B, [ping(1)])
      const [status] = a.transport.connections()
      assert.deepStrictEqual([status!.connected, status!.lastError, status!.dropped], [false, why, 1])
      assert.strictEqual((yield* greeted(atA!, hello(B, A))).answer()!.verdict, "Accepted")
    })
  )

  it.live("have room for their connections, however many they become", () =>
    Effect.gen(function* () {
      const [atA] = yield* freeAddresses(1)
      const limits = { maxStrangers: 1, repeatLogMillis: 0 }
      const a = yield* start({ cluster, id: A, listen: atA!, peers: new Map([[B, nowhere]]), limits })
      const fill = Effect.fnUntraced(function* (room: number) {
        const line = `refused a connection from 127.0.0.1: ${room} are open already`
        yield* until("there is no more room", () => a.lines.includes(line))
      })
      for (let i = 0; i < 4; i++) yield* dial(atA!)
      yield* fill(3)
      a.transport.setMembers(
        at([
          [B, nowhere],
          [C, nowhere]
        ])
      )
      for (let i = 0; i < 3; i++) yield* dial(atA!)
      yield* fill(5)
    })
  )
})

describe("a removed member", () => {
  const removing = Effect.fnUntraced(function* (limits: Partial<TcpLimits>) {
    const [atA, atB] = yield* freeAddresses(2)
    let open = 0
    yield* serveAs(B, atB!.port, (_, socket) => {
      open++
      socket.on("close", () => open--)
    })
    const peers = new Map([
      [B, atB!],
      [C, nowhere]
    ])
    const a = yield* start({ cluster, id: A, listen: atA!, peers, limits: { ...quick, ...limits } })
    yield* until("connected", () => a.connectedTo(B))
    const bare = yield* greeted(atA!, hello(B, A))
    a.transport.setMembers(at([[C, nowhere]]))
    const relation = (id: ReplicaId) => a.transport.connections().find((peer) => peer.id === id)?.relation
    return { a, atA: atA!, atB: atB!, bare, open: () => open, relation }
  })

  it.live("is kept for a while, both ways", () =>
    Effect.gen(function* () {
      const { a, atA, bare, open, relation } = yield* removing({ formerPeerMillis: 3_600_000 })
      assert.deepStrictEqual([relation(B), relation(C)], ["Former", "Member"])
      bare.socket.write(frameOf([ping(1)]))
      yield* until("heard", () => a.received.length === 1)
      assert.isTrue(a.connectedTo(B))
      assert.strictEqual(open(), 2)
      assert.strictEqual((yield* greeted(atA, hello(B, A))).answer()!.verdict, "Accepted")
      a.transport.setMembers(at([[B, nowhere]]))
      assert.deepStrictEqual([relation(B), relation(C)], ["Member", "Former"])
    })
  )

  it.live("is closed after that, refused, and told what happened", () =>
    Effect.gen(function* () {
      const { a, atA, atB, bare, open, relation } = yield* removing({ formerPeerMillis: 100 })
      yield* until("its connections are closed, both ways", () => bare.closed() && open() === 0)
      assert.deepStrictEqual([relation(B), relation(C)], [undefined, "Member"])
      assert.include(a.lines, "peer B was removed, and is connected no more")
      const again = yield* greeted(atA, hello(B, A))
      yield* until("closed", () => again.closed())
      const what = "stop it; to have it back, give it an empty data directory and add it: balsa member add"
      const answer = again.answer()!
      assert.strictEqual(answer.verdict, "Removed")
      assert.strictEqual(Handshake.explain(answer, hello(B, A)), `"B" was removed from the cluster; ${what}`)
      assert.include(
        a.lines,
        `closed the connection of replica "B" at 127.0.0.1: it was removed from the cluster; ${what}`
      )
      // Added again, it is as any other.
      a.transport.setMembers(
        at([
          [B, atB],
          [C, nowhere]
        ])
      )
      yield* until("connected", () => a.connectedTo(B))
      assert.strictEqual((yield* greeted(atA, hello(B, A))).answer()!.verdict, "Accepted")
    })
  )
})

describe("a replica that joins", () => {
  const joiner = Effect.fnUntraced(function* (limits: Partial<TcpLimits> = {}) {
    const [atA, atB] = yield* freeAddresses(2)
    const state = { joining: true }
    const options = { cluster, id: A, listen: atA!, peers: new Map(), joining: () => state.joining }
    const a = yield* start({ ...options, limits: { ...quick, ...limits } })
    return { a, atA: atA!, atB: atB!, state }
  })

  it.live("hears its first member and answers it, before it knows any", () =>
    Effect.gen(function* () {
      const { a, atA, atB, state } = yield* joiner()
      a.transport.send(B, [ping(0)])
      const members = at([
        [A, atA],
        [B, atB]
      ])
      const b = yield* start({ cluster, id: B, listen: atB, peers: new Map(), members })
      yield* until("connected both ways", () => a.connectedTo(B) && b.connectedTo(A))
      assert.deepStrictEqual(
        a.transport.connections().map(({ id, address, relation }) => [id, address, relation]),
        [[B, formatAddress(atB), "Guest"]]
      )
      b.transport.send(A, [ping(1)])
      a.transport.send(B, [ping(2)])
      yield* until("heard both ways", () => a.received.length + b.received.length === 2)
      a.transport.setMembers(members)
      state.joining = false
      assert.isTrue(a.connectedTo(B))
      assert.strictEqual(a.transport.connections()[0]!.relation, "Member")
      assert.notInclude(a.lines.join("\n"), "disconnected")
    })
  )

  it.live("takes nobody of another cluster, nobody who looks for another, and nobody any more when it has joined", () =>
    Effect.gen(function* () {
      const { a, atA, state } = yield* joiner({ formerPeerMillis: 200 })
      const verdict = (theirs: Handshake.Hello) => Effect.map(greeted(atA, theirs), (bare) => bare.answer()!.verdict)
      assert.strictEqual(yield* verdict(hello(B, A, { cluster: "two" })), "WrongCluster")
      assert.strictEqual(yield* verdict(hello(B, C)), "WrongReplica")
      assert.strictEqual(yield* verdict(hello(A, A)), "UnknownPeer")
      assert.strictEqual(yield* verdict(hello(ReplicaId("B\nall is well"), A)), "UnknownPeer")
      const guest = yield* greeted(atA, hello(B, A, { address: "nonsense" }))
      assert.strictEqual(guest.answer()!.verdict, "Accepted")
      assert.deepStrictEqual(a.transport.connections(), [])
      state.joining = false
      assert.strictEqual(yield* verdict(hello(C, A)), "UnknownPeer")
      guest.socket.write(frameOf([ping(1)]))
      yield* until("the guest is still heard", () => a.received.length === 1)
      yield* until("and not for ever", () => guest.closed())
      const what = "it is not a member of this cluster; add it: balsa member add"
      assert.include(a.lines, `closed the connection of peer B at 127.0.0.1: ${what}`)
      assert.strictEqual(yield* verdict(hello(B, A)), "UnknownPeer")
    })
  )

  it.live("takes so many and no more, and dials few of them", () =>
    Effect.gen(function* () {
      const { a, atA } = yield* joiner({ maxStrangers: 5, maxRememberedPeers: 3, repeatLogMillis: 0 })
      const guests = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => i),
        Effect.fnUntraced(function* (i) {
          const bare = yield* dial(atA)
          const address = formatAddress(nowhere)
          bare.socket.write(Handshake.encodeHello(hello(ReplicaId(`stranger-${i}`), A, { address })))
          return bare
        })
      )
      yield* until("each is answered or closed", () =>
        guests.every((bare) => bare.answer() !== undefined || bare.closed())
      )
      assert.strictEqual(guests.filter((bare) => bare.answer()?.verdict === "Accepted").length, 5)
      assert.strictEqual(guests.filter((bare) => bare.closed()).length, 15)
      assert.strictEqual(a.transport.connections().length, 3)
      // Where one leaves there is room again.
      guests.find((bare) => !bare.closed())!.socket.destroy()
      yield* until("room", () => a.lines.some((line) => line.includes("5 are open already")))
      let answered = false
      for (let attempt = 0; attempt < 100 && !answered; attempt++) {
        const bare = yield* dial(atA)
        bare.socket.write(Handshake.encodeHello(hello(B, A)))
        yield* until("answered or closed", () => bare.answer() !== undefined || bare.closed())
        answered = bare.answer()?.verdict === "Accepted"
      }
      assert.isTrue(answered)
    })
  )

  it.live("is not troubled by garbage", () =>
    Effect.gen(function* () {
      const { a, atA } = yield* joiner()
      const whole = Handshake.encodeHello(hello(B, A))
      const flipped = Buffer.from(whole)
      flipped[flipped.length - 1]! ^= 1
      const noise = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 167 + 13) % 256))
      for (const bytes of [flipped, noise, frameOf([ping(1)]), Buffer.alloc(100)]) {
        const bare = yield* dial(atA)
        bare.socket.write(bytes)
        yield* until("closed", () => bare.closed())
        assert.strictEqual(bare.bytes().length, 0)
      }
      assert.deepStrictEqual(a.received, [])
      assert.deepStrictEqual(a.transport.connections(), [])
      assert.strictEqual((yield* greeted(atA, hello(B, A))).answer()!.verdict, "Accepted")
    })
  )
})
