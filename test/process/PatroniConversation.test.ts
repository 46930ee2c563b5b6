/** What Patroni asks is answered as etcd answers it: letter by letter where it was recorded, and where replicas die. */
import { readFileSync } from "node:fs"
import { afterEach, assert, describe, expect, it } from "vitest"
import * as Conversation from "./Conversation.ts"
import { base64, eventually, RealCluster } from "./RealCluster.ts"

let cluster: RealCluster

afterEach(() => cluster.stopAll())

const begin = async (ids: ReadonlyArray<string>): Promise<string> => {
  cluster = await RealCluster.make(ids)
  for (const id of ids) cluster.start(id)
  const leader = await cluster.leader()
  // The replicas agree first that all of them know what a lease is.
  await eventually("leases are granted", async () => {
    const grant = await Conversation.send(portOf(leader), "POST", "/v3/lease/grant", JSON.stringify({ TTL: 600 }))
    await grant.ended
    return grant.status === 200 || undefined
  })
  return leader
}

const portOf = (id: string): number => cluster.ports.get(id)!.client

const recorded = Conversation.parse(readFileSync(new URL("patroni-3.0.2.txt", import.meta.url), "utf8"))

it("the recorded conversation goes as it went with etcd", async () => {
  const held = await Conversation.hold(portOf(await begin(["A"])), recorded)
  expect(held).toHaveLength(recorded.length)
  for (const [at, exchange] of recorded.entries()) expect(held[at]).toEqual(exchange)
})

it("its first question, for the version, has a body, and the answer is numbers with points between them", async () => {
  const answer = await ask(await begin(["A"]), "/version", {}, "GET")
  const { etcdserver, etcdcluster } = answer as { etcdserver: string; etcdcluster: string }
  for (const version of [etcdserver, etcdcluster]) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  // From here on it calls /v3; before, /v3beta.
  expect(Number(etcdcluster.split(".")[0])).toBe(3)
  expect(Number(etcdcluster.split(".")[1])).toBeGreaterThanOrEqual(4)
})

describe("three replicas", () => {
  it("each tells where all of them answer clients: Patroni forgets its own list for this one", async () => {
    await begin(["A", "B", "C"])
    const all = cluster.ids.map((id) => `http://127.0.0.1:${portOf(id)}`)
    const told = async (id: string): Promise<ReadonlyArray<string>> => {
      const { members } = (await ask(id, "/v3/cluster/member/list", {})) as MemberList
      return members.flatMap(({ clientURLs }) => clientURLs ?? [])
    }
    for (const id of cluster.ids) {
      const complete = await eventually(`${id} tells of all`, async () => {
        const urls = await told(id)
        return urls.length === all.length ? urls : undefined
      })
      expect(complete.toSorted()).toEqual(all.toSorted())
    }
  })

  it("a lease that runs out takes its keys along at once, and whoever is asked knows", async () => {
    const leader = await begin(["A", "B", "C"])
    const [follower = "", another = ""] = cluster.ids.filter((id) => id !== leader)
    const { ID } = (await ask(follower, "/v3/lease/grant", { TTL: 2 })) as { ID: string }
    for (const key of ["members/one", "leader"]) {
      const { header } = (await ask(another, "/v3/kv/put", { key: named(key), value: base64("one"), lease: ID })) as Put
      assert.isDefined(header.revision)
    }
    const watch = await Conversation.send(
      portOf(another),
      "POST",
      "/v3/watch",
      JSON.stringify({ create_request: { ...everything, start_revision: "1", filters: [] } })
    )
    expect(watch.headers["transfer-encoding"]).toBe("chunked")
    await watch.until((text) => text.includes(`"type":"DELETE"`))
    watch.close()
    const deletion = watch.text().trimEnd().split("\n").at(-1)!
    const { result } = JSON.parse(deletion) as Watched
    expect(result.events.map(({ type, kv }) => [type, kv.key])).toEqual(
      ["leader", "members/one"].map((key) => ["DELETE", named(key)])
    )
    expect(new Set(result.events.map(({ kv }) => kv.mod_revision)).size).toBe(1)
    for (const id of cluster.ids) {
      const { result } = (await ask(id, "/v3/lease/keepalive", { ID })) as { result: { ID: string; TTL?: string } }
      expect([result.ID, result.TTL]).toEqual([ID, undefined])
    }
  })

  it("no leader is an error that Patroni tries again, and no lease that is gone; what is known can still be read", async () => {
    const leader = await begin(["A", "B", "C"])
    const { ID } = (await ask(leader, "/v3/lease/grant", { TTL: 60 })) as { ID: string }
    const { header } = (await ask(leader, "/v3/kv/put", {
      key: named("leader"),
      value: base64("one"),
      lease: ID
    })) as Put
    const [last = "", second = ""] = cluster.ids.filter((id) => id !== leader)
    await eventually("the one that is left has the key", async () => {
      const { kvs } = (await ask(last, "/v3/kv/range", { ...everything, serializable: true })) as Range
      return kvs?.[0]?.lease === ID || undefined
    })
    await cluster.kill(leader)
    await cluster.kill(second)
    const keepalive = await Conversation.send(portOf(last), "POST", "/v3/lease/keepalive", JSON.stringify({ ID }))
    await keepalive.ended
    expect(keepalive.status).toBe(503)
    const { error } = JSON.parse(keepalive.text()) as { error: { grpc_code: number; http_code: number } }
    expect(error).toMatchObject({ grpc_code: 14, http_code: 503 })
    const put = await Conversation.send(portOf(last), "POST", "/v3/kv/put", JSON.stringify({ key: named("x") }))
    await put.ended
    expect([put.status, (JSON.parse(put.text()) as { code: number }).code]).toEqual([503, 14])
    const { kvs } = (await ask(last, "/v3/kv/range", { ...everything, serializable: true })) as Range
    expect(kvs?.[0]?.mod_revision).toBe(header.revision)
  })
})

interface MemberList {
  readonly members: ReadonlyArray<{ readonly clientURLs?: ReadonlyArray<string> }>
}

interface Put {
  readonly header: { readonly revision?: string }
}

interface Watched {
  readonly result: {
    readonly events: ReadonlyArray<{ type?: string; kv: { key: string; mod_revision: string } }>
  }
}

interface Range {
  readonly kvs?: ReadonlyArray<{ readonly lease?: string; readonly mod_revision: string }>
}

const named = (key: string): string => base64(`/service/shop/${key}`)

const everything = { key: base64("/service/shop/"), range_end: base64("/service/shop0") }

/** The whole answer as one JSON text, as Patroni reads all but a watch. */
const ask = async (id: string, path: string, body: object, method = "POST"): Promise<unknown> => {
  const streamed = await Conversation.send(portOf(id), method, path, JSON.stringify(body))
  await streamed.ended
  expect([path, streamed.status, streamed.text()]).toEqual([path, 200, streamed.text()])
  return JSON.parse(streamed.text())
}
