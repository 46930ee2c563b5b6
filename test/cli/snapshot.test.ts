/** `balsa snapshot` and `balsa restore`: what is kept is whole, and what is not whole is not kept. */
import { unstamped } from "../../src/raft/Machine.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest"
import * as Epoch from "../../src/codec/Epoch.ts"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import { ClusterTime, Index, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Image } from "../../src/raft/Snapshot.ts"
import * as Restoration from "../../src/maintenance/Restoration.ts"
import { run as runCli } from "./InProcess.ts"
import { Program } from "./Program.ts"

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "balsa-snapshot-"))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const stateOf = (count: number): KvState => {
  let state = KvMachine.initial
  for (let n = 0; n < count; n++) {
    state = KvMachine.apply(
      state,
      { _tag: "Put", key: `k${n}`, value: Buffer.alloc(100, n), prevKv: false },
      unstamped
    )[0]
  }
  return state
}

const image: Image<KvState> = {
  last: { index: Index(1005), term: Term(3) },
  configuration: Configurations.of([ReplicaId("A"), ReplicaId("B"), ReplicaId("C")]),
  applied: new Map([[ReplicaId("A"), { replica: ReplicaId("A"), incarnation: 9e12, sequence: 4 }]]),
  hash: 0xabcdef,
  epoch: 2,
  time: ClusterTime(0),
  version: 1,
  ceiling: undefined,
  value: stateOf(1000)
}
const whole = Buffer.concat([...SnapshotCodec.encode(image, KvStateCodec)])

const line = (blob: Uint8Array, remaining: number): string =>
  `${JSON.stringify({ result: { header: {}, remaining_bytes: String(remaining), blob: Buffer.from(blob).toString("base64") } })}\n`

/** As a server would send these bytes, in pieces. */
const linesOf = (bytes: Buffer, pieceBytes = 40_000): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes)
    lines.push(line(piece, bytes.length - at - piece.length))
  }
  return lines
}

