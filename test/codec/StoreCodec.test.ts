import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import type { Image } from "../../src/raft/Snapshot.ts"
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import { BackupStateCodec, StoreCommandCodec, StoreStateCodec } from "../../src/codec/StoreCodec.ts"
import type { StateCodec } from "../../src/codec/StateCodec.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import { inWords } from "../../src/sim/Subject.ts"
import type { StoreCommand, StoreState } from "../../src/sessions/Store.ts"
import { sessionsSince, StoreMachine } from "../../src/sessions/Store.ts"
import { by, commands, erase, load, once, piecesOf, put, register, sample, stateOf } from "./StoreSamples.ts"

const bytesOf = (command: StoreCommand): Uint8Array => StoreCommandCodec.encode(command, 2)!
const { decode, versionOf } = StoreCommandCodec

describe("the store's commands with sessions", () => {
  it("come back as they were", () => {
    for (const command of commands) {
      const back = decode(bytesOf(command))
      assert.strictEqual(inWords(back), inWords(command))
    }
  })

  it("are the same bytes as ever where they have no session, and say their version", () => {
    const plain = put("a", "1")
    assert.deepStrictEqual(bytesOf(plain), KvCommandCodec.encode(plain, 2))
    assert.deepStrictEqual(
      commands.map((command) => versionOf!(bytesOf(command))),
      [1, 2, 2, 2, 2, 2, 1]
    )
    assert.isAbove(versionOf!(Uint8Array.of(3, 1, 1)), sessionsSince)
    assert.isAtMost(versionOf!(new Uint8Array(0)), sessionsSince)
  })

  it("cannot be said where the cluster has agreed on version 1, but for those without a session", () => {
    const said = commands.map((command) => StoreCommandCodec.encode(command, 1) !== undefined)
    assert.deepStrictEqual(said, [true, false, false, false, false, false, true])
  })

  it("are recorded bytes", () => {
    const recorded = [
      ["02010100 00006b 0101 00 01000000 61 01000000 32", once("k", put("a", "2"))],
      ["02030100 000063", register("c")],
      ["02020100 000063 0700000000000000 0102 01 01000000 61", by("c", 7, erase("a"))]
    ] as const
    for (const [hex, command] of recorded) {
      assert.strictEqual(Buffer.from(bytesOf(command)).toString("hex"), hex.replaceAll(" ", ""))
    }
  })

  it("are none when they are cut or changed", () => {
    for (const command of commands.slice(1, 6)) {
      const bytes = bytesOf(command)
      for (let length = 0; length < bytes.length; length++) assert.isUndefined(decode(bytes.subarray(0, length)))
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const flipped = Uint8Array.from(bytes)
          flipped[at]! ^= 1 << bit
          decode(flipped)
        }
      }
    }
    const wrong = [
      "0204010000006b",
      "0201000000000101000100000061010000003 2",
      "02030001000000",
      "0203010000006300",
      "0202010000006300000000000000000101000100000061 0100000032"
    ]
    for (const hex of wrong) assert.isUndefined(decode(Buffer.from(hex.replaceAll(" ", ""), "hex")), hex)
    assert.isUndefined(
      decode(
        Buffer.concat([Buffer.from("02010100 00006b".replaceAll(" ", ""), "hex"), bytesOf(once("l", put("a", "")))])
      )
    )
  })
})

/** Without telling one kind of bytes from another. */
const plain = (value: unknown): unknown => JSON.parse(inWords(value))

const many = stateOf(
  Array.from({ length: 3000 }, (_, n) => [
    once(`key ${n}`, put(`k${n % 50}`, "v".repeat(n % 90), true)),
    register(`c${n}`)
  ]).flat()
)

