/** Two connections to a peer, of which one must not wait for the other. */
import type { Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Handshake from "../../src/codec/Handshake.ts"
import { type Address, formatAddress } from "../../src/transport/Address.ts"
import type { Lane } from "../../src/transport/Lane.ts"
import type { TcpLimits } from "../../src/transport/TcpLimits.ts"
import {
  A,
  B,
  bulk,
  freeAddresses,
  frameOf,
  greeted,
  helloIn,
  ping,
  serve,
  serveAs,
  start,
  until
} from "./TcpHarness.ts"

const hello = (purpose: Lane, incarnation = 1) =>
  Handshake.hello({ cluster: "one", from: B, to: A, incarnation, epoch: undefined, purpose, address: undefined })

/** What the one at `listen` says of itself to the sender of a hello. */
const answer = (theirs: Handshake.Hello, listen?: Address): Handshake.Hello => ({
  ...theirs,
  from: theirs.to,
  to: theirs.from,
  address: listen && formatAddress(listen)
})

/** A, and B played by bare sockets: those that A dialled, by lane, and how much came over each behind the hello. */
const playing = Effect.fnUntraced(function* (
  limits: Partial<TcpLimits>,
  onHello: (lane: Handshake.Purpose, socket: Socket) => void
) {
  const [atA, atB] = yield* freeAddresses(2)
  const sockets = new Map<Handshake.Purpose, Socket>()
  const bytes = { Control: 0, Bulk: 0, Probe: 0 }
  yield* serveAs(B, atB!.port, ({ purpose }, socket) => {
    sockets.set(purpose, socket)
    socket.on("data", (chunk) => void (bytes[purpose] += chunk.length))
    onHello(purpose, socket)
  })
  const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, atB!]]), limits })
  return { a, atA: atA!, sockets, bytes }
})

const patient = { minBackoffMillis: 60_000, maxBackoffMillis: 60_000 }

describe("a message that must not wait", () => {
  it.live("arrives while the peer does not read megabytes that were sent before", () =>
    Effect.gen(function* () {
      const { a, bytes } = yield* playing({}, (lane, socket) => {
        if (lane === "Bulk") socket.pause()
      })
      yield* until("connected", () => a.connectedTo(B))
      for (let i = 0; i < 12; i++) a.transport.send(B, [bulk(i, 1 << 20)])
      a.transport.send(B, [bulk(12, 1 << 20), ping(13)])
      yield* until("the small one", () => bytes.Control > 0)
      assert.strictEqual(bytes.Control, frameOf([ping(13)]).length)
      assert.strictEqual(bytes.Bulk, 0)
      assert.strictEqual(a.transport.connections()[0]!.dropped, 0)
    })
  )

  it.live("passes between two replicas, each lane in its order", () =>
    Effect.gen(function* () {
      const [atA, atB] = yield* freeAddresses(2)
      const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, atB!]]) })
      const b = yield* start({ cluster: "one", id: B, listen: atB!, peers: new Map([[A, atA!]]) })
      yield* until("connected", () => a.connectedTo(B))
      for (let i = 0; i < 200; i += 4) a.transport.send(B, [ping(i), bulk(i + 1, 50_000), ping(i + 2), bulk(i + 3, 10)])
      yield* until("all", () => b.received.length === 200)
      const numbers = b.received.map(([, number]) => number)
      const expected = Array.from({ length: 100 }, (_, i) => 2 * i)
      assert.deepStrictEqual(
        numbers.filter((number) => number % 2 === 0),
        expected
      )
      assert.deepStrictEqual(
        numbers.filter((number) => number % 2 === 1),
        expected.map((number) => number + 1)
      )
    })
  )
})

