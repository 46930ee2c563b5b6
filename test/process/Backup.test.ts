/** The ways back, with real processes: a new cluster from a backup, and a damaged replica from its peers. */
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs"
import * as path from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { base64, eventually, outcome, RealCluster, type ReplicaProcess, run } from "./RealCluster.ts"

let cluster: RealCluster | undefined

afterEach(async () => {
  await cluster?.stopAll()
  cluster = undefined
})

/** The program as a user runs it; its standard output and error together. */
const balsa = async (...args: ReadonlyArray<string>): Promise<{ readonly code: number | null; readonly log: string }> =>
  outcome(run(args, "balsa"))

const endpointsOf = (three: RealCluster): string =>
  three.ids.map((id) => `127.0.0.1:${three.ports.get(id)!.client}`).join(",")

interface Pair {
  readonly key: string
  readonly value: string
}

interface Found {
  readonly revision: number
  readonly pairs: ReadonlyMap<string, string>
}

const text = (encoded: string): string => Buffer.from(encoded, "base64").toString()

/** All keys, by a linearizable read; undefined where there is no answer. */
const everything = async (from: RealCluster, id: string, serializable = false): Promise<Found | undefined> => {
  const request = { key: base64("\0"), range_end: base64("\0"), serializable }
  const answer = await from.post(id, "/v3/kv/range", request, 3000).catch(() => undefined)
  if (answer?.status !== 200) return undefined
  const { header, kvs = [] } = answer.body as { header: { revision: string }; kvs?: ReadonlyArray<Pair> }
  return { revision: Number(header.revision), pairs: new Map(kvs.map(({ key, value }) => [text(key), text(value)])) }
}

/** Puts keys that are all different, one after the other, and remembers those that were acknowledged. */
class Writer {
  readonly acknowledged = new Set<string>()
  /** The highest that any answer told. */
  revision = 0
  private stopped = false
  private readonly cluster: RealCluster
  private readonly through: ReadonlyArray<string>

  constructor(cluster: RealCluster, through: ReadonlyArray<string>) {
    this.cluster = cluster
    this.through = through
  }

  async run(name: string): Promise<void> {
    for (let n = 0; !this.stopped; n++) {
      const key = `${name}-${n}`
      const body = { key: base64(key), value: base64(key.repeat(20)) }
      const id = this.through[n % this.through.length]!
      const answer = await this.cluster.post(id, "/v3/kv/put", body).catch(() => undefined)
      if (answer?.status !== 200) continue
      this.acknowledged.add(key)
      this.revision = Math.max(this.revision, Number((answer.body as { header: { revision: string } }).header.revision))
    }
  }

  stop(): void {
    this.stopped = true
  }

  async reaches(count: number): Promise<void> {
    await eventually(`${count} writes`, async () => (this.acknowledged.size >= count ? true : undefined))
  }

  missingFrom({ pairs }: Found): ReadonlyArray<string> {
    return [...this.acknowledged].filter((key) => pairs.get(key) !== key.repeat(20))
  }
}

const begin = async (): Promise<RealCluster> => {
  const three = await RealCluster.make(["A", "B", "C"])
  cluster = three
  for (const id of three.ids) three.start(id)
  await three.leader()
  return three
}

const dataOf = (three: RealCluster, id: string): string => path.join(three.directory, id)

const flagsOf = (three: RealCluster, id: string, ...names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const args = three.arguments(id)
  return names.flatMap((name) => [name, args[args.indexOf(name) + 1]!])
}

/** What `balsa status` notes on a replica. */
const noteOn = async (three: RealCluster, id: string): Promise<string> => {
  const { log } = await balsa("status", "-o", "plain", "-e", endpointsOf(three))
  const row = log.split("\n").find((line) => line.startsWith(`${id}\t`)) ?? ""
  return row.split("\t").at(-1) ?? ""
}

const isWell = (three: RealCluster, id: string): Promise<true> =>
  eventually(`${id} to be well`, async () => ((await noteOn(three, id)) === "ok" ? true : undefined))

