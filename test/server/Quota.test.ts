/** Quotas that the heap can hold. */
import { expect, test } from "vitest"
import * as Quota from "../../src/server/Quota.ts"

const gigabyte = 1024 ** 3

test.each([
  ["two gigabytes, where Node takes four", 4 * gigabyte, 2 * gigabyte],
  ["no more, where Node takes more", 16 * gigabyte, 2 * gigabyte],
  ["half of what Node takes, where that is less", gigabyte, gigabyte / 2]
])("the quota is %s", (_, heapLimit, quota) => expect(Quota.defaultBytes(heapLimit)).toBe(quota))

test.each([
  ["that fits", gigabyte, undefined],
  ["that is more than the heap can hold", 3 * gigabyte, /with a quota of 3221225472 bytes .* 2147483648 bytes at most/],
  ["that is none", 0, /without a quota .*--max-old-space-size/]
])("a quota %s", (_, quota, warning) => {
  const said = Quota.warning(quota, 4 * gigabyte)
  if (warning === undefined) expect(said).toBe(undefined)
  else expect(said).toMatch(warning)
})
