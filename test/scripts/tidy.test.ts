/**
 * Each rule of the house is seen to pass on a tree that keeps it and to fail on one that breaks
 * it, at the line where it is broken.
 */
import { describe, expect, it } from "vitest"
import { complete, type Lock, missingOptionals } from "../../scripts/lock.ts"
import { check, report } from "../../scripts/tidy.ts"

const manifest = JSON.stringify({ dependencies: { effect: "4.1.0", "@effect/platform-node": "4.1.0" } })

const tidy = (files: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  check(new Map(Object.entries({ "package.json": manifest, ...files }))).map(
    ({ path, line, rule, message, warning }) => `${path}:${line} ${warning ? "warning " : ""}${rule}: ${message}`
  )

/** A module with an opening comment, so that the code under test begins in line 2. */
const one = (path: string, code: string): ReadonlyArray<string> => tidy({ [path]: `/** What it is for. */\n${code}\n` })

describe("arrows", () => {
  const allowed: ReadonlyArray<readonly [string, string]> = [
    ["src/raft/Log.ts", `import { Index } from "./LogEntry.ts"`],
    ["src/kv/Store.ts", `import type { Machine } from "../raft/Machine.ts"`],
    ["src/codec/MessageCodec.ts", `import { Term } from "../raft/LogEntry.ts"`],
    ["src/codec/KvCodec.ts", `import type { KvCommand } from "../kv/KvCommand.ts"`],
    ["src/storage/FileStorage.ts", `import { open } from "node:fs"\nimport { Term } from "../raft/LogEntry.ts"`],
    ["src/transport/Tcp.ts", `import { encode } from "../codec/Frame.ts"`],
    ["src/runtime/Interpreter.ts", `import { reduceAll } from "../raft/Replica.ts"\nimport { Effect } from "effect"`],
    ["src/runtime/Wake.ts", `import * as NodeSocket from "@effect/platform-node/NodeSocket"`],
    ["src/sim/World.ts", `import { reduceAll } from "../raft/Replica.ts"`],
    ["src/server/Server.ts", `import { layer } from "../storage/FileStorage.ts"`],
    ["src/server/Status.ts", `import type { ServerState } from "../raft/ServerState.ts"`],
    ["src/client/Client.ts", `import type { KeyValue } from "../kv/KeyValue.ts"`],
    [
      "src/cli/Serve.ts",
      `import { launch } from "../server/Server.ts"\nimport { ReplicaId } from "../raft/LogEntry.ts"`
    ],
    ["src/cli/Errors.ts", `import type { RequestError } from "../runtime/RequestError.ts"`],
    ["src/main.ts", `import { run } from "./cli/Command.ts"`],
    ["src/embed/Service.ts", `import { layer } from "../storage/FileStorage.ts"`],
    ["src/index.ts", `export { Service } from "./embed/Service.ts"`],
    ["src/raft.ts", `export * as Replica from "./raft/Replica.ts"`]
  ]
  it.each(allowed)("%s may say %s", (path, code) => expect(one(path, code)).toEqual([]))

  const refused: ReadonlyArray<readonly [string, string, string]> = [
    ["src/raft/Log.ts", `import type { A } from "../codec/Bytes.ts"`, "raft must not import codec"],
    [
      "src/raft/Log.ts",
      `import { Effect } from "effect"`,
      `src/raft is pure and imports nothing from outside, not "effect"`
    ],
    ["src/kv/Store.ts", `import "node:fs"`, `src/kv is pure and imports nothing from outside, not "node:fs"`],
    [
      "src/kv/Store.ts",
      `import type { Log } from "../raft/Log.ts"`,
      "kv knows only the types in raft/Machine.ts and raft/LogEntry.ts"
    ],
    ["src/kv/Store.ts", `import { x } from "../raft/Machine.ts"`, "kv takes only types from raft: write `import type`"],
    [
      "src/codec/KvCodec.ts",
      `import { put } from "../kv/Store.ts"`,
      "codec takes only types from kv: write `import type`"
    ],
    [
      "src/storage/Replay.ts",
      `export * from "../raft/Log.ts"`,
      "storage takes only types from raft: write `import type`"
    ],
    ["src/storage/Replay.ts", `export { x } from "../transport/Tcp.ts"`, "storage must not import transport"],
    ["src/runtime/Loop.ts", `import { Service } from "../embed/Service.ts"`, "runtime must not import embed"],
    ["src/embed/Service.ts", `import type { KvState } from "../kv/KvState.ts"`, "embed must not import kv"],
    ["src/raft.ts", `export { Effect } from "./runtime/Interpreter.ts"`, "raft must not import runtime"],
    ["src/runtime/Loop.ts", `const kv = await import("../kv/Store.ts")`, "runtime must not import kv"],
    ["src/runtime/Loop.ts", `type S = import("../server/Server.ts").Server`, "runtime must not import server"],
    ["src/runtime/Loop.ts", `const m = await import(name)`, "an import must name its module literally"],
    ["src/sim/World.ts", `const r = require("../runtime/Loop.ts")`, "sim must not import runtime"],
    [
      "src/server/Status.ts",
      `import { x } from "../storage/S.ts"`,
      "server must not import storage: wiring happens in server/Server.ts"
    ],
    [
      "src/client/Client.ts",
      `import { type K } from "../kv/KeyValue.ts"`,
      "client takes only types from kv: write `import type`"
    ],
    ["src/cli/Put.ts", `import { open } from "../storage/S.ts"`, "cli must not import storage"],
    ["src/server/Server.ts", `import { x } from "../../test/World.ts"`, "src imports only from src, not test/World.ts"],
    ["src/server/Server.ts", `import x from "left-pad/x"`, `"left-pad" is not among package.json's dependencies`],
    ["src/shed/Rake.ts", `export const rake = 1`, "src/shed is no known room: enter it in the table of arrows"]
  ]
  it.each(refused)("%s must not say %s", (path, code, message) =>
    expect(one(path, code)).toEqual([`${path}:${path.startsWith("src/shed") ? 1 : 2} arrow: ${message}`])
  )

  it("says why the client reads the gateway's JSON by itself", () => {
    expect(one("src/client/Client.ts", `import { decode } from "../server/GatewayJson.ts"`)).toEqual([
      "src/client/Client.ts:2 arrow: client must not import server: the client works against etcd too, so it has its own reading of the gateway's JSON"
    ])
  })

  it("is not fooled by comments and strings", () => {
    const code = `// import "node:fs"\nexport const text = 'import x from "effect"'`
    expect(one("src/raft/Log.ts", code)).toEqual([])
    expect(one("src/sim/Ledger.ts", `require(index > 0, "an index begins at 1")`)).toEqual([])
  })
})

describe("purity", () => {
  const impure: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["export const x = Date.now()", ["Date"]],
    ["export const x = Math.random()", ["Math.random"]],
    [`export const x = Math["random"]()`, ["Math.random"]],
    ["export const x = { setTimeout }", ["setTimeout"]],
    ["setInterval(f, 1)", ["setInterval"]],
    ["export const x = process.env", ["process"]],
    ["console.log(1)", ["console"]],
    [`export const x = fetch("")`, ["fetch"]],
    ["export const x = performance.now()", ["performance"]],
    ["export const x = crypto.randomUUID()", ["crypto"]],
    ["export const x = globalThis.crypto", ["globalThis"]],
    ["export const f = async () => 1", ["async"]],
    ["await f", ["await"]],
    ["for await (const x of xs) f(x)", ["await"]],
    ["export type P = Promise<number>", ["Promise"]],
    ["export const f = () => { throw x }", ["throw (outside Invariants.ts)"]],
    ["export const x = a.localeCompare(b)", ["localeCompare"]]
  ]
  it.each(impure)("raft and kv must not say %s", (code, names) => {
    for (const path of ["src/raft/Log.ts", "src/kv/Store.ts"]) {
      expect(one(path, code)).toEqual(names.map((name) => `${path}:2 pure: ${name} has no place in a pure module`))
    }
  })

  it("lets other rooms wait, and lets a field have any name", () => {
    expect(one("src/runtime/Loop.ts", "export const x = await f(Date.now())")).toEqual([])
    expect(one("src/raft/Log.ts", "export const x = { process: 1 }.process + Math.max(1, 2)")).toEqual([])
    expect(one("src/raft/Invariants.ts", "export const f = () => { throw new Error() }")).toEqual([])
  })
})

