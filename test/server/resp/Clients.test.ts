/** The clients that most programs for Redis use, unchanged, on Balsa's client port. */
import { Redis } from "ioredis"
import { createClient } from "redis"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { start, type TestServer } from "../TestServer.ts"

describe("ioredis", () => {
  test("connects, checks that the server is ready, and works", async () => {
    const server = await start()
    const redis = new Redis({ host: "127.0.0.1", port: server.port, lazyConnect: true, maxRetriesPerRequest: 1 })
    await redis.connect()
    expect(await redis.set("greeting", "hello")).toBe("OK")
    expect(await redis.get("greeting")).toBe("hello")
    expect(await redis.set("greeting", "x", "EX", 100, "NX")).toBeNull()
    expect(await redis.getBuffer("greeting")).toEqual(Buffer.from("hello"))
    expect(await redis.mset({ a: "1", b: "2" })).toBe("OK")
    expect(await redis.mget("a", "b", "c")).toEqual(["1", "2", null])
    expect(await redis.incr("count")).toBe(1)
    expect(await redis.incrby("count", 41)).toBe(42)
    expect(await redis.del("a", "b")).toBe(2)
    expect(await redis.exists("a")).toBe(0)
    const pipelined = await redis.pipeline().set("p", "1").incr("p").get("p").exec()
    expect(pipelined).toEqual([
      [null, "OK"],
      [null, 2],
      [null, "2"]
    ])
    expect(await redis.multi().set("m", "1").incr("m").get("greeting").exec()).toEqual([
      [null, "OK"],
      [null, 2],
      [null, "hello"]
    ])
    const keys: Array<string> = []
    for await (const batch of redis.scanStream({ match: "*", count: 2 })) keys.push(...(batch as Array<string>))
    expect(keys.sort()).toEqual(["count", "greeting", "m", "p"])
    await expect(redis.call("LPUSH", "list", "x")).rejects.toThrow("ERR unknown command")
    expect(await redis.quit()).toBe("OK")
  })

  test("takes stale answers where it is told to, and none where it is not", async () => {
    const server = await start()
    const { calls } = server.replica
    const asking = [new Redis({ host: "127.0.0.1", port: server.port, readOnly: true }), new Redis(server.port)]
    expect(await Promise.all(asking.map((redis) => redis.get("k")))).toEqual([null, null])
    expect(calls).toEqual({ propose: 0, query: 1, queryLocal: 1 })
    for (const redis of asking) redis.disconnect()
  })

  test("a transaction fails when another client changes what it watches", async () => {
    const server = await start()
    const options = { host: "127.0.0.1", port: server.port }
    const [one, other] = [new Redis(options), new Redis(options)]
    await one.set("k", "1")
    await one.watch("k")
    await other.set("k", "2")
    expect(await one.multi().set("k", "3").exec()).toBeNull()
    expect(await one.get("k")).toBe("2")
    one.disconnect()
    other.disconnect()
  })

  test("a lock is unlocked by its owner alone", async () => {
    const server = await start()
    const redis = new Redis({ host: "127.0.0.1", port: server.port })
    const unlock = `if redis.call("get", KEYS[1]) == ARGV[1] then
      return redis.call("del", KEYS[1])
    else
      return 0
    end`
    await redis.set("lock", "me", "PX", 30_000, "NX")
    expect(await redis.eval(unlock, 1, "lock", "somebody else")).toBe(0)
    expect(await redis.eval(unlock, 1, "lock", "me")).toBe(1)
    expect(await redis.get("lock")).toBeNull()
    redis.disconnect()
  })
})

describe("node-redis", () => {
  let server: TestServer
  const clients: Array<{ destroy: () => void }> = []
  const connected = async (version: 2 | 3) => {
    server = await start()
    const client = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP: version })
    client.on("error", () => {})
    await client.connect()
    clients.push(client)
    return client
  }
  beforeAll(() => {
    clients.length = 0
  })
  afterAll(() => {
    for (const client of clients) client.destroy()
  })

  test.each([2, 3] as const)("works in version %i of the protocol", async (version) => {
    const client = await connected(version)
    expect(await client.set("greeting", "hello", { EX: 100 })).toBe("OK")
    expect(await client.get("greeting")).toBe("hello")
    expect(await client.ttl("greeting")).toBeGreaterThan(90)
    expect(await client.get("nothing")).toBeNull()
    expect(await client.incrBy("n", 5)).toBe(5)
    expect(await client.mGet(["greeting", "nothing"])).toEqual(["hello", null])
    expect(await client.multi().set("m", "1").incr("m").get("m").exec()).toEqual(["OK", 2, "2"])
    expect(await Promise.all([client.set("a", "1"), client.incr("a"), client.get("a")])).toEqual(["OK", 2, "2"])
    const keys: Array<string> = []
    for await (const batch of client.scanIterator({ COUNT: 2 })) keys.push(...batch)
    expect(keys.sort()).toEqual(["a", "greeting", "m", "n"])
  })
})
