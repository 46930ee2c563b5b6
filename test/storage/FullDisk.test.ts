/** A full disk makes a replica wait, and loses nothing; only a sync that fails is final, whatever its reason. */
import * as fs from "node:fs"
import { Context, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { expect, test } from "vitest"
import { type Disk, realDisk } from "../../src/storage/Disk.ts"
import { realNames } from "../../src/storage/DurableFile.ts"
import * as FileStorage from "../../src/storage/FileStorage.ts"
import { Storage } from "../../src/storage/Storage.ts"
import {
  append,
  command,
  failWith,
  found,
  image,
  newDirectory,
  noOp,
  optionsFor,
  recordsOf,
  segmentPath
} from "./Fixture.ts"

/** A disk on which writes find no room while `full`, after the first `most` bytes of each. */
const fillable = () => {
  const state = { full: false, most: 0, code: "ENOSPC", writes: 0, syncs: 0 }
  const disk: Disk = {
    write: (file, bytes, offset, length, position, done) => {
      state.writes++
      if (!state.full) return realDisk.write(file, bytes, offset, length, position, done)
      const room = state.most - offset
      if (room <= 0) return done(failWith(state.code, "write"), 0)
      return realDisk.write(file, bytes, offset, Math.min(length, room), position, done)
    },
    fdatasync: (file, done) => {
      state.syncs++
      return realDisk.fdatasync(file, done)
    }
  }
  return { state, disk }
}

const said: Array<string> = []
const logger = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => {
  said.length = 0
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide([logger, TestClock.layer()])))
}

const boot = Effect.fnUntraced(function* (options: FileStorage.Options) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const storage = Context.get(yield* Layer.buildWithScope(FileStorage.layer(options), scope), Storage)
  said.length = 0
  return { ...storage, stop: Scope.close(scope, Exit.void) }
})

/** Lets what does not wait for the clock happen: real files answer when they like. */
const until = Effect.fnUntraced(function* (reached: () => boolean) {
  while (!reached()) yield* Effect.promise(() => new Promise(setImmediate))
})

/** Lets time pass too: whether the wait has begun when the clock is set forward depends on real files. */
const ticking = Effect.fnUntraced(function* (reached: () => boolean) {
  while (!reached()) {
    yield* TestClock.adjust("500 millis")
    for (let turn = 0; turn < 20 && !reached(); turn++) yield* Effect.promise(() => new Promise(setImmediate))
  }
})

const three = [noOp(1, 1), command(2, 1, Buffer.alloc(300, 7)), noOp(3, 1)]

test.each(["ENOSPC", "EDQUOT"])("a write that finds no room (%s) is done when there is some", (code) =>
  run(
    Effect.gen(function* () {
      const directory = newDirectory()
      const { state, disk } = fillable()
      const storage = yield* boot({ ...optionsFor(directory), disk })
      yield* storage.persist(append(three[0]!))
      expect((yield* storage.status).waitsForRoom).toBe(false)
      Object.assign(state, { full: true, most: 100, code, writes: 0, syncs: 0 })
      const fiber = yield* Effect.forkChild(storage.persist(append(three[1]!)))
      yield* until(() => said.length === 1)
      expect((yield* storage.status).waitsForRoom).toBe(true)
      expect(said[0]).toContain(`There is no room to write to ${segmentPath(directory)} (${code}: told to fail).`)
      // What a kill would leave now: the part that was written is an interrupted write.
      expect((yield* Effect.promise(() => found(image(directory)))).entries).toEqual(three.slice(0, 1))
      for (let tries = 1; tries <= 40; tries++) {
        const writes = state.writes
        yield* ticking(() => state.writes >= writes + 2)
      }
      yield* until(() => said.length === 3)
      expect(said.slice(1)).toEqual([
        expect.stringContaining("There is no room for 10 s to write to"),
        expect.stringContaining("There is no room for 20 s to write to")
      ])
      expect(state.syncs).toBe(0)
      state.full = false
      yield* ticking(() => said.at(-1)?.startsWith("There is room again: ") === true)
      yield* Fiber.join(fiber)
      expect(said.at(-1)).toContain("There is room again: ")
      expect((yield* storage.status).waitsForRoom).toBe(false)
      yield* storage.persist(append(three[2]!))
      expect((yield* Effect.promise(() => found(image(directory)))).entries).toEqual(three)
      expect(recordsOf(segmentPath(directory)).length).toBe(3)
    })
  )
)

