/** A directory is one replica's; a place that cannot be used is refused in words that help. */
import * as fs from "node:fs"
import * as path from "node:path"
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Identity from "../../src/storage/Identity.ts"
import type { StorageError } from "../../src/storage/Storage.ts"
import { bend, flip, image, newDirectory, noOp, append, start, startFailing } from "./Fixture.ts"

const used = async (): Promise<string> => {
  const directory = newDirectory()
  const storage = await start(directory)
  await storage.persist(append(noOp(1, 1)))
  return image(directory)
}

test("another cluster's directory", async () => {
  const directory = await used()
  const error = await startFailing(directory, { cluster: "lake" })
  expect([error.reason, error.message]).toEqual([
    "WrongCluster",
    `${directory} belongs to cluster "harbour", and this replica is of cluster "lake". Choose the data directory of this cluster, or an empty one.`
  ])
})

test("another replica's directory", async () => {
  const directory = await used()
  const error = await startFailing(directory, { replica: ReplicaId("B") })
  expect([error.reason, error.message]).toEqual([
    "WrongReplica",
    `${directory} belongs to replica "A", and this is replica "B". Two replicas never share a directory: choose this replica's own, or an empty one.`
  ])
})

test("a cluster of other voters", async () => {
  const directory = await used()
  const error = await startFailing(directory, { voters: [ReplicaId("A"), ReplicaId("B"), ReplicaId("C")] })
  expect([error.reason, error.message]).toEqual([
    "WrongCluster",
    `${directory} belongs to a cluster of A, B, and this replica was started in one of A, B, C. Start it with the same --peers as before (members are changed with: balsa member), or choose an empty data directory.`
  ])
  // In another order they are the same.
  expect((await start(directory, { voters: [ReplicaId("B"), ReplicaId("A")] })).recovered.entries.length).toBe(1)
})

test("a start is numbered above the last one, and above those of a directory that was lost", () => {
  const found = { cluster: "harbour", replica: ReplicaId("A"), voters: [ReplicaId("A")], incarnation: 0 }
  const now = Date.UTC(2026, 10, 23)
  const first = Identity.nextIncarnation(found, now)
  expect(Identity.nextIncarnation({ ...found, incarnation: first }, now)).toBe(first + 1)
  expect(Identity.nextIncarnation({ ...found, incarnation: first }, now - 5000)).toBe(first + 1)
  expect(Identity.nextIncarnation(found, now + 1)).toBe(first + 1)
  // Numbers of read attempts are made of it, and stay exact.
  expect(Number.isSafeInteger(Identity.nextIncarnation(found, Date.UTC(2090, 0)) * 4096)).toBe(true)
})

test("being refused changes nothing", async () => {
  const directory = await used()
  const before = fs.readFileSync(path.join(directory, "identity"), "utf8")
  await startFailing(directory, { cluster: "lake" })
  expect(fs.readFileSync(path.join(directory, "identity"), "utf8")).toBe(before)
})

test("a newer format", async () => {
  const directory = await used()
  bend(path.join(directory, "identity"), () => Buffer.from('{"format":3,"something":"else"}\n'))
  const error = await startFailing(directory)
  expect([error.reason, error.message]).toEqual(["UnknownFormat", expect.stringContaining("has format 3")])
})

test("every bit of the identity", async () => {
  const whole = await used()
  const { size } = fs.statSync(path.join(whole, "identity"))
  // The last byte ends the line and says nothing.
  for (let bit = 0; bit < (size - 1) * 8; bit++) {
    const directory = image(whole)
    flip(path.join(directory, "identity"), bit)
    expect(["Corrupt", "UnknownFormat"]).toContain((await startFailing(directory)).reason)
  }
})

test.each(["", "{", "[]", "null", "7", '{"format":1}'])("an identity that reads %j", async (text) => {
  const directory = await used()
  bend(path.join(directory, "identity"), () => Buffer.from(text))
  const error = await startFailing(directory)
  expect([error.reason, error.message]).toEqual(["Corrupt", expect.stringContaining(`${directory}/identity`)])
})

