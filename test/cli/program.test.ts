/** The bundle as a process: what only a process has, which is an exit code, streams, signals and a Node. */
import { afterEach, beforeAll, expect, test } from "vitest"
import { base64, FakeGateway, ok, type Reply } from "./FakeGateway.ts"
import { Program } from "./Program.ts"

let program: Program
beforeAll(async () => {
  program = await Program.build()
})

const gateways: Array<FakeGateway> = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close()
})

const listen = async (reply: () => Reply) => {
  const fake = new FakeGateway(reply)
  gateways.push(fake)
  return { fake, at: await fake.listen() }
}

const exits: ReadonlyArray<readonly [number, string, ReadonlyArray<string>, Reply]> = [
  [0, "ok", ["put", "k", "v"], ok({})],
  [1, "refused", ["put", "k", "v"], { status: 400, body: { message: "no", code: 3 } }],
  [2, "usage", ["put", "k"], "hang"],
  [3, "not found", ["get", "k"], ok({})],
  [4, "unavailable", ["get", "k"], { status: 503, body: { message: "etcdserver: no leader", code: 14 } }],
  [5, "outcome unknown", ["put", "k", "v"], "drop"],
  [6, "unauthorized", ["get", "k"], { status: 403, body: { message: "no", code: 7 } }]
]
for (const [code, name, argv, reply] of exits) {
  test(`exit code ${code}: ${name}`, async () => {
    const { at } = await listen(() => reply)
    const finished = await program.run(argv, { env: { BALSA_ENDPOINTS: at } })
    expect(finished.code).toBe(code)
    expect(finished.err === "").toBe(code === 0)
    expect(finished.err).not.toMatch(/^ +at /m)
  })
}

test("exit code 130: interrupted", async () => {
  const asked = Promise.withResolvers<void>()
  const { at } = await listen(() => {
    asked.resolve()
    return "hang"
  })
  const child = program.start(["put", "k", "v", "-e", at])
  await asked.promise
  child.kill("SIGINT")
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130)
})

test("values pass byte for byte, from standard input and to standard output", async () => {
  const value = Buffer.from([0, 255, 10, 13, 97])
  const { fake, at } = await listen(() =>
    ok({ kvs: [{ key: base64("k"), value: value.toString("base64") }], count: "1" })
  )
  await program.run(["put", "k", "-", "-e", at], { input: value })
  expect(fake.asked[0]?.body["value"]).toBe(value.toString("base64"))
  expect((await program.run(["get", "k", "-e", at])).bytes).toEqual(value)
})

test("a pipe that closes early is no error", async () => {
  const value = base64("x".repeat(100_000))
  const kvs = Array.from({ length: 20 }, (_, at) => ({ key: base64(`k${at}`), value }))
  const { at } = await listen(() => ok({ kvs, count: "20" }))
  const child = program.start(["get", "", "--prefix", "-e", at])
  const err: Array<Buffer> = []
  child.stderr!.on("data", (chunk: Buffer) => err.push(chunk))
  child.stdout!.once("data", () => child.stdout!.destroy())
  const code = await new Promise((resolve) => child.on("close", resolve))
  expect([code, Buffer.concat(err).toString()]).toEqual([0, ""])
})

test("the version is the package's, and in the bundle", async () => {
  expect((await program.run(["--version"])).out).toMatch(/^balsa \d+\.\d+\.\d+\n$/)
})

test("an old Node is told so in one line", async () => {
  const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"18.20.8"}})`
  const finished = await program.run(["--version"], { nodeArgv: ["--import", pretend] })
  expect(finished).toMatchObject({ code: 1, out: "" })
  expect(finished.err).toMatch(/^balsa needs Node 20\.19 or later.*this is 18\.20\.8.*\n$/)
})
