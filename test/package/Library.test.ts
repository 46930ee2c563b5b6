/** The built package as somebody else's project has it: found by name, in JavaScript and with types. */
import { execFile } from "node:child_process"
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const run = promisify(execFile)
const root = resolve(import.meta.dirname, "../..")
let project = ""

/** Its dependencies are linked, as an installation would put them there. */
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "balsa-package-"))
  await mkdir(join(project, "node_modules/@types"), { recursive: true })
  await symlink(root, join(project, "node_modules/balsa"))
  for (const name of ["effect", "@types/node"]) {
    await symlink(join(root, "node_modules", name), join(project, "node_modules", name))
  }
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }))
})

afterAll(() => rm(project, { recursive: true }))

const compile = async (file: string): Promise<void> => {
  const compilerOptions = { strict: true, module: "NodeNext", target: "ES2022", types: ["node"] }
  await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }))
  const compiler = join(root, "node_modules/typescript/bin/tsc")
  const compiled = run(process.execPath, [compiler, "-p", project], { timeout: 60_000 })
  const { stdout: complaints } = await compiled.catch((error: { readonly stdout: string }) => error)
  assert.strictEqual(complaints, "")
}

const program = `
import { Schema } from "effect"
import { type Change, InvalidCommand, Replicated } from "balsa"

const definition = Replicated.define({
  name: "list",
  state: Schema.Array(Schema.String),
  command: Schema.Struct({ add: Schema.String }),
  result: Schema.Int,
  query: Schema.Struct({ at: Schema.Int }),
  answer: Schema.UndefinedOr(Schema.String),
  initial: [],
  apply: (state, { add }) => [[...state, add], state.length + 1],
  read: (state, { at }) => state[at]
})

class List extends Replicated.Service<List>()("List", definition) {}

const list = await List.startMemory({ logLevel: "None" })
const length: number = await list.propose({ add: "hello" })
const first: string | undefined = await list.query({ at: 0 })
const changes: Array<Change<ReadonlyArray<string>, { readonly add: string }, number>["_tag"]> = []
for await (const change of list.changes()) {
  changes.push(change._tag)
  break
}
// @ts-expect-error: a command of another type
const refused = await list.propose({ remove: "hello" }).catch((error: unknown) => error instanceof InvalidCommand)
await list.close()
console.log(JSON.stringify({ length, first, changes, refused }))
`

describe("the package", () => {
  it("has types, which tell a wrong command, and runs in a project of its own", async () => {
    await writeFile(join(project, "main.ts"), program)
    await compile("main.ts")
    const { stdout } = await run(process.execPath, ["main.js"], { cwd: project, timeout: 30_000 })
    assert.deepEqual(JSON.parse(stdout), { length: 1, first: "hello", changes: ["Reset"], refused: true })
  })

  it("has the algorithm alone, which loads nothing else", async () => {
    const files = await readdir(join(root, "dist/lib/raft"))
    for (const file of files.filter((name) => name.endsWith(".js"))) {
      const text = await readFile(join(root, "dist/lib/raft", file), "utf8")
      for (const [, from] of text.matchAll(/^(?:import|export) .*from "([^"]+)"/gm)) assert.match(from!, /^\.\//)
    }
    const source = `import { Instant, Replica, ReplicaId } from "balsa/raft"
      const machine = { initial: 0, apply: (n, add) => [n + add, n + add], query: (n) => n, sizeOf: () => 8, digest: (_, n) => n }
      const configuration = { voters: [ReplicaId("A")] }
      const raft = Replica.make(machine)
      console.log(typeof raft.reduceAll, raft.options.heartbeatMillis, Instant(1), configuration.voters.length)`
    await writeFile(join(project, "raft.js"), source)
    const { stdout } = await run(process.execPath, ["raft.js"], { cwd: project, timeout: 30_000 })
    assert.strictEqual(stdout, "function 100 1 1\n")
  })

  it("has the client, whose transactions tell a wrong type", async () => {
    const source = `import { createServer } from "node:http"
      import type { AddressInfo } from "node:net"
      import { Schema } from "effect"
      import { Compare, connect, type KeyValue, prefixRange, Txn, ValueRefused } from "balsa/client"
      const transaction = Txn.when(Compare.version("a").equals(1)).andThen(Txn.put("a", "b")).orElse(Txn.get("a"))
      // The least of servers: whatever is asked for has not been there.
      const server = createServer((_, response) => response.end('{"header":{"revision":"5"}}'))
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      {
        await using client = await connect({ endpoints: ["127.0.0.1:" + (server.address() as AddressInfo).port] })
        const answer = await client.txn(transaction)
        const found: KeyValue | undefined = answer.succeeded ? undefined : answer.answers[0]
        // @ts-expect-error: the other branch puts
        const wrong: KeyValue | undefined = answer.succeeded ? answer.answers[0] : undefined
        const refused = await client.values(Schema.Int).put("a", 0.5).catch((error: unknown) => error instanceof ValueRefused)
        const { count } = await client.range(prefixRange("a"))
        console.log(JSON.stringify({ revision: answer.revision, found: found ?? wrong ?? null, refused, count }))
      }
      server.close()`
    await writeFile(join(project, "client.ts"), source)
    await compile("client.ts")
    const { stdout } = await run(process.execPath, ["client.js"], { cwd: project, timeout: 30_000 })
    assert.deepEqual(JSON.parse(stdout), { revision: 5, found: null, refused: true, count: 0 })
  })

  it("has the simulator, which finds what a machine gets wrong", async () => {
    const source = `import { Schema } from "effect"
      import { Replicated } from "balsa"
      import { simulate } from "balsa/simulator"
      const definition = (limit) => Replicated.define({
        name: "at most", state: Schema.Int, command: Schema.Int, result: Schema.Int, query: Schema.Null, answer: Schema.Int,
        initial: 0, apply: (n, add) => [Math.min(n + add, limit), n], read: (n) => n
      })
      const sample = { command: (random) => 1 + random.below(3), query: () => null,
        rule: (_, after) => (after > 20 ? "more than 20" : undefined) }
      console.log(simulate(definition(20), sample, { seeds: 3 }).commits > 100)
      try { simulate(definition(40), sample, { seeds: 3 }) } catch (error) { console.log(error.name, error.detail) }`
    await writeFile(join(project, "simulate.js"), source)
    const { stdout } = await run(process.execPath, ["simulate.js"], { cwd: project, timeout: 60_000 })
    assert.match(stdout, /^true\nRuleBroken at index \d+: more than 20\n$/)
  })
})
