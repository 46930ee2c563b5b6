/** Locks and elections: who waits for whom, and what is left behind. */
import { describe, expect, test } from "vitest"
import { base64, start, type TestServer } from "./TestServer.ts"

const text = (encoded: string): string => Buffer.from(encoded, "base64").toString("latin1")

const grant = (server: TestServer, id: number) => server.post("/v3/lease/grant", { TTL: 100, ID: id })
const lock = (server: TestServer, lease?: number) => server.post("/v3/lock/lock", { name: base64("l"), lease })

/** The keys that there are, in the order in which they were created. */
const keysOf = async (server: TestServer): Promise<ReadonlyArray<string>> => {
  const all = { key: base64("\0"), range_end: base64("\0"), sort_target: "CREATE" }
  const { kvs = [] } = JSON.parse((await server.post("/v3/kv/range", all)).text)
  return kvs.map(({ key }: { readonly key: string }) => text(key))
}

/** Ends when so many keys are there: what the requests before have come to. */
const untilThereAre = async (server: TestServer, count: number): Promise<void> => {
  while ((await keysOf(server)).length !== count) await new Promise((resolve) => setImmediate(resolve))
}

const leases = async (server: TestServer): Promise<ReadonlyArray<string>> => {
  const { leases: all = [] } = JSON.parse((await server.post("/v3/lease/leases", {})).text)
  return all.map(({ ID }: { readonly ID: string }) => ID)
}

/** Sends a request and goes away when told to, without having read an answer. */
const goAway = async (server: TestServer, path: string, body: object) => {
  const connection = await server.dial()
  const json = JSON.stringify(body)
  connection.send(`POST ${path} HTTP/1.1\r\nhost: here\r\ncontent-length: ${json.length}\r\n\r\n${json}`)
  return () => connection.socket.destroy()
}

describe("a lock", () => {
  test("is given to one after the other, in the order in which they came", async () => {
    const server = await start()
    for (const id of [1, 2, 3]) await grant(server, id)
    const order: Array<number> = []
    const held = []
    for (const id of [1, 2, 3]) {
      held.push(lock(server, id).then(({ text: answer }) => (order.push(id), JSON.parse(answer))))
      await untilThereAre(server, id)
    }
    expect(text((await held[0]!).key)).toBe("l/1")
    for (const id of [1, 2]) {
      expect(order).toHaveLength(id)
      await server.post("/v3/lock/unlock", { key: base64(`l/${id}`) })
      const { key, header } = await held[id]!
      expect(text(key)).toBe(`l/${id + 1}`)
      // The header is of when it was got, and no earlier.
      expect(header.revision).toBe(String(4 + id))
    }
    expect(order).toEqual([1, 2, 3])
  })

  test("of a longer name is another one", async () => {
    const server = await start()
    await grant(server, 1)
    await grant(server, 2)
    await server.post("/v3/lock/lock", { name: base64("l/l"), lease: 1 })
    await server.post("/v3/lock/lock", { name: base64("ll"), lease: 1 })
    // "l/l/1" does stand below "l", as in etcd.
    const waiting = lock(server, 2)
    await untilThereAre(server, 3)
    await server.post("/v3/lock/unlock", { key: base64("l/l/1") })
    expect((await waiting).status).toBe(200)
  })

  test("passes on when a lease is revoked", async () => {
    const server = await start()
    await grant(server, 1)
    await grant(server, 2)
    await lock(server, 1)
    const second = lock(server, 2)
    await untilThereAre(server, 2)
    await server.post("/v3/lease/revoke", { ID: 1 })
    expect(text(JSON.parse((await second).text).key)).toBe("l/2")
  })

  test("is not told to be held by one whose lease ended while it waited", async () => {
    const server = await start()
    await grant(server, 1)
    await grant(server, 2)
    await lock(server, 1)
    const second = lock(server, 2)
    await untilThereAre(server, 2)
    await server.post("/v3/lease/revoke", { ID: 2 })
    const answer = await second
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
      500,
      { message: "mutex: session is expired", code: 2 }
    ])
    expect(await keysOf(server)).toEqual(["l/1"])
  })

  test("one in the middle that goes wakes nobody who is not next", async () => {
    const server = await start()
    for (const id of [1, 2, 3]) await grant(server, id)
    await lock(server, 1)
    const gone = await goAway(server, "/v3/lock/lock", { name: base64("l"), lease: 2 })
    await untilThereAre(server, 2)
    let isHeld = false
    const third = lock(server, 3).then((answer) => ((isHeld = true), answer))
    await untilThereAre(server, 3)
    gone()
    await untilThereAre(server, 2)
    expect(await keysOf(server)).toEqual(["l/1", "l/3"])
    expect(isHeld).toBe(false)
    await server.post("/v3/lock/unlock", { key: base64("l/1") })
    expect((await third).status).toBe(200)
  })

  test("without a lease has one of a minute, which goes with a client that does not wait", async () => {
    const server = await start()
    const { key } = JSON.parse((await lock(server)).text)
    const [id] = await leases(server)
    expect(text(key)).toBe(`l/${BigInt(id!).toString(16)}`)
    const { grantedTTL } = JSON.parse((await server.post("/v3/lease/timetolive", { ID: id })).text)
    expect(grantedTTL).toBe("60")
    const gone = await goAway(server, "/v3/lock/lock", { name: base64("l") })
    await untilThereAre(server, 2)
    expect(await leases(server)).toHaveLength(2)
    gone()
    await untilThereAre(server, 1)
    expect(await leases(server)).toEqual([id])
  })

  test("is waited for longer than a client may be silent otherwise", async () => {
    const server = await start({ stallTimeoutMillis: 50 })
    await grant(server, 1)
    await grant(server, 2)
    await lock(server, 1)
    const waiting = lock(server, 2)
    await untilThereAre(server, 2)
    // Two that say nothing are cut off, one after the other.
    for (let count = 0; count < 2; count++) await (await server.dial()).received
    await server.post("/v3/lock/unlock", { key: base64("l/1") })
    expect((await waiting).status).toBe(200)
  })

  test("ends its waiting when the server stops", async () => {
    const server = await start({ shutdownMillis: 50 })
    await grant(server, 1)
    await grant(server, 2)
    await lock(server, 1)
    const waiting = lock(server, 2).catch(() => undefined)
    await untilThereAre(server, 2)
    await server.stop()
    await waiting
    // Two puts and the deletion of the second.
    expect(server.replica.store().revision).toBe(4)
  })

  test("is refused a lease that cannot be", async () => {
    const server = await start()
    const answer = await server.post("/v3/lock/lock", { name: base64("l"), lease: -1 })
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([500, 2])
  })
})