describe("text", () => {
  const long = (count: number, opening = "/** What it is for. */"): string => `${opening}\n${"f()\n".repeat(count - 1)}`

  it("warns beyond 200 lines and fails beyond 300", () => {
    expect(tidy({ "src/raft/Log.ts": long(200) })).toEqual([])
    expect(tidy({ "src/raft/Log.ts": long(201) })).toEqual([
      "src/raft/Log.ts:200 warning length: 201 lines; aim for 200"
    ])
    expect(tidy({ "src/raft/Log.ts": long(301) })).toEqual([
      `src/raft/Log.ts:300 length: 301 lines; split it, or say "Long because: ..." in its first comment`
    ])
    expect(tidy({ "src/raft/Log.ts": long(301, "/**\n * A table.\n * Long because: it is one.\n */") })).toEqual([])
    expect(tidy({ "test/raft/Log.test.ts": long(500) })).toEqual([])
    expect(tidy({ "test/raft/Log.test.ts": long(501) })).toHaveLength(1)
  })

  it("wants an opening comment in src", () => {
    const message = "opening: a module opens with a comment that says what it is for"
    expect(tidy({ "src/raft/Log.ts": "export const x = 1 // one\n" })).toEqual([`src/raft/Log.ts:1 ${message}`])
    expect(tidy({ "src/raft/Log.ts": "/** */\nexport const x = 1\n" })).toEqual([`src/raft/Log.ts:2 ${message}`])
    expect(tidy({ "src/main.ts": "#!/usr/bin/env node\n// Starts.\nexport const x = 1\n" })).toEqual([])
  })

  it("refuses names that say nothing", () => {
    expect(tidy({ "test/helpers/World.ts": "" })).toEqual([
      "test/helpers/World.ts:1 name: World.ts says nothing: name the noun that it is about"
    ])
    for (const name of ["utils", "util", "common", "Misc", "helper"]) {
      expect(one(`src/raft/${name}.ts`, "")).toHaveLength(1)
    }
    expect(one("src/raft/Commons.ts", "")).toEqual([])
  })

  it("refuses promises in comments", () => {
    for (const word of ["TODO", "FIXME", "XXX"]) {
      const message = `word: ${word}: do it, or open an issue`
      expect(one("src/raft/Log.ts", `/*\n * ${word} later */`)).toEqual([`src/raft/Log.ts:3 ${message}`])
    }
    expect(one("src/raft/Log.ts", `export const x = "TODO"`)).toEqual([])
  })

  it("refuses tests that are off or cannot fail", () => {
    const off = ["it.only", "it.skip", "describe.only", "test.todo", "it.effect.skip", "it.each([1]).only"]
    for (const name of off) expect(one("test/A.test.ts", `${name}("", f)`)).toHaveLength(1)
    for (const call of ["expect(true).toBe(true)", "assert(true)"]) {
      expect(one("test/A.test.ts", call)).toEqual(["test/A.test.ts:2 test: asserting a literal true cannot fail"])
    }
    expect(one("test/A.test.ts", `it("skips", () => expect(log.skip(1)).toBe(true))`)).toEqual([])
  })

  it("refuses paths of one machine", () => {
    for (const folder of ["work", "home", "root", "tmp"]) {
      const path = ["", folder, "x"].join("/")
      expect(tidy({ "docs/a.md": `see\n${path}\n` })[0]).toMatch(
        `docs/a.md:2 path: /${folder}/ is a path of one machine`
      )
      expect(one("test/A.test.ts", `const a = "${path}"`)).toHaveLength(1)
      expect(tidy({ "docs/a.md": `https://example.org${path} and docs${path}\n` })).toEqual([])
    }
  })

  it("refuses a file that does not parse", () => {
    expect(one("src/raft/Log.ts", "const = 1")[0]).toMatch("src/raft/Log.ts:1 syntax: ")
  })
})