/** Gives the address, and what was asked. */
const serve = async (answer: (response: ServerResponse) => void) => {
  const asked: Array<string> = []
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      asked.push(`${request.method} ${request.url}`)
      answer(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { at: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const serveText = (text: string) => serve((response) => response.end(text))

const healthy = () => serveText(linesOf(whole).join(""))

const names = () => readdirSync(directory).toSorted()
const path = (name: string) => join(directory, name)

describe("snapshot save", () => {
  test("keeps what came, and says what it is", async () => {
    const { at, asked } = await healthy()
    const ran = await runCli(["snapshot", "save", path("b.snap"), "-e", at])
    expect(ran).toMatchObject({ code: 0, err: "" })
    expect(ran.out).toMatch(
      /^saved .*b\.snap: \d+ bytes, revision 1001, index 1005 of term 3, 1000 keys, hash 00abcdef, [\d.]+ s\n$/
    )
    expect(asked).toEqual(["POST /v3/maintenance/snapshot"])
    expect(names()).toEqual(["b.snap"])
    expect(readFileSync(path("b.snap")).equals(whole)).toBe(true)
  })

  test("-o json is one object", async () => {
    const { at } = await healthy()
    const ran = await runCli(["snapshot", "save", path("b.snap"), "-e", at, "-o", "json"])
    expect(JSON.parse(ran.out)).toEqual({
      file: path("b.snap"),
      format: 1,
      bytes: whole.length,
      revision: 1001,
      keys: 1000,
      index: 1005,
      term: 3,
      epoch: 2,
      hash: "00abcdef",
      voters: ["A", "B", "C"],
      seconds: expect.any(Number)
    })
  })

  test("replaces a file only with --force", async () => {
    const { at, asked } = await healthy()
    writeFileSync(path("b.snap"), "older")
    const refused = await runCli(["snapshot", "save", path("b.snap"), "-e", at])
    expect(refused).toMatchObject({ code: 1, out: "" })
    expect(refused.err).toMatch(/^BALSA_FILE_EXISTS: .*--force/)
    expect(asked).toEqual([])
    expect(readFileSync(path("b.snap"), "utf8")).toBe("older")
    expect(await runCli(["snapshot", "save", path("b.snap"), "-e", at, "--force"])).toMatchObject({ code: 0 })
    expect(readFileSync(path("b.snap")).equals(whole)).toBe(true)
    expect((await runCli(["snapshot", "save", directory, "-e", at, "--force"])).err).toContain("is a directory")
  })

  const all = linesOf(whole)
  const flipped = Buffer.from(whole)
  flipped[50_000]! ^= 1
  const broken: ReadonlyArray<readonly [string, (response: ServerResponse) => void, RegExp]> = [
    ["ends early", (to) => to.end(all.slice(0, -1).join("")), /^BALSA_TRANSFER_BROKEN: .*after \d+ of \d+ bytes/],
    ["ends in a line", (to) => to.end(all.join("").slice(0, -30)), /^BALSA_TRANSFER_BROKEN: .*ended within a line/],
    [
      "loses its connection",
      (to) => {
        to.write(all[0])
        setTimeout(() => to.destroy(), 20)
      },
      /^BALSA_TRANSFER_BROKEN: /
    ],
    ["pauses for too long", (to) => void to.write(all[0]), /^BALSA_TRANSFER_BROKEN: .*no byte within 0.4 s/],
    ["lacks a piece", (to) => to.end([all[0], ...all.slice(2)].join("")), /^BALSA_TRANSFER_BROKEN: .*do not add up/],
    [
      "is broken off by the server",
      (to) => to.end(`${all[0]}{"error":{"message":"the disk is gone"}}\n`),
      /^BALSA_TRANSFER_BROKEN: .*the disk is gone/
    ],
    ["has no end", (to) => to.end(""), /^BALSA_TRANSFER_BROKEN: .*before it began/],
    [
      "comes with a flipped bit",
      (to) => to.end(linesOf(flipped).join("")),
      /^BALSA_SNAPSHOT_DAMAGED: .* at offset \d+, /
    ],
    [
      "comes with a length that is too short, and right for all that",
      (to) => to.end(linesOf(whole.subarray(0, whole.length - 10)).join("")),
      /^BALSA_SNAPSHOT_DAMAGED: .*it ends before its end/
    ]
  ]
  for (const [what, answer, complaint] of broken) {
    test(`leaves nothing behind of one that ${what}, and what was there before`, async () => {
      const { at } = await serve(answer)
      writeFileSync(path("old.snap"), "older")
      for (const name of ["new.snap", "old.snap"]) {
        const ran = await runCli(["snapshot", "save", path(name), "--force", "-e", at, "--timeout", "400ms"])
        expect(ran).toMatchObject({ code: 1, out: "" })
        expect(ran.err).toMatch(complaint)
        expect(ran.err.trimEnd()).not.toContain("\n")
      }
      expect(names()).toEqual(["old.snap"])
      expect(readFileSync(path("old.snap"), "utf8")).toBe("older")
    })
  }

  test("leaves nothing behind when it is interrupted", async () => {
    const begun = Promise.withResolvers<void>()
    const { at } = await serve((to) => to.write(all[0], () => begun.resolve()))
    const program = await Program.build()
    const child = program.start(["snapshot", "save", path("b.snap"), "-e", at])
    const ended = new Promise((resolve) => child.on("close", resolve))
    await begun.promise
    await expect.poll(names).toEqual([expect.stringMatching(/^b\.snap\.\d+\.part$/)])
    child.kill("SIGINT")
    expect(await ended).toBe(130)
    expect(names()).toEqual([])
  })

  test("tells once a second how far it is, on standard error", async () => {
    const { at } = await serve((to) => {
      to.write(all[0])
      setTimeout(() => to.end(all.slice(1).join("")), 1200)
    })
    const ran = await runCli(["snapshot", "save", path("b.snap"), "-e", at])
    expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/^saved/) })
    expect(ran.err).toMatch(/^(asking for a snapshot, 1 s so far|saving: 0\.\d of 0\.1 MiB)\n$/)
  })

  test("goes on to an endpoint that can", async () => {
    const refusing = await serve((to) => {
      to.writeHead(503, { "content-type": "application/json" })
      to.end(JSON.stringify({ message: "etcdserver: no leader", code: 14, reason: "alone" }))
    })
    const hanging = await serve(() => {})
    const { at } = await healthy()
    const endpoints = `127.0.0.1:1,${refusing.at},${hanging.at},${at}`
    const ran = await runCli(["snapshot", "save", path("b.snap"), "-e", endpoints, "--timeout", "400ms"])
    expect(ran).toMatchObject({ code: 0 })
    const none = await runCli(["snapshot", "save", path("c.snap"), "-e", refusing.at])
    expect(none).toMatchObject({ code: 4 })
    expect(none.err).toMatch(/^BALSA_NO_QUORUM: .*alone/)
    expect(names()).toEqual(["b.snap"])
  })
})

describe("snapshot status", () => {
  test("prints what is in it", async () => {
    writeFileSync(path("b.snap"), whole)
    const { out, code } = await runCli(["snapshot", "status", path("b.snap")])
    expect(code).toBe(0)
    expect(out).toContain(
      "revision\t1001\nkeys\t1000\nindex\t1005\nterm\t3\nepoch\t2\nhash\t00abcdef\nvoters\tA, B, C\n"
    )
    const table = await runCli(["snapshot", "status", path("b.snap")], { terminal: true })
    expect(table.out).toMatch(/^FIELD +VALUE\nfile +/)
  })

  test("tells where one is damaged, and exits with 1", async () => {
    for (const at of [3, 30, 60_000, whole.length - 5]) {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 0x10
      writeFileSync(path("b.snap"), bytes)
      const { out, code, err } = await runCli(["snapshot", "status", path("b.snap")])
      expect([code, out]).toEqual([1, ""])
      expect(err).toMatch(/^BALSA_SNAPSHOT_DAMAGED: .*at offset \d+/)
    }
    writeFileSync(path("b.snap"), whole.subarray(0, 70_000))
    expect((await runCli(["snapshot", "status", path("b.snap")])).err).toContain("it ends before its end")
    expect((await runCli(["snapshot", "status", path("none")])).err).toMatch(/^BALSA_FILE: .*ENOENT/)
  })
})

