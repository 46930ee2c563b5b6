/** What a replica does with snapshots beside its loop: when it says that it is done, and what it says when it cannot. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, type Fiber, Latch, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Message } from "../../src/raft/Message.ts"
import type { Snapshot } from "../../src/raft/Snapshot.ts"
import * as SnapshotJobs from "../../src/runtime/SnapshotJobs.ts"
import { sliceBytes } from "../../src/runtime/SnapshotLoading.ts"
import { maxWaitingChunkBytes } from "../../src/runtime/SnapshotReceiving.ts"
import * as MemorySnapshots from "../../src/storage/MemorySnapshots.ts"
import type { SnapshotStore } from "../../src/storage/Storage.ts"
import { imageOf, type Lines, type LinesCodec, linesCodec, position } from "./LinesState.ts"

const [B, C] = ["B", "C"].map(ReplicaId) as [ReplicaId, ReplicaId]

interface Bench {
  readonly codec: LinesCodec
  readonly disk: MemorySnapshots.MemorySnapshots
  readonly jobs: SnapshotJobs.SnapshotJobs<Lines>
  readonly fiber: Fiber.Fiber<never>
  readonly news: Array<SnapshotJobs.SnapshotNews<Lines>>
  readonly sent: Array<readonly [to: ReplicaId, message: Message<Uint8Array>]>
  readonly log: Array<string>
  /** Lets everything go on that can go on without time. */
  readonly pass: Effect.Effect<void>
}

const bench = Effect.fnUntraced(function* (wrap: (store: SnapshotStore) => SnapshotStore = (store) => store) {
  const codec = linesCodec()
  const disk = MemorySnapshots.make()
  const news: Bench["news"] = []
  const sent: Bench["sent"] = []
  const log: Array<string> = []
  const jobs = yield* SnapshotJobs.make({
    store: wrap(disk.store),
    transport: { send: (to, messages) => void sent.push(...messages.map((message) => [to, message] as const)) },
    codec,
    report: (one: SnapshotJobs.SnapshotNews<Lines>) => news.push(one)
  })
  const logger = Logger.layer([Logger.make(({ message }) => void log.push(String(message)))])
  const fiber = yield* Effect.forkScoped(jobs.run.pipe(Effect.provide(logger)))
  const pass = Effect.forEach(Array.from({ length: 200 }), () => Effect.yieldNow, { discard: true })
  const made: Bench = { codec, disk, jobs, fiber, news, sent, log, pass }
  return made
})

const lines: Lines = ["one", "two", "three"]

/** The bytes of a snapshot, as a leader would have them. */
const encoded = (value: Lines, index = 5): { snapshot: Snapshot; bytes: Buffer } => {
  const bytes = Buffer.concat([...SnapshotCodec.encode(imageOf(position(index), value), linesCodec())])
  const disk = MemorySnapshots.make()
  const snapshot = Effect.runSync(disk.store.write(position(index), [bytes]))
  return { snapshot, bytes }
}

const chunk = (snapshot: Snapshot, bytes: Uint8Array, offset: number, length: number) =>
  ({ _tag: "StoreChunk", snapshot, offset, bytes: bytes.subarray(offset, offset + length) }) as const

