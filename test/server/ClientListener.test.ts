/** Clients that stop, never stop, or are too many; ports that are taken; and the end. */
import { Deferred, Effect, Exit, Layer } from "effect"
import { describe, expect, test } from "vitest"
import { Unavailable } from "../../src/runtime/RequestError.ts"
import * as ClientListener from "../../src/server/ClientListener.ts"
import { base64, start } from "./TestServer.ts"

const key = base64("k")
/** A put, to be made longer by spaces. */
const put = `{"key":"aw=="}`

describe("half a request", () => {
  test.each([
    ["nothing", ""],
    ["half a header", "POST /v3/kv/put HTTP/1.1\r\nhost: x\r\ncontent-le"],
    ["half a body", 'POST /v3/kv/put HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"key":"a'],
    ["half a chunk", "POST /v3/kv/put HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{"]
  ])("%s is answered 408 and cut off", async (_, text) => {
    const server = await start({ requestTimeoutMillis: 100 })
    const connection = await server.dial()
    connection.send(text)
    expect(await connection.received).toMatch(/^HTTP\/1.1 408 /)
    expect(server.replica.calls.propose).toBe(0)
  })
})

describe("a body beyond the limit", () => {
  const tooLong = /^HTTP\/1.1 413 [^]*connection: close[^]*the request body is longer than 1000 bytes/

  test("is refused for its announced length, unread", async () => {
    const server = await start({ maxBodyBytes: 1_000 })
    const connection = await server.dial()
    connection.send("POST /v3/kv/put HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1001\r\n\r\n")
    expect(await connection.received).toMatch(tooLong)
  })

  test("is cut off while it streams without end", async () => {
    const server = await start({ maxBodyBytes: 1_000 })
    const connection = await server.dial()
    connection.send("POST /v3/kv/put HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    const chunk = `400\r\n${"x".repeat(0x400)}\r\n`
    const more = (): void => {
      while (!connection.socket.destroyed && connection.socket.write(chunk));
    }
    connection.socket.on("drain", more)
    more()
    expect(await connection.received).toMatch(tooLong)
  })

  test("of just the limit is read", async () => {
    const server = await start({ maxBodyBytes: 1_000 })
    expect((await server.post("/v3/kv/put", put.padEnd(1_000))).status).toBe(200)
    expect((await server.post("/v3/kv/put", put.padEnd(1_001))).status).toBe(413)
  })

  test("of all clients together refuses whoever sends more, and is given back", async () => {
    const server = await start({ maxBodyBytes: 1_000, maxBufferedBytes: 1_500 })
    const held = await server.dial()
    held.send("POST /v3/kv/put HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n")
    expect(await held.firstPiece).toMatch(/^HTTP\/1.1 100 /)
    held.send(" ".repeat(900))
    // One connection's bytes do not say when they are read, so ask until they count.
    let refused = await server.post("/v3/kv/put", put.padEnd(700))
    while (refused.status === 200) refused = await server.post("/v3/kv/put", put.padEnd(700))
    expect([refused.status, JSON.parse(refused.text).message]).toEqual([429, "etcdserver: too many requests"])
    expect((await server.post("/v3/kv/put", { key })).status).toBe(200)
    held.socket.destroy()
    let again = await server.post("/v3/kv/put", put.padEnd(700))
    while (again.status === 429) again = await server.post("/v3/kv/put", put.padEnd(700))
    expect(again.status).toBe(200)
  })

  test("curl's question whether to go on is answered", async () => {
    const server = await start()
    const connection = await server.dial()
    connection.send(
      "POST /v3/kv/put HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 14\r\n\r\n"
    )
    expect(await connection.firstPiece).toMatch(/^HTTP\/1.1 100 /)
    connection.send(`{"key":"aw=="}`)
    expect(await connection.received).toMatch(/HTTP\/1.1 200 /)
  })
})

test("headers beyond the limit are refused", async () => {
  const server = await start({ maxHeaderBytes: 1_000 })
  const connection = await server.dial()
  connection.send(`GET /health HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(1_000)}\r\n\r\n`)
  expect(await connection.received).toMatch(/^HTTP\/1.1 431 /)
})

test("connections beyond the limit are told so in their own words, and those before it stay", async () => {
  const server = await start({ maxConnections: 1 })
  const first = await server.dial()
  first.send("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
  expect(await first.firstPiece).toMatch(/^HTTP\/1.1 200 /)
  const second = await server.dial()
  second.send("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
  const [head, body] = (await second.received).split("\r\n\r\n")
  expect(head).toMatch(/^HTTP\/1.1 503 [^]*connection: close/)
  expect(JSON.parse(body!)).toMatchObject({ code: 14, message: "balsa: too many connections" })
  const third = await server.dial()
  third.send("PING\r\n")
  expect(await third.received).toBe("-ERR max number of clients reached\r\n")
  expect(first.socket.destroyed).toBe(false)

  first.socket.destroy()
  let answer = ""
  // When the server hears of the end is not known, only that it does.
  while (!answer.startsWith("+PONG")) {
    const next = await server.dial()
    next.send("PING\r\n")
    answer = await next.firstPiece
    next.socket.destroy()
  }
})

const listen = (host: string, port: number): Promise<Exit.Exit<unknown, ClientListener.ListenError>> =>
  Effect.runPromiseExit(Effect.scoped(Layer.build(ClientListener.layer({ host, port }))))

test("a client that lets its connection lie, answered or not, is cut off", async () => {
  const server = await start({ stallTimeoutMillis: 50 })
  const interrupted = Deferred.makeUnsafe<void>()
  server.replica.instead = Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
  const connection = await server.dial()
  connection.send(`POST /v3/kv/put HTTP/1.1\r\nhost: x\r\ncontent-length: ${put.length}\r\n\r\n${put}`)
  expect(await connection.received).toBe("")
  await Effect.runPromise(Deferred.await(interrupted))
})

describe("addresses that cannot be listened at", () => {
  test("a port in use", async () => {
    const { port } = await start()
    expect(await listen("127.0.0.1", port)).toEqual(
      Exit.fail(
        new ClientListener.ListenError({
          address: `127.0.0.1:${port}`,
          code: "EADDRINUSE",
          message: `cannot listen for clients on 127.0.0.1:${port}: the address is already in use (EADDRINUSE); choose another with --listen-client HOST:PORT`
        })
      )
    )
  })

  test("an address of another machine", async () => {
    const exit = await listen("192.0.2.1", 7401)
    expect(Exit.isFailure(exit) && exit.cause.reasons).toMatchObject([
      { error: { _tag: "ListenError", code: "EADDRNOTAVAIL", address: "192.0.2.1:7401" } }
    ])
  })
})

describe("the end", () => {
  test("a request under way is answered first", async () => {
    const server = await start({ shutdownMillis: 10_000 })
    const entered = Deferred.makeUnsafe<void>()
    const release = Deferred.makeUnsafe<void>()
    server.replica.instead = Deferred.succeed(entered, undefined).pipe(
      Effect.andThen(Deferred.await(release)),
      Effect.andThen(Effect.fail(new Unavailable({ message: "answered late", outcomeUnknown: false })))
    )
    const answer = server.post("/v3/kv/put", { key })
    await Effect.runPromise(Deferred.await(entered))
    const started = performance.now()
    const stopped = server.stop()
    await expect(server.dial()).rejects.toThrow("ECONNREFUSED")
    await Effect.runPromise(Deferred.succeed(release, undefined))
    expect((await answer).text).toContain("answered late")
    await stopped
    // The client's connection, alive but idle now, does not use up the time for closing.
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  test("a request that takes too long is told so; half a request does not hold up the end", async () => {
    const server = await start({ shutdownMillis: 50 })
    const entered = Deferred.makeUnsafe<void>()
    server.replica.instead = Effect.andThen(Deferred.succeed(entered, undefined), Effect.never)
    const half = await server.dial()
    half.send("POST /v3/kv/put HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    const answer = server.post("/v3/kv/put", { key })
    await Effect.runPromise(Deferred.await(entered))
    await server.stop()
    const { status, text } = await answer
    expect([status, JSON.parse(text)]).toMatchObject([
      503,
      { code: 14, message: "etcdserver: server stopped", outcome_unknown: true }
    ])
    await half.received
  })
})
