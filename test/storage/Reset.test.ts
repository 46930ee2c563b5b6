/** A log is begun anew without breaking a promise that could still be read, and a crash cannot leave half of it. */
import * as fs from "node:fs"
import * as path from "node:path"
import { Effect } from "effect"
import { expect, test } from "vitest"
import { ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import * as Fresh from "../../src/storage/Fresh.ts"
import * as Identity from "../../src/storage/Identity.ts"
import * as Reset from "../../src/storage/Reset.ts"
import {
  append,
  bend,
  command,
  empty,
  flip,
  found,
  image,
  newDirectory,
  noOp,
  persist,
  position,
  recordsOf,
  segmentPath,
  start,
  startFailing,
  vote
} from "./Fixture.ts"
import { PowerCut } from "./PowerCut.ts"

/** Two segments and a snapshot, damaged in the first record. */
const damaged = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(persist({ admitted: true }))
  for (let i = 1; i <= 4; i++) await storage.persist(append(command(i, 1, Buffer.alloc(1000, i))))
  await Effect.runPromise(storage.snapshots.write(position(4, 1), [Buffer.from("four")]))
  await storage.persist(vote(7, "B"))
  const killed = image(directory)
  flip(segmentPath(killed), recordsOf(segmentPath(killed))[0]!.start * 8)
  return killed
}

const now = new Date("2026-11-23T10:00:00.000Z")
const folder = "damaged-2026-11-23T10-00-00-000Z"

const hardState = { currentTerm: 7, votedFor: "B" }

test("the log is empty, the promises are kept, and what was there is aside", async () => {
  const directory = await damaged()
  const old = fs.readdirSync(directory).filter((name) => name !== "identity")
  expect((await startFailing(directory)).reason).toBe("Corrupt")
  const done = await Effect.runPromise(Reset.reset(directory, "a bit was flipped", now))
  expect(done).toEqual({ folder: path.join(directory, folder), hardState })
  expect(fs.readdirSync(done.folder)).toEqual([...old.filter((name) => name !== "lock"), "reset"].toSorted())
  expect(fs.readFileSync(path.join(done.folder, "reset"), "utf8")).toContain('"reason":"a bit was flipped"')
  const { incarnation, ...rest } = await found(directory)
  expect(rest).toEqual({ ...empty, admitted: false, hardState, entries: [] })
  expect(incarnation).toBe(2)
  // And once more, from what it has become.
  const storage = await start(directory)
  await storage.persist({ ...vote(9), log: append(noOp(1, 8)).log })
  await storage.close()
  await Effect.runPromise(Reset.reset(directory, "again", new Date(now.getTime() + 1)))
  expect(await found(directory)).toMatchObject({
    ...empty,
    admitted: false,
    hardState: { currentTerm: 9 },
    entries: []
  })
})

test("the term of an entry counts like one that was persisted for itself", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(noOp(1, 12)))
  await storage.close()
  await Effect.runPromise(Reset.reset(directory, "", now))
  expect((await found(directory)).hardState).toEqual({ currentTerm: 12, votedFor: undefined })
})

test("a log that is gone altogether is begun anew", async () => {
  const directory = await damaged()
  for (const number of [1, 2]) fs.rmSync(segmentPath(directory, number))
  await Effect.runPromise(Reset.reset(directory, "", now))
  expect(await found(directory)).toMatchObject({ ...empty, admitted: false, entries: [] })
})

test("the power may be cut at any step", async () => {
  const directory = await damaged()
  const old = [1, 2].map((number) => fs.readFileSync(segmentPath(directory, number)))
  let refused = 0
  let decided = false
  const power = new PowerCut(directory, async (cut) => {
    const recovered = await found(cut).catch((error) => error)
    if ("reason" in recovered) {
      // Only while nothing was decided, and then nothing is lost: asked again, it is done.
      expect([recovered.reason, decided]).toEqual(["Corrupt", false])
      refused++
      await Effect.runPromise(Reset.reset(cut, "again", now))
    } else decided = true
    expect(await found(cut)).toMatchObject({ ...empty, admitted: false, hardState, entries: [] })
    expect(fs.existsSync(path.join(cut, "reset"))).toBe(false)
    expect(fs.readdirSync(path.join(cut, folder)).length).toBe(4)
    const aside = [1, 2].map((number) => fs.readFileSync(segmentPath(path.join(cut, folder), number)))
    expect(aside.every((bytes, i) => bytes.equals(old[i]!))).toBe(true)
  })
  await Effect.runPromise(Reset.reset(directory, "", now, { ...power.names }))
  await power.cut()
  expect(refused).toBeGreaterThan(0)
  expect(power.cuts).toBeGreaterThan(20)
})

test("a directory in use, or nobody's, or with a broken decision", async () => {
  const directory = newDirectory()
  const storage = await start(directory)
  const failing = (place: string) => Effect.runPromise(Effect.flip(Reset.reset(place, "", now)))
  expect((await failing(directory)).reason).toBe("InUse")
  await storage.close()
  expect((await failing(newDirectory())).message).toContain("holds no replica")
  const broken = await damaged()
  const names = { rename: () => Promise.reject(new Error("no")), unlink: fs.promises.unlink, sync: async () => {} }
  await Effect.runPromise(Effect.flip(Reset.reset(broken, "", now, names)))
  // It was never decided: what was to be the decision is cleared away.
  expect((await startFailing(broken)).reason).toBe("Corrupt")
  expect(fs.existsSync(path.join(broken, "reset.tmp"))).toBe(false)
  for (const text of ["{}", "", '{"format":1,"folder":"x","lastNumber":1,"reason":"","checksum":3}']) {
    fs.writeFileSync(path.join(broken, "reset"), text)
    expect((await startFailing(broken)).message).toContain(`${path.join(broken, "reset")} is damaged`)
  }
  fs.writeFileSync(path.join(broken, "reset"), '{"format":2}')
  expect((await startFailing(broken)).reason).toBe("UnknownFormat")
})

const contents: Fresh.Contents = {
  identity: { cluster: "harbour", replica: ReplicaId("A"), voters: [ReplicaId("B"), ReplicaId("A")], incarnation: 0 },
  hardState: { currentTerm: Term(4), votedFor: undefined },
  admitted: true,
  base: position(1000, 4)
}

test("a directory whose log begins after a base", async () => {
  const directory = path.join(newDirectory(), "new", "directory")
  await Effect.runPromise(Fresh.create(directory, contents))
  const { incarnation: _, ...rest } = await found(directory)
  const { hardState: kept, admitted, base } = contents
  expect(rest).toEqual({ hardState: kept, admitted, base, entries: [], snapshots: [] })
  const storage = await start(directory)
  await storage.persist(append(noOp(1001, 5)))
  await storage.close()
  expect((await found(directory)).entries).toEqual([noOp(1001, 5)])
  const error = await Effect.runPromise(Effect.flip(Fresh.create(directory, contents)))
  expect([error.reason, error.message]).toEqual([
    "InUse",
    expect.stringContaining(`${directory} holds a replica's data`)
  ])
})

test("a crash while a directory is made leaves none that starts", async () => {
  const directory = newDirectory()
  await Effect.runPromise(Fresh.create(directory, contents))
  fs.rmSync(path.join(directory, Identity.fileName))
  expect((await startFailing(directory)).message).toContain("the file is missing, while there is a log")
  const error = await Effect.runPromise(Effect.flip(Fresh.create(directory, contents)))
  expect(error.reason).toBe("InUse")
  bend(segmentPath(directory), (bytes) => bytes.fill(0))
  expect((await startFailing(directory)).reason).toBe("Corrupt")
})
