/** Watching over real HTTP: what etcd 3.4.23 answers to the same, and what becomes of clients that are slow, wrong or gone. */
import { describe, expect, test } from "vitest"
import { base64, start, type TestServer } from "./TestServer.ts"
import { short, WatchClient } from "./WatchClient.ts"

const create = (key: string, more: object = {}): object => ({ create_request: { key: base64(key), ...more } })
const cancel = (id: number): object => ({ cancel_request: { watch_id: id } })
const progress = { progress_request: {} }

const put = (server: TestServer, key: string, value: string): Promise<unknown> =>
  server.post("/v3/kv/put", { key: base64(key), value: base64(value) })
const del = (server: TestServer, key: string): Promise<unknown> =>
  server.post("/v3/kv/deleterange", { key: base64(key) })

/** Revisions 2 to 6: foo=1, foo=2, delete foo, bar=b and foo=t in one, foo=3. */
const history = async (server: TestServer): Promise<void> => {
  await put(server, "foo", "1")
  await put(server, "foo", "2")
  await del(server, "foo")
  const puts = ["bar", "foo"].map((key) => ({ request_put: { key: base64(key), value: base64("t") } }))
  await server.post("/v3/kv/txn", { success: puts })
  await put(server, "foo", "3")
}

const compact = (server: TestServer, revision: number): Promise<unknown> =>
  server.post("/v3/kv/compaction", { revision })

const at = (revision: number, fields: string): string => `{"result":{"header":{"revision":"${revision}"}${fields}}}`
const foo = (created: number, modified: number, version: number, value: string): string =>
  `{"key":"Zm9v","create_revision":"${created}","mod_revision":"${modified}","version":"${version}","value":"${base64(value)}"}`
const bar = `{"kv":{"key":"YmFy","create_revision":"5","mod_revision":"5","version":"1","value":"dA=="}}`
const refusal = (revision: number, reason: string): string =>
  at(revision, `,"watch_id":"-1","created":true,"canceled":true,"cancel_reason":"${reason}"`)

/** Recorded from etcd 3.4.23, at revision 6 with the same history. */
const recorded: ReadonlyArray<readonly [string, ReadonlyArray<object | string>, ReadonlyArray<string>]> = [
  ["one", [create("foo")], [at(6, `,"created":true`)]],
  [
    "two, with numbers given out",
    [create("a"), create("b")],
    [at(6, `,"created":true`), at(6, `,"watch_id":"1","created":true`)]
  ],
  [
    "a number of its own, the other spelling, and the same again",
    [{ createRequest: { key: "YQ==", rangeEnd: "eg==", watchId: "7" } }, create("a", { watch_id: 7 })],
    [at(6, `,"watch_id":"7","created":true`), refusal(6, "mvcc: duplicate watch ID provided on the WatchStream")]
  ],
  [
    "numbers that are taken are passed over",
    [create("a", { watch_id: "1" }), create("a"), create("a")],
    [`,"watch_id":"1"`, "", `,"watch_id":"2"`].map((id) => at(6, `${id},"created":true`))
  ],
  ["a negative number", [create("a", { watch_id: "-5" })], [at(6, `,"watch_id":"-5","created":true`)]],
  [
    "a number beyond 2^53",
    [create("a", { watch_id: "9007199254740993" })],
    [at(6, `,"watch_id":"9007199254740993","created":true`)]
  ],
  [
    "cancelled, once, and begun again",
    [create("a", { watch_id: 7 }), cancel(7), cancel(7), create("a", { watch_id: 7 })],
    [`,"created":true`, `,"canceled":true`, `,"created":true`].map((what) => at(6, `,"watch_id":"7"${what}`))
  ],
  ["progress", [create("a"), progress], [at(6, `,"created":true`), at(6, `,"watch_id":"-1"`)]],
  ["progress of nothing", [progress], [at(6, `,"watch_id":"-1"`)]],
  ["a range without keys", [create("z", { range_end: base64("a") })], [refusal(6, "mvcc: watcher range is empty")]],
  [
    "filters by number",
    [create("foo", { filters: [0, 1, 7], start_revision: 2 }), progress],
    [at(6, `,"created":true`), at(6, `,"watch_id":"-1"`)]
  ],
  [
    "the past, with what there was before",
    [create("foo", { start_revision: 1, prev_kv: true })],
    [
      at(6, `,"created":true`),
      at(
        6,
        `,"events":[{"kv":${foo(2, 2, 1, "1")}},{"kv":${foo(2, 3, 2, "2")},"prev_kv":${foo(2, 2, 1, "1")}},` +
          `{"type":"DELETE","kv":{"key":"Zm9v","mod_revision":"4"},"prev_kv":${foo(2, 3, 2, "2")}},` +
          `{"kv":${foo(5, 5, 1, "t")}},{"kv":${foo(5, 6, 2, "3")},"prev_kv":${foo(5, 5, 1, "t")}}]`
      )
    ]
  ],
  [
    "all there is, but deletes",
    [{ create_request: { range_end: "AA==", start_revision: 4, filters: ["NODELETE"] } }],
    [at(6, `,"created":true`), at(6, `,"events":[${bar},{"kv":${foo(5, 5, 1, "t")}},{"kv":${foo(5, 6, 2, "3")}}]`)]
  ],
  [
    "deletes only",
    [create("f", { range_end: base64("g"), start_revision: 2, filters: ["NOPUT"] })],
    [at(6, `,"created":true`), at(6, `,"events":[{"type":"DELETE","kv":{"key":"Zm9v","mod_revision":"4"}}]`)]
  ]
]

