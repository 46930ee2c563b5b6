import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Handshake from "../../src/codec/Handshake.ts"
import type { ReplicaId } from "../../src/raft/LogEntry.ts"
import { type Address, formatAddress } from "../../src/transport/Address.ts"
import { type ProbeOptions, type ProbeResult, probe } from "../../src/transport/Probe.ts"
import { A, B, C, freeAddresses, frameOf, greeted, helloIn, ping, serve, start, until } from "./TcpHarness.ts"

const cluster = "one"
const nowhere: Address = { host: "127.0.0.1", port: 1 }

/** A asks whether B is at `address`. */
const ask = (address: Address, change: Partial<ProbeOptions> = {}) => {
  const self = { cluster, from: A, incarnation: 4, epoch: 2, timeoutMillis: 5000 }
  return probe({ ...self, address: formatAddress(address), to: B, ...change })
}

/** B, of which A is a peer or not. */
const running = Effect.fnUntraced(function* (
  change: { readonly peer?: ReplicaId; readonly joining?: boolean; readonly epoch?: number } = {}
) {
  const [atB] = yield* freeAddresses(1)
  const b = yield* start({
    cluster,
    id: B,
    listen: atB!,
    peers: change.peer === undefined ? new Map() : new Map([[change.peer, nowhere]]),
    incarnation: 7,
    epoch: () => change.epoch,
    joining: () => change.joining ?? false,
    limits: { formerPeerMillis: 20, acknowledgeMillis: 10 }
  })
  return { b, atB: atB! }
})

describe("a probe", () => {
  it.live("finds a replica that waits to be added, and one that is a member, and says what they are", () =>
    Effect.gen(function* () {
      const waiting = yield* running({ joining: true })
      const blank = { id: B, cluster, incarnation: 7, epoch: undefined }
      assert.deepStrictEqual(yield* ask(waiting.atB), { _tag: "Reachable", replica: blank })
      // Whoever asks is no guest for that.
      assert.deepStrictEqual(waiting.b.transport.connections(), [])
      const member = yield* running({ peer: A, epoch: 2 })
      assert.deepStrictEqual(yield* ask(member.atB), { _tag: "Reachable", replica: { ...blank, epoch: 2 } })
    })
  )

  it.live("is refused as a connection would be, with the reason", () =>
    Effect.gen(function* () {
      const { atB } = yield* running({ joining: true, epoch: 1 })
      const stranger = yield* running({ peer: C })
      const removed = yield* running({ peer: A })
      removed.b.transport.setMembers(new Map())
      yield* until("A is removed", () => removed.b.transport.connections().length === 0)
      const refusals = yield* Effect.all([
        ask(atB, { cluster: "two" }),
        ask(atB, { to: C }),
        ask(atB),
        ask(stranger.atB),
        ask(removed.atB)
      ])
      const verdicts = refusals.map((result) => (result._tag === "Refused" ? result.verdict : result))
      assert.deepStrictEqual(verdicts, ["WrongCluster", "WrongReplica", "WrongEpoch", "UnknownPeer", "Removed"])
      assert.deepStrictEqual(refusals[1], {
        _tag: "Refused",
        verdict: "WrongReplica",
        explanation: 'it is replica "B", not "C"; check the addresses of the peers'
      })
    })
  )

  it.live("is refused by a replica of an earlier version", () =>
    Effect.gen(function* () {
      const [atB] = yield* freeAddresses(1)
      yield* serve(atB!.port, (socket) =>
        socket.once("data", (bytes) => {
          const theirs = helloIn(bytes)!
          const ours = { ...theirs, from: B, to: A, minVersion: 2, maxVersion: 2 }
          socket.end(Handshake.encodeAnswer({ verdict: "NoCommonVersion", hello: ours }))
        })
      )
      assert.deepStrictEqual(yield* ask(atB!), {
        _tag: "Refused",
        verdict: "NoCommonVersion",
        explanation: "it speaks protocol 2, we speak 3"
      })
    })
  )

  it.live("says why nothing is there", () =>
    Effect.gen(function* () {
      const [free, mail] = yield* freeAddresses(2)
      yield* serve(mail!.port, (socket) => socket.write("220 mail ready, and what are you?\r\n"))
      const reason = (result: ProbeResult) => (result._tag === "Unreachable" ? result.reason : result._tag)
      assert.strictEqual(reason(yield* ask(free!)), "nothing listens there (ECONNREFUSED)")
      assert.strictEqual(reason(yield* ask(mail!)), "what listens there does not speak our protocol")
      assert.match(reason(yield* ask(free!, { address: "b" })), /^"b" is not HOST:PORT/)
    })
  )

  it.effect("waits so long and no longer, and leaves nothing open", () =>
    Effect.gen(function* () {
      const [silent] = yield* freeAddresses(1)
      let came = false
      let left = false
      yield* serve(silent!.port, (socket) => {
        came = true
        socket.on("close", () => {
          left = true
        })
        socket.resume()
      })
      const asking = yield* Effect.forkChild(ask(silent!, { timeoutMillis: 60_000 }))
      const eventually = (what: string, condition: () => boolean) => TestClock.withLive(until(what, condition))
      yield* eventually("it came", () => came)
      yield* TestClock.adjust(59_999)
      assert.isUndefined(asking.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(asking), { _tag: "Unreachable", reason: "no answer within 60000 ms" })
      yield* eventually("it left", () => left)
    })
  )

  it.live("disturbs no connection of the one who asks, and is closed with the answer", () =>
    Effect.gen(function* () {
      const { b, atB } = yield* running({ peer: A })
      const hello = (incarnation: number, purpose: Handshake.Purpose) =>
        Handshake.hello({ cluster, from: A, to: B, incarnation, epoch: undefined, purpose, address: undefined })
      const control = yield* greeted(atB, hello(5, "Control"))
      const large = yield* greeted(atB, hello(5, "Bulk"))
      assert.strictEqual((yield* ask(atB, { incarnation: 9 }))._tag, "Reachable")
      const bare = yield* greeted(atB, hello(9, "Probe"))
      bare.socket.write(frameOf([ping(1)]))
      yield* until("closed", () => bare.closed())
      control.socket.write(frameOf([ping(2)]))
      large.socket.write(frameOf([ping(3)]))
      yield* until("both are heard", () => b.received.length === 2)
      assert.sameDeepMembers(b.received, [
        [A, 2],
        [A, 3]
      ])
      assert.strictEqual((yield* greeted(atB, hello(5, "Control"))).answer()!.verdict, "Accepted")
      // One of an earlier start learns that it is.
      const result = yield* ask(atB, { incarnation: 4 })
      assert.deepStrictEqual(result._tag === "Refused" && result.verdict, "OldIncarnation")
    })
  )
})
