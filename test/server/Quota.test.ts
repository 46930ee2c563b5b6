/** The quota: what it keeps out, what it lets in, and that it clears itself. Also what else maintenance tells. */
import { describe, expect, test } from "vitest"
import { base64, start, type TestServer } from "./TestServer.ts"

const key = base64("k")
const long = base64("v".repeat(2_000))
const full = async (): Promise<TestServer> => {
  const server = await start({ quotaBytes: 2_000 })
  expect((await server.post("/v3/kv/put", { key, value: long })).status).toBe(200)
  return server
}

describe("beyond the quota", () => {
  test.each([
    ["kv/put", { key }],
    ["kv/txn", { success: [{ request_put: { key } }] }],
    ["kv/txn", { failure: [{ request_txn: { failure: [{ request_put: { key } }] } }] }],
    ["lease/grant", { TTL: 10 }],
    ["lock/lock", { name: base64("l") }]
  ])("%s %j is kept out", async (path, body) => {
    const server = await full()
    const got = await server.post(`/v3/${path}`, body)
    expect([got.status, JSON.parse(got.text)]).toMatchObject([
      429,
      {
        error: "etcdserver: mvcc: database space exceeded",
        message: "etcdserver: mvcc: database space exceeded",
        code: 8
      }
    ])
    expect(server.replica.store().revision).toBe(2)
  })

  test.each([
    ["kv/deleterange", { key: base64("other") }],
    ["kv/range", { key }],
    ["kv/compaction", { revision: 2 }],
    ["kv/txn", { success: [{ request_delete_range: { key } }, { request_range: { key } }] }],
    ["lease/keepalive", { ID: 7 }],
    ["lease/leases", {}]
  ])("%s %j is let in", async (path, body) => {
    const server = await full()
    expect((await server.post(`/v3/${path}`, body)).status).toBe(200)
  })

  test("it is an alarm, and no longer when there is room", async () => {
    const server = await full()
    const alarms = async () => JSON.parse((await server.post("/v3/maintenance/alarm", {})).text).alarms
    expect(await alarms()).toMatchObject([{ alarm: "NOSPACE", memberID: expect.stringMatching(/^\d+$/) }])
    expect(JSON.parse((await server.post("/v3/maintenance/status", {})).text).errors).toMatchObject([/alarm:NOSPACE/])
    expect((await server.get("/health")).status).toBe(503)
    expect((await server.get("/health?exclude=NOSPACE")).status).toBe(200)
    const clearing = await server.post("/v3/maintenance/alarm", { action: "DEACTIVATE", alarm: "NOSPACE" })
    expect([clearing.status, JSON.parse(clearing.text).message]).toMatchObject([
      412,
      /clears itself as soon as there is room/
    ])
    await server.post("/v3/kv/deleterange", { key })
    expect(await alarms()).toBeUndefined()
    expect((await server.post("/v3/kv/put", { key })).status).toBe(200)
    expect((await server.get("/health")).status).toBe(200)
    expect((await server.post("/v3/maintenance/alarm", { action: 2, alarm: 1 })).text).toBe("{}")
  })

  test("leases without keys count as well, and make room when they go", async () => {
    const server = await start({ quotaBytes: 2_000 })
    const grant = async (ID: number) => (await server.post("/v3/lease/grant", { TTL: 10, ID })).status
    expect([await grant(1), await grant(2), await grant(3), await grant(4), await grant(5)]).toEqual([
      200, 200, 200, 200, 429
    ])
    expect((await server.post("/v3/lease/revoke", { ID: 1 })).status).toBe(200)
    expect(await grant(5)).toBe(200)
  })

  test("a write that may have been carried out before is not said to have done nothing", async () => {
    const server = await start({ quotaBytes: 2_000 })
    const asked = [{ key, value: long }, { "Idempotency-Key": "one" }] as const
    expect((await server.post("/v3/kv/put", ...asked)).status).toBe(200)
    expect(JSON.parse((await server.post("/v3/kv/put", ...asked)).text)).toMatchObject({
      code: 8,
      outcome_unknown: true
    })
  })

  test("0 is none", async () => {
    const server = await start({ quotaBytes: 0 })
    await server.post("/v3/kv/put", { key, value: long })
    expect((await server.post("/v3/kv/put", { key })).status).toBe(200)
  })
})

test("a replica that differs is an alarm, which says how it ends", async () => {
  const server = await start()
  server.replica.differing = { divergedAt: server.replica.status().lastApplied }
  const { alarms } = JSON.parse((await server.post("/v3/maintenance/alarm", {})).text)
  expect(alarms).toMatchObject([{ alarm: "CORRUPT" }])
  const clearing = await server.post("/v3/maintenance/alarm", { action: "DEACTIVATE", alarm: "CORRUPT" })
  expect(JSON.parse(clearing.text).message).toMatch(/when this replica has been made anew/)
  expect((await server.post("/v3/maintenance/alarm", { action: "ACTIVATE", alarm: "NOSPACE" })).status).toBe(501)
})

describe("the hash of the store", () => {
  const hashOf = async (server: TestServer) => {
    const { header, hash } = JSON.parse((await server.post("/v3/maintenance/hash", {})).text)
    return [header.revision, hash]
  }

  test("is equal where the keys are, whatever of the past is kept, and whatever leases have left", async () => {
    const servers = [await start(), await start()] as const
    for (const server of servers) {
      await server.post("/v3/lease/grant", { TTL: 10, ID: 7 })
      for (let count = 0; count < 2_500; count += 100) {
        const success = Array.from({ length: 100 }, (_, at) => ({
          request_put: { key: base64(`k${count + at}`), lease: 7 }
        }))
        await server.post("/v3/kv/txn", { success })
      }
    }
    servers[0].replica.time = 5_000
    await servers[0].post("/v3/lease/keepalive", { ID: 7 })
    await servers[0].post("/v3/kv/compaction", { revision: 10 })
    const hashes = await Promise.all(servers.map(hashOf))
    expect(hashes[0]).toEqual(hashes[1])
    expect(hashes[0]![0]).toBe("26")
  })

  test("differs where anything of a key does", async () => {
    const hashes = new Set<unknown>()
    const sequences: ReadonlyArray<ReadonlyArray<object>> = [
      [{ key }],
      [{ key }, { key }],
      [{ key: base64("l") }],
      [{ key, value: base64("v") }],
      [{ key, lease: 7 }],
      [{ key: base64("kv") }],
      [{ key }, { key: base64("kb") }],
      [{ key: base64("kb") }, { key }],
      []
    ]
    for (const puts of sequences) {
      const server = await start()
      await server.post("/v3/lease/grant", { TTL: 10, ID: 7 })
      for (const put of puts) await server.post("/v3/kv/put", put)
      hashes.add((await hashOf(server))[1])
    }
    expect(hashes.size).toBe(sequences.length)
  })
})
