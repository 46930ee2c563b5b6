/** Snapshots in memory do what files do. */
import { crc32 } from "node:zlib"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Index, type LogPosition, Term } from "../../src/raft/LogEntry.ts"
import * as MemorySnapshots from "../../src/storage/MemorySnapshots.ts"

const at = (index: number): LogPosition => ({ index: Index(index), term: Term(1) })
const bytes = Buffer.from("a snapshot of the state")
const pieces = [bytes.subarray(0, 7), bytes.subarray(7)]
const sent = { last: at(9), bytes: bytes.length, checksum: crc32(bytes) }

it.effect("what was written is found and read, until it is pruned or put aside", () =>
  Effect.gen(function* () {
    const { store, found, prune } = MemorySnapshots.make()
    const one = yield* store.write(at(1), pieces)
    const two = yield* store.write(at(2), pieces)
    const three = yield* store.write(at(3), pieces)
    assert.deepStrictEqual(one, { last: at(1), bytes: bytes.length, checksum: crc32(bytes) })
    assert.deepStrictEqual(found(), [three, two, one])
    assert.deepStrictEqual(Buffer.from(yield* store.read(two, 2, 8)), bytes.subarray(2, 10))
    prune(at(2))
    assert.deepStrictEqual(found(), [three, two])
    yield* store.putAside(three)
    assert.deepStrictEqual(found(), [two])
    assert.strictEqual((yield* Effect.flip(store.read(three, 0, 1))).reason, "Unreadable")
  })
)

it.effect("what is received must go on without a gap and come to what was promised", () =>
  Effect.gen(function* () {
    const { store, found, crash } = MemorySnapshots.make()
    const refused = (step: Effect.Effect<void, { readonly reason: string }>) =>
      Effect.map(Effect.flip(step), ({ reason }) => assert.strictEqual(reason, "Corrupt"))
    yield* refused(store.receive(sent, 7, pieces[1]!))
    yield* store.receive(sent, 0, Buffer.alloc(5))
    yield* store.receive(sent, 0, pieces[0]!)
    yield* refused(store.receive(sent, 6, pieces[1]!))
    yield* refused(store.receive(sent, 7, bytes))
    yield* refused(store.receive({ ...sent, checksum: 1 }, 7, pieces[1]!))
    yield* store.receive(sent, 7, pieces[1]!)
    yield* store.finish(sent)
    assert.deepStrictEqual(found(), [sent])
    assert.deepStrictEqual(Buffer.from(yield* store.read(sent, 0, 100)), bytes)
    yield* store.receive(sent, 0, Buffer.alloc(bytes.length))
    yield* refused(store.finish(sent))
    yield* store.receive(sent, 0, pieces[0]!)
    crash()
    yield* refused(store.receive(sent, 7, pieces[1]!))
    assert.deepStrictEqual(found(), [sent])
  })
)

it.effect("told to, it fails once or lets a snapshot rot", () =>
  Effect.gen(function* () {
    const { store, found, failNext, damage } = MemorySnapshots.make()
    failNext("NoSpace")
    assert.strictEqual((yield* Effect.flip(store.write(at(1), pieces))).reason, "NoSpace")
    assert.deepStrictEqual(found(), [])
    const written = yield* store.write(at(1), pieces)
    damage(written)
    assert.notStrictEqual(crc32(yield* store.read(written, 0, bytes.length)), written.checksum)
    assert.deepStrictEqual(found(), [written])
  })
)