describe("restore", () => {
  const restore = (name: string, ...more: ReadonlyArray<string>) =>
    runCli(["restore", path("b.snap"), "--id", "A", "--peers", "C,B", "--data-dir", path(name), ...more])
  beforeEach(() => writeFileSync(path("b.snap"), whole))

  test("raises the epoch by one and the revision by the bump, and keeps the rest", async () => {
    const voters = [ReplicaId("X"), ReplicaId("A")]
    const first = Restoration.firstImage(image, { cluster: "c", voters, bumpRevision: 500 })
    expect(Epoch.count(first.epoch)).toBe(3)
    expect(first).toMatchObject({ last: image.last, applied: image.applied })
    const { leases, liveBytes } = image.value
    expect(first.value).toMatchObject({ revision: 1501, compacted: 1501, leases, liveBytes })
    expect(first.value.keys).toBe(image.value.keys)
    // What a client of the old cluster has seen cannot be read, and watchers begin after it.
    expect(first.value.history).toMatchObject({ first: 1502, length: 0 })
    expect(first.configuration.voters).toEqual(["A", "X"])
  })

  test("gives equal hashes to equal restores, and other ones to any others", () => {
    const voters = [ReplicaId("A"), ReplicaId("B")]
    const hashOf = (from: Image<KvState>, changes: Partial<Restoration.NewCluster> = {}) =>
      Restoration.firstImage(from, { cluster: "c", voters, bumpRevision: 500, ...changes }).epoch
    expect(hashOf(image)).toBe(hashOf(image, { voters: voters.toReversed() }))
    const others = [
      hashOf(image, { bumpRevision: 501 }),
      hashOf(image, { cluster: "d" }),
      hashOf(image, { voters: [...voters, ReplicaId("C")] }),
      hashOf({ ...image, hash: 1 }),
      hashOf({ ...image, last: { index: Index(1006), term: Term(3) } })
    ]
    expect(new Set([hashOf(image), ...others]).size).toBe(6)
  })

  test("makes a directory that a start takes for the new cluster's", async () => {
    const { code, out, err } = await restore("A")
    expect(code).toBe(0)
    expect(out).toContain("voters\tA, B, C\nkeys\t1000\nrevision\t1000001001\nrevision of the backup\t1001\n")
    expect(out).toContain("epoch\t3\n")
    expect(err).toContain("for C and for B.")
    expect(err).toContain(`balsa serve --id A --peers C,B --data-dir ${path("A")}`)
    const inspected = await runCli(["storage", "inspect", "--data-dir", path("A"), "-o", "json"])
    expect(JSON.parse(inspected.out)).toMatchObject({
      replica: "A",
      cluster: "balsa",
      voters: ["A", "B", "C"],
      // Above that of any request of this name that was applied.
      incarnation: 9e12,
      in_use_by: null,
      term: 3,
      voted_for: null,
      admitted: true,
      base: { index: 1005, term: 3 },
      problems: [],
      snapshots: [{ index: 1005, term: 3 }]
    })
    const [snapshot] = readdirSync(path("A")).filter((name) => name.endsWith(".snap"))
    const status = await runCli(["snapshot", "status", path(`A/${snapshot}`), "-o", "json"])
    expect(JSON.parse(status.out)).toMatchObject({ revision: 1_000_001_001, epoch: 3, keys: 1000 })
  })

  test("takes the options of serve from the environment too, and -o json", async () => {
    const env = { BALSA_ID: "B", BALSA_PEERS: "A", BALSA_CLUSTER: "mine", BALSA_DATA_DIR: path("B") }
    const ran = await runCli(["restore", path("b.snap"), "--bump-revision", "7", "-o", "json"], { env })
    expect(JSON.parse(ran.out)).toMatchObject({
      replica: "B",
      cluster: "mine",
      voters: ["A", "B"],
      revision: 1008,
      revision_of_the_backup: 1001,
      start: "balsa serve"
    })
  })

  test("refuses a directory that is not empty, a damaged file and a bump that makes no sense", async () => {
    writeFileSync(path("b.snap.damaged"), whole.subarray(0, -1))
    await restore("A")
    const before = readdirSync(path("A"))
    expect(await restore("A")).toMatchObject({ code: 1, out: "", err: expect.stringContaining("is not empty") })
    expect(readdirSync(path("A"))).toEqual(before)
    const damaged = await runCli(["restore", path("b.snap.damaged"), "--id", "A", "--data-dir", path("D")])
    expect(damaged).toMatchObject({ code: 1, err: expect.stringMatching(/^BALSA_SNAPSHOT_DAMAGED/) })
    expect(await restore("D", "--bump-revision", "-1")).toMatchObject({ code: 2 })
    expect(await restore("D", "--bump-revision", String(Number.MAX_SAFE_INTEGER))).toMatchObject({ code: 2 })
    expect(await runCli(["restore", path("b.snap"), "--peers", "B"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("See: balsa restore --help")
    })
    expect(names()).not.toContain("D")
  })
})
