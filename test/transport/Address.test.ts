import { assert, describe, it } from "@effect/vitest"
import { formatAddress, noAddress, parseAddress } from "../../src/transport/Address.ts"

describe("an address", () => {
  it("is read as it is written", () => {
    for (const address of [
      { host: "127.0.0.1", port: 7501 },
      { host: "replica-1.example_net", port: 1 },
      { host: "::1", port: 65_535 },
      { host: "::ffff:10.0.0.1", port: 80 }
    ]) {
      assert.deepStrictEqual(parseAddress(formatAddress(address)), address)
    }
    assert.strictEqual(formatAddress({ host: "::1", port: 7501 }), "[::1]:7501")
  })

  it("is nothing else", () => {
    const others = ["", ":", "a", "a:", ":1", "a:0", "a:65536", "a:1.5", "a:-1", "a:1 ", " a:1", "a b:1", "::1:7501"]
    for (const text of [...others, "[::1]", "[a]:1", "[]:1", "a:123456", "http://a:1", "a:1\n", "a:x"]) {
      assert.strictEqual(parseAddress(text), undefined, JSON.stringify(text))
    }
  })

  it("that is none is quoted and cut when it is told", () => {
    assert.strictEqual(noAddress("b"), '"b" is not HOST:PORT, for example 10.0.0.1:7501 or [::1]:7501')
    assert.match(noAddress(`\n${"x".repeat(5000)}`), /^"\\nx{63}\.\.\." is not HOST:PORT/)
  })
})
