/** A real leader that stands still, hears nothing, or cannot speak: it must give way, and answer nothing that is old. */
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { sleep } from "./Clients.ts"
import { Network } from "./Network.ts"
import { type Answer, base64, eventually, RealCluster } from "./RealCluster.ts"

let cluster: RealCluster
let network: Network

beforeEach(async () => {
  cluster = await RealCluster.make(["A", "B", "C"])
  network = await Network.between(cluster.ports)
  cluster.peerPort = network.port
  for (const id of cluster.ids) cluster.start(id)
})

afterEach(async () => {
  await cluster.stopAll()
  await network.close()
})

const key = base64("k")

const put = (id: string, value: string): Promise<true> =>
  eventually(`a write through ${id}`, async () => {
    const answer = await cluster.post(id, "/v3/kv/put", { key, value: base64(value) }).catch(() => undefined)
    return answer?.status === 200 ? true : undefined
  })

const get = (id: string): Promise<Answer | undefined> =>
  cluster.post(id, "/v3/kv/range", { key }).catch(() => undefined)

/** `undefined` if it gave none. */
const valueIn = (answer: Answer | undefined): string | undefined => {
  if (answer?.status !== 200) return undefined
  const { kvs } = answer.body as { kvs?: ReadonlyArray<{ value: string }> }
  return Buffer.from(kvs?.[0]?.value ?? "", "base64").toString()
}

const others = (id: string): ReadonlyArray<string> => cluster.ids.filter((other) => other !== id)

describe("a leader frozen for longer than the election timeout", () => {
  for (const alone of [false, true]) {
    it(`serves no stale read when it wakes ${alone ? "and hears nobody" : "among its peers"} (143)`, async () => {
      for (let round = 0; round < 3; round++) {
        const leader = await cluster.leader()
        await put(leader, "old")
        cluster.freeze(leader)
        if (alone) network.isolate(leader, { _tag: "Held" })
        const next = await cluster.leader(others(leader))
        await put(next, `new ${round}`)
        // These begin after that write was acknowledged; the kernel keeps them until it wakes.
        const asked = Array.from({ length: 10 }, () => get(leader))
        await sleep(50)
        cluster.thaw(leader)
        for (let more = 0; more < 30; more++) {
          asked.push(get(leader))
          await sleep(20)
        }
        network.heal()
        const read = (await Promise.all(asked)).map(valueIn).filter((value) => value !== undefined)
        assert.deepStrictEqual([...new Set(read)], read.length === 0 ? [] : [`new ${round}`])
        // And it is of use again.
        const value = await eventually(`a read through ${leader}`, async () => valueIn(await get(leader)))
        assert.strictEqual(value, `new ${round}`)
      }
    }, 180_000)
  }
})

describe("a leader that hears late and can no longer speak", () => {
  it("serves no read that is older than what its successor has acknowledged", async () => {
    for (let round = 0; round < 5; round++) {
      const leader = await cluster.leader()
      await put(leader, `old ${round}`)
      await network.hearLate(leader, 400)
      const stale: Array<string> = []
      const latest: { acknowledged?: string } = {}
      const over = new AbortController()
      const reading = (async () => {
        while (!over.signal.aborted) {
          const least = latest.acknowledged
          const value = valueIn(await get(leader))
          if (value !== undefined && least !== undefined && value !== least) stale.push(value)
          await sleep(2)
        }
      })()
      network.mute(leader, { _tag: "Held" })
      // Through nobody else: a write that its follower still forwarded to the old leader would lie in that
      // leader's log uncommitted, and keep every read waiting there.
      await put(await cluster.leader(others(leader)), `new ${round}`)
      latest.acknowledged = `new ${round}`
      await sleep(700)
      over.abort()
      network.heal()
      await reading
      assert.deepStrictEqual(stale, [])
    }
  }, 120_000)
})

describe("a leader that is cut off one way", () => {
  for (const cut of ["Held", "Refused", "HalfOpen"] as const) {
    it(`and speaks but does not hear steps down, and another is elected (35), ${cut}`, async () => {
      const leader = await cluster.leader()
      await put(leader, "old")
      network.deafen(leader, { _tag: cut })
      const next = await eventually("another leader", async () => {
        const now = await cluster.leaderNow(others(leader))
        return now === leader ? undefined : now
      })
      await put(next, "new")
      // It knows that it hears no majority, and says so instead of answering what it has.
      await eventually("a refusal", async () => ((await get(leader))?.status === 503 ? true : undefined))
      network.heal()
      const value = await eventually(`a read through ${leader}`, async () => valueIn(await get(leader)))
      assert.strictEqual(value, "new")
    }, 120_000)

    it(`and hears but cannot speak gives way to another (34), ${cut}`, async () => {
      const leader = await cluster.leader()
      await put(leader, "old")
      network.mute(leader, { _tag: cut })
      const next = await cluster.leader(others(leader))
      await put(next, "new")
      // It follows the new leader and cannot ask it, so it must not answer either.
      assert.isUndefined(valueIn(await get(leader)))
      network.heal()
      const value = await eventually(`a read through ${leader}`, async () => valueIn(await get(leader)))
      assert.strictEqual(value, "new")
    }, 120_000)
  }
})
