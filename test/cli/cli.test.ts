/** Every command against a gateway that answers as told: what it asks, what it prints, which exit code it has. */
import { afterEach, describe, expect, test } from "vitest"
import { type Asked, base64, FakeGateway, ok, type Reply } from "./FakeGateway.ts"
import { run as runCli } from "./InProcess.ts"

const gateways: Array<FakeGateway> = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close()
})

const gateway = async (reply: (asked: Asked) => Reply) => {
  const fake = new FakeGateway(reply)
  gateways.push(fake)
  return { fake, at: await fake.listen() }
}

/** An address where nothing listens: it did a moment ago. */
const nowhere = async () => {
  const fake = new FakeGateway(() => "hang")
  const at = await fake.listen()
  await fake.close()
  return at
}

const refusal = (status: number, code: number, message: string, more: object = {}): Reply => ({
  status,
  body: { error: message, message, code, ...more }
})
const noLeader = refusal(503, 14, "etcdserver: no leader", { reason: "no majority in reach" })
const found = ok({
  kvs: [{ key: base64("k"), value: base64("world"), create_revision: "2", mod_revision: "3", version: "2" }],
  count: "1"
})

describe("put", () => {
  test("sends base64 and says OK", async () => {
    const { fake, at } = await gateway(() => ok({}))
    const run = await runCli(["put", "hello", "wörld", "-e", at])
    expect(run).toMatchObject({ code: 0, out: "OK\n", err: "" })
    expect(fake.asked).toEqual([{ path: "/v3/kv/put", body: { key: base64("hello"), value: base64("wörld") } }])
  })
  test("reads the value from standard input, byte for byte", async () => {
    const { fake, at } = await gateway(() => ok({}))
    const run = await runCli(["put", "k", "-", "-o", "json"], {
      env: { BALSA_ENDPOINTS: at },
      input: Buffer.from([0, 255, 10])
    })
    expect(JSON.parse(run.out)).toEqual({ header: { revision: 7 }, key: "k" })
    expect(fake.asked[0]?.body["value"]).toBe("AP8K")
  })
  test("sends a name under which it is carried out once, and sends nothing again by itself", async () => {
    const { fake, at } = await gateway(() => "hang")
    const unknown = await runCli(["put", "k", "v", "--idempotency-key", "k-is-v", "-e", at, "--timeout", "200ms"])
    expect(unknown.code).toBe(5)
    expect(fake.headers.map((headers) => headers["idempotency-key"])).toEqual(["k-is-v"])
  })
  test.each(["", " x", "caf\u00e9", "x".repeat(256)])("refuses %j as such a name, and asks nobody", async (name) => {
    const { fake, at } = await gateway(() => ok({}))
    const run = await runCli(["put", "k", "v", "--idempotency-key", name, "-e", at])
    expect(run.code).toBe(2)
    expect(run.err).toContain("--idempotency-key takes 1 to 255 printable ASCII characters")
    expect(fake.asked).toEqual([])
  })
  test("goes on past an endpoint that it never reached", async () => {
    const { fake, at } = await gateway(() => ok({}))
    expect(await runCli(["put", "k", "v", "-e", `${await nowhere()},${at}`])).toMatchObject({ code: 0 })
    expect(fake.asked).toHaveLength(1)
  })
  test("goes on past a replica without a leader, which did nothing", async () => {
    const minority = await gateway(() => noLeader)
    const { at } = await gateway(() => ok({}))
    expect(await runCli(["put", "k", "v", "-e", `${minority.at},${at}`])).toMatchObject({ code: 0 })
  })
  const unknown: ReadonlyArray<readonly [string, Reply]> = [
    ["the connection ends", "drop"],
    [
      "the replica does not know",
      refusal(503, 14, "etcdserver: request timed out", { reason: "x", outcome_unknown: true })
    ],
    ["the replica stops, whatever its code", refusal(500, 13, "internal", { outcome_unknown: true })],
    ["an etcd times out", refusal(503, 14, "etcdserver: request timed out")],
    ["a proxy gives up", { status: 504, body: "<html>" }],
    ["no answer comes in time", "hang"]
  ]
  for (const [name, reply] of unknown) {
    test(`is not repeated elsewhere when ${name}`, async () => {
      const first = await gateway(() => reply)
      const second = await gateway(() => ok({}))
      const run = await runCli(["put", "k", "v", "-e", `${first.at},${second.at}`, "--timeout", "300ms"])
      expect(run).toMatchObject({ code: 5, out: "" })
      expect(run.err).toMatch(/^BALSA_OUTCOME_UNKNOWN: .*may have been applied.*\n$/)
      expect(first.fake.asked).toHaveLength(1)
      expect(second.fake.asked).toHaveLength(0)
    })
  }
})

