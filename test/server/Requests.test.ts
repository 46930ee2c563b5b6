/** Good and bad requests, and how each is answered, beyond what was recorded from etcd. */
import { Effect } from "effect"
import { describe, expect, test } from "vitest"
import { RequestTimeout, ResourceExhausted, Unavailable } from "../../src/runtime/RequestError.ts"
import { base64, start } from "./TestServer.ts"

const key = base64("k")

describe("base64 in any of its spellings", () => {
  const bytes = "\xfb\xef\xff\xfe"
  test.each(["++///g==", "--___g==", "++///g", "--___g", "+-/_/g", "++//\r\n/g==\n"])("%j", async (spelling) => {
    const server = await start()
    expect((await server.post("/v3/kv/put", { key: spelling, value: spelling })).status).toBe(200)
    const { kvs } = JSON.parse((await server.post("/v3/kv/range", { key: base64(bytes) })).text)
    expect(kvs).toMatchObject([{ key: "++///g==", value: "++///g==" }])
  })
})

const badRequests: ReadonlyArray<
  readonly [path: string, body: unknown, status: number, code: number, message: string | RegExp]
> = [
  ["put", { key: "Z*8=" }, 400, 3, 'balsa: field "key": illegal base64 data at input byte 1'],
  ["put", { key, value: "Z g=" }, 400, 3, 'balsa: field "value": illegal base64 data at input byte 1'],
  ["put", { key, value: "Z=g=" }, 400, 3, 'balsa: field "value": illegal base64 data at input byte 1'],
  ["put", { key: "Zm9vY" }, 400, 3, 'balsa: field "key": base64 of 5 characters is cut short'],
  ["put", { key: "Zm9vYg=" }, 400, 3, /"key": illegal base64 data at input byte 6/],
  ["put", { key: "Zm8===" }, 400, 3, /"key": illegal base64 data at input byte 3/],
  ["put", { key: "====" }, 400, 3, /"key"/],
  ["put", { key: "Zm9v\u00e9A" }, 400, 3, /"key": illegal base64 data at input byte 4/],
  ["range", { key, range_end: "?" }, 400, 3, /"range_end"/],
  ["range", { key, rangeEnd: "?" }, 400, 3, /"range_end"/],
  ["deleterange", { key, range_end: "?" }, 400, 3, /"range_end"/],
  ["put", { key: 12 }, 400, 3, 'balsa: field "key" must be a base64 string, not 12'],
  ["put", { key: [107] }, 400, 3, 'balsa: field "key" must be a base64 string, not an array'],
  ["put", { key: {} }, 400, 3, /"key" must be a base64 string, not an object/],
  ["put", { key, value: false }, 400, 3, /"value" must be a base64 string, not false/],
  ["put", { key, prev_kv: "true" }, 400, 3, 'balsa: field "prev_kv" must be true or false, not "true"'],
  ["put", { key, prevKv: 1 }, 400, 3, /"prev_kv" must be true or false, not 1/],
  [
    "range",
    { key, limit: "x" },
    400,
    3,
    'balsa: field "limit" must be a 64-bit integer, as a number or a string, not "x"'
  ],
  ["range", { key, limit: "" }, 400, 3, /"limit"/],
  ["range", { key, limit: "01" }, 400, 3, /"limit"/],
  ["range", { key, limit: "+1" }, 400, 3, /"limit"/],
  ["range", { key, limit: "0x1" }, 400, 3, /"limit"/],
  ["range", { key, limit: "1.0" }, 400, 3, /"limit"/],
  ["range", { key, revision: 1.5 }, 400, 3, /"revision" must be a 64-bit integer/],
  ["range", { key, revision: true }, 400, 3, /"revision"/],
  ["range", { key, revision: "99999999999999999999" }, 400, 3, /"revision"/],
  ["range", '{"key":"aw==","revision":1e400}', 400, 3, /"revision"/],
  ["range", { key, serializable: 1 }, 400, 3, /"serializable"/],
  ["range", { key, keys_only: "no" }, 400, 3, /"keys_only"/],
  ["range", { key, countOnly: [] }, 400, 3, /"count_only"/],
  ["range", { key, sort_order: "NOPE" }, 400, 3, /"sort_order" must be one of NONE, ASCEND, DESCEND, not "NOPE"/],
  ["range", { key, sort_order: 7 }, 400, 3, /"sort_order"/],
  ["range", { key, sort_target: "NOPE" }, 400, 3, /"sort_target" must be one of KEY, VERSION, CREATE, MOD, VALUE/],
  ["range", { key, sort_target: 7 }, 400, 3, /"sort_target"/],
  ["range", { key, min_mod_revision: "x" }, 400, 3, /"min_mod_revision"/],
  [
    "range",
    '{"key":"aw==","max_create_revision":123456789012345678901}',
    400,
    3,
    /"max_create_revision".+ not 1234567/
  ],
  [
    "put",
    '{"key":12345678901234567890}',
    400,
    3,
    'balsa: field "key" must be a base64 string, not 12345678901234567890'
  ],
  ["put", { key, lease: "9223372036854775808" }, 400, 3, /"lease" must be a 64-bit integer/],
  ["put", '{"key":"aw==","lease":9223372036854775808}', 400, 3, /"lease" must be a 64-bit integer/],
  ["put", { key, value: key, ignore_value: true }, 400, 3, "etcdserver: value is provided"],
  ["put", { key, lease: 7, ignoreLease: true }, 400, 3, "etcdserver: lease is provided"],
  ["compaction", { revision: "x" }, 400, 3, /"revision"/],
  ["compaction", { revision: -1 }, 400, 11, "etcdserver: mvcc: required revision has been compacted"],
  ["txn", { compare: {} }, 400, 3, 'balsa: field "compare" must be a list of objects, not an object'],
  ["txn", { compare: [null] }, 400, 3, /"compare" must be a list of objects/],
  ["txn", { success: [7] }, 400, 3, /"success" must be a list of objects/],
  ["txn", { success: [{}] }, 400, 3, "etcdserver: key not found"],
  ["txn", { success: [{ request_range: null }] }, 400, 3, "etcdserver: key not found"],
  ["txn", { success: [{ request_range: [] }] }, 400, 3, /"request_range" must be an object, not an array/],
  ["txn", { success: [{ request_put: { key }, request_range: { key } }] }, 400, 3, /an operation is one of/],
  ["txn", { failure: [{ requestPut: { key: "?" } }] }, 400, 3, /"key": illegal base64/],
  ["txn", { compare: [{ key, target: "NOPE" }] }, 400, 3, /"target" must be one of VERSION, CREATE, MOD, VALUE, LEASE/],
  ["txn", { compare: [{ key, target: 9 }] }, 400, 3, /"target"/],
  ["txn", { compare: [{ key, result: "NO" }] }, 400, 3, /"result" must be one of EQUAL, GREATER, LESS, NOT_EQUAL/],
  ["txn", { compare: [{ key, version: "x" }] }, 400, 3, /"version" must be a 64-bit integer/],
  ["txn", { compare: [{ result: "EQUAL" }] }, 400, 3, "etcdserver: key is not provided"],
  ["txn", { success: [{ request_delete_range: {} }] }, 400, 3, "etcdserver: key is not provided"],
  ["txn", { compare: [{ key, create_revision: "x" }] }, 400, 3, /"create_revision" must be a 64-bit integer/],
  ["txn", { compare: [{ key, target: "MOD", value: 5 }] }, 400, 3, /"value" must be a base64 string/],
  [
    "txn",
    { success: [{ request_put: { key } }, { request_put: { key } }] },
    400,
    3,
    "etcdserver: duplicate key given in txn request"
  ],
  [
    "txn",
    { success: Array.from({ length: 129 }, () => ({ request_range: { key } })) },
    400,
    3,
    "etcdserver: too many operations in txn request"
  ],
  ["put", "xx", 400, 3, 'balsa: the body is not JSON: unexpected "x" at position 0'],
  ["put", '{"key": tru}', 400, 3, /unexpected "}" at position 11$/],
  ["put", '{"key":', 400, 3, /it ends at position 7$/],
  ["put", '{"key":"aw=="', 400, 3, /at position 13/],
  ["put", '{"key":"aw=="} more', 400, 3, /at position 15/],
  ["put", `{"key":"aw==",${" ".repeat(200)}?}`, 400, 3, /at position 214/],
  ["put", "[]", 400, 3, "balsa: the body must be a JSON object, not an array"],
  ["put", '"s"', 400, 3, /not a string/],
  ["put", "7", 400, 3, /not a number/]
]

