/** Three real replicas under a client that writes without a pause, while their leader is killed again and again. */
import { afterEach, assert, describe, it } from "vitest"
import { base64, eventually, RealCluster } from "./RealCluster.ts"

let cluster: RealCluster | undefined

afterEach(async () => {
  await cluster?.stopAll()
  cluster = undefined
})

/** Writes keys that are all different, each once, and notes what became of each. */
class Writer {
  readonly acknowledged = new Set<string>()
  /** May or may not have been applied: the answer did not come, or said so. */
  readonly unknown = new Set<string>()
  readonly refused = new Set<string>()
  private stopped = false
  private readonly cluster: RealCluster
  private readonly name: string

  constructor(cluster: RealCluster, name: string) {
    this.cluster = cluster
    this.name = name
  }

  async run(): Promise<void> {
    for (let n = 0; !this.stopped; n++) {
      const ids = this.cluster.ids
      await this.write(`${this.name}-${String(n).padStart(6, "0")}`, ids[n % ids.length]!)
    }
  }

  stop(): void {
    this.stopped = true
  }

  private async write(key: string, through: string): Promise<void> {
    try {
      const { status, body } = await this.cluster.post(through, "/v3/kv/put", { key: base64(key), value: base64(key) })
      if (status === 200) this.acknowledged.add(key)
      else if ((body as { outcome_unknown?: boolean }).outcome_unknown === true) this.unknown.add(key)
      else this.refused.add(key)
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause?.code
      if (cause === "ECONNREFUSED") {
        this.refused.add(key)
        // Nobody listens there now: do not spin on it.
        await new Promise((resolve) => setTimeout(resolve, 5))
      } else this.unknown.add(key)
    }
  }
}

interface Pair {
  readonly key: string
  readonly value: string
  readonly version?: string
}

/** All that a replica has applied, read from itself. */
const everything = async (from: RealCluster, id: string): Promise<ReadonlyMap<string, Pair>> => {
  const { body } = await from.post(id, "/v3/kv/range", { key: base64("w"), range_end: base64("x"), serializable: true })
  const pairs = (body as { kvs?: ReadonlyArray<Pair> }).kvs ?? []
  return new Map(pairs.map((pair) => [Buffer.from(pair.key, "base64").toString(), pair]))
}

describe("three real replicas", () => {
  it("lose no acknowledged write when their leader is killed with -9 five times", async () => {
    cluster = await RealCluster.make(["A", "B", "C"])
    const three = cluster
    for (const id of three.ids) three.start(id)
    await three.leader()
    const writers = ["w1", "w2", "w3"].map((name) => new Writer(three, name))
    const writing = Promise.all(writers.map((writer) => writer.run()))
    const written = () => writers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
    for (let round = 1; round <= 5; round++) {
      const before = written()
      await eventually("writes", async () => (written() >= before + 100 ? true : undefined))
      const leader = await three.leader()
      await three.kill(leader)
      const rest = three.ids.filter((id) => id !== leader)
      await three.leader(rest)
      const without = written()
      await eventually("writes without it", async () => (written() >= without + 100 ? true : undefined))
      three.start(leader)
    }
    await three.leader()
    for (const writer of writers) writer.stop()
    await writing
    const acknowledged = new Set(writers.flatMap((writer) => [...writer.acknowledged]))
    const unknown = new Set(writers.flatMap((writer) => [...writer.unknown]))
    assert.isAtLeast(acknowledged.size, 1000)

    // One more write, and its arrival everywhere, shows that everybody has applied what came before it.
    const last = await three.post(await three.leader(), "/v3/kv/put", {
      key: base64("w-last"),
      value: base64("w-last")
    })
    assert.strictEqual(last.status, 200)
    const copies = await Promise.all(
      three.ids.map((id) =>
        eventually(`the last write on ${id}`, async () => {
          const pairs = await everything(three, id).catch(() => undefined)
          return pairs?.has("w-last") ? pairs : undefined
        })
      )
    )
    for (const [at, pairs] of copies.entries()) {
      const missing = [...acknowledged].filter((key) => !pairs.has(key))
      assert.deepStrictEqual(missing, [], `acknowledged, and not on ${three.ids[at]}`)
      const strange = [...pairs.keys()].filter((key) => key !== "w-last" && !acknowledged.has(key) && !unknown.has(key))
      assert.deepStrictEqual(strange, [], `refused or never written, and yet on ${three.ids[at]}`)
      for (const [key, { value, version }] of pairs) {
        assert.strictEqual(Buffer.from(value, "base64").toString(), key)
        assert.strictEqual(version, "1", `${key} was written once`)
      }
      assert.deepStrictEqual(pairs, copies[0], "the same on every replica")
    }
  }, 180_000)
})
