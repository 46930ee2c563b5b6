/** The store's commands against a gateway that answers as told: what they ask, what they print, which exit code they have. */
import { afterEach, describe, expect, test } from "vitest"
import { type Asked, base64, FakeGateway, ok, type Reply } from "./FakeGateway.ts"
import { run as runCli } from "./InProcess.ts"

const gateways: Array<FakeGateway> = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close()
})

const run = async (argv: ReadonlyArray<string>, reply: (asked: Asked) => Reply, terminal = false) => {
  const fake = new FakeGateway(reply)
  gateways.push(fake)
  const ran = await runCli([...argv, "-e", await fake.listen()], { terminal })
  return { ...ran, asked: fake.asked, bodies: fake.asked.map(({ body }) => body) }
}

const refusal = (message: string, code = 11): Reply => ({ status: 400, body: { error: message, message, code } })

describe("get reads a range in pages", () => {
  const total = 2500
  const kv = (at: number) => ({ key: base64(`k${String(at).padStart(5, "0")}`), value: base64("v"), mod_revision: "3" })
  const text = (value: unknown) => Buffer.from(String(value), "base64").toString()
  /** Keys k00000 to k02499. The revision moves on with each request; only the first one counts. */
  const store = () => {
    let revision = 40
    return ({ body }: Asked): Reply => {
      const from = Number(text(body["key"]).replace("\0", "").slice(1) || 0)
      const first = text(body["key"]).endsWith("\0") ? from + 1 : from
      const count = Math.min(Number(body["limit"] ?? total), total - first)
      return {
        status: 200,
        body: {
          header: { revision: String(++revision) },
          kvs: Array.from({ length: count }, (_, at) => kv(first + at)),
          more: first + count < total,
          count: String(total - first)
        }
      }
    }
  }
  test("all of one revision, each key once", async () => {
    const { code, out, bodies } = await run(["get", "k", "--prefix"], store())
    const keys = out.split("\n").slice(0, -1)
    expect([code, keys.length, new Set(keys).size]).toEqual([0, total, total])
    expect(bodies.map(({ revision }) => revision)).toEqual([undefined, "41"])
    expect(bodies.map(({ limit }) => limit)).toEqual(["1000", "10000"])
    expect(text(bodies[1]?.["key"])).toBe("k00999\0")
  })
  test("JSON is one object, with the first page's revision and count", async () => {
    const answer = JSON.parse((await run(["get", "k", "--prefix", "-o", "json"], store())).out)
    expect([answer.header, answer.kvs.length, answer.count, answer.more]).toEqual([
      { revision: 41 },
      total,
      total,
      false
    ])
  })
  test("up to the limit", async () => {
    const { err, out, bodies } = await run(["get", "k", "--prefix", "--limit", "1200"], store())
    expect(out.split("\n")).toHaveLength(1201)
    expect(bodies.map(({ limit }) => limit)).toEqual(["1000", "200"])
    expect(err).toBe("1200 of 2500 keys shown\n")
  })
  test("pages become smaller where values are large", async () => {
    const large = base64("x".repeat(10_000))
    const few = (asked: Asked): Reply => {
      const { status, body } = store()(asked) as { status: number; body: { kvs: ReadonlyArray<object> } }
      return { status, body: { ...body, kvs: body.kvs.map((kv) => ({ ...kv, value: large })) } }
    }
    const { bodies } = await run(["get", "k", "--prefix", "--keys-only"], few)
    expect(bodies[1]?.["limit"]).toBe("419")
  })
  test("what is sorted or bounded comes in one answer", async () => {
    for (const flags of [
      ["--sort-by", "MODIFY"],
      ["--order", "descend"],
      ["--min-mod-rev", "3"]
    ]) {
      const { bodies } = await run(["get", "k", "--prefix", ...flags], store())
      expect(bodies.map(({ limit }) => limit)).toEqual([undefined])
    }
  })
})