test("a log without its identity", async () => {
  const directory = await used()
  fs.rmSync(path.join(directory, "identity"))
  expect((await startFailing(directory)).message).toContain("the file is missing, while there is a log")
})

test("a directory is made when it is not there, for its user only", async () => {
  const directory = path.join(newDirectory(), "deep", "down")
  const storage = await start(directory)
  expect(storage.recovered.incarnation).toBe(1)
  expect(fs.statSync(directory).mode & 0o777).toBe(0o700)
  expect(fs.statSync(path.join(directory, "identity")).mode & 0o777).toBe(0o600)
})

test("a directory may hold what is not Balsa's, and keeps it", async () => {
  const directory = newDirectory()
  fs.writeFileSync(path.join(directory, "thesis.tmp"), "years of work")
  fs.mkdirSync(path.join(directory, "lost+found"))
  expect((await start(directory)).recovered.incarnation).toBe(1)
  expect(fs.readFileSync(path.join(directory, "thesis.tmp"), "utf8")).toBe("years of work")
})

test("a file where the directory should be", async () => {
  const file = path.join(newDirectory(), "file")
  fs.writeFileSync(file, "")
  for (const place of [file, path.join(file, "below")]) {
    const error = await startFailing(place)
    expect(["Unreadable", "AccessDenied", "ReadOnly"]).toContain(error.reason)
    expect(error.message).toContain(place)
    expect(error.message).toContain("choose another data directory")
  }
})

test.skipIf(!fs.existsSync("/proc/self"))("a place that cannot be written", async () => {
  for (const place of ["/proc/balsa", "/proc/self/fdinfo", "/sys/kernel"]) {
    const error = await startFailing(place)
    expect(["Unreadable", "AccessDenied", "ReadOnly"]).toContain(error.reason)
    expect(error.message).toContain(place)
  }
})

test("a file that cannot be read", async () => {
  const directory = await used()
  fs.rmSync(path.join(directory, "identity"))
  fs.mkdirSync(path.join(directory, "identity"))
  const error = await startFailing(directory)
  expect([error.reason, error.message]).toEqual(["Unreadable", expect.stringContaining(`Cannot read ${directory}`)])
})

test("a recorded sample of format 2: one that joined, and one that was forced on", async () => {
  const directory = newDirectory()
  const recorded = async (text: string) => {
    fs.writeFileSync(path.join(directory, "identity"), `${text}\n`)
    return Identity.read(directory)
  }
  const joined = await recorded(
    '{"format":2,"cluster":"balsa","replica":"B","voters":["A"],"incarnation":28656640167,"joined":{"client":"127.0.0.1:7402","peer":"127.0.0.1:7502"},"recovery":null,"checksum":2933230724}'
  )
  expect(joined).toEqual({
    cluster: "balsa",
    replica: "B",
    voters: ["A"],
    incarnation: 28656640167,
    joined: { client: "127.0.0.1:7402", peer: "127.0.0.1:7502" }
  })
  const forced = { ...joined!, joined: undefined, recovery: "2026-11-28T16:18:13.276Z" }
  await Identity.write(directory, forced)
  expect(await Identity.read(directory)).toEqual(forced)
  expect(Identity.clusterBetweenReplicas(joined!)).toBe("balsa (A)")
  expect(Identity.clusterBetweenReplicas(forced)).toBe("balsa (A), forced on as 2026-11-28T16:18:13.276Z")
})

test("every bit of the identity of one that joined", async () => {
  const directory = newDirectory()
  const place = { client: "127.0.0.1:7402", peer: "127.0.0.1:7502" }
  const identity = { cluster: "c", replica: ReplicaId("B"), voters: [ReplicaId("A")], incarnation: 3, joined: place }
  await Identity.write(directory, { ...identity, recovery: "x" })
  const file = path.join(directory, "identity")
  const whole = fs.readFileSync(file)
  for (let bit = 0; bit < 8 * (whole.length - 1); bit++) {
    const bent = Buffer.from(whole)
    bent[bit >> 3]! ^= 1 << (bit & 7)
    fs.writeFileSync(file, bent)
    const read = await Identity.read(directory).catch((error: StorageError) => error.reason)
    expect(typeof read, `bit ${bit}`).toBe("string")
  }
})
