/** Snapshots in a directory: whole or not there, whatever stops what is being done with them. */
import * as fs from "node:fs"
import * as path from "node:path"
import { crc32 } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Index, type LogPosition, Term } from "../../src/raft/LogEntry.ts"
import type { Snapshot } from "../../src/raft/Snapshot.ts"
import * as SnapshotDisk from "../../src/storage/SnapshotDisk.ts"
import * as SnapshotFiles from "../../src/storage/SnapshotFiles.ts"
import * as SnapshotName from "../../src/storage/SnapshotName.ts"
import { newDirectory } from "./Fixture.ts"
import { losses, ModelDisk, type Stop } from "./SnapshotModel.ts"

const at = (index: number, term = 1): LogPosition => ({ index: Index(index), term: Term(term) })
const piecesOf = (seed: number, count = 3): ReadonlyArray<Buffer> =>
  Array.from({ length: count }, (_, i) => Buffer.alloc(100 + i, seed * 16 + i))
const bytesOf = (seed: number, count = 3): Buffer => Buffer.concat(piecesOf(seed, count))
const snapshotOf = (seed: number, last: LogPosition, count = 3): Snapshot => {
  const bytes = bytesOf(seed, count)
  return { last, bytes: bytes.length, checksum: crc32(bytes) }
}

const receiveAll = (store: SnapshotFiles.SnapshotFiles["store"], snapshot: Snapshot, bytes: Buffer) =>
  Effect.gen(function* () {
    for (let offset = 0; offset < bytes.length; offset += 100) {
      yield* store.receive(snapshot, offset, bytes.subarray(offset, offset + 100))
    }
    yield* store.finish(snapshot)
  })

/** All that is left, read back: what `found` lists must be what its name promises. */
const foundIn = (files: ReadonlyMap<string, Buffer>, warnings: Array<string> = []) => {
  const disk = new ModelDisk(files)
  return Effect.gen(function* () {
    const { found, store } = yield* SnapshotFiles.open("/data", disk)
    for (const snapshot of found) {
      const bytes = yield* store.read(snapshot, 0, snapshot.bytes)
      assert.strictEqual(crc32(bytes), snapshot.checksum, `${SnapshotName.of(snapshot)} is not whole`)
      assert.strictEqual(bytes.length, snapshot.bytes)
    }
    assert.deepStrictEqual(
      disk.list().filter((name) => name.endsWith(".tmp")),
      []
    )
    return found
  }).pipe(
    Effect.scoped,
    Effect.provide(Logger.layer([Logger.make(({ message }) => void warnings.push(String(message)))]))
  )
}

/** What was there before anything is done, and the three things that are done. */
const older = snapshotOf(1, at(10))
const latest = snapshotOf(2, at(20))
const before = new Map([
  [SnapshotName.of(older), bytesOf(1)],
  [SnapshotName.of(latest), bytesOf(2)]
])
const taken = snapshotOf(3, at(30))
const deeds = {
  write: (files: SnapshotFiles.SnapshotFiles) => Effect.asVoid(files.store.write(taken.last, piecesOf(3))),
  "receive and finish": (files: SnapshotFiles.SnapshotFiles) => receiveAll(files.store, taken, bytesOf(3)),
  prune: (files: SnapshotFiles.SnapshotFiles) => files.prune(at(20)),
  "put aside": (files: SnapshotFiles.SnapshotFiles) => files.store.putAside(older)
}
const oldMayGo = (deed: string): boolean => deed === "prune" || deed === "put aside"

/** Does it on a model disk that stops as told, and gives the disk, how it went, and the steps of the deed alone. */
const doing = (deed: keyof typeof deeds, stop?: Stop) => {
  const disk = new ModelDisk(before, stop)
  return Effect.gen(function* () {
    const scope = yield* Scope.make()
    const opened = yield* Effect.exit(Scope.provide(SnapshotFiles.open("/data", disk), scope))
    const first = disk.steps.length
    const exit = Exit.isSuccess(opened) ? yield* Effect.exit(deeds[deed](opened.value)) : opened
    const steps = disk.steps.slice(first)
    const crashes = losses.map((loss) => disk.afterCrash(loss))
    yield* Scope.close(scope, Exit.void)
    return { disk, exit, first, steps, crashes }
  }).pipe(Effect.provide(Logger.layer([])))
}

