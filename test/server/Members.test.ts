/** Members over HTTP: etcd's requests and answers, Balsa's own, and what is refused before anybody is asked. */
import { Effect } from "effect"
import { expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import { AmendmentRefused, Unavailable } from "../../src/runtime/RequestError.ts"
import { memberIdOf } from "../../src/server/Ids.ts"
import type { Member } from "../../src/server/Status.ts"
import * as TestServer from "./TestServer.ts"

const B = { name: "B", peerURLs: ["http://10.0.0.2:7502"] }
const idOf = (name: string) => memberIdOf("test", ReplicaId(name))

const start = async (probe?: (id: string, address: string) => string | undefined) => {
  const server: TestServer.TestServer = await TestServer.start({
    members: () =>
      server.replica.members().members.map(
        ({ id, role, address }): Member => ({
          name: id,
          peerUrls: address === undefined ? [] : [`http://${address}`],
          clientUrls: [],
          isLearner: role === "learner"
        })
      ),
    probe: (id, address) => Effect.sync(() => probe?.(id, address))
  })
  const post = async (path: string, body: object) => {
    const { status, text } = await server.post(path, body)
    return { status, body: JSON.parse(text) }
  }
  return { replica: server.replica, post, server }
}

test("a member is added as a learner that is to be promoted, listed, moved, promoted and removed", async () => {
  const { post, replica } = await start()
  const added = await post("/v3/cluster/member/add", B)
  expect(added.status).toBe(200)
  expect(added.body.member).toEqual({ ID: idOf("B"), name: "B", peerURLs: B.peerURLs, isLearner: true })
  expect(added.body.members).toHaveLength(2)
  expect(replica.configuration.learners).toEqual([{ id: "B", promote: true }])

  expect((await post("/v3/cluster/member/update", { ID: idOf("B"), peerURLs: ["http://10.0.0.9:1"] })).status).toBe(200)
  expect((await post("/v3/cluster/member/promote", { ID: idOf("B") })).status).toBe(200)
  const { body } = await post("/v3/cluster/member/list", { linearizable: true })
  expect(body.members).toEqual([
    { ID: idOf("A"), name: "A", peerURLs: ["http://10.0.0.1:7501"] },
    { ID: idOf("B"), name: "B", peerURLs: ["http://10.0.0.9:1"] }
  ])
  expect((await post("/v3/cluster/member/remove", { ID: idOf("B") })).body.members).toHaveLength(1)
  expect(replica.configuration.voters).toEqual(["A"])
})

test("isLearner is one that stays a learner", async () => {
  const { post, replica } = await start()
  await post("/v3/cluster/member/add", { ...B, isLearner: true })
  expect(replica.configuration.learners).toEqual([{ id: "B", promote: false }])
})

test("one that does not answer at its address is not added, unless that is forced", async () => {
  const asked: Array<string> = []
  const { post, replica } = await start((id, address) => {
    asked.push(`${id} at ${address}`)
    return "nobody can be reached there"
  })
  const refused = await post("/v3/cluster/member/add", B)
  expect(refused).toMatchObject({
    status: 412,
    body: {
      code: 9,
      message: "etcdserver: unhealthy cluster",
      reason: "B is not taken in: nobody can be reached there"
    }
  })
  expect(asked).toEqual(["B at 10.0.0.2:7502"])
  expect(replica.amendments).toEqual([])
  expect((await post("/v3/cluster/member/add", { ...B, force: true })).status).toBe(200)
  expect(asked).toHaveLength(1)
})

test("adding what is there already changes nothing; another address, or another's, is refused in etcd's words", async () => {
  const { post, replica } = await start()
  await post("/v3/cluster/member/add", B)
  expect((await post("/v3/cluster/member/add", B)).status).toBe(200)
  expect(replica.configuration.learners).toHaveLength(1)
  const moved = await post("/v3/cluster/member/add", { ...B, peerURLs: ["http://10.0.0.3:7503"] })
  expect(moved).toMatchObject({ status: 412, body: { message: "etcdserver: member ID already exist" } })
  const double = await post("/v3/cluster/member/add", { ...B, name: "C" })
  expect(double).toMatchObject({ status: 412, body: { message: "etcdserver: Peer URLs already exists" } })
})

test.each([
  ["no name", "/v3/cluster/member/add", { peerURLs: B.peerURLs }, /"name" must be the id/],
  ["a name with a slash", "/v3/cluster/member/add", { ...B, name: "../B" }, /"name" must be the id/],
  ["no address", "/v3/cluster/member/add", { name: "B" }, /"peerURLs" must have one address/],
  ["two addresses", "/v3/cluster/member/add", { name: "B", peerURLs: ["a:1", "b:2"] }, /one address/],
  ["no host and port", "/v3/cluster/member/add", { name: "B", peerURLs: ["http://nowhere"] }, /write HOST:PORT/],
  ["addresses that are no list", "/v3/cluster/member/add", { name: "B", peerURLs: "a:1" }, /must be a list of strings/],
  ["nobody", "/v3/cluster/member/remove", {}, /say which member/],
  ["a number that is none", "/v3/cluster/member/remove", { ID: "x" }, /unsigned 64-bit/],
  ["no changes", "/balsa/v1/members/amend", { changes: [] }, /1 to 64 changes/],
  [
    "too many changes",
    "/balsa/v1/members/amend",
    { changes: Array.from({ length: 65 }, () => ({ type: "leave" })) },
    /1 to 64 changes/
  ],
  ["an unknown change", "/balsa/v1/members/plan", { changes: [{ type: "swap", name: "B" }] }, /must be one of add/],
  ["a move to nowhere", "/balsa/v1/members/amend", { changes: [{ type: "move", name: "B" }] }, /needs an "address"/]
])("a request with %s is refused, and says why", async (_what, path, body, message) => {
  const { post, replica } = await start()
  const answer = await post(path, body)
  expect(answer.status).toBe(400)
  expect(answer.body.message).toMatch(message)
  expect(replica.amendments).toEqual([])
})

test("a member that is not there is not found, as etcd has it", async () => {
  const { post } = await start()
  for (const route of ["remove", "promote"]) {
    const answer = await post(`/v3/cluster/member/${route}`, { ID: "42" })
    expect(answer).toMatchObject({ status: 404, body: { code: 5, message: "etcdserver: member not found" } })
  }
})

test("what the cluster refuses is told in etcd's words, with the reason beside it", async () => {
  const { post, replica } = await start()
  await post("/v3/cluster/member/add", B)
  const cases = [
    ["NotCaughtUp", "etcdserver: can only promote a learner member which is in sync with leader"],
    ["WouldLoseQuorum", "etcdserver: re-configuration failed due to not enough started members"]
  ] as const
  for (const [reason, message] of cases) {
    replica.instead = Effect.fail(new AmendmentRefused({ reason, message: "why", outcomeUnknown: false }))
    const answer = await post("/v3/cluster/member/promote", { name: "B" })
    expect(answer).toMatchObject({ status: 412, body: { code: 9, message, reason: "why" } })
  }
})

test("several changes are one amendment", async () => {
  const { post, replica } = await start()
  const changes = [
    { type: "add", name: "B", address: "10.0.0.2:7502" },
    { type: "add", name: "C", address: "10.0.0.3:7503", promote: false }
  ]
  const { status, body } = await post("/balsa/v1/members/amend", { changes })
  expect(status).toBe(200)
  expect(replica.amendments).toHaveLength(1)
  expect(body).toMatchObject({ cluster: "test", founders: ["A"], configuration: { joint: false } })
  expect(body.members.map(({ id, role }: { id: string; role: string }) => `${id} ${role}`)).toEqual([
    "A voter",
    "B learner",
    "C learner"
  ])
})

test("the leadership is transferred to whom etcd's number or Balsa's name means", async () => {
  const { post } = await start()
  await post("/v3/cluster/member/add", B)
  for (const target of [{ targetID: idOf("B") }, { name: "B" }]) {
    expect((await post("/v3/maintenance/transfer-leadership", target)).body.balsa.leader).toBe("B")
  }
  const unknown = await post("/v3/maintenance/transfer-leadership", { targetID: "42" })
  expect(unknown).toMatchObject({ status: 412, body: { message: "etcdserver: bad leader transferee" } })
})

test("a serializable answer says how old it may be, and a linearizable one has no need to", async () => {
  const { server } = await start()
  const local = await server.post("/v3/kv/range", { key: "eA==", serializable: true })
  expect(local.headers.get("balsa-applied-index")).toBe("22")
  expect(local.headers.get("balsa-leader-heard-millis")).toBe("12")
  const latest = await server.post("/v3/kv/range", { key: "eA==" })
  expect(latest.headers.get("balsa-applied-index")).toBeNull()
})

test("a list that is to be linearizable is not given by a replica that hears no leader", async () => {
  const { post, replica } = await start()
  for (const path of ["/v3/cluster/member/list", "/balsa/v1/members"]) {
    replica.instead = undefined
    const before = replica.calls.query
    expect((await post(path, { linearizable: true })).status).toBe(200)
    expect(replica.calls.query).toBe(before + 1)
    replica.instead = Effect.fail(new Unavailable({ message: "no leader", outcomeUnknown: false }))
    expect((await post(path, { linearizable: true })).status).toBe(503)
    expect((await post(path, {})).status).toBe(200)
  }
})