describe("bad requests are refused with the reason, and do nothing", () => {
  test.each(badRequests)("%s %j", async (path, body, status, code, message) => {
    const server = await start()
    const got = await server.post(`/v3/kv/${path}`, body)
    const json = JSON.parse(got.text)
    expect([got.status, json.code]).toEqual([status, code])
    expect(json.message).toMatch(message)
    expect(json.error).toBe(json.message)
    expect(got.headers.get("content-type")).toBe("application/json")
    expect(server.replica.calls).toEqual({ propose: 0, query: 0, queryLocal: 0 })
  })
})

test("of two spellings the one in camelCase goes before the other, null included; white space is no fields", async () => {
  const server = await start()
  await server.post("/v3/kv/put", { key })
  const previous = async (body: object) => JSON.parse((await server.post("/v3/kv/put", { key, ...body })).text).prev_kv
  expect(await previous({ prev_kv: true })).toBeDefined()
  expect(await previous({ prev_kv: true, prevKv: false })).toBeUndefined()
  expect(await previous({ prev_kv: true, prevKv: null })).toBeUndefined()
  expect(await previous({ prev_kv: false, prevKv: true })).toBeDefined()
  expect(JSON.parse((await server.post("/v3/kv/put", " \r\n\t")).text).message).toBe("etcdserver: key is not provided")
})