describe("a stop at any step", () => {
  for (const deed of ["write", "receive and finish", "prune", "put aside"] as const) {
    it.effect(`of ${deed} leaves nothing half done under a name that counts`, () =>
      Effect.gen(function* () {
        const { first, steps } = yield* doing(deed)
        assert.isAtLeast(steps.length, 3)
        for (const how of ["fails", "killed before", "killed after"] as const) {
          for (let step = first; step < first + steps.length; step++) {
            const { disk, exit, crashes } = yield* doing(deed, { step, how })
            const where = `${how} ${step - first} (${steps[step - first]})`
            for (const [i, files] of crashes.entries()) {
              const found = yield* foundIn(files)
              const names = found.map(SnapshotName.of)
              const what = `${where}, ${losses[i]}`
              assert.include(names, SnapshotName.of(latest), what)
              if (!oldMayGo(deed)) assert.include(names, SnapshotName.of(older), what)
              // Confirmed is durable, whatever is lost.
              if (!oldMayGo(deed) && Exit.isSuccess(exit)) assert.include(names, SnapshotName.of(taken), what)
            }
            if (how !== "fails") continue
            const unfinished = disk.list().filter((name) => name.endsWith(".tmp"))
            assert.deepStrictEqual(unfinished, steps[step - first]!.startsWith("unlink") ? unfinished : [], where)
            assert.isAtMost(disk.opened, steps[step - first]!.startsWith("close") ? 1 : 0, where)
          }
        }
      })
    )
  }

  it.effect("and none of them is a success that nothing lasts of", () =>
    Effect.gen(function* () {
      for (const deed of ["write", "receive and finish"] as const) {
        const { exit, crashes, steps } = yield* doing(deed)
        assert.isTrue(Exit.isSuccess(exit))
        for (const files of crashes) {
          assert.deepStrictEqual(
            (yield* foundIn(files)).map(SnapshotName.of),
            [taken, latest, older].map(SnapshotName.of)
          )
        }
        const renamed = steps.findIndex((step) => step.startsWith("rename"))
        assert.match(steps[renamed - 1]!, /^datasync/)
        assert.strictEqual(steps[renamed + 1], "sync the directory")
      }
    })
  )
})

describe("a start", () => {
  it.effect("takes nothing that is shorter or longer than its name says, and puts it aside", () =>
    Effect.gen(function* () {
      const name = SnapshotName.of(latest)
      for (const bytes of [Buffer.alloc(0), bytesOf(2).subarray(1), Buffer.concat([bytesOf(2), Buffer.alloc(1)])]) {
        const warnings: Array<string> = []
        const found = yield* foundIn(new Map([...before, [name, bytes]]), warnings)
        assert.deepStrictEqual(found, [older])
        assert.match(
          warnings.join(),
          new RegExp(`/data/${name} is damaged: it has ${bytes.length} bytes.*${name}.damaged`)
        )
      }
    })
  )

  it.effect("takes only names that are written exactly so, newest first", () =>
    Effect.gen(function* () {
      const one = snapshotOf(5, at(7, 3))
      const other = snapshotOf(6, at(7, 2))
      const name = SnapshotName.of(one)
      const strange = [
        `${name}.damaged`,
        `${name}.bak`,
        `x${name}`,
        name.replace("-0000000000000007-", "-7-"),
        name.replace("-3-", "-03-"),
        name.toUpperCase()
      ]
      const files = new Map([
        ...before,
        ...strange.map((other) => [other, bytesOf(5)] as const),
        [name, bytesOf(5)],
        [SnapshotName.of(other), bytesOf(6)]
      ])
      assert.deepStrictEqual(yield* foundIn(files), [latest, older, one, other])
    })
  )
})