describe("taking a snapshot", () => {
  it.effect("is reported when it is stored, and not before", () =>
    Effect.gen(function* () {
      const gate = Latch.makeUnsafe(false)
      const { disk, jobs, news, pass } = yield* bench((store) => ({
        ...store,
        write: (last, pieces) => Effect.tap(store.write(last, pieces), () => gate.await)
      }))
      yield* jobs.begin({ _tag: "TakeSnapshot", image: imageOf(position(5), lines) })
      yield* pass
      assert.deepStrictEqual(news, [])
      gate.openUnsafe()
      yield* pass
      assert.deepStrictEqual(news, [{ _tag: "SnapshotStored", snapshot: disk.found()[0]! }])
      assert.deepStrictEqual(disk.found()[0]?.last, position(5))
    })
  )

  it.effect("that fails for want of room is reported and said, and the next one is taken", () =>
    Effect.gen(function* () {
      const { disk, jobs, log, news, pass } = yield* bench()
      disk.failNext("NoSpace")
      yield* jobs.begin({ _tag: "TakeSnapshot", image: imageOf(position(5), lines) })
      yield* pass
      assert.deepStrictEqual(news, [{ _tag: "SnapshotFailed", last: position(5) }])
      assert.match(log.join("\n"), /no snapshot at index 5: .*told to fail/)
      yield* jobs.begin({ _tag: "TakeSnapshot", image: imageOf(position(9), lines) })
      yield* pass
      assert.deepStrictEqual(
        news.map(({ _tag }) => _tag),
        ["SnapshotFailed", "SnapshotStored"]
      )
    })
  )

  it.effect("with a codec that throws ends the replica: a bug does not pass unseen", () =>
    Effect.gen(function* () {
      const { codec, fiber, jobs, pass } = yield* bench()
      codec.onPiece = () => {
        throw new Error("a bug in the codec")
      }
      yield* jobs.begin({ _tag: "TakeSnapshot", image: imageOf(position(5), lines) })
      yield* pass
      const exit = fiber.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )

  it.effect("makes few writes of many small pieces, in one buffer again and again, with the same bytes", () =>
    Effect.gen(function* () {
      const sizes: Array<number> = []
      const buffers = new Set<ArrayBufferLike>()
      const { disk, jobs, pass } = yield* bench((store) => ({
        ...store,
        write: (last, pieces) => {
          const seen = function* (): Generator<Uint8Array, void> {
            for (const piece of pieces) {
              sizes.push(piece.length)
              buffers.add(piece.buffer)
              yield piece
            }
          }
          return store.write(last, seen())
        }
      }))
      const many = Array.from({ length: 1000 }, (_, n) => `${n}`.padEnd(1000, "."))
      yield* jobs.begin({ _tag: "TakeSnapshot", image: imageOf(position(5), many) })
      yield* pass
      assert.deepStrictEqual(disk.found(), [encoded(many).snapshot])
      const full = sizes.slice(0, -1)
      assert.isAtLeast(full.length, 3)
      assert.deepStrictEqual(new Set(full), new Set([256 * 1024]))
      assert.isBelow(sizes.at(-1)!, 256 * 1024)
      assert.strictEqual(buffers.size, 1)
    })
  )

  it.effect("lets everything else go on between two pieces, and so does reading one back", () =>
    Effect.gen(function* () {
      const { codec, jobs, news, pass } = yield* bench()
      let turns = 0
      yield* Effect.forkScoped(
        Effect.gen(function* () {
          for (; ; turns++) yield* Effect.yieldNow
        })
      )
      yield* pass
      const at: Array<number> = []
      codec.onPiece = () => at.push(turns)
      const large = Array.from({ length: 10 }, (_, n) => `${n}`.repeat(sliceBytes))
      yield* jobs.begin({ _tag: "TakeSnapshot", image: imageOf(position(5), large) })
      yield* pass
      assert.lengthOf(at, 10)
      assert.isTrue(
        at.every((turn, n) => n === 0 || turn > at[n - 1]!),
        `a turn between any two pieces: ${at.join(" ")}`
      )

      at.length = 0
      const { bytes, snapshot } = encoded(large)
      yield* jobs.begin({ _tag: "StoreChunk", snapshot, offset: 0, bytes })
      yield* pass
      assert.lengthOf(at, 10)
      assert.isTrue(
        at.every((turn, n) => n === 0 || turn > at[n - 1]!),
        `a turn between any two pieces: ${at.join(" ")}`
      )
      assert.deepStrictEqual(
        news.map(({ _tag }) => _tag),
        ["SnapshotStored", "SnapshotReceived"]
      )
    })
  )
})

describe("receiving a snapshot", () => {
  it.effect("is reported when all of it is durable and decoded, with what it holds", () =>
    Effect.gen(function* () {
      const { disk, jobs, news, pass } = yield* bench()
      const { bytes, snapshot } = encoded(lines)
      for (let offset = 0; offset < bytes.length; offset += 10) {
        assert.deepStrictEqual(news, [])
        yield* jobs.begin(chunk(snapshot, bytes, offset, 10))
        yield* pass
      }
      assert.deepStrictEqual(news, [{ _tag: "SnapshotReceived", snapshot, image: imageOf(position(5), lines) }])
      assert.deepStrictEqual(disk.found(), [snapshot])
    })
  )

  it.effect("that cannot be decoded is spoiled: it is said, put aside, and never reported as received", () =>
    Effect.gen(function* () {
      const { disk, jobs, log, news, pass } = yield* bench()
      // Its checksum is right: this is what its sender has.
      const { bytes, snapshot } = encoded(["one", "not a line"])
      yield* jobs.begin({ _tag: "StoreChunk", snapshot, offset: 0, bytes })
      yield* pass
      assert.deepStrictEqual(news, [{ _tag: "SnapshotSpoiled", snapshot }])
      assert.deepStrictEqual(disk.found(), [])
      assert.match(log.join("\n"), /the leader's snapshot at index 5 .* is not used, and asked for again/)
    })
  )

  it.effect("that stands for another entry than it says is spoiled", () =>
    Effect.gen(function* () {
      const { disk, jobs, news, pass } = yield* bench()
      const { bytes, snapshot } = encoded(lines)
      const named: Snapshot = { ...snapshot, last: position(6) }
      yield* jobs.begin({ _tag: "StoreChunk", snapshot: named, offset: 0, bytes })
      yield* pass
      assert.deepStrictEqual(news, [{ _tag: "SnapshotSpoiled", snapshot: named }])
      assert.deepStrictEqual(disk.found(), [])
    })
  )

  it.effect("whose bytes are not those that were promised is spoiled, and comes right when it begins anew", () =>
    Effect.gen(function* () {
      const { jobs, news, pass } = yield* bench()
      const { bytes, snapshot } = encoded(lines)
      const wrong = Buffer.from(bytes)
      wrong[20]! ^= 1
      yield* jobs.begin({ _tag: "StoreChunk", snapshot, offset: 0, bytes: wrong })
      yield* pass
      assert.deepStrictEqual(news, [{ _tag: "SnapshotSpoiled", snapshot }])
      yield* jobs.begin({ _tag: "StoreChunk", snapshot, offset: 0, bytes })
      yield* pass
      assert.strictEqual(news[1]?._tag, "SnapshotReceived")
    })
  )

  it.effect("is spoiled once where a chunk cannot be stored, whatever of it is still waiting", () =>
    Effect.gen(function* () {
      const { disk, jobs, news, pass } = yield* bench()
      const { bytes, snapshot } = encoded(lines)
      yield* jobs.begin(chunk(snapshot, bytes, 0, 10))
      yield* pass
      disk.failNext("NoSpace")
      for (const offset of [10, 20, 30]) yield* jobs.begin(chunk(snapshot, bytes, offset, 10))
      yield* pass
      assert.deepStrictEqual(news, [{ _tag: "SnapshotSpoiled", snapshot }])
    })
  )

  it.effect("gives way to a newer one, even while it is being decoded", () =>
    Effect.gen(function* () {
      const { codec, jobs, news, pass } = yield* bench()
      const old = encoded(Array.from({ length: 8 }, (_, n) => `${n}`.repeat(sliceBytes)))
      const fresh = encoded(lines, 9)
      let begun = false
      codec.onPiece = () => {
        if (begun) return
        begun = true
        Effect.runSync(jobs.begin({ _tag: "StoreChunk", snapshot: fresh.snapshot, offset: 0, bytes: fresh.bytes }))
      }
      yield* jobs.begin({ _tag: "StoreChunk", snapshot: old.snapshot, offset: 0, bytes: old.bytes })
      yield* pass
      assert.isTrue(begun)
      assert.deepStrictEqual(
        news.map((one) => one._tag !== "SnapshotFailed" && `${one._tag} ${one.snapshot.last.index}`),
        ["SnapshotReceived 9"]
      )
    })
  )

  it.effect("takes no more chunks than it may while the disk is slow, and goes on when it is not", () =>
    Effect.gen(function* () {
      const gate = Latch.makeUnsafe(false)
      const { fiber, jobs, pass } = yield* bench((store) => ({
        ...store,
        receive: (snapshot, offset, bytes) => Effect.andThen(gate.await, store.receive(snapshot, offset, bytes))
      }))
      const bytes = Buffer.alloc(4 * maxWaitingChunkBytes)
      const snapshot: Snapshot = { last: position(5), bytes: bytes.length + 1, checksum: 0 }
      let taken = 0
      const length = maxWaitingChunkBytes / 2
      yield* Effect.forkScoped(
        Effect.forEach([0, 1, 2, 3, 4], (n) =>
          Effect.tap(jobs.begin(chunk(snapshot, bytes, n * length, length)), () => Effect.sync(() => taken++))
        )
      )
      yield* pass
      assert.strictEqual(taken, 2)
      gate.openUnsafe()
      yield* pass
      assert.strictEqual(taken, 5)
      assert.isUndefined(fiber.pollUnsafe())
    })
  )
})

describe("sending a snapshot", () => {
  const stored = Effect.fnUntraced(function* ({ disk }: Bench) {
    const { bytes } = encoded(lines)
    return { bytes, snapshot: yield* disk.store.write(position(5), [bytes]) }
  })
  const wish = (to: ReplicaId, snapshot: Snapshot, offset: number, length: number) =>
    ({ _tag: "SendChunk", to, term: Term(3), snapshot, offset, length }) as const

  it.effect("sends what is asked for, and of a peer's wishes the latest", () =>
    Effect.gen(function* () {
      const made = yield* bench()
      const { jobs, pass, sent } = made
      const { bytes, snapshot } = yield* stored(made)
      yield* jobs.begin(wish(B, snapshot, 0, 10))
      yield* jobs.begin(wish(C, snapshot, 30, 1000))
      yield* jobs.begin(wish(B, snapshot, 10, 10))
      yield* pass
      const install = (offset: number, end: number): Message<Uint8Array> => ({
        _tag: "InstallSnapshot",
        term: Term(3),
        snapshot,
        offset,
        bytes: Uint8Array.from(bytes.subarray(offset, end))
      })
      assert.deepStrictEqual(sent, [
        [C, install(30, bytes.length)],
        [B, install(10, 20)]
      ])
    })
  )

  it.effect("that cannot be read is missing: nothing is sent, and it is said", () =>
    Effect.gen(function* () {
      const made = yield* bench()
      const { disk, jobs, log, news, pass, sent } = made
      const { snapshot } = yield* stored(made)
      disk.failNext("Unreadable")
      yield* jobs.begin(wish(B, snapshot, 0, 10))
      yield* pass
      // A file that has become shorter.
      const longer = { ...snapshot, bytes: snapshot.bytes + 10 }
      const short = yield* bench((store) => ({ ...store, read: (_, ...range) => store.read(snapshot, ...range) }))
      yield* stored(short)
      yield* short.jobs.begin(wish(B, longer, snapshot.bytes - 5, 10))
      yield* short.pass
      assert.deepStrictEqual(sent, [])
      assert.deepStrictEqual(short.sent, [])
      assert.deepStrictEqual(news, [{ _tag: "SnapshotMissing", snapshot }])
      assert.deepStrictEqual(short.news, [{ _tag: "SnapshotMissing", snapshot: longer }])
      assert.match(log.join("\n"), /cannot be read at byte 0, so B is not sent it/)
    })
  )
})

describe("what takes long", () => {
  it.effect("is told about once a second on both sides, with percent, and what is quick is not", () =>
    Effect.gen(function* () {
      const { bytes, snapshot } = encoded(lines)
      for (const millis of [10, 600]) {
        const leader = yield* bench()
        yield* leader.disk.store.write(position(5), [bytes])
        const follower = yield* bench()
        const length = Math.ceil(bytes.length / 8)
        for (let offset = 0; offset < bytes.length; offset += length) {
          yield* leader.jobs.begin({ _tag: "SendChunk", to: B, term: Term(1), snapshot, offset, length })
          yield* follower.jobs.begin(chunk(snapshot, bytes, offset, length))
          yield* TestClock.adjust(millis)
        }
        yield* follower.pass
        const percents = (log: ReadonlyArray<string>) => log.flatMap((line) => /: (\d+) %$/.exec(line)?.[1] ?? [])
        const isLong = millis === 600
        // The first piece that comes a second after the first, and from there on a second after what was said last.
        const told = isLong ? [3, 5, 7].map((pieces) => `${Math.floor((100 * pieces * length) / bytes.length)}`) : []
        assert.deepStrictEqual(percents(leader.log), told)
        assert.deepStrictEqual(percents(follower.log), told)
        assert.strictEqual(leader.log.filter((line) => line.startsWith("sent the snapshot")).length, isLong ? 1 : 0)
        assert.strictEqual(follower.log.filter((line) => line.startsWith("received the leader's")).length, 1)
      }
    })
  )
})