test("who has no users says so, and is asked properly", async () => {
  const server = await start()
  const answer = async (body: object) => {
    const { status, text } = await server.post("/v3/auth/authenticate", body)
    return [status, JSON.parse(text)]
  }
  const message = "etcdserver: authentication is not enabled"
  expect(await answer({ name: "u", password: "p" })).toEqual([412, { error: message, message, code: 9 }])
  expect(await answer({ name: 5 })).toMatchObject([400, { code: 3 }])
})

test("numbers that mean none, or are larger than a number can say, reach the machine as it knows them", async () => {
  const server = await start()
  await server.post("/v3/kv/range", { key, range_end: "", limit: -1, revision: "-5" })
  expect(server.replica.lastQuery).toEqual({
    _tag: "Range",
    key: "k",
    rangeEnd: undefined,
    limit: 0,
    revision: 0,
    keysOnly: false,
    countOnly: false
  })
  await server.post("/v3/kv/range", { key, limit: "9223372036854775807", revision: "9223372036854775807" })
  expect(server.replica.lastQuery).toMatchObject({ limit: Number.MAX_SAFE_INTEGER, revision: Number.MAX_SAFE_INTEGER })
})

test.each([
  ["long", `{"key":"aw==",${" ".repeat(100_000)}?}`],
  ["deep", "[".repeat(1_000_000)]
])("a body that is no JSON and %s is refused no less", async (_, body) => {
  const server = await start()
  const got = await server.post("/v3/kv/put", body)
  expect([got.status, JSON.parse(got.text).code]).toEqual([400, 3])
  expect(got.text).toMatch(/the body is (not JSON: .+|nested deeper)/)
  expect(got.text.length).toBeLessThan(1_000)
})

