/** What is counted here is how often V8 marks all that there is while buffers come and go. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import { flagFor } from "../../src/cli/Collector.ts"

/** A gigabyte of buffers that nobody keeps, beside objects that are kept: how many collections of all. */
const program = `
const { PerformanceObserver, constants } = require("node:perf_hooks")
if (process.argv[1] !== undefined) require("node:v8").setFlagsFromString(process.argv[1])
const kept = Array.from({ length: 300_000 }, (_, at) => ({ at }))
let collections = 0
const count = (entries) => {
  for (const { detail } of entries) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections++
}
const observer = new PerformanceObserver((list) => count(list.getEntries()))
observer.observe({ entryTypes: ["gc"] })
let left = 4000
const turn = () => {
  for (let n = 0; n < 4; n++, left--) Buffer.allocUnsafeSlow(256 * 1024)
  if (left > 0) return setImmediate(turn)
  setImmediate(() => {
    count(observer.takeRecords())
    process.stdout.write(String(collections + 0 * kept.length))
  })
}
turn()
`

const collections = async (flag: string | undefined): Promise<number> => {
  const given = flag === undefined ? [] : [flag]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["-e", program, "--", ...given], {
    timeout: 30_000
  })
  expect(stderr).toBe("")
  return Number(stdout)
}

test("buffers that come and go start fewer collections, where V8 is known to have a way for that", async () => {
  const flag = flagFor(process.versions.v8)
  const [left, prepared] = await Promise.all([collections(undefined), collections(flag)])
  expect(left).toBeGreaterThan(4)
  if (flag !== undefined) expect(prepared).toBeLessThan(left / 2)
})

test("no flag is set that a V8 may not know", () => {
  expect(flagFor("13.6.233.17-node.53")).toBe("--external-memory-accounted-in-global-limit")
  for (const version of ["11.3.244.8-node.33", "12.4.254.21-node.33", "13.60.1", "14.8.1", ""]) {
    expect(flagFor(version)).toBeUndefined()
  }
})
