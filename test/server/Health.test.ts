/** Whether the replica is well, to etcd's clients and to Kubernetes. */
import { Effect } from "effect"
import { expect, test } from "vitest"
import { Index } from "../../src/raft/LogEntry.ts"
import { Unavailable } from "../../src/runtime/RequestError.ts"
import { start } from "./TestServer.ts"

test("a healthy replica is healthy, alive and ready", async () => {
  const server = await start()
  expect(await server.get("/health")).toMatchObject({ status: 200, text: `{"health":"true"}` })
  expect(server.replica.calls.query).toBe(1)
  expect(await server.get("/livez")).toMatchObject({ status: 200, text: "ok\n" })
  expect(await server.get("/readyz")).toMatchObject({ status: 200, text: "ok\n" })
  expect((await server.get("/livez?verbose")).text).toBe("[+]local_read ok\nlivez check passed\n")
  expect((await server.get("/readyz?verbose")).text).toBe(
    "[+]local_read ok\n[+]leader ok\n[+]quorum ok\n[+]applied ok\nreadyz check passed\n"
  )
  expect((await fetch(`${server.url}/readyz`, { method: "HEAD" })).status).toBe(200)
})

test("a replica without a majority is alive, but neither ready nor healthy", async () => {
  const server = await start()
  server.replica.differing = { leader: undefined, available: false, role: "PreCandidate" }
  server.replica.instead = Effect.fail(new Unavailable({ message: "1 of 3 voters in reach", outcomeUnknown: false }))
  expect(await server.get("/livez")).toMatchObject({ status: 200, text: "ok\n" })
  expect(await server.get("/readyz")).toMatchObject({
    status: 503,
    text: "[+]local_read ok\n[-]leader failed: no leader is known\n[-]quorum failed: no majority is in reach\n[+]applied ok\nreadyz check failed\n"
  })
  expect(await server.get("/health")).toMatchObject({
    status: 503,
    text: `{"health":"false","reason":"1 of 3 voters in reach"}`
  })
})

test("a known leader without a majority is not enough to be ready", async () => {
  const server = await start()
  server.replica.differing = { available: false }
  expect((await server.get("/readyz")).status).toBe(503)
})

test("a replica that has much left to apply is not ready yet", async () => {
  const server = await start()
  server.replica.differing = { commitIndex: Index(400_000), lastApplied: Index(2048) }
  const { status, text } = await server.get("/readyz")
  expect([status, text]).toEqual([
    503,
    expect.stringContaining("[-]applied failed: 2048 of 400000 entries are applied")
  ])
})

test("health does not wait for ever", async () => {
  const server = await start({ healthTimeoutMillis: 10 })
  server.replica.instead = Effect.never
  expect(await server.get("/health")).toMatchObject({
    status: 503,
    text: `{"health":"false","reason":"a linearizable read took longer than 10 ms"}`
  })
})
