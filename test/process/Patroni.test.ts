/** PostgreSQL under Patroni on Balsa: the short form of what `npm run patroni` plays, and what that program says when it cannot. */
import { execFile } from "node:child_process"
import { assert, expect, it } from "vitest"

interface Ended {
  readonly code: number
  readonly output: string
}

/** It ends what it has started when it is told to stop, which it is when it takes too long. */
const patroni = (args: ReadonlyArray<string>, environment: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  new Promise((resolve) => {
    const settings = { env: { ...process.env, ...environment }, timeout: 240_000 }
    const child = execFile(process.execPath, ["scripts/patroni.ts", ...args], settings, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, output: out + err })
    )
  })

/** Seconds, as the summary has them. */
const took = (output: string, what: string): number =>
  Number(new RegExp(`^${what} +(\\d+\\.\\d) s$`, "m").exec(output)?.[1] ?? assert.fail(`no "${what}" in ${output}`))

it("no acknowledged row is lost when the primary dies, and nothing happens when Balsa's leader does", async () => {
  const { code, output } = await patroni(["--short"])
  assert.strictEqual(code, 0, output)
  expect(output).toMatch(/all \d+ acknowledged rows are in both/)
  // The lease of 20 seconds has to run out first; it was renewed at most 2 seconds before.
  const failover = took(output, "failover, PostgreSQL and Patroni killed")
  expect(failover).toBeGreaterThan(15)
  expect(failover).toBeLessThan(45)
  expect(took(output, "election in balsa, its leader killed")).toBeLessThan(10)
  expect(took(output, "longest time without a row meanwhile")).toBeLessThan(3)
}, 300_000)

it("says what is missing, and how to get it", async () => {
  const { code, output } = await patroni([], { PATH: "/nonexistent" })
  expect(code).toBe(3)
  expect(output).toContain("apt-get install --no-install-recommends patroni python3-psycopg2")
})

it("says how it is used", async () => {
  expect(await patroni(["--help"])).toMatchObject({ code: 0, output: expect.stringContaining("--store etcd") })
  for (const wrong of [["--store", "zookeeper"], ["--ttl", "5"], ["--unknown"]]) {
    const { code, output } = await patroni(wrong)
    expect([code, output]).toEqual([2, expect.stringContaining(wrong[0]!)])
  }
})
