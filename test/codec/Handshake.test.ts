import { assert, describe, it } from "@effect/vitest"
import * as Frame from "../../src/codec/Frame.ts"
import * as Handshake from "../../src/codec/Handshake.ts"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import { seeded } from "./MessageSamples.ts"

const [A, B] = [ReplicaId("A"), ReplicaId("B")]

const hello = Handshake.hello({
  cluster: "c",
  from: A,
  to: B,
  incarnation: 7,
  epoch: 3,
  purpose: "Bulk",
  address: "10.0.0.1:7501",
  clientAddress: "10.0.0.1:7401"
})

/** As version 3 wrote it before it told where clients are answered. */
const { clientAddress: _, ...withoutClients } = hello

const own: Handshake.Own = { cluster: "c", id: B, standingOf: () => "Accepted", epoch: 3 }

const payloadOf = (frame: Buffer) => frame.subarray(Frame.headerBytes)

/** Both whole frames, as each version wrote them when it was new. */
const recorded = {
  version1: "687399c316000000e9ffffff424c5341010101010000006301000000410100000042",
  version2: "8b08218f27000000d8ffffff424c53410102020100000063010000004101000000420700000000000000010300000000000000",
  version3:
    "d47b14dd39000000c6ffffff424c53410103030100000063010000004101000000420700000000000000010300000000000000010d00000031302e302e302e313a37353031",
  version3WithClients:
    "38a147124a000000b5ffffff424c53410103030100000063010000004101000000420700000000000000010300000000000000010d00000031302e302e302e313a373530310d00000031302e302e302e313a37343031"
}

const recordedOf = (version: keyof typeof recorded) => payloadOf(Buffer.from(recorded[version], "hex"))

describe("a hello", () => {
  it("comes back as it was, and later versions may append to it", () => {
    for (const epoch of [3, 0, undefined]) {
      for (const purpose of ["Control", "Bulk", "Probe"] as const) {
        for (const address of ["[::1]:7501", undefined]) {
          for (const told of [hello, withoutClients]) {
            const one = { ...told, epoch, purpose, address }
            assert.deepStrictEqual(Handshake.decodeHello(payloadOf(Handshake.encodeHello(one))), one)
          }
        }
      }
    }
    const answer = { verdict: "WrongCluster", hello } as const
    const bytes = payloadOf(Handshake.encodeAnswer(answer))
    assert.deepStrictEqual(Handshake.decodeAnswer(bytes), answer)
    assert.deepStrictEqual(Handshake.decodeAnswer(Buffer.concat([bytes, Buffer.from("later")])), answer)
  })

  it("has the bytes that its version had", () => {
    assert.strictEqual(Handshake.encodeHello(hello).toString("hex"), recorded.version3WithClients)
    assert.deepStrictEqual(Handshake.decodeHello(recordedOf("version3WithClients")), hello)
    assert.deepStrictEqual(Handshake.decodeHello(recordedOf("version3")), withoutClients)
  })

  it("of an earlier version is read as far as it goes, so that its sender is told why it is refused", () => {
    // Version 1 ended before the incarnation, version 2 before the purpose.
    const second = { ...withoutClients, minVersion: 2, maxVersion: 2, purpose: "Control", address: undefined } as const
    const first = { ...second, minVersion: 1, maxVersion: 1, incarnation: 0, epoch: undefined }
    for (const [version, older, speaks] of [
      ["version1", first, "1"],
      ["version2", second, "2"]
    ] as const) {
      const theirs = Handshake.decodeHello(recordedOf(version))!
      assert.deepStrictEqual(theirs, older)
      const verdict = Handshake.judge(theirs, own)
      assert.strictEqual(verdict, "NoCommonVersion")
      const ours = { ...hello, from: B, to: A }
      assert.strictEqual(Handshake.complaint(verdict, theirs, ours), `it speaks protocol ${speaks}, we speak 3`)
      assert.strictEqual(
        Handshake.explain({ verdict, hello: theirs }, ours),
        `it speaks protocol ${speaks}, we speak 3`
      )
    }
    assert.strictEqual(Handshake.judge(hello, own), "Accepted")
  })

  it("of this version can be read by an earlier one: what was there before stands where it was", () => {
    const versions = ["version2", "version3", "version3WithClients"] as const
    const [second, third, now] = versions.map((version) => Buffer.from(recordedOf(version)))
    // All but the versions, which stand behind magic and kind.
    for (const bytes of [second!, third!, now!]) bytes.fill(0, 5, 7)
    assert.deepStrictEqual(third!.subarray(0, second!.length), second)
    assert.deepStrictEqual(now!.subarray(0, third!.length), third)
  })

  it("with a purpose that does not exist is none, unless a later version may know it", () => {
    const bytes = payloadOf(Handshake.encodeHello(hello))
    const purposeAt = bytes.length - 4 - hello.clientAddress!.length - 4 - hello.address!.length - 1
    assert.strictEqual(bytes[purposeAt], 1)
    bytes[purposeAt] = 3
    assert.strictEqual(Handshake.decodeHello(bytes), undefined)
    // The versions stand behind magic and kind.
    bytes[5] = 4
    bytes[6] = 4
    const later = Handshake.decodeHello(bytes)!
    assert.strictEqual(Handshake.judge(later, own), "NoCommonVersion")
  })

  it("that is cut off or made up is none, and nothing is thrown", () => {
    const bytes = payloadOf(Handshake.encodeHello(hello))
    const whole = recordedOf("version3").length
    for (let length = 0; length < bytes.length; length++) {
      if (length === whole) continue
      assert.strictEqual(Handshake.decodeHello(bytes.subarray(0, length)), undefined)
    }
    const random = seeded(7)
    const chance = (below: number) => Math.floor(random() * below)
    for (let i = 0; i < 2000; i++) {
      const noise = Buffer.from(Array.from({ length: chance(80) }, () => chance(256)))
      assert.strictEqual(Handshake.decodeHello(noise), undefined)
      assert.strictEqual(Handshake.decodeAnswer(noise), undefined)
      // Behind the right beginning it may be read as something, or not at all.
      const behind = Handshake.decodeHello(Buffer.concat([bytes.subarray(0, 5), noise]))
      assert.isTrue(behind === undefined || typeof behind.from === "string")
    }
  })
})

