/** Leases and locks on three real replicas, of which the leader is killed. */
import { assert, describe, it } from "vitest"
import { base64, eventually, type RealCluster } from "./RealCluster.ts"
import { startThree } from "./ThreeReplicas.ts"

/** Commands of leases are of a version on which all have to agree first. */
const startWithLeases = async (): Promise<RealCluster> => {
  const three = await startThree()
  await eventually("leases", async () =>
    (await three.post("A", "/v3/lease/grant", { TTL: 60, ID: 1 })).status === 200 ? true : undefined
  )
  return three
}

interface Lease {
  readonly TTL: string
}

const key = base64("k")

describe("three real replicas", () => {
  it("keep what a lease has left over an election, and let it expire with its key", async () => {
    const three = await startWithLeases()
    const ttlSeconds = 5
    const begun = performance.now()
    await three.post("B", "/v3/lease/grant", { TTL: ttlSeconds, ID: 7 })
    await three.post("C", "/v3/kv/put", { key, lease: "7" })
    await three.kill(await three.leader())
    const left = three.ids.filter((id) => three.process(id).child.signalCode === null)
    await three.leader(left)
    const { body } = await three.post(left[0]!, "/v3/lease/timetolive", { ID: 7 })
    assert.isAtLeast(Number((body as Lease).TTL), 1)
    await eventually("the lease's end", async () => {
      const range = await three.post(left[1]!, "/v3/kv/range", { key })
      return (range.body as { count?: string }).count === undefined ? true : undefined
    })
    // While nobody led, the cluster's time stood still.
    assert.isAtLeast(performance.now() - begun, ttlSeconds * 1000)
    assert.strictEqual(((await three.post(left[0]!, "/v3/lease/timetolive", { ID: 7 })).body as Lease).TTL, "-1")
    // It is one revision on both, and they hold the same.
    const hashes = await eventually("equal revisions", async () => {
      const answers = await Promise.all(left.map((id) => three.post(id, "/v3/maintenance/hash", {})))
      const found = answers.map(({ body: one }) => one as { header: { revision: string }; hash: number })
      return found[0]!.header.revision === found[1]!.header.revision ? found.map(({ hash }) => hash) : undefined
    })
    assert.strictEqual(hashes[0], hashes[1])
  })

  it("pass a lock on to who waits for it at another replica, when its holder's lease is revoked or its leader killed", async () => {
    const three = await startWithLeases()
    const leader = await three.leader()
    const [one, other] = three.ids.filter((id) => id !== leader)
    for (const ID of [2, 3]) await three.post(one!, "/v3/lease/grant", { TTL: 60, ID })
    const lock = (id: string, lease: number) => three.post(id, "/v3/lock/lock", { name: key, lease }, 30_000)
    assert.strictEqual((await lock(one!, 1)).status, 200)
    const waiting = lock(other!, 2)
    const later = lock(one!, 3)
    await eventually("two that wait", async () => {
      const range = await three.post(one!, "/v3/kv/range", {
        key: base64("k/"),
        range_end: base64("k0"),
        count_only: true
      })
      return (range.body as { count?: string }).count === "3" ? true : undefined
    })
    await three.kill(leader)
    await three.leader([one!, other!])
    await three.post(one!, "/v3/lease/revoke", { ID: 1 })
    const { status, body } = await Promise.race([waiting, later])
    assert.strictEqual(status, 200)
    const first = Buffer.from((body as { key: string }).key, "base64").toString()
    const next = first === "k/2" ? later : waiting
    await three.post(one!, "/v3/lock/unlock", { key: base64(first) })
    assert.strictEqual((await next).status, 200)
  })
})