describe("get", () => {
  test("prints the value, and asks as it was told", async () => {
    const { fake, at } = await gateway(() => found)
    expect(await runCli(["get", "k", "-e", at])).toMatchObject({ code: 0, out: "world\n", err: "" })
    await runCli(["get", "p/", "--prefix", "--limit", "5", "--consistency", "stale", "-e", at])
    expect(fake.asked.map(({ body }) => body)).toEqual([
      { key: base64("k") },
      { key: base64("p/"), range_end: base64("p0"), limit: "5", serializable: true }
    ])
  })
  test("a missing key is exit code 3, and nothing on standard output", async () => {
    const { at } = await gateway(() => ok({}))
    expect(await runCli(["get", "nope", "-e", at])).toMatchObject({
      code: 3,
      out: "",
      err: 'balsa: no key "nope"\n'
    })
  })
  test("a read goes on past any failure, a hanging replica included", async () => {
    const { at } = await gateway(() => found)
    const hanging = await gateway(() => "hang")
    const dropping = await gateway(() => "drop")
    const endpoints = [await nowhere(), hanging.at, dropping.at, at].join(",")
    const run = await runCli(["get", "k", "-e", endpoints, "--timeout", "2s"])
    expect(run).toMatchObject({ code: 0, out: "world\n" })
  })
})

test("del prints how many, and none is exit code 3", async () => {
  const { fake, at } = await gateway(({ body }) => ok(body["range_end"] === undefined ? {} : { deleted: "4" }))
  expect(await runCli(["del", "p", "--prefix", "-e", at])).toMatchObject({ code: 0, out: "4\n" })
  expect(await runCli(["del", "p", "-e", at])).toMatchObject({ code: 3, out: "0\n", err: 'balsa: no key "p"\n' })
  expect(fake.asked[0]).toEqual({ path: "/v3/kv/deleterange", body: { key: base64("p"), range_end: base64("q") } })
})

describe("failures are one line with a code", () => {
  const cases: ReadonlyArray<readonly [string, Reply, number, RegExp]> = [
    ["no quorum", noLeader, 4, /^BALSA_NO_QUORUM: .*no majority in reach.*--consistency stale/],
    ["a read without an answer", "hang", 5, /^BALSA_TIMEOUT: .*no answer within 0.4 s/],
    [
      "a limit",
      refusal(429, 8, "etcdserver: too many requests"),
      1,
      /^BALSA_BUSY: .*too many requests.*Nothing was done/
    ],
    ["no permission", refusal(401, 16, "etcdserver: invalid auth token"), 6, /^BALSA_UNAUTHORIZED: /],
    ["a refusal", refusal(400, 3, "etcdserver: bad"), 1, /^BALSA_REFUSED: .*etcdserver: bad/],
    ["another server", { status: 404, body: "<html>" }, 1, /^BALSA_UNEXPECTED_ANSWER: .*is it a replica/],
    ["no JSON at all", { status: 200, body: "hello" }, 1, /^BALSA_UNEXPECTED_ANSWER: /]
  ]
  for (const [name, reply, code, message] of cases) {
    test(name, async () => {
      const { at } = await gateway(() => reply)
      const run = await runCli(["get", "k", "-e", at, "--timeout", "400ms"])
      expect(run).toMatchObject({ code, out: "" })
      expect(run.err).toMatch(message)
      expect(run.err.trimEnd()).not.toContain("\n")
    })
  }
  test("nobody there", async () => {
    const [first, second] = [await nowhere(), await nowhere()]
    const run = await runCli(["put", "k", "v", "-e", `${first},${second}`])
    expect(run).toMatchObject({ code: 4, out: "" })
    expect(run.err).toContain(`${first} ECONNREFUSED; ${second} ECONNREFUSED`)
    expect(run.err).toContain("Nothing was written")
  })
})

