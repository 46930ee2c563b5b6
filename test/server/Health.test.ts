/** Whether the replica is well, to etcd's clients and to Kubernetes. */
import { Effect } from "effect"
import { expect, test } from "vitest"
import { Index } from "../../src/raft/LogEntry.ts"
import { ResourceExhausted, Unavailable } from "../../src/runtime/RequestError.ts"
import { start } from "./TestServer.ts"

test("a healthy replica is healthy, alive and ready", async () => {
  const server = await start()
  expect(await server.get("/health")).toMatchObject({ status: 200, text: `{"health":"true"}` })
  expect(server.replica.calls.query).toBe(1)
  expect(await server.get("/livez")).toMatchObject({ status: 200, text: "ok\n" })
  expect(await server.get("/readyz")).toMatchObject({ status: 200, text: "ok\n" })
  expect((await server.get("/livez?verbose")).text).toBe("[+]local_read ok\nlivez check passed\n")
  expect((await server.get("/readyz?verbose")).text).toBe(
    "[+]local_read ok\n[+]data_corruption ok\n[+]disk ok\n[+]admitted ok\n[+]member ok\n[+]version ok\n[+]leader ok\n[+]quorum ok\n[+]applied ok\nreadyz check passed\n"
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
    text: "[+]local_read ok\n[+]data_corruption ok\n[+]disk ok\n[+]admitted ok\n[+]member ok\n[+]version ok\n[-]leader failed: no leader is known\n[-]quorum failed: no majority is in reach\n[+]applied ok\nreadyz check failed\n"
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

test("a replica that differs from the others is alive, and neither ready nor healthy; local reads are refused", async () => {
  const server = await start()
  server.replica.differing = { divergedAt: Index(21) }
  expect((await server.get("/livez")).status).toBe(200)
  const { status, text } = await server.get("/readyz")
  expect([status, text]).toEqual([503, expect.stringMatching(/\[-\]data_corruption failed: .* since entry 21 /)])
  expect(await server.get("/health")).toMatchObject({
    status: 503,
    text: `{"health":"false","reason":"ALARM CORRUPT"}`
  })
  const read = await server.post("/v3/kv/range", { key: "YQ==", serializable: true })
  expect([read.status, JSON.parse(read.text).reason]).toEqual([503, "differs from the others"])
  const told = JSON.parse((await server.post("/v3/maintenance/status", {})).text)
  expect(told.errors).toEqual([`memberID:${told.header.member_id} alarm:CORRUPT`])
  expect(told.balsa.divergedAt).toBe(21)
})

test("a full disk is an alarm, which a prober may exclude; reads go on, so the replica stays ready", async () => {
  const server = await start()
  server.replica.differing = { diskFull: true }
  expect(await server.get("/health")).toMatchObject({
    status: 503,
    text: `{"health":"false","reason":"ALARM NOSPACE"}`
  })
  expect((await server.get("/health?exclude=NOSPACE")).status).toBe(200)
  expect((await server.get("/readyz")).status).toBe(200)
  server.replica.differing = { diskFull: true, diskStuck: true }
  expect(await server.get("/readyz")).toMatchObject({
    status: 503,
    text: expect.stringContaining("[-]disk failed: it is full, and a write waits for room")
  })
  server.replica.differing = { diskFull: true }
  const told = JSON.parse((await server.post("/v3/maintenance/status", {})).text)
  expect(told.errors).toEqual([`memberID:${told.header.member_id} alarm:NOSPACE`])
  server.replica.instead = Effect.fail(
    new ResourceExhausted({ message: "no room on A", limit: "diskSpace", outcomeUnknown: false })
  )
  const write = await server.post("/v3/kv/put", { key: "YQ==", value: "YQ==" })
  expect([write.status, JSON.parse(write.text)]).toEqual([
    429,
    {
      code: 8,
      error: "etcdserver: mvcc: database space exceeded",
      message: "etcdserver: mvcc: database space exceeded",
      reason: "no room on A"
    }
  ])
})

test("a replica that has not caught up with what its disk lost is not ready, and says how far it is", async () => {
  const server = await start()
  server.replica.differing = { admitted: false, receivingPercent: 45 }
  const { status, text } = await server.get("/readyz")
  expect([status, text]).toEqual([503, expect.stringMatching(/\[-\]admitted failed: .*45 % of the leader's snapshot/)])
  expect((await server.get("/livez")).status).toBe(200)
})