describe("the store's state with sessions", () => {
  it("comes back, and behaves and is written as before", () => {
    for (const state of [StoreMachine.initial, sample, many]) {
      const back = load(StoreStateCodec, piecesOf(state, 2), 2)!
      assert.deepStrictEqual(piecesOf(back, 2), piecesOf(state, 2))
      for (const again of [
        commands[1]!,
        commands[2]!,
        commands[5]!,
        once("key 77", put("k27", "v".repeat(77), true)),
        register("c5")
      ]) {
        const context = { time: ClusterTime(7000), version: 2 }
        const [one, said] = StoreMachine.apply(state, again, context)
        const [other, alike] = StoreMachine.apply(back, again, context)
        assert.deepStrictEqual(plain(alike), plain(said))
        assert.deepStrictEqual(piecesOf(other, 2), piecesOf(one, 2))
      }
    }
  })

  it("equal states give equal bytes, whatever came and went before", () => {
    // Their places differ: one has forgotten and moved more than the other.
    const detour = stateOf([register("c"), register("d"), register("c")])
    const direct = load(StoreStateCodec, piecesOf(detour, 2), 2)!
    assert.notDeepEqual(direct.sessions.clients.next, detour.sessions.clients.next)
    assert.deepStrictEqual(piecesOf(direct, 2), piecesOf(detour, 2))
  })

  it("is in pieces of bounded size", () => {
    for (const piece of piecesOf(many, 2)) assert.isBelow(piece.length, 200 * 1024)
    assert.isAbove(piecesOf(many, 2).length, 4)
  })

  it("of version 1 is the store's own, byte for byte, and has no sessions", () => {
    assert.deepStrictEqual(piecesOf(sample, 1), [...KvStateCodec.encode(sample.value, 1)])
    const back = load(StoreStateCodec, [...KvStateCodec.encode(sample.value, 1)], 1)!
    assert.deepStrictEqual(back.sessions.keys.bytes, 0)
    assert.deepStrictEqual(piecesOf(back, 1), piecesOf(sample, 1))
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4].map((agreed) => StoreStateCodec.versionFor!(agreed)),
      [1, 1, 2, 3, 3]
    )
  })

  it("of a snapshot that was recorded before there were sessions is read", () => {
    const recorded = readFileSync(new URL("fixtures/format-1.snap", import.meta.url))
    const [before, now] = [KvStateCodec, StoreStateCodec].map((codec) => {
      const decoder = SnapshotCodec.decoder<unknown>(codec as StateCodec<unknown>)
      assert.isUndefined(decoder.push(Buffer.from(recorded)))
      return decoder.finish()
    }) as [Image<KvState>, Image<StoreState>]
    assert.deepStrictEqual(now.last, before.last)
    assert.deepStrictEqual(piecesOf(now.value, 1), [...KvStateCodec.encode(before.value, 1)])
  })

  it("of a backup is read in either version, without sessions", () => {
    const backups = [load(BackupStateCodec, piecesOf(sample, 1), 1), load(BackupStateCodec, piecesOf(sample, 2), 2)]
    for (const backup of backups) {
      assert.deepStrictEqual([...BackupStateCodec.encode(backup!, 1)], [...KvStateCodec.encode(sample.value, 1)])
    }
    assert.isUndefined(BackupStateCodec.decoder(4))
  })

  it("is recorded bytes", () => {
    const state = stateOf([once("k", put("a", "2")), register("c")])
    const hex = piecesOf(state, 2).map((piece) => Buffer.from(piece).toString("hex"))
    assert.deepStrictEqual(hex.slice(0, 3), [
      "0100000001000000000000000100000000000000",
      hex[1]!,
      "0100000063000000000000000000000000000000008100000000000000010000000000000000"
    ])
    assert.match(
      hex[1]!,
      /^010000006b0100000000000000[0-9a-f]{16}a1000000000000000000000000000000010102000000000000000{2}$/
    )
  })

  it("is none when it is cut, changed, or in another order", () => {
    const pieces = piecesOf(sample, 2)
    assert.isUndefined(StoreStateCodec.decoder(0))
    assert.isUndefined(StoreStateCodec.decoder(4))
    for (let n = 0; n < pieces.length; n++) assert.isUndefined(load(StoreStateCodec, pieces.slice(0, n), 2))
    assert.isUndefined(load(StoreStateCodec, [...pieces, pieces[1]!], 2))
    assert.isUndefined(load(StoreStateCodec, [pieces[0]!, pieces[1]!, pieces[1]!, ...pieces.slice(2)], 2))
    for (const [at, piece] of pieces.slice(0, 3).entries()) {
      for (let length = 0; length < piece.length; length++) {
        const cut = pieces.with(at, piece.subarray(0, length))
        assert.isUndefined(load(StoreStateCodec, cut, 2), `piece ${at} cut to ${length}`)
      }
      for (let byte = 0; byte < piece.length; byte++) {
        const flipped = Uint8Array.from(piece)
        flipped[byte]! ^= 0x41
        load(StoreStateCodec, pieces.with(at, flipped), 2)
      }
    }
  })

  it("a loaded result keeps no more bytes in memory than its own", () => {
    const state = stateOf([put("a", "x".repeat(100)), once("k", put("a", "", true))])
    const back = load(
      StoreStateCodec,
      piecesOf(state, 2).map((piece) => Buffer.concat([piece])),
      2
    )!
    const [, said] = StoreMachine.apply(back, once("k", put("a", "", true)), { time: ClusterTime(2), version: 2 })
    assert.strictEqual(said._tag, "Repeated")
    if (said._tag !== "Repeated" || said.result?._tag !== "Put") return assert.fail()
    assert.strictEqual(said.result.prevKv!.value.buffer.byteLength, 100)
  })
})
