/** JSON as text, before it is parsed: what a client can send must not take longer than its length is worth. */
import { expect, test } from "vitest"
import { isGatewayError } from "../../src/server/GatewayError.ts"
import * as JsonBody from "../../src/server/JsonBody.ts"
import * as JsonSequence from "../../src/server/JsonSequence.ts"
import * as LongNumber from "../../src/server/LongNumber.ts"

const digits = "1234567890123456789"
/** A string that does not end, with very many quotes in it. */
const endless = `{"a":${digits},"b":"${'\\"'.repeat(20_000)}`

test.each([
  ["a body", () => isGatewayError(JsonBody.parse(endless))],
  ["a body of several objects", () => [...JsonSequence.objectsIn(endless)].some(isGatewayError)]
])("%s with a string that does not end is refused at once", (_, refuses) => {
  const from = performance.now()
  expect(refuses()).toBe(true)
  expect(performance.now() - from).toBeLessThan(2_000)
})

test("a string as long as a body may be is none too long", () => {
  const long = '\\"'.repeat(4_000_000)
  expect([...JsonSequence.objectsIn(`{"a":"${long}"}{"b":${digits}}`)]).toEqual([
    { a: '"'.repeat(4_000_000) },
    { b: `\0${digits}` }
  ])
})

test("long numbers are found outside of strings alone", () => {
  const text = `{"a\\"${digits}":-${digits},"b":"\\\\","c":[${digits}.5,${digits}e3,12,${digits}]}`
  const kept = (number: string): string => `"\\u0000${number}"`
  const expected = `{"a\\"${digits}":${kept(`-${digits}`)},"b":"\\\\","c":[${digits}.5,${digits}e3,12,${kept(digits)}]}`
  expect(LongNumber.keep(text)).toBe(expected)
})
