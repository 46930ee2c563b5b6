/** JSON as text, before it is parsed: what a client can send must not take longer than its length is worth. */
import { expect, test } from "vitest"
import { isGatewayError } from "../../src/server/GatewayError.ts"
import * as JsonBody from "../../src/server/JsonBody.ts"
import * as JsonSequence from "../../src/server/JsonSequence.ts"
import { JsonStream } from "../../src/server/JsonStream.ts"
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

test("an object that comes in very many pieces is put together at once", () => {
  const stream = new JsonStream(4 * 1024 * 1024)
  const text = `{"a":"${"x".repeat(2 * 1024 * 1024)}"}`
  const from = performance.now()
  for (let at = 0; at < text.length; at += 256) {
    expect(stream.next()).toBeUndefined()
    stream.push(Buffer.from(text.slice(at, at + 256)))
  }
  expect(stream.next()).toEqual({ _tag: "Object", text })
  expect([stream.size, stream.next()]).toEqual([0, undefined])
  expect(performance.now() - from).toBeLessThan(3_000)
})

test("objects in pieces of any length come out as they went in", () => {
  const texts = Array.from({ length: 50 }, (_, at) => `{"${'\\"}'.repeat(at)}":${at}}`)
  for (const width of [1, 3, 7, 64, 1_000]) {
    const stream = new JsonStream(1024)
    const all = Buffer.from(texts.join(" \n"))
    const found: Array<string> = []
    for (let at = 0; at < all.length; at += width) {
      stream.push(all.subarray(at, at + width))
      for (let cut = stream.next(); cut?._tag === "Object"; cut = stream.next()) found.push(cut.text)
    }
    expect(found).toEqual(texts)
  }
})

test("long numbers are found outside of strings alone", () => {
  const text = `{"a\\"${digits}":-${digits},"b":"\\\\","c":[${digits}.5,${digits}e3,12,${digits}]}`
  const kept = (number: string): string => `"\\u0000${number}"`
  const expected = `{"a\\"${digits}":${kept(`-${digits}`)},"b":"\\\\","c":[${digits}.5,${digits}e3,12,${kept(digits)}]}`
  expect(LongNumber.keep(text)).toBe(expected)
})
