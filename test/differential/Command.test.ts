/** The command says what it needs, and ends with what the shell can tell apart. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"

const script = fileURLToPath(new URL("../../scripts/differential.ts", import.meta.url))

const run = (args: ReadonlyArray<string>, environment: { readonly [name: string]: string } = {}) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...environment }
  })
  return { status, stdout, stderr }
}

test("--help tells of every option", () => {
  const { status, stdout } = run(["--help"])
  expect(status).toBe(0)
  for (const option of [
    "sequences",
    "minutes",
    "seed",
    "replicas",
    "lanes",
    "against-itself",
    "etcd",
    "balsa",
    "page"
  ]) {
    expect(stdout).toContain(`--${option}`)
  }
})

test.each([
  [["--sequences", "none"], "--sequences takes a whole number from 1 on"],
  [["--seed", "-1"], "--seed"],
  [["--minutes", "0"], "--minutes takes a number above 0"],
  [["--lanes", "1.5"], "--lanes takes a whole number from 1 on"],
  [["--nonsense"], "--nonsense"]
])("%j is not understood", (args, words) => {
  const { status, stderr } = run(args)
  expect(stderr).toContain(words)
  expect(stderr).toContain("npm run differential -- --help")
  expect(status).toBe(2)
})

test("without etcd it says how to get one", () => {
  const { status, stderr } = run(["--sequences", "1"], { ETCD_PROGRAM: "no-such-etcd" })
  expect(stderr).toContain("apt-get install etcd-server")
  expect(status).toBe(3)
})

test("servers that are not there are not waited for", () => {
  const { status, stderr } = run(["--etcd", "http://127.0.0.1:1", "--balsa", "http://127.0.0.1:1"])
  expect(stderr).toContain("does not answer at http://127.0.0.1:1")
  expect(status).toBe(2)
})