test("a new segment that finds no room is made when there is some", () =>
  run(
    Effect.gen(function* () {
      const directory = newDirectory()
      let full = true
      let tries = 0
      const names = {
        ...realNames,
        rename: (from: string, to: string): Promise<void> => {
          if (!to.endsWith("2.wal")) return realNames.rename(from, to)
          tries++
          return full ? Promise.reject(failWith("ENOSPC", "rename")) : realNames.rename(from, to)
        }
      }
      const storage = yield* boot({ ...optionsFor(directory), segmentBytes: 200, names })
      yield* storage.persist(append(three[0]!))
      const fiber = yield* Effect.forkChild(storage.persist(append(three[1]!)))
      yield* until(() => said.length === 1)
      expect(said[0]).toContain(`There is no room to make a new log segment in ${directory}`)
      yield* ticking(() => tries >= 2)
      full = false
      yield* ticking(() => said.at(-1)?.startsWith("There is room again: ") === true)
      yield* Fiber.join(fiber)
      expect((yield* Effect.promise(() => found(image(directory)))).entries).toEqual(three.slice(0, 2))
    })
  ))

test("a sync of a new segment that finds no room is final", () =>
  run(
    Effect.gen(function* () {
      const directory = newDirectory()
      let syncs = 0
      const names = {
        ...realNames,
        sync: (place: string): Promise<void> =>
          ++syncs === 1 ? realNames.sync(place) : Promise.reject(failWith("ENOSPC", "fsync"))
      }
      const storage = yield* boot({ ...optionsFor(directory), segmentBytes: 200, names })
      yield* storage.persist(append(three[0]!))
      const error = yield* Effect.flip(storage.persist(append(three[1]!)))
      expect(error.reason).toBe("NoSpace")
      expect(yield* Effect.flip(storage.persist(append(three[1]!)))).toBe(error)
      expect(said).toEqual([])
    })
  ))

test("blocks ahead of the records are a help, and no room for them is no failure", () =>
  run(
    Effect.gen(function* () {
      const directory = newDirectory()
      const disk: Disk = {
        ...realDisk,
        write: (file, bytes, offset, length, position, done) =>
          bytes.every((byte) => byte === 0)
            ? done(failWith("ENOSPC", "write"), 0)
            : realDisk.write(file, bytes, offset, length, position, done)
      }
      const storage = yield* boot({ ...optionsFor(directory), disk })
      for (const entry of three) yield* storage.persist(append(entry))
      expect(said).toEqual([])
      expect((yield* Effect.promise(() => found(image(directory)))).entries).toEqual(three)
    })
  ))

test.each(["interrupted", "stopped"])(
  "a replica that waits for room can be %s, and the rest of the write is cut",
  (how) =>
    run(
      Effect.gen(function* () {
        const directory = newDirectory()
        const { state, disk } = fillable()
        const storage = yield* boot({ ...optionsFor(directory), disk })
        yield* storage.persist(append(three[0]!))
        Object.assign(state, { full: true, most: 290 })
        const fiber = yield* Effect.forkChild(Effect.exit(storage.persist(append(three[1]!))))
        yield* until(() => said.length === 1)
        if (how === "interrupted") {
          yield* Fiber.interrupt(fiber)
          state.full = false
          state.writes = 0
          const error = yield* Effect.flip(storage.persist(append(noOp(2, 1))))
          expect(error.reason).toBe("NoSpace")
          expect(state.writes).toBe(0)
          yield* storage.stop
        } else {
          yield* storage.stop
          expect(Exit.isFailure(yield* Fiber.join(fiber))).toBe(true)
        }
        expect((yield* storage.status).waitsForRoom).toBe(false)
        expect((yield* Effect.promise(() => found(directory))).entries).toEqual(three.slice(0, 1))
      })
    )
)

test("what the status tells of the disk", () =>
  run(
    Effect.gen(function* () {
      const directory = newDirectory()
      const { reserveBytes: _, ...options } = optionsFor(directory)
      const storage = yield* boot(options)
      const { bavail, blocks, bsize } = fs.statfsSync(directory)
      const status = yield* storage.status
      expect(status.reserveBytes).toBe(Math.min(64 * 1024 * 1024, Math.floor((blocks * bsize) / 16)))
      expect(Math.abs(status.freeBytes! - bavail * bsize)).toBeLessThan(1024 ** 3)
      expect(status.logBytes).toBe(4096)
      for (let i = 1; i <= 4; i++) yield* storage.persist(append(command(i, 1, Buffer.alloc(2000))))
      expect((yield* storage.status).logBytes).toBe(4 * 4096)
      yield* storage.stop
      const other = yield* boot({ ...options, reserveBytes: 5 })
      expect(yield* other.status).toMatchObject({ reserveBytes: 5, logBytes: 4 * 4096, waitsForRoom: false })
    })
  ))