const campaign = (server: TestServer, lease: number, value: string) =>
  server.post("/v3/election/campaign", { name: base64("e"), lease, value: base64(value) })

describe("an election", () => {
  test("is won when those before have resigned, and tells the key's revision", async () => {
    const server = await start()
    await grant(server, 1)
    await grant(server, 2)
    const first = JSON.parse((await campaign(server, 1, "one")).text)
    expect(first.leader).toEqual({ name: base64("e"), key: base64("e/1"), rev: "2", lease: "1" })
    const second = campaign(server, 2, "two")
    await untilThereAre(server, 2)
    await server.post("/v3/election/resign", { leader: first.leader })
    expect(JSON.parse((await second).text).leader).toMatchObject({ rev: "3", lease: "2" })
    const { kv } = JSON.parse((await server.post("/v3/election/leader", { name: base64("e") })).text)
    expect(text(kv.value)).toBe("two")
  })

  test("a leader that was deposed proclaims nothing, and ends nobody else's term", async () => {
    const server = await start()
    await grant(server, 1)
    const { leader } = JSON.parse((await campaign(server, 1, "one")).text)
    await server.post("/v3/election/resign", { leader })
    await campaign(server, 1, "again")
    const late = await server.post("/v3/election/proclaim", { leader, value: base64("late") })
    expect([late.status, JSON.parse(late.text).message]).toEqual([500, "election: not leader"])
    await server.post("/v3/election/resign", { leader })
    const { kv } = JSON.parse((await server.post("/v3/election/leader", { name: base64("e") })).text)
    expect([text(kv.value), kv.lease]).toEqual(["again", "1"])
  })

  test("a proclamation without the lease's id keeps the lease", async () => {
    const server = await start()
    await grant(server, 1)
    const { leader } = JSON.parse((await campaign(server, 1, "one")).text)
    const { lease: _, ...without } = leader
    await server.post("/v3/election/proclaim", { leader: without, value: base64("next") })
    const { kv } = JSON.parse((await server.post("/v3/election/leader", { name: base64("e") })).text)
    expect([text(kv.value), kv.lease]).toEqual(["next", "1"])
  })

  test("a candidate that goes away leaves nothing behind", async () => {
    const server = await start()
    await grant(server, 1)
    await grant(server, 2)
    await campaign(server, 1, "one")
    const gone = await goAway(server, "/v3/election/campaign", { name: base64("e"), lease: 2 })
    await untilThereAre(server, 2)
    gone()
    await untilThereAre(server, 1)
    expect(await keysOf(server)).toEqual(["e/1"])
  })

  test("is observed from its leader on, through all proclamations, and over who follows", async () => {
    const server = await start()
    await grant(server, 1)
    await grant(server, 2)
    const body = JSON.stringify({ name: base64("e") })
    const observing = fetch(`${server.url}/v3/election/observe`, { method: "POST", body })
    while (server.replica.hub.size === 0) await new Promise((resolve) => setImmediate(resolve))
    const { leader } = JSON.parse((await campaign(server, 1, "one")).text)
    const reader = (await observing).body!.pipeThrough(new TextDecoderStream()).getReader()
    let unread = ""
    const next = async (): Promise<string> => {
      while (!unread.includes("\n")) unread += (await reader.read()).value ?? expect.fail("it has ended")
      const at = unread.indexOf("\n")
      const { result } = JSON.parse(unread.slice(0, at))
      unread = unread.slice(at + 1)
      return `${result.header.revision} ${text(result.kv.value)}`
    }
    expect(await next()).toBe("2 one")
    for (const value of ["a", "b", "c"]) await server.post("/v3/election/proclaim", { leader, value: base64(value) })
    expect([await next(), await next(), await next()]).toEqual(["3 a", "4 b", "5 c"])
    const second = campaign(server, 2, "two")
    await untilThereAre(server, 2)
    await server.post("/v3/kv/put", { key: base64("elsewhere") })
    await server.post("/v3/election/resign", { leader })
    await second
    expect(await next()).toBe("8 two")
    await reader.cancel()
    while (server.replica.hub.size > 0) await new Promise((resolve) => setImmediate(resolve))
  })
})
