/** Clients that send a write again, at another replica, until they have an answer, while leaders are killed with -9. */
import { afterEach, assert, describe, it } from "vitest"
import { base64, eventually, RealCluster } from "./RealCluster.ts"

let cluster: RealCluster | undefined

afterEach(async () => {
  await cluster?.stopAll()
  cluster = undefined
})

interface Written {
  readonly revision: string
  /** Whether the answer was one to an earlier attempt. */
  readonly replayed: boolean
  readonly attempts: number
}

const put = async (
  three: RealCluster,
  id: string,
  key: string
): Promise<{ status: number; revision: string; replayed: boolean } | undefined> => {
  try {
    const response = await fetch(`http://127.0.0.1:${three.ports.get(id)!.client}/v3/kv/put`, {
      method: "POST",
      headers: { "idempotency-key": `the put of ${key}` },
      body: JSON.stringify({ key: base64(key), value: base64(key) }),
      signal: AbortSignal.timeout(8000)
    })
    const { header } = (await response.json()) as { header?: { revision: string } }
    const replayed = response.headers.get("idempotency-replayed") === "true"
    return { status: response.status, revision: header?.revision ?? "", replayed }
  } catch {
    return undefined
  }
}

/** Until it is answered; attempts that came to nothing may have been carried out or not. */
const insist = async (three: RealCluster, key: string, from: number): Promise<Written> => {
  let attempts = 0
  const answer = await eventually(`an answer to ${key}`, async () => {
    const one = await put(three, three.ids[(from + attempts++) % three.ids.length]!, key)
    return one?.status === 200 ? one : undefined
  })
  return { ...answer, attempts }
}

describe("three real replicas", () => {
  it("carry out once what is sent until it is answered, whoever is killed", async () => {
    cluster = await RealCluster.make(["A", "B", "C"])
    const three = cluster
    for (const id of three.ids) three.start(id)
    await three.leader()
    const written = new Map<string, Written>()
    const stopped = new AbortController()
    const writing = Promise.all(
      [0, 1, 2, 3].map(async (writer) => {
        for (let n = 0; !stopped.signal.aborted; n++) {
          const key = `w${writer}-${n}`
          written.set(key, await insist(three, key, writer))
        }
      })
    )
    for (let round = 1; round <= 3; round++) {
      const before = written.size
      await eventually("writes", async () => (written.size >= before + 50 ? true : undefined))
      const leader = await three.leader()
      await three.kill(leader)
      await three.leader(three.ids.filter((id) => id !== leader))
      three.start(leader)
    }
    stopped.abort()
    await writing
    // All at once, and all have it only in their logs and snapshots.
    await Promise.all(three.ids.map((id) => three.kill(id)))
    for (const id of three.ids) three.start(id)
    await three.leader()

    const [key, first] = [...written][0]!
    const again = await insist(three, key, 1)
    assert.deepStrictEqual([again.revision, again.replayed], [first.revision, true])
    const { body } = await three.post(await three.leader(), "/v3/kv/range", {
      key: base64("w"),
      range_end: base64("x")
    })
    const { kvs } = body as { kvs: ReadonlyArray<{ key: string; version: string; mod_revision: string }> }
    assert.strictEqual(kvs.length, written.size)
    for (const kv of kvs) {
      const name = Buffer.from(kv.key, "base64").toString()
      assert.strictEqual(kv.version, "1", `${name} was carried out once`)
      assert.strictEqual(kv.mod_revision, written.get(name)!.revision, `${name} was told its own revision`)
    }
    assert.isAbove([...written.values()].filter(({ attempts }) => attempts > 1).length, 0, "some were sent again")
  }, 120_000)
})
