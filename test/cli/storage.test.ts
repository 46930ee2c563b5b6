/** `balsa storage`: looking changes nothing, damage is told with its place, and a repair is refused whenever it could lose something. */
import * as Configurations from "../../src/raft/Configuration.ts"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { createServer } from "node:net"
import * as path from "node:path"
import { afterEach, describe, expect, test } from "vitest"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { ClusterTime, ReplicaId } from "../../src/raft/LogEntry.ts"
import { clusterIdOf, memberIdOf } from "../../src/server/Ids.ts"
import * as Fixture from "../storage/Fixture.ts"
import { FakeGateway, type Reply } from "./FakeGateway.ts"
import { run } from "./InProcess.ts"

const gateways: Array<FakeGateway> = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close()
})

const three = ["A", "B", "C"].map(ReplicaId)

/** A replica's directory, left by a kill: two entries, one record each, then a snapshot of the second, then a third. */
const directoryOf = async (voters = ["A", "B", "C"]): Promise<string> => {
  const directory = Fixture.newDirectory()
  const storage = await Fixture.start(directory, { voters: voters.map(ReplicaId) })
  await storage.persist(Fixture.persist({ admitted: true }))
  await storage.persist(Fixture.vote(3, "B"))
  await storage.persist(Fixture.append(Fixture.noOp(1, 3)))
  await storage.persist(Fixture.append(Fixture.command(2, 3, Buffer.from("two"))))
  const image = {
    last: Fixture.position(2, 3),
    configuration: Configurations.of(voters.map(ReplicaId)),
    applied: new Map(),
    hash: 1,
    epoch: 0,
    time: ClusterTime(0),
    version: 1,
    ceiling: undefined,
    value: KvMachine.initial
  }
  await Effect.runPromise(storage.snapshots.write(image.last, SnapshotCodec.encode(image, KvStateCodec)))
  await storage.persist(Fixture.append(Fixture.command(3, 3, Buffer.from("three"))))
  return Fixture.image(directory)
}

/** Every name and every byte. */
const contents = (directory: string): string => {
  const hash = createHash("sha256")
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).toSorted()) {
    const file = path.join(directory, name)
    hash.update(name).update(fs.statSync(file).isFile() ? fs.readFileSync(file) : "")
  }
  return hash.digest("hex")
}

/** In the middle: undamaged records follow. */
const damageLog = (directory: string): { readonly file: string; readonly offset: number } => {
  const file = Fixture.segmentPath(directory)
  const { start } = Fixture.recordsOf(file)[2]!
  Fixture.flip(file, (start + 20) * 8)
  return { file, offset: start }
}

const snapshotIn = (directory: string): string =>
  path.join(directory, fs.readdirSync(directory).find((name) => name.endsWith(".snap"))!)

describe("storage inspect", () => {
  test("tells what is there, and changes nothing", async () => {
    const directory = await directoryOf()
    const before = contents(directory)
    const { code, out } = await run(["storage", "inspect", "--data-dir", directory, "-o", "json"])
    expect(code).toBe(0)
    const found = JSON.parse(out)
    expect(found).toMatchObject({
      directory,
      replica: "A",
      cluster: "harbour",
      voters: ["A", "B", "C"],
      in_use_by: null,
      term: 3,
      voted_for: "B",
      admitted: true,
      base: { index: 0, term: 0 },
      last: { index: 3, term: 3 },
      interrupted_bytes: 0,
      snapshots: [{ file: snapshotIn(directory), index: 2, term: 3 }],
      problems: []
    })
    expect(found.segments).toMatchObject([{ number: 1, entries: { lowest: 1, highest: 3 }, damaged: false }])
    const table = await run(["storage", "inspect", "--data-dir", directory], { terminal: true })
    expect(table.out).toMatch(/^voted for +B$/m)
    expect(table.out).toMatch(/^SEGMENT +FORMAT/m)
    expect(table.out).not.toContain("DAMAGED FILE")
    const plain = await run(["storage", "inspect"], { env: { BALSA_DATA_DIR: directory } })
    expect(plain.out).toMatch(/^in use\tno$/m)
    expect(contents(directory)).toBe(before)
  })

  test("works while the directory is in use, and says by whom", async () => {
    const directory = path.join(Fixture.newDirectory(), "so-deep".repeat(15))
    const storage = await Fixture.start(directory, { voters: three })
    await storage.persist(Fixture.append(Fixture.noOp(1, 1)))
    const { out } = await run(["storage", "inspect", "--data-dir", directory])
    expect(out).toContain(`in use\tby process ${process.pid}; this is a moment's picture\n`)
    await storage.persist(Fixture.append(Fixture.noOp(2, 1)))
    expect((await run(["storage", "verify", "--data-dir", directory])).err).toContain(`process ${process.pid} is using`)
    await storage.close()
    expect((await run(["storage", "inspect", "--data-dir", directory])).out).toMatch(/^in use\tno$/m)
  })

  test("is not fooled by the socket of a process that was killed, however long its path", async () => {
    for (const name of ["short", "so-deep".repeat(15)]) {
      const directory = path.join(Fixture.newDirectory(), name)
      fs.mkdirSync(path.join(directory, "lock"), { recursive: true })
      const server = createServer()
      const socket = path.join(Fixture.newDirectory(), "socket")
      await new Promise<void>((resolve) => server.listen(socket, resolve))
      fs.renameSync(socket, path.join(directory, "lock", `${process.pid}-0123456789ab`))
      const inUse = async () =>
        /^in use\t(.*)$/m.exec((await run(["storage", "inspect", "--data-dir", directory])).out)?.[1]
      expect(await inUse()).toMatch(`by process ${process.pid}`)
      await new Promise((resolve) => server.close(resolve))
      expect(await inUse()).toBe("no")
    }
  })

  test("shows damage and goes on", async () => {
    const directory = await directoryOf()
    const { file, offset } = damageLog(directory)
    const { code, out } = await run(["storage", "inspect", "--data-dir", directory])
    expect(code).toBe(0)
    expect(out).toContain(`damage\t${path.basename(file)}\t${offset}\t`)
    expect(out).toMatch(/^segment\t.*\tdamaged$/m)
  })

  test("needs a directory that is there", async () => {
    expect(await run(["storage", "inspect"])).toMatchObject({ code: 2, err: expect.stringContaining("--data-dir") })
    expect(await run(["storage", "inspect", "--data-dir", ""])).toMatchObject({ code: 2 })
    const nowhere = await run(["storage", "inspect", "--id", "nobody-of-this-name"])
    expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining("balsa-data/nobody-of-this-name") })
  })
})

