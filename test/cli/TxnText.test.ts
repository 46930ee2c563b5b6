/** Transactions as they are written: what is asked of the gateway, and which line and column is wrong. */
import { afterEach, describe, expect, test } from "vitest"
import { type Asked, base64, FakeGateway, ok } from "./FakeGateway.ts"
import { run as runCli } from "./InProcess.ts"

const gateways: Array<FakeGateway> = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close()
})

const run = async (text: string, answer: object = { succeeded: true }, argv: ReadonlyArray<string> = []) => {
  const fake = new FakeGateway(() => ok(answer))
  gateways.push(fake)
  const ran = await runCli(["txn", ...argv, "-e", await fake.listen()], { input: Buffer.from(text) })
  return { ...ran, asked: fake.asked }
}

const body = ([only]: ReadonlyArray<Asked>) => only!.body as Record<string, ReadonlyArray<object>>

describe("comparisons", () => {
  const key = base64("k")
  test.each([
    [`mod("k") > "0"`, { target: "MOD", result: "GREATER", mod_revision: "0" }],
    [`m(k)<7`, { target: "MOD", result: "LESS", mod_revision: "7" }],
    [`create("k") = 0`, { target: "CREATE", result: "EQUAL", create_revision: "0" }],
    [`c('k') != "5"`, { target: "CREATE", result: "NOT_EQUAL", create_revision: "5" }],
    [`ver("k") == "1"`, { target: "VERSION", result: "EQUAL", version: "1" }],
    [`  version ( "k" )  =  "1"  `, { target: "VERSION", result: "EQUAL", version: "1" }],
    [`val("k") = "a b"`, { target: "VALUE", result: "EQUAL", value: base64("a b") }],
    [`value("k") < 7`, { target: "VALUE", result: "LESS", value: base64("7") }],
    [`lease("k") = "0"`, { target: "LEASE", result: "EQUAL", lease: "0" }],
    [`lease("k") = 694d5765fc71500b`, { target: "LEASE", result: "EQUAL", lease: String(0x694d5765fc71500bn) }]
  ])("%s", async (line, expected) => {
    const { asked, code } = await run(`${line}\n\nget k\n`)
    expect(code).toBe(0)
    expect(body(asked)["compare"]).toEqual([{ key, ...expected }])
  })
})

test("has three parts, comments, and requests with the flags of their commands", async () => {
  const text = `# first\nmod("a") > "0"\nver("b") = "1"\n\nput a "one\\ttwo" --lease 4d # x\nget p/ --prefix --limit 3\n\ndel p/ --prefix --prev-kv\n`
  const { asked } = await run(text)
  expect(asked[0]!.path).toBe("/v3/kv/txn")
  expect(body(asked)["compare"]).toHaveLength(2)
  expect(body(asked)["success"]).toEqual([
    { request_put: { key: base64("a"), value: base64("one\ttwo"), lease: "77" } },
    { request_range: { key: base64("p/"), range_end: base64("p0"), limit: "3" } }
  ])
  expect(body(asked)["failure"]).toEqual([
    { request_delete_range: { key: base64("p/"), range_end: base64("p0"), prev_kv: true } }
  ])
})

describe("prints", () => {
  const kv = { key: base64("a"), value: base64("1"), create_revision: "2", mod_revision: "3", version: "2" }
  const responses = [
    { response_put: {} },
    { response_range: { kvs: [kv], count: "1" } },
    { response_delete_range: { deleted: "4" } }
  ]
  const text = "\nput a 1\nget a\ndel b --prefix\n\nget a\n"
  test("what came of each request", async () => {
    expect(await run(text, { succeeded: true, responses })).toMatchObject({
      code: 0,
      out: "SUCCESS\nOK\na\t1\n4\n",
      err: ""
    })
  })
  test("a failed comparison, with exit code 3", async () => {
    const answer = { responses: [{ response_range: { kvs: [kv], count: "1" } }] }
    expect(await run(text, answer)).toMatchObject({ code: 3, out: "FAILURE\na\t1\n", err: "" })
  })
  test("JSON on one line", async () => {
    const { out } = await run(text, { succeeded: true, responses }, ["-o", "json"])
    const shown = { key: "a", value: "1", create_revision: 2, mod_revision: 3, version: 2, lease: null }
    expect(JSON.parse(out)).toEqual({
      header: { revision: 7 },
      succeeded: true,
      responses: [{ put: {} }, { get: { kvs: [shown], count: 1, more: false } }, { del: { deleted: 4 } }]
    })
  })
})

describe("a mistake is exit code 2, says where, and nothing is asked", () => {
  test.each([
    ["", "the transaction is empty"],
    ["modx(k) > 0\n", 'line 1, column 1: "modx" is nothing to compare'],
    ["mod k > 0\n", 'line 1, column 5: "(" and a key must follow mod'],
    ["mod() > 0\n", "line 1, column 5: the key is empty"],
    ["mod(k > 0\n", 'line 1, column 7: ")" is missing'],
    ['mod("k) > 0\n', 'line 1, column 5: the quote " is not closed'],
    ["mod(k) >= 0\n", "line 1, column 8: one of = != > <"],
    ["mod(k) >\n", "line 1, column 9: what is it compared with?"],
    ["mod(k) > x\n", 'line 1, column 10: "x" is no number'],
    ["mod(k) > 1 2\n", "line 1, column 12: this is more than one comparison"],
    ["lease(k) = xyz\n", 'line 1, column 12: lease: "xyz" is no lease'],
    ["mod(k) > 1\n\nput a\n", "line 3, column 1: VALUE is missing"],
    ["\n  pat a\n", "line 2, column 3: a request begins with put, get or del"],
    ["\nput a b --lesae 4\n", "line 2, column 9: unknown flag --lesae; did you mean --lease?"],
    ["\nput a b c\n", 'line 2, column 9: too many arguments: "c"'],
    ["\nput a -\n", 'line 2, column 1: "-" cannot be read here'],
    ["\nget a --prefix --from-key\n", "line 2, column 1: --prefix and --from-key exclude each other"],
    ["\nget a\n\n\nput b c\n", "line 5, column 1: this is a fourth part"]
  ])("%j", async (text, message) => {
    const { code, out, err, asked } = await run(text)
    expect([code, out, asked]).toEqual([2, "", []])
    expect(err.split("\n")[0]).toContain(message)
    expect(err.split("\n").slice(1)).toEqual(["See: balsa txn --help", ""])
  })
})