describe("other methods and paths", () => {
  test.each([
    ["GET", "/v3/kv/put", 405, "POST"],
    ["DELETE", "/v3/kv/deleterange", 405, "POST"],
    ["PUT", "/v3/kv/range?x=1", 405, "POST"],
    ["POST", "/health", 405, "GET, HEAD"],
    ["PROPFIND", "/readyz", 405, "GET, HEAD"],
    ["GET", "/v3/kv/txn", 405, "POST"],
    ["POST", "/v3/kv/lease/keepalive", 404, null],
    ["POST", "/v3/maintenance/hashkv", 404, null],
    ["POST", "/v3//kv/put", 404, null],
    ["GET", "/", 404, null],
    ["GET", "/%zz", 404, null]
  ])("%s %s", async (method, path, status, allow) => {
    const server = await start()
    const response = await fetch(server.url + path, { method })
    expect([response.status, response.headers.get("allow")]).toEqual([status, allow])
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8")
    expect(await response.text()).toBe(status === 404 ? "Not Found\n" : "Method Not Allowed\n")
  })
})

describe("failures of the replica", () => {
  const seven = { message: "only 1 of 3 voters in reach", outcomeUnknown: false }
  test.each([
    [new Unavailable(seven), 503, 14, "etcdserver: no leader", undefined],
    [
      new Unavailable({ ...seven, outcomeUnknown: true }),
      503,
      14,
      "etcdserver: request timed out, possibly due to connection lost",
      true
    ],
    [
      new RequestTimeout({ message: "5 s", timeoutMillis: 5_000, outcomeUnknown: true }),
      503,
      14,
      "etcdserver: request timed out",
      true
    ],
    [
      new RequestTimeout({ message: "5 s", timeoutMillis: 5_000, outcomeUnknown: false }),
      503,
      14,
      "etcdserver: request timed out",
      undefined
    ],
    [
      new ResourceExhausted({ message: "too much waits", limit: "maxWaiting", outcomeUnknown: false }),
      429,
      8,
      "etcdserver: too many requests",
      undefined
    ]
  ])("%s", async (error, status, code, message, outcomeUnknown) => {
    const server = await start()
    server.replica.instead = Effect.fail(error)
    for (const path of ["put", "deleterange", "range"]) {
      const got = await server.post(`/v3/kv/${path}`, { key })
      expect(got.status).toBe(status)
      expect(JSON.parse(got.text)).toEqual({
        error: message,
        message,
        code,
        reason: error.message,
        outcome_unknown: outcomeUnknown
      })
    }
    expect((await server.post("/v3/kv/range", { key, serializable: true })).status).toBe(200)
  })

  test("a bug is an internal error, whose outcome is unknown", async () => {
    const server = await start()
    server.replica.instead = Effect.die(new Error("this test's bug, logged on purpose"))
    const got = await server.post("/v3/kv/put", { key })
    expect(got.status).toBe(500)
    expect(JSON.parse(got.text)).toMatchObject({ code: 13, outcome_unknown: true })
  })
})

