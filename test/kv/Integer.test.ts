/** Decimal numbers of 64 bits, and what is none. */
import { expect, test } from "vitest"
import * as Integer from "../../src/kv/Integer.ts"

const read = (text: string): bigint | undefined => Integer.parse(Buffer.from(text))

test.each(["0", "1", "-1", "42", "9223372036854775807", "-9223372036854775808", "1000000000000000000"])(
  "%j is one",
  (text) => {
    expect(String(read(text))).toBe(text)
  }
)

test.each([
  "",
  "-",
  "-0",
  "+1",
  "01",
  " 1",
  "1 ",
  "1\n",
  "1.0",
  "1e3",
  "0x1",
  "\u0661",
  "9223372036854775808",
  "-9223372036854775809",
  "10000000000000000000",
  "1".repeat(10_000)
])("%j is none", (text) => {
  expect(read(text)).toBeUndefined()
})

test("64 bits have their bounds", () => {
  const bounds = [-(2n ** 63n) - 1n, -(2n ** 63n), 0n, 2n ** 63n - 1n, 2n ** 63n]
  expect(bounds.map(Integer.isOne)).toEqual([false, true, true, true, false])
})