describe("a backup", () => {
  it("of a running cluster begins a new one, in which no revision comes back and no old replica takes part", async () => {
    const three = await begin()
    const writers = [new Writer(three, three.ids), new Writer(three, three.ids)]
    const writing = Promise.all(writers.map((writer, at) => writer.run(`w${at}`)))
    for (const writer of writers) await writer.reaches(150)

    const before = writers.map(({ acknowledged }) => new Set(acknowledged))
    const file = path.join(three.directory, "backup.snap")
    const saved = await balsa("snapshot", "save", file, "-e", endpointsOf(three))
    assert.strictEqual(saved.code, 0, saved.log)
    // There are writes that the backup does not have, and their revisions were told to clients.
    for (const writer of writers) await writer.reaches(writer.acknowledged.size + 50)
    for (const writer of writers) writer.stop()
    await writing
    const oldRevision = Math.max(...writers.map(({ revision }) => revision))

    await Promise.all(three.ids.map((id) => three.kill(id)))
    renameSync(dataOf(three, "C"), dataOf(three, "old-C"))
    for (const id of ["A", "B"]) rmSync(dataOf(three, id), { recursive: true })
    for (const id of three.ids) {
      const restored = await balsa("restore", file, ...flagsOf(three, id, "--id", "--peers", "--data-dir"))
      assert.strictEqual(restored.code, 0, restored.log)
    }
    for (const id of three.ids) three.start(id)
    await three.leader()

    const found = await eventually("all keys", () => everything(three, "A"))
    for (const [at, keys] of before.entries()) {
      const missing = [...keys].filter((key) => found.pairs.get(key) !== key.repeat(20))
      assert.deepStrictEqual(missing, [], `acknowledged to writer ${at} before the backup`)
    }
    assert.isAbove(found.revision, oldRevision)
    const copies = await Promise.all(
      three.ids.map((id) => eventually(`the keys of ${id}`, () => everything(three, id, true)))
    )
    for (const copy of copies) assert.deepStrictEqual(copy, found, "the same everywhere")
    for (const id of three.ids) await isWell(three, id)

    // The old C, with all that it has promised and stored in the old cluster, in the place of the new one.
    await three.kill("C")
    renameSync(dataOf(three, "C"), dataOf(three, "new-C"))
    renameSync(dataOf(three, "old-C"), dataOf(three, "C"))
    const old = three.start("C")
    await eventually("a refusal because of the epoch", async () => (/epoch/i.test(old.log()) ? true : undefined))
    const put = await three.post("A", "/v3/kv/put", { key: base64("new"), value: base64("new") })
    assert.strictEqual(put.status, 200)
    assert.isAbove(Number((put.body as { header: { revision: string } }).header.revision), oldRevision)
    const seen = await eventually("what the old C has", () => everything(three, "C", true))
    assert.isFalse(seen.pairs.has("new"), "nothing of the new cluster has reached it")
    assert.isAtMost(seen.revision, oldRevision)
    assert.notStrictEqual(await noteOn(three, "C"), "ok")

    // A disk that is lost in the new cluster is no reason to be refused.
    await three.kill("C")
    rmSync(dataOf(three, "C"), { recursive: true })
    three.start("C")
    await isWell(three, "C")
    const back = await eventually("the new key on C", async () => {
      const all = await everything(three, "C", true)
      return all?.pairs.has("new") === true ? all : undefined
    })
    assert.deepStrictEqual(back, await everything(three, "A"))
  }, 180_000)
})

/** Changes a byte halfway to the end of what is written, with undamaged records on both sides. */
const damageMiddle = (file: string): void => {
  const handle = openSync(file, "r+")
  try {
    const bytes = Buffer.alloc(fstatSync(handle).size)
    readSync(handle, bytes)
    let end = bytes.length
    while (bytes[end - 1] === 0) end--
    const middle = end >> 1
    writeSync(handle, Buffer.of(bytes[middle]! ^ 0x55), 0, 1, middle)
  } finally {
    closeSync(handle)
  }
}

describe("a log that is damaged in its middle", () => {
  it("keeps the replica from starting, and is repaired from its peers under load without a loss", async () => {
    const three = await begin()
    const leader = await three.leader()
    const id = three.ids.find((one) => one !== leader)!
    const writer = new Writer(
      three,
      three.ids.filter((one) => one !== id)
    )
    const writing = writer.run("w")
    await writer.reaches(200)
    await three.kill(id)
    const directory = dataOf(three, id)
    const file = path.join(directory, "log-0000000001.wal")
    damageMiddle(file)

    const started: ReplicaProcess = three.start(id)
    const refusal = await outcome(started)
    assert.strictEqual(refusal.code, 1, refusal.log)
    const [, offset] = /log-0000000001\.wal is damaged at offset (\d+)/.exec(refusal.log) ?? []
    assert.isDefined(offset, refusal.log)
    assert.include(refusal.log, `balsa storage repair --from-peers --data-dir ${directory}`)
    const verified = await balsa("storage", "verify", "--data-dir", directory)
    assert.strictEqual(verified.code, 1)
    assert.include(verified.log, `damaged: ${file} at offset ${offset}`)

    const repair = ["storage", "repair", "--from-peers", "--data-dir", directory, "-e", endpointsOf(three)]
    const other = three.ids.find((one) => one !== id && one !== leader)!
    // Two that are away at once are a majority that could forget.
    three.freeze(other)
    const unsafe = await balsa(...repair, "--timeout", "1s")
    three.thaw(other)
    assert.strictEqual(unsafe.code, 4, unsafe.log)
    assert.include(unsafe.log, "BALSA_PEERS_NOT_READY")

    const repaired = await eventually("a repair", async () => {
      const ran = await balsa(...repair)
      return ran.code === 0 ? ran : undefined
    })
    assert.include(repaired.log, path.join(directory, "damaged-"))
    const count = writer.acknowledged.size
    three.start(id)
    await isWell(three, id)
    await writer.reaches(count + 100)
    writer.stop()
    await writing

    const inUse = await balsa(...repair, "--force")
    assert.strictEqual(inUse.code, 1, inUse.log)
    assert.include(inUse.log, "BALSA_IN_USE")
    const inspected = await balsa("storage", "inspect", "--data-dir", directory, "-o", "json")
    const { admitted, in_use_by, problems } = JSON.parse(inspected.log) as Record<string, unknown>
    assert.deepStrictEqual([admitted, in_use_by, problems], [true, three.process(id).child.pid, []])

    const found = await eventually("all keys", () => everything(three, leader))
    assert.deepStrictEqual(writer.missingFrom(found), [])
    const own = await eventually("all of them on the repaired one", async () => {
      const all = await everything(three, id, true)
      return all !== undefined && all.revision >= found.revision ? all : undefined
    })
    assert.deepStrictEqual(own.pairs, found.pairs)
    // It counts again: with the other one gone, it is half of the majority.
    await three.kill(other)
    const last = await eventually("a write with its help", async () => {
      const answer = await three.post(id, "/v3/kv/put", { key: base64("last") }).catch(() => undefined)
      return answer?.status === 200 ? true : undefined
    })
    assert.isTrue(last)
  }, 180_000)
})