describe("the two connections of a peer", () => {
  it.live("say which they are, and the peer counts as connected when both stand", () =>
    Effect.gen(function* () {
      const [atA, atB] = yield* freeAddresses(2)
      const hellos: Array<Handshake.Hello> = []
      let control = 0
      let release = () => {}
      yield* serve(atB!.port, (socket) =>
        socket.once("data", (bytes) => {
          const theirs = helloIn(bytes)!
          hellos.push(theirs)
          const accept = () => socket.write(Handshake.encodeAnswer({ verdict: "Accepted", hello: answer(theirs) }))
          if (theirs.purpose === "Bulk") release = accept
          else accept()
          socket.on("data", (more) => void (control += more.length))
        })
      )
      const a = yield* start({ cluster: "one", id: A, listen: atA!, peers: new Map([[B, atB!]]) })
      yield* until("both have come", () => hellos.length === 2)
      yield* until("the control connection carries messages", () => {
        a.transport.send(B, [ping(1)])
        return control > 0
      })
      assert.sameMembers(
        hellos.map(({ purpose }) => purpose),
        ["Control", "Bulk"]
      )
      assert.isTrue(hellos.every(({ address }) => address === `127.0.0.1:${atA!.port}`))
      assert.isFalse(a.connectedTo(B))
      assert.deepStrictEqual(a.lines, [])
      release()
      yield* until("connected", () => a.connectedTo(B))
      assert.deepStrictEqual(a.lines, [`peer B at 127.0.0.1:${atB!.port} connected`])
    })
  )

  it.live("end each for itself: control messages still pass when the other one is silent", () =>
    Effect.gen(function* () {
      const limits = { acknowledgeMillis: 20, silenceMillis: 200, ...patient }
      const { a, bytes, sockets } = yield* playing(limits, (lane, socket) => {
        if (lane === "Control") socket.on("data", () => socket.write("!"))
      })
      yield* until("connected", () => a.connectedTo(B))
      a.transport.send(B, [bulk(1, 10), ping(2)])
      yield* until("given up", () => !a.connectedTo(B))
      assert.strictEqual(a.transport.connections()[0]!.lastError, "no sign of life for 200 ms on the bulk connection")
      a.transport.send(B, [ping(3), bulk(4, 10)])
      yield* until("the message after that", () => bytes.Control === frameOf([ping(2)]).length * 2)
      assert.isFalse(sockets.get("Control")!.destroyed)
      assert.strictEqual(a.transport.connections()[0]!.dropped, 1)
      assert.strictEqual(a.lines.filter((line) => line.includes("disconnected")).length, 1)
    })
  )

  it.live("of a peer that goes away end one after the other, and that is told once", () =>
    Effect.gen(function* () {
      const { a, sockets } = yield* playing(patient, () => {})
      yield* until("connected", () => a.connectedTo(B))
      sockets.get("Control")!.end()
      yield* until("one is gone", () => !a.connectedTo(B))
      sockets.get("Bulk")!.resetAndDestroy()
      yield* until("both are gone", () => {
        const { dropped } = a.transport.connections()[0]!
        a.transport.send(B, [ping(1), bulk(2, 10)])
        return a.transport.connections()[0]!.dropped === dropped + 2
      })
      assert.deepStrictEqual(
        a.lines.filter((line) => line.includes("disconnected")).map((line) => line.replace(/.*: /, "")),
        ["the peer closed the connection"]
      )
    })
  )

  it.live("are acknowledged only as far as they are used", () =>
    Effect.gen(function* () {
      const { a, atA } = yield* playing({ acknowledgeMillis: 20 }, () => {})
      const control = yield* greeted(atA, hello("Control"))
      const quiet = yield* greeted(atA, hello("Bulk"))
      // The hello is one thing that was heard.
      const answered = Handshake.encodeAnswer({ verdict: "Accepted", hello: answer(hello("Bulk"), atA) }).length + 1
      yield* until("both hellos are acknowledged", () =>
        [control, quiet].every((bare) => bare.bytes().length >= answered)
      )
      for (let i = 0; i < 3; i++) {
        control.socket.write(frameOf([ping(i)]))
        yield* until("an acknowledgement", () => control.bytes().length > answered + i)
      }
      assert.strictEqual(a.received.length, 3)
      assert.strictEqual(quiet.bytes().length, answered)
      assert.isFalse(quiet.closed())
    })
  )

  it.live("replace those of their own lane, not the other one", () =>
    Effect.gen(function* () {
      const { a, atA } = yield* playing({}, () => {})
      const control = yield* greeted(atA, hello("Control"))
      const large = yield* greeted(atA, hello("Bulk"))
      const newer = yield* greeted(atA, hello("Control"))
      yield* until("replaced", () => control.closed())
      large.socket.write(frameOf([ping(1)]))
      yield* until("the first", () => a.received.length === 1)
      newer.socket.write(frameOf([ping(2)]))
      yield* until("the second", () => a.received.length === 2)
      assert.isFalse(large.closed() || newer.closed())
    })
  )

  it.live("of an earlier start are void as soon as a later one is there, whichever comes first", () =>
    Effect.gen(function* () {
      const { a, atA } = yield* playing({}, () => {})
      const control = yield* greeted(atA, hello("Control", 5))
      const large = yield* greeted(atA, hello("Bulk", 5))
      const later = yield* greeted(atA, hello("Bulk", 6))
      control.socket.write(frameOf([ping(1)]))
      large.socket.write(frameOf([ping(2)]))
      yield* until("both are closed", () => control.closed() && large.closed())
      const again = yield* greeted(atA, hello("Control", 5))
      assert.strictEqual(again.answer()!.verdict, "OldIncarnation")
      later.socket.write(frameOf([ping(3)]))
      yield* until("heard", () => a.received.length > 0)
      assert.deepStrictEqual(a.received, [[B, 3]])
    })
  )
})
