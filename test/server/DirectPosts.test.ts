/** One operation by two doors: straight from Node's server, and by way of the router. Who asks must not be able to tell. */
import { Deferred, Effect } from "effect"
import { describe, expect, test } from "vitest"
import { base64, start, type TestServer } from "./TestServer.ts"

const put = `{"key":"${base64("k")}","value":"${base64("v")}"}`
const range = `{"key":"${base64("k")}"}`

const plain = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`
const chunked = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${body === "" ? "" : chunk(body)}${chunk("")}`
const withQuery = (path: string, body: string): string => plain(`${path}?pretty`, body)
const asked = (path: string, body: string): string =>
  plain(path, body).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n")

const answerTo = async (server: TestServer, text: string): Promise<string> => {
  const connection = await server.dial()
  connection.send(text.replace("host: x", "host: x\r\nconnection: close"))
  return (await connection.received).replace(/^HTTP\/1.1 100 Continue\r\n\r\n/, "").replace(/\r\nDate: [^\r]*/, "")
}

describe.each([
  ["a range", "/v3/kv/range", range],
  ["a local range", "/v3/kv/range", `{"key":"${base64("k")}","serializable":true}`],
  ["a read-only transaction", "/v3/kv/txn", `{"success":[{"request_range":${range}}]}`],
  ["what is no JSON", "/v3/kv/put", `{"key":"`],
  ["a request without a key", "/v3/kv/deleterange", "{}"],
  ["what the store refuses", "/v3/kv/compaction", `{"revision":"99"}`],
  ["nothing", "/v3/kv/range", ""]
])("the answer to %s", (_, path, body) => {
  test.each([
    ["in chunks", chunked],
    ["under a path with a query", withQuery],
    ["after a question", asked]
  ])("is the same where it comes %s", async (_, framed) => {
    const server = await start()
    await server.post("/v3/kv/put", put)
    const answer = await answerTo(server, plain(path, body))
    expect(answer).toMatch(/^HTTP\/1.1 [245]\d\d /)
    expect(await answerTo(server, framed(path, body))).toBe(answer)
  })
})

test("requests that come at once are answered in their order, by whichever door", async () => {
  const server = await start()
  const release = Deferred.makeUnsafe<void>()
  server.replica.takes = Deferred.await(release)
  const connection = await server.dial()
  connection.send(
    plain("/v3/kv/put", put) +
      plain("/v3/kv/range", range) +
      withQuery("/v3/kv/range", range) +
      plain("/v3/kv/put", "[]") +
      plain("/v3/kv/put", put).replace("host: x", "host: x\r\nconnection: close")
  )
  await connection.firstPiece
  await Effect.runPromise(Deferred.succeed(release, undefined))
  const answers = (await connection.received).split("HTTP/1.1 ").slice(1)
  expect(answers.map((answer) => [answer.slice(0, 3), /"count":"1"/.test(answer)])).toEqual([
    ["200", false],
    ["200", true],
    ["200", true],
    ["400", false],
    ["200", false]
  ])
})

test("a message that is not ASCII has its length in bytes", async () => {
  const server = await start()
  const { status, text } = await server.post("/v3/kv/put", `{"key":é}`)
  expect([status, JSON.parse(text).message]).toEqual([400, expect.stringContaining("é")])
})

test("who is refused for what others send is heard to the end, and may go on", async () => {
  const server = await start({ maxBufferedBytes: 1_000 })
  const connection = await server.dial()
  connection.send(
    plain("/v3/kv/put", put.padEnd(20_000)) +
      plain("/v3/kv/put", put).replace("host: x", "host: x\r\nconnection: close")
  )
  const answers = (await connection.received).split("HTTP/1.1 ").slice(1)
  expect(answers.map((answer) => answer.slice(0, 3))).toEqual(["429", "200"])
})

describe("a client that goes away", () => {
  test.each([
    ["plainly", plain],
    ["in chunks", chunked]
  ])("is not waited for: %s", async (_, framed) => {
    const server = await start()
    const entered = Deferred.makeUnsafe<void>()
    const interrupted = Deferred.makeUnsafe<string>()
    server.replica.instead = Effect.andThen(Deferred.succeed(entered, undefined), Effect.never).pipe(
      Effect.onInterrupt(() => Deferred.succeed(interrupted, "forgotten"))
    )
    const connection = await server.dial()
    connection.send(framed("/v3/kv/put", put))
    await Effect.runPromise(Deferred.await(entered))
    connection.socket.destroy()
    expect(await Effect.runPromise(Deferred.await(interrupted))).toBe("forgotten")
  })

  test("in the midst of its body gives back what it took", async () => {
    const server = await start({ maxBufferedBytes: 1_000 })
    const half = await server.dial()
    half.send(plain("/v3/kv/put", put.padEnd(1_000)).slice(0, 900))
    let answer = await server.post("/v3/kv/put", put.padEnd(500))
    while (answer.status === 200) answer = await server.post("/v3/kv/put", put.padEnd(500))
    expect(answer.status).toBe(429)
    half.socket.destroy()
    while (answer.status === 429) answer = await server.post("/v3/kv/put", put.padEnd(500))
    expect(answer.status).toBe(200)
  })
})

test("a long answer that is not read holds up nobody, and is whole at the end", async () => {
  const server = await start()
  const value = base64("v".repeat(1_000_000))
  for (let n = 0; n < 12; n++) await server.post("/v3/kv/put", { key: base64(`long/${n}`), value })
  const all = JSON.stringify({ key: base64("long/"), range_end: base64("long0") })
  const slow = await server.dial()
  slow.socket.pause()
  slow.send(plain("/v3/kv/range", all).replace("host: x", "host: x\r\nconnection: close"))
  const { text } = await server.post("/v3/kv/range?by=the-router", all)
  expect(JSON.parse(text).count).toBe("12")
  slow.socket.resume()
  const pieces = (await slow.received).split(/\r\n[0-9a-f]+\r\n/)
  expect(pieces.slice(1).join("").replace(/\r\n$/, "") === text).toBe(true)
})