describe("as etcd", () => {
  test.each(recorded)("%s", async (_, requests, expected) => {
    const server = await start()
    await history(server)
    const client = new WatchClient(server.port).send(...requests).end()
    expect(short(await client.take(expected.length))).toEqual(expected)
    expect((await client.response).headers["content-type"]).toBe("application/json")
  })

  test("what is compacted is cancelled, and what is kept is given", async () => {
    const server = await start()
    await history(server)
    await compact(server, 6)
    const client = new WatchClient(server.port)
    client.send(create("foo", { start_revision: 5, watch_id: 50 }))
    client.send(create("foo", { start_revision: 6, watch_id: 51, prev_kv: true }))
    expect(short(await client.take(4))).toEqual([
      at(6, `,"watch_id":"50","created":true`),
      // No revision: etcd tells none here.
      `{"result":{"header":{},"watch_id":"50","canceled":true,"compact_revision":"6"}}`,
      at(6, `,"watch_id":"51","created":true`),
      // What there was before was of a revision that is compacted.
      at(6, `,"watch_id":"51","events":[{"kv":${foo(5, 6, 2, "3")}}]`)
    ])
  })
})

describe("a stream", () => {
  test("is told what happens as it happens, while it asks for more", async () => {
    const server = await start()
    const client = new WatchClient(server.port).send(create("foo"))
    await client.take(1)
    await put(server, "foo", "1")
    expect(short(await client.take(1))).toEqual([at(2, `,"events":[{"kv":${foo(2, 2, 1, "1")}}]`)])
    client.send(create("b", { range_end: base64("c") }), cancel(0))
    expect(short(await client.take(2))).toEqual([at(2, `,"watch_id":"1","created":true`), at(2, `,"canceled":true`)])
    await put(server, "foo", "2")
    await put(server, "bar", "1")
    expect(await client.take(1)).toEqual([expect.stringContaining(`"watch_id":"1","events":[{"kv":{"key":"YmFy"`)])
    expect(client.lines).toEqual([])
  })

  test("takes requests that are cut anywhere", async () => {
    const server = await start()
    const text = `  ${JSON.stringify(create(`}"{\\"`, { watch_id: 5 }))}\n${JSON.stringify(progress)}`
    const client = new WatchClient(server.port)
    for (const character of text) {
      client.send(character)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(short(await client.take(2))).toEqual([at(1, `,"watch_id":"5","created":true`), at(1, `,"watch_id":"-1"`)])
  })

  test("has a time limit for its first request, and none after that", async () => {
    const impatient = await start({ requestTimeoutMillis: 100 })
    expect((await new WatchClient(impatient.port).send(" ").response).statusCode).toBe(408)
    const server = await start({ requestTimeoutMillis: 100, stallTimeoutMillis: 100 })
    const client = new WatchClient(server.port).send(create("foo"))
    await client.take(1)
    // Three times as long as either limit, and looked at ten times meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 300))
    client.send(create("foo"))
    expect(await client.take(1)).toEqual([expect.stringContaining(`"watch_id":"1","created":true`)])
  })

  test("is told its progress when asked, after all that it is ahead of (etcd 15220)", async () => {
    const server = await start()
    await history(server)
    const client = new WatchClient(server.port).send(create("foo", { start_revision: 2 }), progress)
    const [, events, note] = short(await client.take(3))
    expect([events, note]).toEqual([expect.stringContaining(`"mod_revision":"6"`), at(6, `,"watch_id":"-1"`)])
  })

  test("of which one watch is to begin later is told no progress before that (etcd 20221)", async () => {
    const server = await start()
    const client = new WatchClient(server.port).send(create("foo", { start_revision: 4 }), progress, create("bar"))
    await client.take(2)
    await put(server, "foo", "1")
    await put(server, "bar", "1")
    expect(short(await client.take(2))).toEqual([
      expect.stringContaining(`"revision":"3"},"watch_id":"1","events"`),
      at(3, `,"watch_id":"-1"`)
    ])
    await put(server, "foo", "2")
    expect(short(await client.take(1))).toEqual([at(4, `,"events":[{"kv":${foo(2, 4, 2, "2")}}]`)])
  })

  test("is told now and then that nothing has happened, where that is wanted", async () => {
    const server = await start({ watchLimits: { progressMillis: 20 } })
    const client = new WatchClient(server.port)
    client.send(create("foo", { progress_notify: true, watch_id: 3 }), create("foo"))
    client.send(create("foo", { progress_notify: true, watch_id: 4, start_revision: 9 }))
    await client.take(3)
    await put(server, "bar", "1")
    const note = at(2, `,"watch_id":"3"`)
    const lines = short(await client.take(4))
    expect(lines.filter((line) => line !== note && line !== at(1, `,"watch_id":"3"`))).toEqual([])
    expect(lines.at(-1)).toBe(note)
  })

  test("may have a long revision in fragments, where it says so", async () => {
    const server = await start({ watchLimits: { maxLineBytes: 1000 } })
    const client = new WatchClient(server.port)
    client.send(create("k", { range_end: base64("l"), fragment: true }), create("k", { range_end: base64("l") }))
    await client.take(2)
    const puts = Array.from({ length: 10 }, (_, n) => ({
      request_put: { key: base64(`k${n}`), value: base64("v".repeat(300)) }
    }))
    await server.post("/v3/kv/txn", { success: puts })
    const lines = (await client.take(6)).map(
      (line) =>
        (JSON.parse(line) as { result: { watch_id?: string; fragment?: boolean; events: Array<unknown> } }).result
    )
    expect(lines.map(({ watch_id, fragment, events }) => [watch_id, fragment, events.length])).toEqual([
      ...Array.from({ length: 4 }, () => [undefined, true, 2]),
      [undefined, undefined, 2],
      ["1", undefined, 10]
    ])
  })

  test("ends with an error when the replica is not to be believed, and nobody begins another", async () => {
    const server = await start()
    const client = new WatchClient(server.port).send(create("foo"))
    await client.take(1)
    server.replica.hub.end("it differs")
    const [line] = await client.take(1)
    expect(JSON.parse(line!)).toEqual({
      error: {
        grpc_code: 14,
        http_code: 503,
        message: "etcdserver: server stopped",
        http_status: "Service Unavailable",
        reason: "it differs"
      }
    })
    await client.over
    expect((await server.post("/v3/watch", create("foo"))).status).toBe(503)
  })

  test("does not hold up the end of the server", async () => {
    const server = await start({ shutdownMillis: 20_000 })
    const clients = Array.from({ length: 20 }, () => new WatchClient(server.port).send(create("foo")))
    for (const client of clients) await client.take(1)
    const began = performance.now()
    await server.stop()
    expect(performance.now() - began).toBeLessThan(5_000)
    for (const client of clients) {
      await client.over
      expect(client.lines).toEqual([expect.stringContaining("shutting down")])
    }
  })

  test("ends when its replica loses the leader, where it wants one, and not when an election comes and goes", async () => {
    const server = await start({ watchLimits: { leaderCheckMillis: 20 } })
    const header = { "grpc-metadata-hasleader": "true" }
    const wants = new WatchClient(server.port, header).send(create("foo"))
    const stays = new WatchClient(server.port).send(create("foo"))
    await wants.take(1)
    await stays.take(1)
    server.replica.differing = { leader: undefined }
    await new Promise((resolve) => setTimeout(resolve, 25))
    server.replica.differing = {}
    await put(server, "foo", "1")
    expect(await wants.take(1)).toEqual([expect.stringContaining("events")])
    server.replica.differing = { leader: undefined }
    expect(await wants.take(1)).toEqual([
      expect.stringMatching(/^\{"error":\{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader",/)
    ])
    await wants.over
    expect((await server.post("/v3/watch", create("foo"), header)).status).toBe(503)
    await put(server, "foo", "2")
    expect(await stays.take(2)).toHaveLength(2)
  })

  test("is forgotten when its client goes", async () => {
    const server = await start()
    const client = new WatchClient(server.port).send(create("foo"), create("bar"))
    await client.take(2)
    expect(server.replica.hub.size).toBe(2)
    client.leave()
    while (server.replica.hub.size > 0) await new Promise((resolve) => setImmediate(resolve))
  })
})

describe("what is wrong", () => {
  test.each([
    ["", 400, "create_request"],
    ["{}", 400, "create_request"],
    [`{"create_request":{},"progress_request":{}}`, 400, "create_request"],
    ["null", 400, "should begin"],
    ["[]", 400, "should begin"],
    [`{"create_request":{"key":"%"}}`, 400, "illegal base64 data"],
    [`{"create_request":{"filters":["NOPE"]}}`, 400, "NOPUT, NODELETE"],
    [`{"create_request":{"watch_id":"x"}}`, 400, "64-bit"],
    [`{"create_request":{"key":`, 400, "ends within"],
    [`{"create_request":{"key":"${"A".repeat(300)}"}}`, 413, "200 bytes"]
  ])("is refused: %s", async (body, status, text) => {
    const server = await start({ watchLimits: { maxObjectBytes: 200 } })
    const answer = await server.post("/v3/watch", body)
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(text)])
    expect(server.replica.hub.size).toBe(0)
  })

  test("is told in a line where an answer has begun, and ends it", async () => {
    const server = await start()
    const client = new WatchClient(server.port).send(create("foo"), "x")
    expect(await client.take(2)).toEqual([
      expect.stringContaining(`"created":true`),
      expect.stringMatching(/^\{"error":\{"grpc_code":3,"http_code":400,.*should begin/)
    ])
    await client.over
  })

  test("is to send too much, together with others, of what does not end; it is given back when they go", async () => {
    const server = await start({ watchLimits: { maxUnreadBytes: 1000 } })
    const half = `{"create_request":{"key":"${"a".repeat(590)}`
    const first = new WatchClient(server.port).send(create("a"))
    await first.take(1)
    first.send(half)
    const second = new WatchClient(server.port).send(create("b"))
    await second.take(1)
    second.send(half)
    const refused = await Promise.race([first.take(1), second.take(1)])
    expect(refused[0]).toContain("maxUnreadBytes")
    await Promise.race([first.over, second.over])
    // One of them has gone, so the other may go on.
    const third = new WatchClient(server.port).send(create("c"), half.slice(0, 300))
    expect(await third.take(1)).toEqual([expect.stringContaining(`"created":true`)])
    third.send('"}}')
    expect(await third.take(1)).toEqual([expect.stringContaining(`"created":true`)])
  })

  test("is to have too many: of watches on a stream, of streams, of all", async () => {
    const server = await start({ watchLimits: { maxStreams: 1, maxWatchesPerStream: 2 } })
    const client = new WatchClient(server.port).send(create("a"), create("b"), create("c"))
    expect((await client.take(3))[2]).toContain("maxWatchesPerStream")
    const refused = await server.post("/v3/watch", create("foo"))
    expect([refused.status, refused.text]).toEqual([429, expect.stringContaining("maxStreams")])
    client.leave()
    while (server.replica.hub.size > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(await new WatchClient(server.port).send(create("a")).take(1)).toEqual([
      expect.stringContaining(`"created":true`)
    ])
  })
})

describe("a client that does not read", () => {
  test("costs what its socket holds, holds up nobody, and is given everything later", async () => {
    const server = await start()
    const slow = new WatchClient(server.port).send(create("k"))
    await slow.take(1)
    const response = await slow.response
    response.pause()
    const quick = new WatchClient(server.port).send(create("k"))
    await quick.take(1)
    const value = base64("v".repeat(30_000))
    const written = 600
    for (let n = 0; n < written; n++) await server.post("/v3/kv/put", { key: base64("k"), value })
    expect(modRevisions(await quick.take(written), written)).toHaveLength(written)
    response.resume()
    const revisions: Array<number> = []
    while (revisions.length < written) revisions.push(...modRevisions(await slow.take(1), Number.POSITIVE_INFINITY))
    expect(revisions).toEqual(Array.from({ length: written }, (_, n) => n + 2))
    // In far fewer lines than there were writes: none was made before it could be sent.
  })

  test("is told that it has missed something, and no gap, where that was compacted", async () => {
    const server = await start()
    const slow = new WatchClient(server.port).send(create("k"))
    await slow.take(1)
    const response = await slow.response
    response.pause()
    const value = base64("v".repeat(100_000))
    for (let n = 0; n < 300; n++) await server.post("/v3/kv/put", { key: base64("k"), value })
    await compact(server, 301)
    response.resume()
    const revisions: Array<number> = []
    let last = ""
    while (!last.includes("canceled")) {
      last = (await slow.take(1))[0]!
      revisions.push(...modRevisions([last], Number.POSITIVE_INFINITY))
    }
    expect(last).toContain(`"canceled":true,"compact_revision":"301"`)
    expect(revisions.length).toBeLessThan(300)
    expect(revisions).toEqual(revisions.map((_, n) => n + 2))
  })
})

const modRevisions = (lines: ReadonlyArray<string>, limit: number): ReadonlyArray<number> =>
  lines
    .flatMap(
      (line) =>
        (JSON.parse(line) as { result: { events?: ReadonlyArray<{ kv: { mod_revision: string } }> } }).result.events ??
        []
    )
    .map(({ kv }) => Number(kv.mod_revision))
    .slice(0, limit)
