/** What etcd answered, request by request, is what the gateway answers, letter by letter. */
import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import * as TestServer from "./TestServer.ts"

interface Exchange {
  readonly onlyEtcd: boolean
  readonly method: string
  readonly path: string
  readonly body: string
  readonly status: number
  readonly answer: string
}

const exchanges: ReadonlyArray<Exchange> = readFileSync(new URL("etcd-3.4.23.txt", import.meta.url), "utf8")
  .split("\n\n")
  .filter((paragraph) => !paragraph.startsWith("#"))
  .map((paragraph) => {
    const [, only, method = "", path = "", body = "", status, answer = ""] =
      /^(! )?([A-Z]+) (\S+)(?: (.*))?\n(\d+) (.*)$/m.exec(paragraph) ?? expect.fail(`not an exchange: ${paragraph}`)
    return {
      onlyEtcd: only !== undefined,
      method,
      path,
      body,
      status: Number(status),
      answer
    }
  })

/** Those have a test of their own below, for they tell sizes, addresses and versions. */
const ofOneServer = ["/v3/maintenance/status", "/v3/cluster/member/list", "/version"]

test("the recorded requests get the recorded answers", async () => {
  const server = await TestServer.start()
  let compared = 0
  for (const { onlyEtcd, method, path, body, status, answer } of exchanges) {
    if (onlyEtcd || (ofOneServer.includes(path) && status === 200)) continue
    const got = await TestServer.ask(server.url + path, method === "GET" ? { method } : { method, body })
    const sent = `${method} ${path} ${body}`
    expect([sent, got.status, withoutIds(got.text).trimEnd()]).toEqual([sent, status, answer])
    compared += 1
  }
  expect(compared).toBe(exchanges.length - 4)
})

test("status and members have etcd's fields in etcd's order", async () => {
  const server = await TestServer.start({ dbSizeBytes: () => 20_480 })
  for (const path of ["/v3/maintenance/status", "/v3/cluster/member/list"]) {
    const recorded = JSON.parse(exchanges.find((exchange) => exchange.path === path)?.answer ?? "none recorded")
    const { balsa: _, ...got } = JSON.parse((await server.post(path, {})).text)
    expect(shapeOf(got)).toEqual(shapeOf(recorded))
    expect(JSON.parse((await server.post(path, "")).text)).toMatchObject(got)
  }
})

test("status tells this replica's leader, term and indexes", async () => {
  const server = await TestServer.start({ dbSizeBytes: () => 20_480 })
  const { header, ...status } = JSON.parse((await server.post("/v3/maintenance/status", {})).text)
  expect(status).toEqual({
    version: "3.4.0",
    dbSize: "20480",
    leader: header.member_id,
    raftIndex: "22",
    raftTerm: "2",
    raftAppliedIndex: "22",
    dbSizeInUse: "20480",
    balsa: {
      id: "A",
      admitted: true,
      diskFull: false,
      outside: false,
      joint: false,
      member: "voter",
      log: { firstIndex: 1, bytes: 1000 }
    }
  })
  server.replica.differing = { leader: undefined }
  const leaderless = JSON.parse((await server.post("/v3/maintenance/status", {})).text)
  expect(leaderless.leader).toBeUndefined()
  expect(leaderless.errors).toEqual(["etcdserver: no leader"])
})

test("/version tells an etcd version, by which clients choose, and Balsa's own", async () => {
  const server = await TestServer.start({ version: "0.1.0" })
  const { text } = await server.get("/version")
  expect(JSON.parse(text)).toEqual({ etcdserver: "3.4.0", etcdcluster: "3.4.0", balsa: "0.1.0" })
})

const withoutIds = (text: string): string =>
  text.replace(/"cluster_id":"\d+","member_id":"\d+"/g, '"cluster_id":"C","member_id":"M"')

/** Names in order and kinds of values. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== "object" || value === null) return typeof value
  return Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)])
}
