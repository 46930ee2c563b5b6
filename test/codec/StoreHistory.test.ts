/** What the store's bytes have since there is history: later commands within sessions, and states around them. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { BackupStateCodec, StoreCommandCodec, StoreStateCodec } from "../../src/codec/StoreCodec.ts"
import type { KvCommand, Put } from "../../src/kv/KvCommand.ts"
import * as Leases from "../../src/kv/Leases.ts"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import type { Image } from "../../src/raft/Snapshot.ts"
import { sessionsSince, type StoreCommand, StoreMachine, type StoreState } from "../../src/sessions/Store.ts"
import { imageOf } from "./SnapshotSamples.ts"
import { by, commands, erase, load, once, piecesOf, put, sample } from "./StoreSamples.ts"

const { decode, versionOf } = StoreCommandCodec

describe("later commands with sessions", () => {
  const compact: KvCommand = { _tag: "Compact", revision: 5 }
  const named = [compact, once("k", compact), by("c", 1, { _tag: "LeaseRevoke", id: 7n })]

  it("come back, and are of the version of what is inside", () => {
    for (const command of named) {
      const bytes = StoreCommandCodec.encode(command, 3)!
      assert.deepStrictEqual(decode(bytes), command)
      assert.strictEqual(versionOf!(bytes), 3)
      assert.isUndefined(StoreCommandCodec.encode(command, 2))
      assert.isUndefined(StoreCommandCodec.encode(command, 1))
    }
    // Those that could be said before are said as before.
    for (const command of commands)
      assert.deepStrictEqual(StoreCommandCodec.encode(command, 3), StoreCommandCodec.encode(command, 2))
    assert.strictEqual(versionOf!(Buffer.from("02010100 00006b 04".replaceAll(" ", ""), "hex")), 4)
    for (const cut of ["02", "0201", "020101", "02010100000061", "0203", "0209"]) {
      assert.isAtLeast(versionOf!(Buffer.from(cut, "hex")), sessionsSince)
    }
  })
})

describe("the store's state with sessions and history", () => {
  const leased: Put = { _tag: "Put", key: "l", value: Buffer.from("l"), prevKv: false, lease: 7n }
  const all: ReadonlyArray<StoreCommand> = [
    { _tag: "LeaseGrant", id: 7n, ttlSeconds: 60 },
    once("t", { _tag: "Txn", compares: [], success: [leased, put("a", "1", true)], failure: [] }),
    ...commands,
    by("c", Number.MAX_SAFE_INTEGER, erase("nothing")),
    once("compact", { _tag: "Compact", revision: 3 }),
    put("a", "last")
  ]
  const state = all.reduce(
    (one, command, at) => StoreMachine.apply(one, command, { time: ClusterTime(at), version: 3 })[0],
    StoreMachine.initial
  )
  const pieces = piecesOf(state, 3)

  it("is around the store's own state of the version before", () => {
    assert.strictEqual(StoreStateCodec.version, 3)
    assert.deepStrictEqual([...StoreStateCodec.encode(state)], pieces)
    const own = [...KvStateCodec.encode(state.value, 2)]
    assert.deepStrictEqual(pieces.slice(-own.length), own)
    const back = load(StoreStateCodec, pieces, 3)!
    assert.deepStrictEqual(piecesOf(back, 3), pieces)
    const [, said] = StoreMachine.apply(back, all[1]!, { time: ClusterTime(99), version: 3 })
    assert.strictEqual(said._tag === "Repeated" && said.result?._tag, "Txn")
    // One version in the header, and another within.
    assert.isUndefined(load(StoreStateCodec, pieces, 2))
    const head = Buffer.from(pieces[0]!)
    head.writeUInt32LE(1)
    assert.isUndefined(load(StoreStateCodec, pieces.with(0, head), 3))
    assert.isUndefined(load(StoreStateCodec, piecesOf(sample, 2), 3))
  })

  it("of an agreed earlier version is pairs alone, and what became of later commands is not told", () => {
    const down = StoreMachine.migrate!(state, 2)
    const back = load(StoreStateCodec, piecesOf(down, 2), 2)!
    assert.deepStrictEqual(piecesOf(back, 3), piecesOf(down, 3))
    assert.strictEqual(back.value.compacted, state.value.revision)
    for (const one of [down, back]) {
      const [, said] = StoreMachine.apply(one, all[1]!, { time: ClusterTime(99), version: 3 })
      assert.deepStrictEqual(said, { _tag: "Repeated", result: undefined })
    }
  })

  it("of a backup has keys and leases, and begins where it was taken", () => {
    const backup = [...BackupStateCodec.encode(state.value, BackupStateCodec.versionFor!(3))]
    for (const back of [load(BackupStateCodec, backup, 3)!, load(StoreStateCodec, backup, 3)!.value]) {
      const { revision, keys, leases, compacted, history } = back
      assert.strictEqual(revision, state.value.revision)
      assert.strictEqual(compacted, revision)
      assert.strictEqual(history.length, 0)
      assert.strictEqual(OrderedMap.size(keys), OrderedMap.size(state.value.keys))
      assert.deepStrictEqual(Leases.keysOf(Leases.get(leases, 7n)!), ["l"])
      assert.strictEqual(Leases.get(leases, 7n)!.expiresAt, Leases.get(state.value.leases, 7n)!.expiresAt)
    }
    assert.deepStrictEqual(
      [1, 2, 3, 4].map((agreed) => BackupStateCodec.versionFor!(agreed)),
      [1, 1, 3, 3]
    )
    const image = { ...imageOf(state.value), version: 3 }
    const decoder = SnapshotCodec.decoder(StoreStateCodec)
    for (const piece of SnapshotCodec.encode(image, BackupStateCodec)) assert.isUndefined(decoder.push(piece))
    const whole = decoder.finish()
    assert.isTrue("value" in whole && whole.value.value.revision === state.value.revision)
  })

  it("of a snapshot that was recorded is read, and written as it was", () => {
    const recorded = readFileSync(new URL("fixtures/state-3.snap", import.meta.url))
    const image = { ...imageOf(state), version: 3 }
    assert.isTrue(recorded.equals(Buffer.concat([...SnapshotCodec.encode(image, StoreStateCodec)])))
    const decoder = SnapshotCodec.decoder(StoreStateCodec)
    assert.isUndefined(decoder.push(recorded))
    const back = decoder.finish() as Image<StoreState>
    assert.deepStrictEqual(piecesOf(back.value, 3), pieces)
  })
})