describe("storage verify", () => {
  test("reads everything, and finds nothing", async () => {
    const directory = await directoryOf()
    const before = contents(directory)
    const { code, out, err } = await run(["storage", "verify", "--data-dir", directory])
    expect([code, err]).toEqual([0, ""])
    expect(out).toMatch(
      /^read the log: 1 segments, 5 records, \d+ bytes\nread snapshot-.*: 0 keys, \d+ bytes\nno damage\n$/
    )
    expect(contents(directory)).toBe(before)
  })

  test("finds damage in the log, and says what to do", async () => {
    const directory = await directoryOf()
    const { file, offset } = damageLog(directory)
    const { code, out, err } = await run(["storage", "verify", "--data-dir", directory])
    expect(code).toBe(1)
    expect(out).toContain(`damaged: ${file} at offset ${offset}: `)
    expect(out).not.toContain("no damage")
    expect(err).toMatch(/^BALSA_DAMAGED: .*balsa storage repair --from-peers --data-dir /)
    const alone = await directoryOf(["A"])
    damageLog(alone)
    const lonely = await run(["storage", "verify", "--data-dir", alone])
    expect(lonely).toMatchObject({ code: 1, err: expect.stringContaining("balsa restore") })
    expect(lonely.err).not.toContain("repair")
  })

  test("finds every flipped byte of a snapshot, and one that is too short", async () => {
    const directory = await directoryOf()
    const file = snapshotIn(directory)
    const bytes = fs.readFileSync(file)
    for (let at = 0; at < bytes.length; at += 7) {
      fs.writeFileSync(file, Buffer.from(bytes).fill(bytes[at]! ^ 0x40, at, at + 1))
      const { code, out } = await run(["storage", "verify", "--data-dir", directory, "-o", "json"])
      expect([at, code]).toEqual([at, 1])
      expect(JSON.parse(out).problems).toMatchObject([{ file }])
    }
    fs.writeFileSync(file, bytes.subarray(0, -3))
    const { code, err } = await run(["storage", "verify", "--data-dir", directory])
    expect(code).toBe(1)
    expect(err).toMatch(/^BALSA_DAMAGED: .*puts it aside/)
    // A whole one, under the name of another.
    fs.writeFileSync(file, bytes)
    fs.renameSync(file, file.replace("-3-", "-4-"))
    expect(await run(["storage", "verify", "--data-dir", directory])).toMatchObject({ code: 1 })
  })
})

/** B, which leads, as it tells of itself, and C. */
const replicaB = async (changes: object = {}) => `${await other("B", changes)},${await other("C", {})}`

const other = async (name: string, changes: object) => {
  const cluster = "harbour"
  const id = memberIdOf(cluster, ReplicaId(name))
  const header = { cluster_id: clusterIdOf(cluster), member_id: id, revision: "9", raft_term: "4" }
  const leader = memberIdOf(cluster, ReplicaId("B"))
  const status = { header, leader, raftIndex: "50", raftTerm: "4", raftAppliedIndex: "50", ...changes }
  const fake = new FakeGateway(
    ({ path: asked }): Reply => ({
      status: 200,
      body: asked.endsWith("list") ? { header, members: [{ ID: id, name }] } : status
    })
  )
  gateways.push(fake)
  return fake.listen()
}

