/** What is persisted is found again; what could not be written is never said to be. */
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, test } from "vitest"
import { Index, type LogEntry, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Persist } from "../../src/raft/RaftEffect.ts"
import { type Disk, realDisk } from "../../src/storage/Disk.ts"
import {
  append,
  command,
  empty,
  failing,
  found,
  image,
  newDirectory,
  noOp,
  persist,
  segmentPath,
  start,
  startFailing,
  vote
} from "./Fixture.ts"

test("a new directory is empty, and every start is counted", async () => {
  const directory = newDirectory()
  for (let incarnation = 1; incarnation <= 3; incarnation++) {
    expect(await found(directory)).toEqual({
      hardState: { currentTerm: 0, votedFor: undefined },
      entries: [],
      incarnation,
      ...empty
    })
  }
})

test("a snapshot without a replica is what an interrupted restore leaves: it is kept, and nobody starts there", async () => {
  const directory = newDirectory()
  fs.mkdirSync(directory, { recursive: true })
  const snapshot = path.join(directory, "snapshot-0000000000000005-1-3-abcdef01.snap")
  fs.writeFileSync(snapshot, "abc")
  const error = await startFailing(directory)
  expect([error.reason, error.message]).toEqual(["Corrupt", expect.stringContaining("balsa restore")])
  expect(fs.readFileSync(snapshot, "utf8")).toBe("abc")
  expect(fs.existsSync(path.join(directory, "identity"))).toBe(false)
})

test("an incarnation is on disk before it is told", async () => {
  const directory = newDirectory()
  const { recovered } = await start(directory)
  expect((await found(image(directory))).incarnation).toBe(recovered.incarnation + 1)
})

test("hard state and log are found again, apart and together, and an empty change does no harm", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(vote(1))
  await storage.persist(append(noOp(1, 1), command(2, 1, Buffer.from("é\0"))))
  await storage.persist(persist({}))
  await storage.persist({ ...vote(3, "ü"), log: { from: Index(2), entries: [] } })
  await storage.close()
  const { hardState, entries } = await found(directory)
  expect(hardState).toEqual({ currentTerm: 3, votedFor: "ü" })
  expect(entries).toEqual([noOp(1, 1)])
})

test("changes asked for at once are written one after the other", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await Promise.all([1, 2, 3, 4, 5].map((i) => storage.persist(append(noOp(i, 1)))))
  expect((await found(image(directory))).entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5])
})

test("a hole in the log is a defect, and is not written", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await expect(storage.persist(append(noOp(2, 1)))).rejects.toThrow("A log has no holes")
  await expect(
    storage.persist(persist({ log: { from: Index(1), entries: [noOp(1, 1), noOp(3, 1)] } }))
  ).rejects.toThrow("A log has no holes")
  await storage.persist(append(noOp(1, 1)))
  expect((await found(image(directory))).entries).toEqual([noOp(1, 1)])
})

test("commands do not keep the buffers alive that they were read into", async () => {
  const directory = newDirectory()
  const storage = await start(directory, { segmentBytes: 1 << 20 })
  await storage.persist(append(command(1, 1, Buffer.alloc(10)), command(2, 1, Buffer.alloc(100_000))))
  const { entries } = await found(image(directory))
  const kept = entries.map(({ payload }) => (payload._tag === "Command" ? payload.command.buffer.byteLength : 0))
  expect(Math.max(...kept)).toBeLessThan(101_000)
})

/** Small numbers with the same sequence for the same seed (mulberry32). */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

