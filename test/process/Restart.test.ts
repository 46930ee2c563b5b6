/** A rolling restart of three real replicas under load: what an operator does at each upgrade. */
import { afterEach, assert, describe, it } from "vitest"
import { base64, eventually, RealCluster } from "./RealCluster.ts"

let cluster: RealCluster | undefined

afterEach(async () => {
  await cluster?.stopAll()
  cluster = undefined
})

/** As a client library writes: a replica that refuses, or is not there, is left for the next one at once. */
class Writer {
  readonly acknowledged = new Map<string, number>()
  unknown = 0
  private stopped = false
  private at = 0
  private readonly cluster: RealCluster
  private readonly name: string

  constructor(cluster: RealCluster, name: string, at: number) {
    this.cluster = cluster
    this.name = name
    this.at = at
  }

  async run(): Promise<void> {
    for (let n = 0; !this.stopped; n++) await this.write(`${this.name}-${String(n).padStart(6, "0")}`)
  }

  stop(): void {
    this.stopped = true
  }

  private async write(key: string): Promise<void> {
    while (!this.stopped) {
      const id = this.cluster.ids[this.at % this.cluster.ids.length]!
      try {
        const put = { key: base64(key), value: base64(key) }
        const { status, body } = await this.cluster.post(id, "/v3/kv/put", put)
        if (status === 200) return void this.acknowledged.set(key, performance.now())
        if ((body as { outcome_unknown?: boolean }).outcome_unknown === true) this.unknown++
      } catch (error) {
        if ((error as { cause?: { code?: string } }).cause?.code !== "ECONNREFUSED") this.unknown++
      }
      this.at++
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
}

describe("three real replicas that are restarted one after the other, the leader among them", () => {
  it("lose no acknowledged write, and keep on writing", async () => {
    cluster = await RealCluster.make(["A", "B", "C"])
    const three = cluster
    for (const id of three.ids) three.start(id)
    await three.leader()
    const writers = ["w1", "w2", "w3", "w4"].map((name, at) => new Writer(three, name, at))
    const writing = Promise.all(writers.map((writer) => writer.run()))
    const written = () => writers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
    const more = async (count: number): Promise<void> => {
      const before = written()
      await eventually("writes", async () => (written() >= before + count ? true : undefined))
    }
    await more(200)
    let handedOver = 0
    for (const id of three.ids) {
      const led = (await three.leader()) === id
      const began = three.process(id)
      assert.strictEqual(await three.stop(id), 0, began.log())
      if (led) {
        handedOver++
        assert.include(began.log(), "leads, so this replica can stop", "it hands over before it stops")
        assert.notInclude(began.log(), "stops as the leader")
      }
      await more(50)
      three.start(id)
      await eventually(`${id} is ready`, () => ready(three, id))
      await more(100)
    }
    // Whoever was restarted last has been handed the leadership at least once by then, or has handed it over.
    assert.isAtLeast(handedOver, 1)
    for (const writer of writers) writer.stop()
    await writing

    const times = writers.flatMap(({ acknowledged }) => [...acknowledged.values()]).toSorted((a, b) => a - b)
    // Told, not judged: a machine that is busy with other tests has gaps of its own. That nobody had to wait for a timeout is
    // judged above: whoever led has handed over before it stopped.
    const gaps = times.slice(1).map((time, at) => time - times[at]!)
    const longest = Math.max(...gaps)
    const unknown = writers.reduce((sum, writer) => sum + writer.unknown, 0)
    console.log(
      `rolling restart: ${times.length} writes, longest gap ${longest.toFixed(0)} ms, ${handedOver} handed over, ${unknown} unknown outcomes`
    )
    const leader = await three.leader()
    const { body } = await three.post(leader, "/v3/kv/range", { key: base64("w"), range_end: base64("x") })
    const kvs = (body as { kvs: ReadonlyArray<{ key: string }> }).kvs
    const held = new Set(kvs.map(({ key }) => Buffer.from(key, "base64").toString()))
    const missing = writers.flatMap(({ acknowledged }) => [...acknowledged.keys()]).filter((key) => !held.has(key))
    assert.deepStrictEqual(missing, [])
  }, 120_000)
})

const ready = async (three: RealCluster, id: string): Promise<true | undefined> => {
  const url = `http://127.0.0.1:${three.ports.get(id)!.client}/readyz`
  const response = await fetch(url).catch(() => undefined)
  return response?.status === 200 ? true : undefined
}