describe("storage repair", () => {
  const repair = (directory: string, ...more: ReadonlyArray<string>) =>
    run(["storage", "repair", "--from-peers", "--data-dir", directory, ...more])

  const expectRefused = async (
    directory: string,
    ran: Awaited<ReturnType<typeof run>>,
    code: number,
    complaint: RegExp
  ) => {
    expect(ran).toMatchObject({ code, out: "" })
    expect(ran.err).toMatch(complaint)
    expect(fs.readdirSync(directory).filter((name) => name.startsWith("damaged-"))).toEqual([])
  }

  test("sets aside what is damaged, keeps the promises, and the replica is not admitted", async () => {
    const directory = await directoryOf()
    const { file, offset } = damageLog(directory)
    expect(await Fixture.startFailing(directory, { voters: three })).toMatchObject({
      reason: "Corrupt",
      message: expect.stringContaining("balsa storage repair --from-peers")
    })
    const { code, out, err } = await repair(directory, "-e", await replicaB())
    expect([code, err.split("\n").length]).toEqual([0, 3])
    const [, folder] = /^set aside\t(.*)$/m.exec(out)!
    expect(out).toContain("term\t3\n")
    expect(fs.readdirSync(folder!)).toContain(path.basename(file))
    expect(fs.readFileSync(path.join(folder!, "reset"), "utf8")).toContain(`is damaged at offset ${offset}`)
    expect(err).toContain("Start A as before")
    const { recovered } = await Fixture.start(directory, { voters: three })
    expect(recovered).toMatchObject({
      hardState: { currentTerm: 3, votedFor: "B" },
      admitted: false,
      entries: [],
      snapshots: []
    })
  })

  test("without --from-peers explains that there is no other way", async () => {
    const directory = await directoryOf()
    damageLog(directory)
    await expectRefused(
      directory,
      await run(["storage", "repair", "--data-dir", directory]),
      2,
      /--from-peers.*no other way/
    )
  })

  test("not while the directory is in use, forced or not", async () => {
    const directory = Fixture.newDirectory()
    await Fixture.start(directory, { voters: three })
    for (const force of [[], ["--force"]]) {
      const ran = await repair(directory, "-e", await replicaB(), ...force)
      await expectRefused(directory, ran, 1, /^BALSA_IN_USE: process \d+ is using/)
    }
  })

  test("not when nothing is damaged, but for one that differs", async () => {
    const directory = await directoryOf()
    await expectRefused(directory, await repair(directory, "-e", await replicaB()), 1, /^BALSA_UNDAMAGED: .*--diverged/)
    expect(await repair(directory, "-e", await replicaB(), "--diverged")).toMatchObject({ code: 0 })
  })

  test("not when the others are not all well, but for --force, which warns", async () => {
    const directory = await directoryOf()
    damageLog(directory)
    const behind = await replicaB({ raftIndex: "1" })
    await expectRefused(
      directory,
      await repair(directory, "-e", behind),
      4,
      /^BALSA_PEERS_NOT_READY: B knows of 1 .* A of 2/
    )
    await expectRefused(directory, await repair(directory, "-e", behind, "--diverged"), 4, /^BALSA_PEERS_NOT_READY: /)
    await expectRefused(
      directory,
      await repair(directory, "-e", "127.0.0.1:1"),
      4,
      /B does not answer.*ECONNREFUSED.*lost/
    )
    const forced = await repair(directory, "-e", behind, "--force")
    expect(forced).toMatchObject({ code: 0, err: expect.stringMatching(/^warning: B knows of 1 .*lost/) })
  })

  test("not for the only voter, whatever is asked for", async () => {
    const directory = await directoryOf(["A"])
    damageLog(directory)
    await expectRefused(directory, await repair(directory, "--force"), 1, /^BALSA_SOLE_VOTER: .*balsa restore/)
  })

  test("not for one of two voters, who cannot lead without each other", async () => {
    const directory = await directoryOf(["A", "B"])
    damageLog(directory)
    const ran = await repair(directory, "-e", await replicaB(), "--force")
    await expectRefused(directory, ran, 1, /^BALSA_TWO_VOTERS: A is one of two voters/)
  })

  test("not for a directory that is another replica's, another cluster's, or nobody's", async () => {
    const directory = await directoryOf()
    damageLog(directory)
    const at = await replicaB()
    const wrong: ReadonlyArray<ReadonlyArray<string>> = [
      ["--id", "B"],
      ["--cluster", "port"],
      ["--peers", "B,D"],
      ["--peers", "C=127.0.0.1:7502"]
    ]
    for (const flags of wrong) {
      await expectRefused(
        directory,
        await repair(directory, "-e", at, ...flags),
        1,
        /^BALSA_WRONG_DIRECTORY: .*belongs to/
      )
    }
    const right = ["--id", "A", "--cluster", "harbour", "--peers", "B=127.0.0.1:7502,C=127.0.0.1:7503"]
    expect(await repair(directory, "-e", at, ...right)).toMatchObject({ code: 0 })
    const lost = await directoryOf()
    fs.writeFileSync(path.join(lost, "identity"), "nonsense")
    await expectRefused(lost, await repair(lost, "-e", at), 1, /^BALSA_DAMAGED: whose directory/)
    const empty = Fixture.newDirectory()
    await expectRefused(empty, await repair(empty, "-e", at), 1, /this is no data directory/)
  })
})