describe("package-lock.json", () => {
  const lock = (packages: Lock["packages"]): string => JSON.stringify({ packages }, null, 1)
  const asks = { dev: true, optionalDependencies: { "@a/linux-x64-musl": "1.0.0" } }

  it("carries no download addresses", () => {
    const text = lock({ "node_modules/a": { version: "1.0.0", resolved: "https://example.org/a.tgz" } })
    expect(tidy({ "package-lock.json": text })).toEqual([
      "package-lock.json:5 lock: a download address: run `node scripts/lock.ts`"
    ])
  })

  it("names every platform's optional package, in the version that is asked for", () => {
    expect(tidy({ "package-lock.json": lock({ "node_modules/a": asks }) })).toEqual([
      "package-lock.json:1 lock: no @a/linux-x64-musl@1.0.0, so npm ci will refuse: run `node scripts/lock.ts`"
    ])
    const other = { "node_modules/a": asks, "node_modules/@a/linux-x64-musl": { version: "2.0.0" } }
    expect(missingOptionals({ packages: other })).toHaveLength(1)
  })

  it("is completed beside the asker where the top has another version", () => {
    const platform = { version: "1.0.0", cpu: ["x64"], dev: true, libc: ["musl"], optional: true, os: ["linux"] }
    const top = complete({ packages: { "node_modules/a": { ...asks, resolved: "https://example.org/a.tgz" } } })
    expect(top.packages).toEqual({ "node_modules/@a/linux-x64-musl": platform, "node_modules/a": asks })
    const taken = { "node_modules/@a/linux-x64-musl": { version: "2.0.0" }, "node_modules/a": asks }
    const nested = complete({ packages: taken }).packages["node_modules/a/node_modules/@a/linux-x64-musl"]
    expect(nested).toEqual(platform)
    expect(missingOptionals(complete({ packages: taken }))).toEqual([])
  })

  it("refuses to guess a platform", () => {
    const packages = { "node_modules/a": { optionalDependencies: { fsevents: "1.0.0" } } }
    expect(() => complete({ packages })).toThrow("fsevents does not say which platform it is for")
  })
})

describe("the report", () => {
  it("has a line for each problem and a count that leaves warnings apart", () => {
    const problem = { path: "src/a.ts", line: 3, rule: "word", message: "no" }
    expect(report([problem, { ...problem, warning: true }])).toEqual([
      "src/a.ts:3 word: no",
      "src/a.ts:3 warning word: no",
      "tidy: 1 problem, 1 warnings"
    ])
  })
})
