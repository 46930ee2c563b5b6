/** A large state becomes bytes without buffers for each piece: what is counted here is how many there are. */
import { assert, describe, it } from "@effect/vitest"
import { Writer } from "../../src/codec/Bytes.ts"
import * as Pieces from "../../src/codec/Pieces.ts"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { BackupStateCodec, StoreStateCodec } from "../../src/codec/StoreCodec.ts"
import { historySince, type KvCommand } from "../../src/kv/KvCommand.ts"
import { ClusterTime } from "../../src/raft/LogEntry.ts"
import { type StoreCommand, StoreMachine, type StoreState } from "../../src/sessions/Store.ts"
import { imageOf } from "./SnapshotSamples.ts"
import { by, erase, once, put, register } from "./StoreSamples.ts"

const version = historySince

const text = (length: number, from: number): string =>
  Array.from({ length }, (_, at) => String.fromCharCode(33 + ((from + at * 7) % 90))).join("")

/** Several pieces of each kind, none like the one before: sessions, leases, pairs, large values, changes. */
const commands = function* (): Generator<StoreCommand, void> {
  yield register("c")
  for (let n = 0; n < 1000; n++) yield once(text(200, n), put(`k${n}`, text(100, n), true))
  yield by("c", 1, put("large", text(400_000, 1)))
  yield put("large", text(300_000, 2))
  const grants = Array.from(
    { length: 4000 },
    (_, n): KvCommand => ({ _tag: "LeaseGrant", id: BigInt(n + 1), ttlSeconds: 60 + n })
  )
  yield* grants
  for (let n = 0; n < 1500; n++) yield put(`m${n}`, text(150, n))
  yield erase("k", "l")
}

const state: StoreState = Array.from(commands()).reduce(
  (one, command, at) => StoreMachine.apply(one, command, { time: ClusterTime(at), version })[0],
  StoreMachine.initial
)

const image = { ...imageOf(state), version }
const backup = { ...image, value: state.value }
const fresh = Buffer.concat([...SnapshotCodec.encode(image, StoreStateCodec)])

/** Those that are not cut from the pool of small ones. */
const buffersOf = (pieces: Iterable<Uint8Array>): number => {
  const buffers = new Set<ArrayBufferLike>()
  for (const { buffer } of pieces) if (buffer.byteLength > Buffer.poolSize) buffers.add(buffer)
  return buffers.size
}

const together = (pieces: Iterable<Uint8Array>): Buffer =>
  Buffer.concat(Array.from(pieces, (piece) => Uint8Array.from(piece)))

describe("a snapshot of a large state", () => {
  it("is made in one buffer where one is given, and in one for each piece where none is", () => {
    const large = [...SnapshotCodec.encode(image, StoreStateCodec)].filter(({ length }) => length > Buffer.poolSize)
    assert.isAtLeast(large.length, 10)
    assert.strictEqual(buffersOf(SnapshotCodec.encode(image, StoreStateCodec)), large.length)
    assert.strictEqual(buffersOf(SnapshotCodec.encode(image, StoreStateCodec, new Writer(256 * 1024))), 1)
    assert.strictEqual(buffersOf(SnapshotCodec.encode(backup, BackupStateCodec, new Writer(256 * 1024))), 1)
  })

  it("has the same bytes in one buffer, large or small at first", () => {
    for (const room of [1, 1000, 256 * 1024]) {
      assert.isTrue(together(SnapshotCodec.encode(image, StoreStateCodec, new Writer(room))).equals(fresh), `${room}`)
    }
    const again = Buffer.concat([...SnapshotCodec.encode(backup, BackupStateCodec)])
    assert.isTrue(together(SnapshotCodec.encode(backup, BackupStateCodec, new Writer())).equals(again))
  })

  it("has the same bytes in slices, all but the last of one size and all in one buffer", () => {
    for (const size of [4096, 64 * 1024, 256 * 1024, fresh.length, fresh.length + 1]) {
      const sizes: Array<number> = []
      const slices = Array.from(
        Pieces.slices(SnapshotCodec.encode(image, StoreStateCodec, new Writer()), size),
        (slice) => {
          sizes.push(slice.length)
          return Uint8Array.from(slice)
        }
      )
      assert.isTrue(Buffer.concat(slices).equals(fresh), `${size}`)
      assert.lengthOf(sizes, Math.ceil(fresh.length / size))
      assert.isTrue(sizes.slice(0, -1).every((length) => length === size))
    }
    const pieces = SnapshotCodec.encode(image, StoreStateCodec, new Writer(256 * 1024))
    assert.strictEqual(buffersOf(Pieces.slices(pieces, 256 * 1024)), 1)
  })
})

describe("slices", () => {
  it("are asked for one at a time", () => {
    let made = 0
    const pieces = function* (): Generator<Uint8Array, void> {
      for (; made < 10; made++) yield new Uint8Array(10)
    }
    const slices = Pieces.slices(pieces(), 25)
    slices.next()
    assert.strictEqual(made, 2)
    slices.next()
    assert.strictEqual(made, 4)
  })

  it("of nothing are none", () => {
    assert.deepStrictEqual([...Pieces.slices([], 10), ...Pieces.slices([new Uint8Array(0)], 10)], [])
  })
})