describe("on a real directory", () => {
  const open = (directory: string) => SnapshotFiles.open(directory)

  it.live("what was written comes back, in pieces from anywhere, now and after a restart", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const bytes = bytesOf(7, 50)
      const written = yield* Effect.scoped(
        Effect.flatMap(open(directory), ({ store }) => store.write(at(3), piecesOf(7, 50)))
      )
      assert.deepStrictEqual(written, snapshotOf(7, at(3), 50))
      assert.deepStrictEqual(fs.readFileSync(path.join(directory, SnapshotName.of(written))), bytes)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { found, store } = yield* open(directory)
          assert.deepStrictEqual(found, [written])
          for (const [offset, length] of [
            [0, 10],
            [0, bytes.length],
            [100, 1000],
            [bytes.length - 5, 100],
            [bytes.length, 100],
            [bytes.length + 5, 100]
          ] as const) {
            const expected = bytes.subarray(offset, offset + length)
            assert.deepStrictEqual(yield* store.read(written, offset, length), expected, `${offset} ${length}`)
          }
          assert.strictEqual((yield* Effect.flip(store.read(latest, 0, 1))).reason, "Unreadable")
        })
      )
    })
  )

  it.live("each piece is asked for when the one before it is in the file", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const { store } = yield* open(directory)
      const sizes: Array<number> = []
      const pieces = function* (): Iterable<Uint8Array> {
        for (const piece of piecesOf(4)) {
          sizes.push(fs.statSync(path.join(directory, SnapshotName.taken)).size)
          yield piece
        }
      }
      yield* store.write(at(1), pieces())
      assert.deepStrictEqual(sizes, [0, 100, 201])
    })
  )

  it.live("an interrupted or dying write leaves nothing", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const { store } = yield* open(directory)
      const endless = function* (): Iterable<Uint8Array> {
        for (;;) yield Buffer.alloc(10_000)
      }
      const writing = yield* Effect.forkChild(store.write(at(1), endless()))
      const file = path.join(directory, SnapshotName.taken)
      while (!fs.existsSync(file) || fs.statSync(file).size === 0) yield* Effect.sleep(1)
      yield* Fiber.interrupt(writing)
      assert.deepStrictEqual(fs.readdirSync(directory), [])
      const broken = function* (): Iterable<Uint8Array> {
        yield Buffer.alloc(10)
        throw new Error("cannot be encoded")
      }
      assert.isTrue(Exit.isFailure(yield* Effect.exit(store.write(at(1), broken()))))
      assert.deepStrictEqual(fs.readdirSync(directory), [])
      yield* store.write(at(1), piecesOf(1))
      assert.deepStrictEqual(fs.readdirSync(directory), [SnapshotName.of(snapshotOf(1, at(1)))])
    })
  )

  it.live("what has been begun to be read stays readable when it is pruned", () =>
    Effect.gen(function* () {
      const directory = newDirectory()
      const { store, prune } = yield* open(directory)
      const one = yield* store.write(at(1), piecesOf(1))
      const two = yield* store.write(at(2), piecesOf(2))
      assert.deepStrictEqual(yield* store.read(one, 0, 10), bytesOf(1).subarray(0, 10))
      yield* prune(at(2))
      assert.deepStrictEqual(fs.readdirSync(directory), [SnapshotName.of(two)])
      assert.deepStrictEqual(yield* store.read(one, 10, 1000), bytesOf(1).subarray(10))
    })
  )

  it.effect("a file that nobody reads for a while is closed, and all are in the end", () =>
    Effect.gen(function* () {
      const disk = new ModelDisk(before)
      const scope = yield* Scope.make()
      const { store } = yield* Scope.provide(SnapshotFiles.open("/data", disk), scope)
      yield* store.read(older, 0, 1)
      yield* TestClock.adjust("50 seconds")
      yield* store.read(older, 0, 1)
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(disk.opened, 1)
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(disk.opened, 0)
      assert.strictEqual((yield* store.read(older, 0, 1)).length, 1)
      yield* TestClock.adjust("120 seconds")
      assert.strictEqual(disk.opened, 0)
      yield* store.read(older, 0, 1)
      yield* store.receive(taken, 0, Buffer.alloc(1))
      assert.strictEqual(disk.opened, 2)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(disk.opened, 0)
    })
  )

  it.effect("only a few are open at once", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 10 }, (_, i) => snapshotOf(i, at(100 + i)))
      const disk = new ModelDisk(new Map(many.map((snapshot, i) => [SnapshotName.of(snapshot), bytesOf(i)] as const)))
      const { store } = yield* SnapshotFiles.open("/data", disk)
      for (const snapshot of many) {
        yield* store.read(snapshot, 0, 1)
        yield* TestClock.adjust(1)
      }
      assert.strictEqual(disk.opened, 4)
    })
  )
})

