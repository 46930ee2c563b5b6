/** The `Idempotency-Key` of writes: what is one, what it does, and what is said where it cannot. */
import { Effect } from "effect"
import { describe, expect, test } from "vitest"
import { NotUnderstood } from "../../src/runtime/RequestError.ts"
import { base64, start, type TestServer } from "./TestServer.ts"

const keyOf = (name: string) => ({ "Idempotency-Key": name })
const body = { key: base64("k"), value: base64("v") }
const day = 24 * 60 * 60 * 1000

const revisionOf = ({ text }: { readonly text: string }): string => JSON.parse(text).header.revision
const range = async (server: TestServer) => JSON.parse((await server.post("/v3/kv/range", { key: base64("k") })).text)

test("a put is carried out once, and its answer is the first one", async () => {
  const server = await start()
  const first = await server.post("/v3/kv/put", body, keyOf("one"))
  await server.post("/v3/kv/put", { key: base64("other") })
  const again = await server.post("/v3/kv/put", body, keyOf("one"))
  expect([first.status, again.status]).toEqual([200, 200])
  expect([revisionOf(first), revisionOf(again)]).toEqual(["2", "2"])
  expect(again.text).toBe(first.text)
  expect(first.headers.get("idempotency-replayed")).toBeNull()
  expect(again.headers.get("idempotency-replayed")).toBe("true")
  expect((await range(server)).kvs).toMatchObject([{ version: "1", mod_revision: "2" }])
})

test("a delete range that is sent again tells what it deleted", async () => {
  const server = await start()
  await server.post("/v3/kv/put", body)
  const wanted = { key: base64("k"), prev_kv: true }
  const first = await server.post("/v3/kv/deleterange", wanted, keyOf("gone"))
  await server.post("/v3/kv/put", body)
  const again = await server.post("/v3/kv/deleterange", wanted, keyOf("gone"))
  expect(JSON.parse(again.text)).toMatchObject({ deleted: "1", prev_kvs: [{ value: base64("v") }] })
  expect(again.text).toBe(first.text)
  expect((await range(server)).count).toBe("1")
})

test("two at once both get the one answer", async () => {
  const server = await start()
  const both = await Promise.all([1, 2].map(() => server.post("/v3/kv/put", body, keyOf("twice"))))
  expect(both.map(revisionOf)).toEqual(["2", "2"])
  expect(both.filter(({ headers }) => headers.get("idempotency-replayed") === "true")).toHaveLength(1)
})

test.each([
  ["another value", "put", { ...body, value: base64("w") }],
  ["another key", "put", { ...body, key: base64("l") }],
  ["asking for the pair before", "put", { ...body, prev_kv: true }],
  ["another operation", "deleterange", { key: base64("k") }]
])("the same key with %s is refused, and changes nothing", async (_, operation, other) => {
  const server = await start()
  await server.post("/v3/kv/put", body, keyOf("one"))
  const answer = await server.post(`/v3/kv/${operation}`, other, keyOf("one"))
  expect(answer.status).toBe(422)
  expect(JSON.parse(answer.text)).toMatchObject({ code: 3, message: expect.stringContaining("another request") })
  expect((await range(server)).kvs).toMatchObject([{ value: base64("v"), version: "1" }])
})

test("a key is forgotten after a day of the cluster's time", async () => {
  const server = await start()
  await server.post("/v3/kv/put", body, keyOf("one"))
  server.replica.time = day - 1
  expect(revisionOf(await server.post("/v3/kv/put", body, keyOf("one")))).toBe("2")
  server.replica.time = day
  const later = await server.post("/v3/kv/put", body, keyOf("one"))
  expect([revisionOf(later), later.headers.get("idempotency-replayed")]).toEqual(["3", null])
})

test("an answer too long to keep is not given again, and the request not carried out again", async () => {
  const server = await start()
  await server.post("/v3/kv/put", { ...body, value: base64("x".repeat(70_000)) })
  const wanted = { ...body, prev_kv: true }
  expect((await server.post("/v3/kv/put", wanted, keyOf("long"))).status).toBe(200)
  const again = await server.post("/v3/kv/put", wanted, keyOf("long"))
  expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([409, "true"])
  expect(JSON.parse(again.text).message).toContain("too long to keep")
  expect((await range(server)).kvs).toMatchObject([{ version: "2" }])
})

test("where not all replicas understand it, nothing is done and this is said", async () => {
  const server = await start()
  server.replica.instead = Effect.fail(
    new NotUnderstood({ message: "the cluster has agreed on 1", version: 1, outcomeUnknown: false })
  )
  const answer = await server.post("/v3/kv/put", body, keyOf("one"))
  expect(answer.status).toBe(501)
  expect(JSON.parse(answer.text)).toMatchObject({ code: 12, message: expect.stringContaining("not all replicas") })
  expect(JSON.parse(answer.text).outcome_unknown).toBeUndefined()
})

describe("what is a key", () => {
  const good = ["x", '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a b", "~!", "k".repeat(255), "a, b"]
  test.each(good)("%s", async (name) => {
    const server = await start()
    await server.post("/v3/kv/put", body, keyOf(name))
    expect(revisionOf(await server.post("/v3/kv/put", body, keyOf(name)))).toBe("2")
  })

  const bad = ["", "k".repeat(256), "caf\u00e9", "a\tb", "\u00ff"]
  test.each(bad)("not %j", async (name) => {
    for (const operation of ["put", "deleterange"]) {
      const server = await start()
      const answer = await server.post(`/v3/kv/${operation}`, { key: base64("k") }, keyOf(name))
      expect(answer.status).toBe(400)
      expect(JSON.parse(answer.text)).toMatchObject({
        code: 3,
        message: expect.stringContaining("Idempotency-Key must be")
      })
      expect(server.replica.calls.propose).toBe(0)
    }
  })

  test("a bad request under a good key says what is wrong, and the key is not used up", async () => {
    const server = await start()
    expect((await server.post("/v3/kv/put", { key: "" }, keyOf("one"))).status).toBe(400)
    expect((await server.post("/v3/kv/put", body, keyOf("one"))).status).toBe(200)
  })

  test("a read does not mind one", async () => {
    const server = await start()
    expect((await server.post("/v3/kv/range", { key: base64("k") }, keyOf("one"))).status).toBe(200)
  })
})