describe("get asks as it was told", () => {
  const answer = ok({ kvs: [{ key: base64("k"), value: base64("v"), mod_revision: "3" }], count: "1" })
  test.each([
    [["--from-key"], { range_end: "AA==", limit: "1000" }],
    [["--range", "q"], { range_end: base64("q"), limit: "1000" }],
    [["--rev", "42"], { revision: "42" }],
    [
      ["--prefix", "--sort-by", "create", "--order", "DESCEND"],
      { range_end: base64("l"), sort_target: "CREATE", sort_order: "DESCEND" }
    ],
    [["--count-only"], { count_only: true }],
    [
      ["--prefix", "--min-mod-rev", "1", "--max-mod-rev", "2", "--min-create-rev", "3", "--max-create-rev", "4"],
      {
        range_end: base64("l"),
        min_mod_revision: "1",
        max_mod_revision: "2",
        min_create_revision: "3",
        max_create_revision: "4"
      }
    ]
  ])("%j", async (flags, expected) => {
    const { bodies } = await run(["get", "k", ...flags], () => answer)
    expect(bodies).toEqual([{ key: base64("k"), ...expected }])
  })
  test.each([
    [["get", "k", "--rev", "42"], 'balsa: no key "k" at revision 42\n'],
    [["get", "k", "--prefix"], 'balsa: no key begins with "k"\n'],
    [["get", "", "--prefix"], "balsa: the store is empty\n"],
    [["get", "k", "--from-key"], 'balsa: no key from "k" on\n'],
    [["get", "k", "--range", "m"], 'balsa: no key from "k" up to "m"\n']
  ])("%j says what is missing, with exit code 3", async (argv, err) => {
    expect(await run(argv, () => ok({}))).toMatchObject({ code: 3, out: "", err })
  })
  test("a count of none is an answer", async () => {
    expect(await run(["get", "k", "--count-only"], () => ok({}))).toMatchObject({ code: 0, out: "0\n", err: "" })
  })
})

describe("a hint is one that helps", () => {
  const noLeader: Reply = { status: 503, body: { message: "etcdserver: no leader", code: 14, reason: "no majority" } }
  test("a stale read is not told to be stale", async () => {
    expect((await run(["get", "k"], () => noLeader)).err).toContain("--consistency stale")
    const stale = await run(["get", "k", "--consistency", "stale"], () => noLeader)
    expect([stale.code, stale.err.includes("--consistency")]).toEqual([4, false])
  })
  test("nor is anybody who asks a replica that was removed", async () => {
    const reason = "this replica is not a member of the cluster: it was removed, or not added yet; ask another one"
    const { code, err } = await run(["get", "k"], () => ({ status: 503, body: { message: reason, code: 14, reason } }))
    expect([code, err]).toEqual([
      4,
      expect.stringMatching(/^BALSA_NOT_A_MEMBER: .*Name the members with --endpoints\n$/)
    ])
    expect(err).not.toContain("stale")
  })
  test.each([
    ["etcdserver: mvcc: required revision has been compacted", 1, /^BALSA_COMPACTED: .*Leave --rev out/],
    ["etcdserver: mvcc: required revision is a future revision", 1, /^BALSA_FUTURE_REVISION: .*leave --rev out/]
  ])("%s", async (message, exitCode, expected) => {
    const { code, err } = await run(["get", "k", "--rev", "5"], () => refusal(message))
    expect([code, err]).toEqual([exitCode, expect.stringMatching(expected)])
  })
})

describe("put and del", () => {
  const previous = { key: base64("k"), value: base64("old"), mod_revision: "3", lease: "77" }
  test.each([
    [["v", "--lease", "4d"], { value: base64("v"), lease: "77" }],
    [["v", "--lease", "d:77"], { value: base64("v"), lease: "77" }],
    [["v", "--lease", "7587862094756851979"], { value: base64("v"), lease: "7587862094756851979" }],
    [["v", "--ignore-lease"], { value: base64("v"), ignore_lease: true }],
    [["--ignore-value", "--lease", "0x4D"], { ignore_value: true, lease: "77" }]
  ])("put k %j", async (argv, expected) => {
    const { code, bodies } = await run(["put", "k", ...argv], () => ok({}))
    expect([code, bodies]).toEqual([0, [{ key: base64("k"), ...expected }]])
  })
  test.each([
    [["put", "k"], /VALUE is missing/],
    [["put", "k", "v", "--ignore-value"], /leave VALUE out/],
    [["put", "k", "--ignore-value", "--ignore-lease"], /leave nothing to write/],
    [["put", "k", "v", "--ignore-lease", "--lease", "1"], /excludes --lease/],
    [["put", "k", "v", "--lease", "x"], /"x" is no lease; an id is hexadecimal/],
    [["put", "k", "v", "--lease", "99999999999999999999"], /is no lease/],
    [["del", "k", "--range", "a"], /"a" does not come after KEY/],
    [["get", "k", "--prefix", "--range", "z"], /--prefix and --range exclude each other/],
    [["get", "k", "--keys-only", "--count-only"], /exclude each other/],
    [["get", "k", "--sort-by", "size"], /expected key, version, create, mod or value/],
    [["get", "k", "--rev", "-1"], /expected a number from 0 on/],
    [["watch", "k", "echo"], /to run a program for each event, add --exec/],
    [["watch", "k", "--exec"], /which program\? Write it behind --/],
    [["lock", ""], /NAME is empty/],
    [["lock", "l", "--ttl", "0"], /--ttl: "0" is no time to live/],
    [["elect", "e"], /VALUE is missing/],
    [["elect", "e", "v", "--listen"], /leave VALUE and --proclaim out/],
    [["compact"], /which revision\?/],
    [["compact", "0"], /REVISION: 0 is none/],
    [["compact", "5", "--keep", "3"], /exclude each other/],
    [["lease", "grant", "1.5"], /TTL: "1.5" is no time to live/]
  ])("%j is exit code 2, and nothing is asked", async (argv, message) => {
    const { code, out, err, asked } = await run(argv, () => ok({}))
    expect([code, out, asked]).toEqual([2, "", []])
    expect(err).toMatch(message)
  })
  test("tell what was there before", async () => {
    const reply = ({ path }: Asked) =>
      ok(path.endsWith("put") ? { prev_kv: previous } : { deleted: "1", prev_kvs: [previous] })
    expect((await run(["put", "k", "v", "--prev-kv"], reply)).out).toBe("OK\nk\told\n")
    expect((await run(["del", "k", "--prev-kv"], reply)).out).toBe("1\nk\told\n")
    const shown = { key: "k", value: "old", create_revision: 0, mod_revision: 3, version: 0, lease: "4d" }
    expect(JSON.parse((await run(["put", "k", "v", "--prev-kv", "-o", "json"], reply)).out).prev_kv).toEqual(shown)
    expect(JSON.parse((await run(["del", "k", "--prev-kv", "-o", "json"], reply)).out).prev_kvs).toEqual([shown])
  })
  test("a key that a put without a value needs is exit code 3", async () => {
    const { code, err } = await run(["put", "k", "--ignore-value"], () => refusal("etcdserver: key not found"))
    expect([code, err]).toEqual([3, expect.stringMatching(/^BALSA_NO_KEY: /)])
  })
})