describe("a verdict", () => {
  it("on epochs: replicas of different ones refuse each other, unless one is not admitted", () => {
    for (const [theirs, ours, verdict] of [
      [1, 2, "WrongEpoch"],
      [2, 1, "WrongEpoch"],
      [0, 1, "WrongEpoch"],
      [2, 2, "Accepted"],
      [undefined, 2, "Accepted"],
      [2, undefined, "Accepted"],
      [undefined, undefined, "Accepted"]
    ] as const) {
      assert.strictEqual(Handshake.judge({ ...hello, epoch: theirs }, { ...own, epoch: ours }), verdict)
    }
  })

  it("on who it is names what is to be done first: the cluster, then the replica, then its standing", () => {
    const refusing: Handshake.Own = { ...own, standingOf: (id) => (id === A ? "Removed" : "UnknownPeer"), epoch: 9 }
    const judge = (change: Partial<Handshake.Hello>) => Handshake.judge({ ...hello, ...change }, refusing)
    assert.strictEqual(judge({ cluster: "d", to: A }), "WrongCluster")
    assert.strictEqual(judge({ to: A }), "WrongReplica")
    assert.strictEqual(judge({}), "Removed")
    assert.strictEqual(judge({ from: ReplicaId("C") }), "UnknownPeer")
  })

  it("says to both sides what to do", () => {
    const ours = { ...hello, from: B, to: A }
    for (const [verdict, dialled, dialling] of [
      [
        "UnknownPeer",
        "it is not a member of this cluster; add it: balsa member add",
        'it knows no member "A"; if we are to be one, add us: balsa member add'
      ],
      [
        "Removed",
        "it was removed from the cluster; stop it; to have it back, give it an empty data directory and add it: balsa member add",
        '"A" was removed from the cluster; stop it; to have it back, give it an empty data directory and add it: balsa member add'
      ]
    ] as const) {
      assert.strictEqual(Handshake.complaint(verdict, hello, ours), dialled)
      assert.strictEqual(Handshake.explain({ verdict, hello: ours }, hello), dialling)
    }
  })

  it("keeps its code, and an unknown one is a refusal", () => {
    const codes = [
      "Accepted",
      "WrongCluster",
      "WrongReplica",
      "UnknownPeer",
      "NoCommonVersion",
      "WrongEpoch",
      "OldIncarnation",
      "Removed"
    ] as const
    codes.forEach((verdict, code) => {
      const answer = payloadOf(Handshake.encodeAnswer({ verdict, hello }))
      assert.strictEqual(answer[5], code)
      assert.deepStrictEqual(Handshake.decodeAnswer(answer), { verdict, hello })
    })
    const answer = payloadOf(Handshake.encodeAnswer({ verdict: "Accepted", hello }))
    answer[5] = 99
    assert.strictEqual(Handshake.decodeAnswer(answer)?.verdict, "Unknown")
    assert.strictEqual(Handshake.decodeHello(answer), undefined)
  })
})

it("what a stranger says cannot write lines of its own in the log", () => {
  assert.strictEqual(Handshake.quote(`a"\n\u001b[31m\u009b${"x".repeat(100)}`).search(/[^ -~]/), -1)
  assert.isBelow(Handshake.quote("x".repeat(5000)).length, 80)
})
