/** `balsa shell` from a pipe, what Tab offers, and what is kept of the history. */
import { Effect, Result } from "effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import { afterEach, describe, expect, test } from "vitest"
import { getCommand } from "../../src/cli/GetCommand.ts"
import { leaseCommand } from "../../src/cli/LeaseCommand.ts"
import { putCommand } from "../../src/cli/PutCommand.ts"
import * as ShellCompletion from "../../src/cli/ShellCompletion.ts"
import * as ShellHistory from "../../src/cli/ShellHistory.ts"
import * as Endpoint from "../../src/client/Endpoint.ts"
import { type Asked, base64, FakeGateway, ok, type Reply } from "./FakeGateway.ts"
import { run as runCli } from "./InProcess.ts"

const gateways: Array<FakeGateway> = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close()
})

const listen = async (reply: (asked: Asked) => Reply) => {
  const fake = new FakeGateway(reply)
  gateways.push(fake)
  return { fake, at: await fake.listen() }
}

describe("from a pipe", () => {
  const shell = async (
    text: string,
    flags: ReadonlyArray<string> = [],
    reply: (asked: Asked) => Reply = () => ok({})
  ) => {
    const { fake, at } = await listen(reply)
    const ran = await runCli(["shell", ...flags, "-e", at], { input: Buffer.from(text) })
    return { ...ran, asked: fake.asked }
  }
  test("runs line by line, quoted as in sh, until exit", async () => {
    const { code, out, err, asked } = await shell(
      `# first\n\nput k 'one two'\nbalsa put k "a\\"b"\nexit\nput never x\n`
    )
    expect([code, out, err]).toEqual([0, "OK\nOK\n", ""])
    expect(asked.map(({ body }) => body["value"])).toEqual([base64("one two"), base64('a"b')])
  })
  test("stops at the first line that fails, with its exit code", async () => {
    const { code, err, asked } = await shell("get a\nput b 1\n")
    expect(code).toBe(3)
    expect(err).toBe('balsa: no key "a"\nbalsa: line 1 failed, and what follows was not run; --keep-going runs it\n')
    expect(asked).toHaveLength(1)
  })
  test("goes on with --keep-going, and has the first one's exit code", async () => {
    const { code, out, err } = await shell('get a\nputt\nput "b\nput b 1\n', ["--keep-going"])
    expect([code, out]).toEqual([3, "OK\n"])
    expect(err.split("\n")).toEqual([
      'balsa: no key "a"',
      'balsa: unknown command "putt"; did you mean put?',
      "See: help",
      'balsa: column 5: the quote " is not closed',
      ""
    ])
  })
  test("a transaction reads the lines that follow, and only those", async () => {
    const { code, out, asked } = await shell("txn\nmod(a) > 0\n\nget a\n\n\nput b 1\n", [], ({ path }) =>
      ok(path.endsWith("txn") ? { succeeded: true } : {})
    )
    expect([code, out]).toEqual([0, "SUCCESS\nOK\n"])
    expect(asked.map(({ path }) => path)).toEqual(["/v3/kv/txn", "/v3/kv/put"])
  })
  test("what is left of a transaction that is wrong is no command", async () => {
    const { code, err, asked } = await shell("txn\nmod(a\nmod(b) > 0\n\nput a 1\n\nget a\n\nput b 2\n", [
      "--keep-going"
    ])
    expect([code, err]).toEqual([2, expect.stringContaining("line 1, column 6")])
    expect(asked.map(({ body }) => body["key"])).toEqual([base64("b")])
  })
  test("its flags are the defaults of every line", async () => {
    const { out } = await shell("put a 1\nput a 1 -o plain\n", ["-o", "json"])
    expect(out).toBe('{"header":{"revision":7},"key":"a"}\nOK\n')
  })
  test.each([
    ["serve", /unknown command "serve"/],
    ["shell", /unknown command "shell"/],
    ["put a -", /reads standard input, which is the shell's own here/],
    ["put a", /VALUE is missing.*\nSee: put --help\n/]
  ])("%s is exit code 2", async (line, message) => {
    const { code, err, asked } = await shell(`${line}\n`)
    expect([code, asked]).toEqual([2, []])
    expect(err).toMatch(message)
  })
  test("help shows the commands", async () => {
    expect((await shell("help\n")).out).toContain("Print a value, or a range of them")
    expect((await shell("help put\n")).out).toContain("Set a key")
  })
})

describe("Tab offers", () => {
  const root = Completions.fromCommand(
    Command.make("balsa").pipe(Command.withSubcommands([putCommand, getCommand, leaseCommand]))
  )
  const keys = ["pt/alpha", "pt/beta", "pt/it's"]
  const tab = async (line: string) => {
    const { at, fake } = await listen(({ path, body }) => {
      if (path.endsWith("leases")) return ok({ leases: [{ ID: "77" }] })
      const prefix = Buffer.from(String(body["key"]), "base64").toString()
      return ok({ kvs: keys.filter((key) => key.startsWith(prefix)).map((key) => ({ key: base64(key) })) })
    })
    const cluster = { endpoints: [Result.getOrThrow(Endpoint.parse(at))], timeoutMillis: 5000 }
    const { offered, replaced } = await Effect.runPromise(ShellCompletion.complete(root, cluster, line))
    return { offered, replaced, asked: fake.asked }
  }
  test.each([
    ["", ["put", "get", "lease", "exit"], ""],
    ["pu", ["put "], "pu"],
    ["lease ", ["grant", "revoke", "keep-alive", "timetolive", "list"], ""],
    ["lease ti", ["timetolive "], "ti"],
    ["get pt/", ["pt/alpha", "pt/beta", `'pt/it'\\''s'`], "pt/"],
    ["get pt/a", ["pt/alpha "], "pt/a"],
    ["get 'pt/a", [], ""],
    ["balsa get pt/b", ["pt/beta "], "pt/b"],
    ["get --prefix pt/a", ["pt/alpha "], "pt/a"],
    ["get k --pre", ["--prefix "], "--pre"],
    ["get k --consistency ", ["linearizable", "stale"], ""],
    ["get k -o js", ["json", "jsonl"], "js"],
    ["put k v --lease ", ["4d "], ""],
    ["lease revoke ", ["4d "], ""],
    ["get pt/alpha ", [], ""],
    ["nothing ", [], ""]
  ])("%j", async (line, offered, replaced) => {
    const found = await tab(line)
    expect(found.offered).toEqual(offered)
    if (offered.length > 0) expect(found.replaced).toBe(replaced)
  })
  test("few keys without values, from one replica", async () => {
    const { asked } = await tab("get pt/")
    expect(asked[0]!.body).toEqual({
      key: base64("pt/"),
      range_end: base64("pt0"),
      limit: "100",
      keys_only: true,
      serializable: true
    })
  })
  test("nothing when nobody answers", async () => {
    const { at, fake } = await listen(() => "drop")
    const cluster = { endpoints: [Result.getOrThrow(Endpoint.parse(at))], timeoutMillis: 5000 }
    expect((await Effect.runPromise(ShellCompletion.complete(root, cluster, "get k"))).offered).toEqual([])
    expect(fake.asked).toHaveLength(1)
  })
})

describe("the history", () => {
  const inDirectory = (use: (file: string) => void): void => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "balsa-history-"))
    try {
      use(path.join(directory, "state", "balsa", "history"))
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  }
  test("is where the XDG specification has it", () => {
    expect(ShellHistory.fileIn({ XDG_STATE_HOME: "/state" })).toBe("/state/balsa/history")
    expect(ShellHistory.fileIn({ XDG_STATE_HOME: "relative", HOME: "/users/a" })).toBe(
      "/users/a/.local/state/balsa/history"
    )
  })
  test("is its owner's alone, the latest first, without what begins with a blank", () => {
    inDirectory((file) => {
      const history = ShellHistory.open(file)
      for (const line of ["put a 1", "put a 1", " put secret x", "", "get a"]) expect(history.add(line)).toBeUndefined()
      expect(fs.statSync(file).mode & 0o777).toBe(0o600)
      expect(ShellHistory.open(file).lines).toEqual(["get a", "put a 1"])
    })
  })
  test("takes away what others may read of it", () => {
    inDirectory((file) => {
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, "get a\n", { mode: 0o644 })
      ShellHistory.open(file)
      expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    })
  })
  test("does not grow for ever", () => {
    inDirectory((file) => {
      fs.mkdirSync(path.dirname(file), { recursive: true })
      const lines = Array.from({ length: 2 * ShellHistory.maxLines + 1 }, (_, at) => `get k${at}`)
      fs.writeFileSync(file, `${lines.join("\n")}\n`)
      expect(ShellHistory.open(file).lines[0]).toBe(lines.at(-1))
      expect(fs.readFileSync(file, "utf8").split("\n")).toHaveLength(ShellHistory.maxLines + 1)
      expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    })
  })
  test("that cannot be kept says why", () => {
    expect(ShellHistory.open("/dev/null/balsa/history").add("get a")).toMatch(/ENOTDIR|EEXIST/)
  })
})
