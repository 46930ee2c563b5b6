/** The store's commands come back as they went, and nothing else comes back at all. */
import { assert, describe, it } from "@effect/vitest"
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import type { KvCommand } from "../../src/kv/KvCommand.ts"

const { encode, decode } = KvCommandCodec
const allBytes = Uint8Array.from({ length: 256 }, (_, i) => i)
const allUnits = String.fromCharCode(...allBytes)

const commands: ReadonlyArray<KvCommand> = [
  { _tag: "Put", key: "a", value: Buffer.from("1"), prevKv: false },
  { _tag: "Put", key: allUnits, value: Buffer.from(allBytes), prevKv: true },
  { _tag: "Put", key: "", value: Buffer.alloc(0), prevKv: false },
  { _tag: "Put", key: "__proto__", value: Buffer.alloc(100_000, 1), prevKv: true },
  { _tag: "DeleteRange", key: "a", rangeEnd: undefined, prevKv: false },
  { _tag: "DeleteRange", key: "a", rangeEnd: "\0", prevKv: true },
  { _tag: "DeleteRange", key: allUnits, rangeEnd: allUnits, prevKv: false },
  { _tag: "DeleteRange", key: "", rangeEnd: "", prevKv: true }
]
/** Small enough for every bit. */
const small = commands.map(encode).filter(({ length }) => length < 1000)

describe("KvCommandCodec", () => {
  it("brings back what it wrote", () => {
    for (const command of commands) assert.deepStrictEqual(decode(encode(command)), command)
  })

  it("reads from the middle of a buffer", () => {
    for (const command of commands) {
      const around = Buffer.concat([Buffer.alloc(3, 255), encode(command), Buffer.alloc(3, 255)])
      assert.deepStrictEqual(decode(around.subarray(3, -3)), command)
    }
  })

  it("keeps to the recorded format", () => {
    const hex = (command: KvCommand): string => Buffer.from(encode(command)).toString("hex")
    assert.strictEqual(hex(commands[0]!), "01010001000000610100000031")
    assert.strictEqual(hex(commands[4]!), "0102000100000061")
    assert.strictEqual(hex(commands[5]!), "01020301000000610100000000")
  })

  it("takes no truncated command and none with bytes to spare", () => {
    for (const bytes of small) {
      for (let end = 0; end < bytes.length; end++) assert.isUndefined(decode(bytes.subarray(0, end)))
      assert.isUndefined(decode(Buffer.concat([bytes, Buffer.alloc(1)])))
    }
  })

  it("takes a flipped bit for another command or for none", () => {
    // Whatever is taken is what these very bytes say, so no two byte strings mean the same.
    const misread: Array<string> = []
    for (const bytes of small) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >>> 3]! ^= 1 << (bit & 7)
        const command = decode(flipped)
        if (command !== undefined && !flipped.equals(encode(command))) misread.push(flipped.toString("hex"))
      }
    }
    assert.deepStrictEqual(misread, [])
  })

  it("takes no other version, kind or flag", () => {
    for (const [at, known] of [
      [0, [1]],
      [1, [1]],
      [2, [0, 1]]
    ] as const) {
      for (let byte = 0; byte < 256; byte++) {
        const changed = Buffer.from(encode(commands[0]!))
        changed[at] = byte
        const expected = known.some((value) => value === byte)
        assert.strictEqual(decode(changed) !== undefined, expected, `byte ${at} is ${byte}`)
      }
    }
  })

  it("fails on lengths beyond the end", () => {
    assert.isUndefined(decode(Buffer.from("010100ffffffff6101000000", "hex")))
    assert.isUndefined(decode(new Uint8Array(0)))
  })
})