describe("receiving", () => {
  const opened = SnapshotFiles.open("/data", new ModelDisk(before))

  it.effect("a piece that does not go on from what is held is refused, and what is held stays", () =>
    Effect.gen(function* () {
      const { store } = yield* opened
      const bytes = bytesOf(3)
      const refuses = (snapshot: Snapshot, offset: number, length: number) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(store.receive(snapshot, offset, Buffer.alloc(length)))
          assert.strictEqual(error.reason, "Corrupt")
        })
      yield* refuses(taken, 100, 10)
      yield* store.receive(taken, 0, bytes.subarray(0, 100))
      yield* refuses(taken, 99, 10)
      yield* refuses(taken, 101, 10)
      yield* refuses(taken, 100, taken.bytes - 99)
      yield* refuses({ ...taken, checksum: 1 }, 100, 10)
      yield* refuses({ ...taken, last: at(30, 2) }, 100, 10)
      yield* store.receive(taken, 100, bytes.subarray(100))
      yield* store.finish(taken)
      assert.deepStrictEqual(yield* store.read(taken, 0, taken.bytes), bytes)
    })
  )

  it.effect("begins anew at offset 0, with another snapshot or the same", () =>
    Effect.gen(function* () {
      const { store } = yield* opened
      yield* store.receive({ ...taken, checksum: 1 }, 0, Buffer.alloc(200))
      yield* store.receive(taken, 0, Buffer.alloc(150, 1))
      yield* receiveAll(store, taken, bytesOf(3))
      assert.deepStrictEqual(yield* store.read(taken, 0, taken.bytes), bytesOf(3))
    })
  )

  it.effect("ends in an error when bytes are missing or wrong, and then nothing is left", () =>
    Effect.gen(function* () {
      const disk = new ModelDisk(before)
      const { store } = yield* SnapshotFiles.open("/data", disk)
      const wrong = bytesOf(3)
      wrong[150]! ^= 1
      for (const bytes of [wrong, bytesOf(3).subarray(0, 200)]) {
        const error = yield* Effect.flip(receiveAll(store, taken, bytes))
        assert.strictEqual(error.reason, "Corrupt")
        assert.deepStrictEqual(disk.list(), [...before.keys()])
      }
      assert.strictEqual((yield* Effect.flip(store.finish(taken))).reason, "Corrupt")
    })
  )

  it.effect("puts a good file in the place of one that was bad, for those who read it next", () =>
    Effect.gen(function* () {
      const bad = Buffer.alloc(latest.bytes)
      const disk = new ModelDisk(new Map([...before, [SnapshotName.of(latest), bad]]))
      const { store } = yield* SnapshotFiles.open("/data", disk)
      assert.deepStrictEqual(yield* store.read(latest, 0, latest.bytes), bad)
      yield* receiveAll(store, latest, bytesOf(2))
      assert.deepStrictEqual(yield* store.read(latest, 0, latest.bytes), bytesOf(2))
    })
  )
})

describe("putting aside", () => {
  it.effect("keeps a few for people, and nobody else sees them", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 5 }, (_, i) => snapshotOf(i, at(100 + i)))
      const disk = new ModelDisk(new Map(many.map((snapshot, i) => [SnapshotName.of(snapshot), bytesOf(i)] as const)))
      const { store } = yield* SnapshotFiles.open("/data", disk)
      for (const i of [4, 3, 0, 0]) yield* store.putAside(many[i]!)
      const names = many.map(SnapshotName.of)
      assert.deepStrictEqual(disk.list(), [`${names[0]}.damaged`, names[1]!, names[2]!, `${names[4]}.damaged`])
      assert.deepStrictEqual((yield* foundIn(disk.afterCrash("names are lost"))).map(SnapshotName.of), [
        names[2],
        names[1]
      ])
      assert.strictEqual((yield* Effect.flip(store.read(many[0]!, 0, 1))).reason, "Unreadable")
    })
  )
})

describe("syncing", () => {
  it.effect("goes along with a long snapshot instead of coming at its end", () =>
    Effect.gen(function* () {
      const synced: Array<number> = []
      let bytes = 0
      const disk: SnapshotDisk.Disk = {
        ...SnapshotDisk.real,
        create: async () => ({
          write: async (_bytes, _offset, length) => ({ bytesWritten: ((bytes += length), length) }),
          read: async () => ({ bytesRead: 0 }),
          datasync: async () => void synced.push(bytes),
          close: async () => {}
        }),
        rename: async () => {},
        syncDirectory: async () => {},
        names: async () => []
      }
      const { store } = yield* SnapshotFiles.open("/data", disk)
      const piece = Buffer.alloc(1024 * 1024)
      yield* store.write(
        at(1),
        Array.from({ length: 10 }, () => piece)
      )
      assert.deepStrictEqual(
        synced.map((at) => at / piece.length),
        [4, 8, 10]
      )
    })
  )
})
