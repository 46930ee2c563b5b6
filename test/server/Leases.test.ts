/** Leases over the gateway, beyond what was recorded from etcd. */
import { Effect } from "effect"
import { expect, test } from "vitest"
import { NotUnderstood, Unavailable } from "../../src/runtime/RequestError.ts"
import { base64, start } from "./TestServer.ts"

test("an id that is left to the server is one that nobody has, and comes back to the last digit", async () => {
  const server = await start()
  const ids = new Set<string>()
  for (let count = 0; count < 20; count++) {
    const { ID } = JSON.parse((await server.post("/v3/lease/grant", { TTL: 10 })).text)
    expect(BigInt(ID) > 0n && BigInt(ID) < 2n ** 63n).toBe(true)
    ids.add(ID)
  }
  expect(ids.size).toBe(20)
  expect([...ids].some((id) => BigInt(id) > 2n ** 53n)).toBe(true)
  const { leases } = JSON.parse((await server.post("/v3/lease/leases", {})).text)
  expect(new Set(leases.map(({ ID }: { readonly ID: string }) => ID))).toEqual(ids)
})

test.each([
  ["as a string", '"1152921504606846977"'],
  ["as a number", "1152921504606846977"]
])("an id beyond 2^53 %s is not rounded", async (_, id) => {
  const server = await start()
  await server.post("/v3/lease/grant", `{"TTL":10,"ID":${id}}`)
  await server.post("/v3/kv/put", `{"key":"aw==","lease":${id}}`)
  const { kvs } = JSON.parse((await server.post("/v3/kv/range", { key: base64("k") })).text)
  expect(kvs[0].lease).toBe("1152921504606846977")
  const kept = JSON.parse((await server.post("/v3/lease/keepalive", `{"ID":${id}}`)).text)
  expect(kept.result).toMatchObject({ ID: "1152921504606846977", TTL: "10" })
  const left = await server.post("/v3/kv/txn", `{"compare":[{"key":"aw==","target":"LEASE","lease":${id}}]}`)
  expect(JSON.parse(left.text).succeeded).toBe(true)
})

test("how long it has left goes by the cluster's time, and it is kept alive from then on", async () => {
  const server = await start()
  await server.post("/v3/lease/grant", { TTL: 10, ID: 7 })
  await server.post("/v3/kv/put", { key: base64("b"), lease: 7 })
  await server.post("/v3/kv/put", { key: base64("a"), lease: 7 })
  server.replica.time = 7_500
  const left = async () => JSON.parse((await server.post("/v3/lease/timetolive", { ID: 7, keys: true })).text)
  expect(await left()).toMatchObject({ TTL: "2", grantedTTL: "10", keys: [base64("a"), base64("b")] })
  await server.post("/v3/lease/keepalive", { ID: 7 })
  expect(await left()).toMatchObject({ TTL: "10" })
  server.replica.time = 17_500
  const late = JSON.parse((await server.post("/v3/lease/keepalive", { ID: 7 })).text)
  expect(late.result.TTL).toBeUndefined()
})

test("a keep-alive that could not be carried out is no lease that has ended", async () => {
  const server = await start()
  await server.post("/v3/lease/grant", { TTL: 10, ID: 7 })
  server.replica.instead = Effect.fail(new Unavailable({ message: "nobody leads", outcomeUnknown: false }))
  const got = await server.post("/v3/lease/keepalive", { ID: 7 })
  expect(got.status).toBe(503)
  expect(JSON.parse(got.text).error).toEqual({
    grpc_code: 14,
    http_code: 503,
    message: "etcdserver: no leader",
    http_status: "Service Unavailable",
    reason: "nobody leads"
  })
})

test("a keep-alive that fails after others is the last line", async () => {
  const server = await start()
  await server.post("/v3/lease/grant", { TTL: 10, ID: 7 })
  const { text, status } = await server.post("/v3/lease/keepalive", '{"ID":7}\n{"ID":"x"}\n{"ID":7}')
  const lines = text.trimEnd().split("\n")
  expect([status, lines.length]).toEqual([200, 2])
  expect(JSON.parse(lines[0]!).result.TTL).toBe("10")
  expect(JSON.parse(lines[1]!).error).toMatchObject({ grpc_code: 3, http_code: 400, http_status: "Bad Request" })
})

test.each([
  ['{"ID":7} }', 2],
  ['{"ID":7,"x":"}{"}{"ID":7}', 2],
  ['{"ID":7,"x":{"y":{}}}{"ID":7}{"ID":7}', 3],
  ["[]", 1],
  ['{"ID":7', 1]
])("several in one body: %s", async (body, lines) => {
  const server = await start()
  const { text } = await server.post("/v3/lease/keepalive", body)
  expect(text.trimEnd().split("\n")).toHaveLength(lines)
})

test("many keys of a lease are told in many pieces", async () => {
  const server = await start()
  await server.post("/v3/lease/grant", { TTL: 10, ID: 7 })
  const keys = Array.from({ length: 3_000 }, (_, number) => `${"k".repeat(100)}${String(number).padStart(4, "0")}`)
  for (const some of Array.from({ length: 30 }, (_, at) => keys.slice(at * 100, at * 100 + 100))) {
    const success = some.map((key) => ({ request_put: { key: base64(key), lease: 7 } }))
    expect((await server.post("/v3/kv/txn", { success })).status).toBe(200)
  }
  const got = await server.post("/v3/lease/timetolive", { ID: 7, keys: true })
  expect(got.headers.get("content-length")).toBeNull()
  expect(JSON.parse(got.text).keys).toEqual(keys.map(base64))
  const revoked = JSON.parse((await server.post("/v3/lease/revoke", { ID: 7 })).text)
  expect(revoked.header.revision).toBe("32")
  expect(JSON.parse((await server.post("/v3/kv/range", { key: "AA==", range_end: "AA==" })).text).kvs).toBeUndefined()
})

test("an id below 0 is one as well, as in etcd", async () => {
  const server = await start()
  expect(JSON.parse((await server.post("/v3/lease/grant", { TTL: 10, ID: -79 })).text).ID).toBe("-79")
  expect((await server.post("/v3/kv/put", { key: base64("k"), lease: "-79" })).status).toBe(200)
  const { kvs } = JSON.parse((await server.post("/v3/kv/range", { key: base64("k") })).text)
  expect(kvs[0].lease).toBe("-79")
  expect((await server.post("/v3/lease/revoke", { ID: -79 })).status).toBe(200)
  expect(server.replica.store().revision).toBe(3)
})

test.each([
  ["lease/grant", { TTL: 10 }],
  ["lease/revoke", { ID: 7 }],
  ["lease/keepalive", { ID: 7 }],
  ["lease/timetolive", { ID: 7 }],
  ["kv/compaction", { revision: 1 }],
  ["kv/txn", { success: [{ request_put: { key: base64("k") } }] }],
  ["lock/lock", { name: base64("l"), lease: 7 }],
  ["election/campaign", { name: base64("e"), lease: 7 }]
])("where not all replicas understand it yet, %s is not served", async (path, body) => {
  const server = await start()
  const message = "the cluster has agreed on version 2"
  server.replica.instead = Effect.fail(new NotUnderstood({ message, version: 2, outcomeUnknown: false }))
  const { status, text } = await server.post(`/v3/${path}`, body)
  expect(status).toBe(501)
  expect(text).toContain("not all replicas understand this yet; nothing was changed")
})
