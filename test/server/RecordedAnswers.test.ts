/** What etcd answered, request by request, is what the gateway answers, letter by letter. */
import { readdirSync, readFileSync } from "node:fs"
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

const directory = new URL("recorded/", import.meta.url)

/** Each was recorded from one that was started anew. */
const exchangesIn = (name: string): ReadonlyArray<Exchange> =>
  readFileSync(new URL(name, directory), "utf8")
    .split("\n\n")
    .filter((paragraph) => !paragraph.startsWith("#"))
    .map((paragraph) => {
      const [, only, method = "", path = "", body = "", status, answer = ""] =
        /^(! )?([A-Z]+) (\S+)(?: (.*))?\n(\d+) (.*)$/m.exec(paragraph) ?? expect.fail(`not an exchange: ${paragraph}`)
      return { onlyEtcd: only !== undefined, method, path, body, status: Number(status), answer }
    })

const exchanges = exchangesIn("first.txt")

/** Those have a test of their own below, for they tell sizes, addresses and versions. */
const ofOneServer = ["/v3/maintenance/status", "/v3/cluster/member/list", "/version"]

const isCompared = ({ onlyEtcd, path, status }: Exchange): boolean =>
  !(onlyEtcd || (ofOneServer.includes(path) && status === 200))

test.each(readdirSync(directory))("the recorded requests get the recorded answers: %s", async (name) => {
  const server = await TestServer.start()
  const recorded = exchangesIn(name)
  expect(recorded.length).toBeGreaterThan(5)
  for (const { method, path, body, status, answer } of recorded.filter(isCompared)) {
    const got = await TestServer.ask(server.url + path, method === "GET" ? { method } : { method, body })
    const sent = `${method} ${path} ${body}`
    // Recorded in one line; what is said of a field that is no int64 is each one's own.
    const text = withoutIds(got.text).trimEnd().replaceAll("\n", "\\n")
    const isOwnWording = /json: |invalid character/.test(answer)
    expect([sent, got.status, isOwnWording ? answer : text]).toEqual([sent, status, answer])
  }
})

test("status and members have etcd's fields in etcd's order", async () => {
  const server = await TestServer.start()
  await server.post("/v3/kv/put", { key: TestServer.base64("k") })
  for (const path of ["/v3/maintenance/status", "/v3/cluster/member/list"]) {
    const recorded = JSON.parse(exchanges.find((exchange) => exchange.path === path)?.answer ?? "none recorded")
    const { balsa: _, ...got } = JSON.parse((await server.post(path, {})).text)
    expect(shapeOf(got)).toEqual(shapeOf(recorded))
    expect(JSON.parse((await server.post(path, "")).text)).toMatchObject(got)
  }
})

test("status tells this replica's leader, term and indexes", async () => {
  const server = await TestServer.start()
  await server.post("/v3/kv/put", { key: TestServer.base64("k"), value: TestServer.base64("v") })
  await server.post("/v3/kv/put", { key: TestServer.base64("k"), value: TestServer.base64("w") })
  const { liveBytes, historyBytes } = server.replica.store()
  expect([liveBytes, historyBytes].every((bytes) => bytes > 0)).toBe(true)
  const { header, ...status } = JSON.parse((await server.post("/v3/maintenance/status", {})).text)
  expect(status).toEqual({
    version: "3.4.0",
    dbSize: String(liveBytes + historyBytes),
    leader: header.member_id,
    raftIndex: "22",
    raftTerm: "2",
    raftAppliedIndex: "22",
    dbSizeInUse: String(liveBytes),
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
