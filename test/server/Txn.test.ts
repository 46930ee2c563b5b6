/** Transactions over the gateway, beyond what was recorded from etcd: how they go, how large they may be, and once only. */
import { describe, expect, test } from "vitest"
import { base64, start } from "./TestServer.ts"

const key = base64("k")

describe("which way it goes", () => {
  test.each([
    ["writes", { success: [{ request_put: { key } }] }, { propose: 1, query: 0, queryLocal: 0 }],
    ["would write otherwise", { failure: [{ requestDeleteRange: { key } }] }, { propose: 1, query: 0, queryLocal: 0 }],
    [
      "writes in a nested one",
      { success: [{ request_txn: { failure: [{ request_put: { key } }] } }] },
      { propose: 1, query: 0, queryLocal: 0 }
    ],
    ["reads", { success: [{ request_range: { key } }] }, { propose: 0, query: 1, queryLocal: 0 }],
    ["only compares", { compare: [{ key, target: "CREATE" }] }, { propose: 0, query: 0, queryLocal: 1 }],
    [
      "reads what may be stale",
      { success: [{ request_range: { key, serializable: true } }] },
      { propose: 0, query: 0, queryLocal: 1 }
    ],
    [
      "reads what may be stale and what may not",
      { success: [{ request_range: { key, serializable: true } }], failure: [{ request_range: { key } }] },
      { propose: 0, query: 1, queryLocal: 0 }
    ]
  ])("one that %s", async (_, body, calls) => {
    const server = await start()
    expect((await server.post("/v3/kv/txn", body)).status).toBe(200)
    expect(server.replica.calls).toEqual(calls)
  })
})

test("is carried out once under an Idempotency-Key, and answered alike", async () => {
  const server = await start()
  const body = {
    compare: [{ key, target: "VERSION", version: 0 }],
    success: [{ request_put: { key, value: base64("first") } }],
    failure: [{ request_range: { key } }]
  }
  const first = await server.post("/v3/kv/txn", body, { "Idempotency-Key": "one" })
  const again = await server.post("/v3/kv/txn", body, { "Idempotency-Key": "one" })
  expect(JSON.parse(first.text).succeeded).toBe(true)
  expect(again.text).toBe(first.text)
  expect(again.headers.get("idempotency-replayed")).toBe("true")
  const otherwise = await server.post("/v3/kv/txn", { ...body, failure: [] }, { "Idempotency-Key": "one" })
  expect(otherwise.status).toBe(422)
  expect(JSON.parse((await server.post("/v3/kv/txn", body)).text).succeeded).toBeUndefined()
})

test("what it puts may be as long together as one request may", async () => {
  const server = await start({ maxRequestBytes: 1_000 })
  const put = (name: string, length: number) => ({
    request_put: { key: base64(name), value: base64("v".repeat(length)) }
  })
  expect((await server.post("/v3/kv/txn", { success: [put("a", 499), put("b", 499)] })).status).toBe(200)
  const got = await server.post("/v3/kv/txn", { success: [put("a", 499)], failure: [put("b", 500)] })
  expect([got.status, JSON.parse(got.text).message]).toEqual([400, "etcdserver: request is too large"])
})

test("a long answer comes in pieces, and is the same JSON", async () => {
  const server = await start()
  const value = base64("v".repeat(10_000))
  const keys = Array.from({ length: 100 }, (_, number) => base64(`k${String(number).padStart(4, "0")}`))
  for (const one of keys) await server.post("/v3/kv/put", { key: one, value })
  const all = { request_range: { key: base64("k"), range_end: base64("l") } }
  const got = await server.post("/v3/kv/txn", {
    success: [all, { request_put: { key: base64("z") } }, { request_txn: { success: [all] } }]
  })
  expect(got.headers.get("content-length")).toBeNull()
  const { responses } = JSON.parse(got.text)
  expect(responses[0].response_range.kvs.map((kv: { key: string }) => kv.key)).toEqual(keys)
  expect(responses[2].response_txn.responses[0].response_range).toEqual({
    ...responses[0].response_range,
    header: { revision: "102" }
  })
  expect(responses[1].response_put).toEqual({ header: { revision: "102" } })
})

test("numbers beyond what any revision is compare as they would", async () => {
  const server = await start()
  await server.post("/v3/kv/put", { key })
  const holds = async (compare: object): Promise<boolean> =>
    JSON.parse((await server.post("/v3/kv/txn", { compare: [{ key, ...compare }] })).text).succeeded === true
  const huge = "9223372036854775807"
  expect(await holds({ target: "VERSION", version: huge, result: "LESS" })).toBe(true)
  expect(await holds({ target: "VERSION", version: huge })).toBe(false)
  expect(await holds({ target: "MOD", mod_revision: `-${huge}`, result: "GREATER" })).toBe(true)
  expect(await holds({ target: "MOD", mod_revision: -1, result: "LESS" })).toBe(false)
  expect(await holds({ target: "CREATE", create_revision: -1 })).toBe(false)
  expect(await holds({ target: "LEASE", lease: "-1", result: "NOT_EQUAL" })).toBe(true)
})

test("is nested as deep as a command can be, and no deeper", async () => {
  const server = await start()
  const nested = (depth: number): string => `${'{"success":[{"request_txn":'.repeat(depth)}{}${"}]}".repeat(depth)}`
  expect((await server.post("/v3/kv/txn", nested(15))).status).toBe(200)
  const got = await server.post("/v3/kv/txn", nested(16))
  expect([got.status, JSON.parse(got.text).message]).toEqual([
    400,
    "balsa: transactions are nested deeper than 16 levels"
  ])
  expect(JSON.parse((await server.post("/v3/kv/txn", nested(2_000))).text).message).toMatch(/nested deeper than 16/)
})