describe("sizes", () => {
  test("key and value together up to the limit, and not beyond", async () => {
    const server = await start({ maxRequestBytes: 1_000 })
    expect((await server.post("/v3/kv/put", { key, value: base64("v".repeat(999)) })).status).toBe(200)
    const got = await server.post("/v3/kv/put", { key, value: base64("v".repeat(1_000)) })
    expect([got.status, JSON.parse(got.text)]).toEqual([
      400,
      { error: "etcdserver: request is too large", message: "etcdserver: request is too large", code: 3 }
    ])
    expect((await server.post("/v3/kv/range", { key: base64("k".repeat(1_001)) })).status).toBe(400)
    expect((await server.post("/v3/kv/deleterange", { key: base64("k".repeat(1_001)) })).status).toBe(400)
  })

  test.each([
    ["lock/lock", (part: string) => ({ name: base64(part + part) })],
    ["lock/unlock", (part: string) => ({ key: base64(part + part) })],
    ["election/campaign", (part: string) => ({ name: base64(part), value: base64(part) })],
    ["election/proclaim", (part: string) => ({ leader: { key: base64(part), rev: "1" }, value: base64(part) })],
    ["election/resign", (part: string) => ({ leader: { key: base64(part + part), rev: "1" } })],
    ["election/leader", (part: string) => ({ name: base64(part + part) })],
    ["election/observe", (part: string) => ({ name: base64(part + part) })]
  ])("of locks and elections, too: %s", async (path, body) => {
    const server = await start({ maxRequestBytes: 1_000 })
    const tooLarge = "etcdserver: request is too large"
    const larger = await server.post(`/v3/${path}`, body("k".repeat(501)))
    expect([larger.status, JSON.parse(larger.text).message]).toEqual([500, tooLarge])
    expect(server.replica.calls).toEqual({ propose: 0, query: 0, queryLocal: 0 })
    // One that waits is of no interest any more.
    const connection = await server.dial()
    const json = JSON.stringify(body("k".repeat(500)))
    connection.send(`POST /v3/${path} HTTP/1.1\r\nhost: here\r\ncontent-length: ${json.length}\r\n\r\n${json}`)
    while (server.replica.calls.propose + server.replica.calls.query === 0) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    connection.socket.destroy()
  })

  test("1.5 MiB by default, which arrives and comes back whole", async () => {
    const server = await start()
    const value = Buffer.alloc(1.5 * 1024 * 1024 - 1, "balsa wood ").toString("base64")
    expect((await server.post("/v3/kv/put", { key, value })).status).toBe(200)
    const range = JSON.parse((await server.post("/v3/kv/range", { key })).text)
    expect(range.kvs[0].value === value).toBe(true)
    expect(JSON.parse((await server.post("/v3/kv/put", { key: base64("kk"), value })).text).code).toBe(3)
  })

  test("an answer of many pieces is the same JSON", async () => {
    const server = await start()
    const value = base64("v".repeat(10_000))
    const keys = Array.from({ length: 100 }, (_, number) => `k${String(number).padStart(4, "0")}`)
    for (const one of keys) await server.post("/v3/kv/put", { key: base64(one), value })
    const whole = { key: base64("k"), range_end: base64("l") }
    const range = await server.post("/v3/kv/range", whole)
    expect(range.headers.get("content-length")).toBeNull()
    const { kvs, count } = JSON.parse(range.text)
    expect(count).toBe("100")
    expect(kvs.map((kv: { key: string }) => Buffer.from(kv.key, "base64").toString())).toEqual(keys)
    const deleted = JSON.parse((await server.post("/v3/kv/deleterange", { ...whole, prev_kv: true })).text)
    expect(deleted.deleted).toBe("100")
    expect(deleted.prev_kvs).toEqual(kvs)
  })
})

test("a body that is nested a million times over is refused unparsed; brackets in strings do not count", async () => {
  const server = await start()
  const deep = await server.post("/v3/kv/put", `{"key":"Zm9v","x":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`)
  expect([deep.status, deep.text]).toEqual([400, expect.stringContaining("nested deeper than 64 levels")])
  const quoted = `{"key":"Zm9v","value":"YmFy","x":"\\"${"[".repeat(100_000)}\\\\"}`
  expect((await server.post("/v3/kv/put", quoted)).status).toBe(200)
})

test("an offer to upgrade to another protocol is ignored, and the request keeps its body", async () => {
  const server = await start()
  const body = '{"key":"Zm9v","value":"YmFy"}'
  const connection = await server.dial()
  connection.send(
    `POST /v3/kv/put HTTP/1.1\r\nhost: here\r\nconnection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\n` +
      `http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  )
  expect(await connection.firstPiece).toMatch(/^HTTP\/1.1 200 /)
})
