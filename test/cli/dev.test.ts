/** `balsa dev` with real replicas: it must never leave one behind. */
import { Effect } from "effect"
import type { ChildProcess } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeAll, expect, test } from "vitest"
import * as DevPlan from "../../src/cli/DevPlan.ts"
import { portProblem } from "../../src/cli/DevProcess.ts"
import { FakeGateway } from "./FakeGateway.ts"
import { Program } from "./Program.ts"

let program: Program
beforeAll(async () => {
  program = await Program.build()
})

const started: Array<ChildProcess> = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL")
})

const planAt = (basePort: number) => DevPlan.make({ count: 3, basePort, dataDir: "d", program: "" })

const problems = (basePort: number) =>
  Effect.runPromise(
    Effect.forEach(
      planAt(basePort).replicas.flatMap(({ client, peer }) => [client, peer]),
      portProblem
    )
  )

const freeBasePort = async (): Promise<number> => {
  for (let basePort = 20_000 + (process.pid % 100) * 100; ; basePort += 7) {
    if ((await problems(basePort)).every((problem) => problem === undefined)) return basePort
  }
}

const startDev = async () => {
  const basePort = await freeBasePort()
  const cwd = mkdtempSync(join(tmpdir(), "balsa-dev-"))
  const child = program.start(["dev", "--base-port", String(basePort)], { cwd })
  started.push(child)
  let out = ""
  let check = (): void => {}
  child.stdout!.on("data", (chunk: Buffer) => {
    out += chunk.toString()
    check()
  })
  child.stderr!.resume()
  const said = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      check = () => {
        const match = pattern.exec(out)
        if (match !== null) resolve(match)
      }
      check()
      child.once("close", (code) => reject(new Error(`dev ended with ${code} before it said ${pattern}:\n${out}`)))
    })
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve))
  return { basePort, child, said, closed, endpoints: planAt(basePort).replicas.map(({ client }) => client) }
}

test("names the leader, survives its death, and stops all replicas", async () => {
  const dev = await startDev()
  const first = await dev.said(/^leader: (\w) \(term \d+\)\n[^]*kill -9 (\d+)/m)
  const at = dev.endpoints.map(({ host, port }) => `${host}:${port}`).join(",")
  expect(await program.run(["put", "hello", "world", "-e", at])).toMatchObject({ code: 0 })
  process.kill(Number(first[2]), "SIGKILL")
  const death = await dev.said(/^(\w) was ended by SIGKILL; 2 of 3 still run\.\n[^]*--id \1 --peers/m)
  expect(death[1]).toBe(first[1])
  const second = await dev.said(/^leader: (\w) [^]*^leader: (\w) /m)
  expect(second[2]).not.toBe(first[1])
  expect(await program.run(["get", "hello", "-e", at])).toMatchObject({ code: 0, out: "world\n" })
  dev.child.kill("SIGINT")
  expect(await dev.closed).toBe(0)
  expect(await problems(dev.basePort)).toEqual(Array(6).fill(undefined))
})

test("takes its replicas along when it is killed", async () => {
  const dev = await startDev()
  await dev.said(/^leader: /m)
  dev.child.kill("SIGKILL")
  await dev.closed
  // Nobody tells when a process that is not a child ends; that its ports are free again does.
  const deadline = performance.now() + 20_000
  let taken = await problems(dev.basePort)
  while (taken.some((problem) => problem !== undefined) && performance.now() < deadline) {
    taken = await problems(dev.basePort)
  }
  expect(taken).toEqual(Array(6).fill(undefined))
})

test("says which port is taken, and by which replica it is needed", async () => {
  const taken = new FakeGateway(() => "hang")
  const basePort = await freeBasePort()
  const port = basePort + 2
  await taken.listen(port)
  const finished = await program.run(["dev", "--base-port", String(basePort)])
  await taken.close()
  expect(finished.code).toBe(1)
  expect(finished.err).toMatch(new RegExp(`^BALSA_PORT_IN_USE: 127.0.0.1:${port} is in use .* B needs it for clients`))
})