test.each(Array.from({ length: 12 }, (_, i) => i + 1))("random changes and restarts, seed %i", async (seed) => {
  const next = random(seed)
  const model = { term: 0, votedFor: undefined as string | undefined, log: [] as Array<LogEntry<Uint8Array>> }
  const randomChange = (): Persist<Uint8Array> => {
    const kind = next(4)
    if (kind === 0 || kind === 3) {
      model.term += next(2)
      model.votedFor = [undefined, "A", "replica-B"][next(3)]
    }
    const { votedFor } = model
    const hardState = {
      currentTerm: Term(model.term),
      votedFor: votedFor === undefined ? undefined : ReplicaId(votedFor)
    }
    if (kind === 0) return persist({ hardState })
    const from = next(5) === 0 ? 1 + next(model.log.length + 1) : model.log.length + 1
    const entries = Array.from({ length: next(4) }, (_, i) =>
      next(5) === 0 ? noOp(from + i, model.term) : command(from + i, model.term, Buffer.alloc(next(700), next(256)))
    )
    model.log = [...model.log.slice(0, from - 1), ...entries]
    return persist({ ...(kind === 3 ? { hardState } : {}), log: { from: Index(from), entries } })
  }
  let directory = newDirectory()
  for (let incarnation = 1; incarnation <= 8; incarnation++) {
    const storage = await start(directory)
    expect(storage.recovered).toEqual({
      hardState: { currentTerm: model.term, votedFor: model.votedFor },
      entries: model.log,
      incarnation,
      ...empty
    })
    expect(storage.warnings).toEqual([])
    for (let steps = next(25); steps > 0; steps--) await storage.persist(randomChange())
    if (next(2) === 0) directory = image(directory)
    await storage.close()
  }
})

test.each([
  ["write", "EIO", "WriteFailed"],
  ["write", "EFBIG", "TooLarge"],
  ["write", "EROFS", "ReadOnly"],
  ["fdatasync", "EIO", "WriteFailed"],
  ["fdatasync", "ENOSPC", "NoSpace"],
  ["fdatasync", "EDQUOT", "NoSpace"]
] as const)("after a failed %s (%s) nothing more is written", async (call, code, reason) => {
  const { disk, state } = failing(call, code)
  const directory = newDirectory()
  const storage = await start(directory, { disk })
  await storage.persist(append(noOp(1, 1)))
  state.failing = true
  const error = await storage.persistFailing(append(noOp(2, 1)))
  expect([error.reason, error.message]).toEqual([
    reason,
    expect.stringContaining(`Cannot write to ${segmentPath(directory)}: ${code}`)
  ])
  state.failing = false
  state.calls = 0
  expect(await storage.persistFailing(append(noOp(2, 1)))).toBe(error)
  expect(await storage.persistFailing(vote(9))).toBe(error)
  await storage.close()
  expect(state.calls).toBe(0)
})

test("a new segment that cannot be made is a failure like any other", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  fs.mkdirSync(`${segmentPath(directory, 2)}.tmp`)
  const error = await storage.persistFailing(append(command(1, 1, Buffer.alloc(5000))))
  expect([error.reason, error.message]).toEqual([
    "WriteFailed",
    expect.stringContaining(`Cannot make a new log segment in ${directory}`)
  ])
  fs.rmdirSync(`${segmentPath(directory, 2)}.tmp`)
  expect(await storage.persistFailing(append(noOp(1, 1)))).toBe(error)
})

test("a short write is continued, and one that stops is a failure", async () => {
  let most = 7
  const disk: Disk = {
    ...realDisk,
    write: (file, bytes, offset, length, position, done) =>
      most === 0 ? done(null, 0) : realDisk.write(file, bytes, offset, Math.min(most, length), position, done)
  }
  const directory = newDirectory()
  const storage = await start(directory, { disk })
  const entries = [command(1, 1, Buffer.alloc(99, 3)), noOp(2, 1)]
  await storage.persist(append(...entries))
  expect((await found(image(directory))).entries).toEqual(entries)
  most = 0
  expect((await storage.persistFailing(append(noOp(3, 1)))).message).toContain("could be written")
})

test("one change is one sync, and the record is one write", async () => {
  const calls: Array<string> = []
  const disk: Disk = {
    write: (file, bytes, offset, length, position, done) => {
      calls.push("write")
      return realDisk.write(file, bytes, offset, length, position, done)
    },
    fdatasync: (file, done) => {
      calls.push("sync")
      return realDisk.fdatasync(file, done)
    }
  }
  const storage = await start(newDirectory(), { disk, segmentBytes: 1 << 20 })
  await storage.persist(append(noOp(1, 1)))
  calls.length = 0
  await storage.persist({ ...vote(1, "A"), log: append(noOp(2, 1), noOp(3, 1)).log })
  expect(calls).toEqual(["write", "sync"])
})
