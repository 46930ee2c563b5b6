/** Which protocol a client speaks, by what it says first. */
import { describe, expect, test } from "vitest"
import { protocolOf } from "../../../src/server/FirstBytes.ts"

describe("the first bytes", () => {
  test.each([
    ["*1\r\n$4\r\nPING\r\n", "redis"],
    ["PING\r\n", "redis"],
    ["ping\r\n", "redis"],
    ["get a\r\n", "redis"],
    ["GET key\r\n", "redis"],
    ["SET a b\r\n", "redis"],
    ["GET / HTTP/1.1\r\n", "http"],
    ["POST /v3/kv/put HTTP/1.1\r\n", "http"],
    ["PROPFIND /readyz HTTP/1.1\r\n", "http"],
    ["OPTIONS * HTTP/1.1\r\n", "http"],
    ["GET http://balsa/version HTTP/1.1\r\n", "http"],
    ["\x16\x03\x01", "http"],
    [" GET / HTTP/1.1", "http"]
  ] as const)("%j: %s", (text, protocol) => {
    expect(protocolOf(text)).toBe(protocol)
    // However little of it has come, it is not taken for the other.
    for (let length = 0; length < text.length; length++) {
      expect([undefined, protocol]).toContain(protocolOf(text.slice(0, length)))
    }
  })
})