describe("status", () => {
  const members = [
    { ID: "11", name: "A" },
    { ID: "12", name: "B" }
  ]
  const replica =
    (id: string, leader: string | undefined, applied: string, own: object = {}) =>
    (asked: Asked) =>
      asked.path === "/v3/cluster/member/list"
        ? ok({ members })
        : ok({
            header: { member_id: id, revision: "4", raft_term: "2" },
            leader,
            raftIndex: "9",
            raftTerm: "2",
            raftAppliedIndex: applied,
            ...own
          })

  test("asks every endpoint and says why one is silent", async () => {
    const [a, b, c] = [
      await gateway(replica("11", "11", "9")),
      await gateway(replica("12", "11", "6")),
      await nowhere()
    ]
    const run = await runCli(["status", "-e", `${a.at},${b.at},${c}`, "-o", "json"])
    expect(run.code).toBe(0)
    const nothing = { problems: [], snapshot: null, log: null }
    const common = { reachable: true, term: 2, leader: "A", revision: 4, commit_index: 9, ...nothing }
    expect(JSON.parse(run.out)).toEqual([
      { ...common, endpoint: a.at, id: "A", role: "leader", last_applied: 9, lag: 0 },
      { ...common, endpoint: b.at, id: "B", role: "follower", last_applied: 6, lag: 3 },
      { endpoint: c, reachable: false, id: null, reason: "ECONNREFUSED" }
    ])
  })
  test("says what a replica says is wrong with it, and what it keeps on its disk", async () => {
    const balsa = {
      admitted: false,
      divergedAt: 7,
      diskFull: true,
      snapshot: { index: 5, bytes: 900 },
      log: { firstIndex: 3, bytes: 70 },
      receivingPercent: 45
    }
    const { at } = await gateway(replica("11", "11", "9", { balsa }))
    const [told] = JSON.parse((await runCli(["status", "-e", at, "-o", "json"])).out)
    expect(told).toMatchObject({ snapshot: { index: 5, bytes: 900 }, log: { first_index: 3, bytes: 70 } })
    const plain = await runCli(["status", "-e", at, "-o", "plain"])
    expect(plain.out.trimEnd().split("\t").at(-1)).toBe(
      "differs from the others since entry 7, serves nobody; disk full, takes no writes; not admitted, does not vote; receiving a snapshot: 45 %"
    )
  })
  test("without a leader it is exit code 4", async () => {
    const { at } = await gateway(replica("12", undefined, "6"))
    const run = await runCli(["status", "-e", at, "-o", "plain"])
    expect(run).toMatchObject({ code: 4, out: `B\t${at}\tfollower\t2\tnone\t4\t3\tknows no leader\n` })
    expect(run.err).toMatch(/^BALSA_NO_QUORUM: /)
  })
})

describe("usage errors are exit code 2, one line and a pointer, on standard error", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp, string]> = [
    [[], /a replica needs a name: add --id A/, "serve"],
    [["--id", "A", "--peers", "A,B"], /--peers names A/, "serve"],
    [["serve", "--peer", "B"], /unknown flag --peer; did you mean --peers\?/, "serve"],
    [["serve", "--id", "A", "--id", "B"], /--id is given more than once/, "serve"],
    [["serve", "--id"], /--id needs a value/, "serve"],
    [["serv"], /unknown command "serv"; did you mean serve\?/, ""],
    [["get"], /KEY is missing/, "get"],
    [["get", ""], /KEY is empty/, "get"],
    [["get", "a", "b"], /too many arguments: "b"/, "get"],
    [["get", "k", "--consistency", "x"], /--consistency: "x" is not valid; expected linearizable, stale/, "get"],
    [["get", "k", "--limit", "-1"], /--limit: "-1" is not valid; expected a number from 0 on/, "get"],
    [["compact", "x"], /^balsa: REVISION: "x" is not valid; expected a number/, "compact"],
    [["get", "k", "-o", "xml"], /--output: "xml" is not an output format; use table, json, jsonl, plain/, "get"],
    [["get", "k", "-e", "x"], /--endpoints: "x" is not HOST:PORT/, "get"],
    [["get", "k", "-e", "https://h:1"], /asks for TLS/, "get"],
    [["put", "k", "v", "--timeout", "5"], /--timeout: "5" is no duration/, "put"],
    [["put", "k", "%", "--base64"], /VALUE: "%" is not base64/, "put"],
    [["dev", "--replicas", "4"], /--replicas: 4/, "dev"],
    [["help", "nope"], /there is no help for "nope"/, "help"]
  ]
  for (const [argv, message, command] of cases) {
    test(`balsa ${argv.join(" ")}`, async () => {
      const run = await runCli(argv)
      expect(run).toMatchObject({ code: 2, out: "" })
      expect(run.err).toMatch(message)
      expect(run.err.split("\n").slice(1)).toEqual([`See: balsa ${command}${command === "" ? "" : " "}--help`, ""])
    })
  }
})

describe("help", () => {
  test("is on standard output and teaches", async () => {
    for (const argv of [
      ["put", "--help"],
      ["help", "put"]
    ]) {
      const run = await runCli(argv)
      expect(run).toMatchObject({ code: 0, err: "" })
      for (const part of ["balsa put config - < config.json", "BALSA_ENDPOINTS", "EXIT CODES"])
        expect(run.out).toContain(part)
    }
    expect((await runCli(["help", "exit-codes"])).out).toMatch(/ 5 {2}timeout/)
    expect((await runCli(["help", "environment"])).out).toContain("BALSA_PEERS")
  })
})