describe("lease", () => {
  test("grant prints the id in hexadecimal, and nothing else into a pipe", async () => {
    const reply = ({ body }: Asked) => ok({ ID: body["ID"], TTL: "60" })
    const argv = ["lease", "grant", "1m", "--id", "4d"]
    const { out, bodies } = await run(argv, reply)
    expect([out, bodies]).toEqual(["4d\n", [{ ID: "77", TTL: "60" }]])
    expect((await run(argv, reply, true)).out).toBe("lease 4d granted for 60 s\n")
  })
  test("list is a table for people", async () => {
    const reply = ({ path }: Asked) =>
      ok(
        path.endsWith("leases")
          ? { leases: [{ ID: "77" }] }
          : { ID: "77", TTL: "42", grantedTTL: "60", keys: [base64("a"), base64("b")] }
      )
    expect((await run(["lease", "list"], reply)).out).toBe("4d\n")
    expect((await run(["lease", "list"], reply, true)).out).toBe(
      "LEASE  GRANTED  REMAINING  KEYS\n4d     60 s     42 s       2\n"
    )
    expect((await run(["lease", "timetolive", "4d", "--keys"], reply)).out).toBe(
      "id\t4d\ngranted_ttl\t60\nremaining_ttl\t42\nkeys\ta, b\n"
    )
  })
  test.each(["revoke", "timetolive", "keep-alive"])("%s of one that is not there is exit code 3", async (command) => {
    const reply = ({ path }: Asked): Reply =>
      path.endsWith("keepalive")
        ? { status: 200, body: { result: { ID: "77" } } }
        : path.endsWith("timetolive")
          ? ok({ ID: "77", TTL: "-1" })
          : refusal("etcdserver: requested lease not found", 5)
    const { code, out, err } = await run(["lease", command, "4d"], reply)
    expect([code, out, err]).toEqual([3, "", expect.stringMatching(/^BALSA_NO_LEASE: .*balsa lease list\n$/)])
  })
})

describe("compact", () => {
  test("keeps so many before the latest", async () => {
    const { code, out, asked } = await run(["compact", "--keep", "5"], () => ok({}))
    expect([code, out]).toEqual([0, "compacted revision 2\n"])
    expect(asked.at(-1)).toEqual({ path: "/v3/kv/compaction", body: { revision: "2" } })
  })
  test("with fewer than that there is nothing to do", async () => {
    const { code, out, asked } = await run(["compact", "--keep", "7"], () => ok({}))
    expect([code, out, asked.map(({ path }) => path)]).toEqual([
      0,
      "there are no more than that; nothing to compact\n",
      ["/v3/kv/range"]
    ])
  })
  test.each([
    ["etcdserver: mvcc: required revision has been compacted", /^BALSA_COMPACTED: revision 3 is compacted already/],
    ["etcdserver: mvcc: required revision is a future revision", /^BALSA_FUTURE_REVISION: .*balsa status/]
  ])("%s", async (message, expected) => {
    const { code, err } = await run(["compact", "3"], () => refusal(message))
    expect([code, err]).toEqual([1, expect.stringMatching(expected)])
  })
})
