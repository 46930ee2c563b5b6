/** The store's commands come back as they went, and nothing else comes back at all. */
import { assert, describe, it } from "@effect/vitest"
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import { maxTxnDepth } from "../../src/codec/KvTxnCodec.ts"
import { historySince, type KvCommand, type Put } from "../../src/kv/KvCommand.ts"
import { maxExpired } from "../../src/kv/Leases.ts"
import { owned } from "../../src/kv/Writing.ts"
import { inWords } from "../../src/sim/Subject.ts"
import { chanceOf } from "../kv/Chance.ts"
import { commandBy, later, nested, plainly, ranges, txn } from "./KvCommandSamples.ts"

const { decode, versionOf } = KvCommandCodec
const encode = (command: KvCommand, version = 3): Uint8Array => KvCommandCodec.encode(command, version)!
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
const small = commands.map((command) => encode(command)).filter(({ length }) => length < 1000)

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

const hexOf = (command: KvCommand): string => Buffer.from(encode(command)).toString("hex")
const decodeHex = (hex: string) => decode(Buffer.from(hex.replaceAll(" ", ""), "hex"))

describe("commands of later versions", () => {
  it("come back as they went", () => {
    for (const command of later) assert.deepStrictEqual(plainly(decode(encode(command))), plainly(command))
    const chance = chanceOf(7)
    for (let n = 0; n < 3000; n++) {
      const command = commandBy(chance)
      const bytes = encode(command)
      assert.deepStrictEqual(plainly(decode(bytes)), plainly(command))
      assert.deepStrictEqual(encode(decode(bytes)!), bytes)
    }
  })

  it("cannot be said in an earlier one, and plain ones are as they always were", () => {
    for (const command of later) {
      assert.isUndefined(KvCommandCodec.encode(command, 1))
      assert.isUndefined(KvCommandCodec.encode(command, 2))
      assert.strictEqual(versionOf(encode(command)), 3)
    }
    for (const command of commands) {
      assert.deepStrictEqual(encode(command, 1), encode(command, 3))
      assert.strictEqual(versionOf(encode(command)), 1)
    }
    const plain: Put = { _tag: "Put", key: "a", value: Buffer.from("1"), prevKv: false }
    for (const same of [
      { ...plain, lease: 0n },
      { ...plain, ignoreLease: false, ignoreValue: false }
    ]) {
      assert.deepStrictEqual(encode(same, 1), encode(plain))
    }
  })

  it("keep to the recorded format", () => {
    const recorded = [
      ["0301 02 01000000 61 01000000 31 0100000000000000", later[0]!],
      ["0301 04 01000000 61", later[3]!],
      ["0304 00000000 00000000 00000000", txn],
      ["0305 0500000000000000", { _tag: "Compact", revision: 5 }],
      ["0305 ffffffffffffffff", { _tag: "Compact", revision: -1 }],
      ["0306 0700000000000000 3c00000000000000", { _tag: "LeaseGrant", id: 7n, ttlSeconds: 60 }],
      ["0307 0700000000000000", { _tag: "LeaseRevoke", id: 7n }],
      ["0308 0700000000000000", { _tag: "LeaseKeepAlive", id: 7n }],
      ["0309 01000000 0700000000000000", { _tag: "LeaseExpire", ids: [7n] }],
      ["0309 02000000 0700000000000000 0800000000000000", { _tag: "LeaseExpire", ids: [7n, 8n] }],
      ["030a 0700000000000000 01", { _tag: "LeaseTimeToLive", id: 7n, keys: true }],
      [
        "0304 02000000" +
          "0001 00 01000000 61 0200000000000000" +
          "0303 01 01000000 61 01000000 62 01000000 76" +
          "03000000" +
          "01 00 01000000 61 01000000 31" +
          "02 02 01000000 61 01000000 00" +
          "03 0a 05 01000000 61 01000000 00 0204 0700000000000000 0900000000000000" +
          "01000000" +
          "04 00000000 00000000 00000000",
        {
          _tag: "Txn",
          compares: [
            { key: "a", rangeEnd: undefined, result: "Equal", target: { _tag: "CreateRevision", number: 2 } },
            { key: "a", rangeEnd: "b", result: "NotEqual", target: { _tag: "Value", value: Buffer.from("v") } }
          ],
          success: [
            { _tag: "Put", key: "a", value: Buffer.from("1"), prevKv: false },
            { _tag: "DeleteRange", key: "a", rangeEnd: "\0", prevKv: false },
            {
              ...ranges[0]!,
              rangeEnd: "\0",
              limit: 7,
              minModRevision: 9,
              sort: { order: "Descend", target: "Value" }
            }
          ],
          failure: [txn]
        }
      ]
    ] as const satisfies ReadonlyArray<readonly [string, KvCommand]>
    for (const [hex, command] of recorded) assert.strictEqual(hexOf(command), hex.replaceAll(" ", ""))
  })

  it("that let leases expire name at least one, and no more than one command may have", () => {
    const naming = (count: number): KvCommand => ({ _tag: "LeaseExpire", ids: Array.from({ length: count }, () => 1n) })
    const most = encode(naming(maxExpired))
    assert.deepStrictEqual(decode(most), naming(maxExpired))
    for (const count of [0, maxExpired + 1]) {
      assert.isUndefined(KvCommandCodec.encode(naming(count), historySince))
      const bytes = Buffer.alloc(6 + 8 * count, 1)
      bytes.set(most.subarray(0, 2))
      bytes.writeUInt32LE(count, 2)
      assert.isUndefined(decode(bytes))
    }
  })

  it("are none when cut or with bytes to spare, and one form stands for each when a bit is flipped", () => {
    const misread: Array<string> = []
    for (const command of later) {
      const bytes = encode(command)
      for (let end = 0; end < bytes.length; end++) assert.isUndefined(decode(bytes.subarray(0, end)))
      assert.isUndefined(decode(Buffer.concat([bytes, Buffer.alloc(1)])))
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >>> 3]! ^= 1 << (bit & 7)
        const other = decode(flipped)
        if (other !== undefined && !flipped.equals(encode(other))) misread.push(flipped.toString("hex"))
      }
    }
    assert.deepStrictEqual(misread, [])
  })

  it("any bytes are one command or none", () => {
    const chance = chanceOf(11)
    let understood = 0
    for (let n = 0; n < 20_000; n++) {
      const bytes = Buffer.from(encode(chance.below(2) === 0 ? chance.pick(later) : commandBy(chance)))
      for (let times = chance.below(3); times >= 0; times--) {
        bytes[chance.below(bytes.length)] = chance.pick([0, 1, 2, 3, 4, 255, chance.below(256)])
      }
      const command = decode(bytes)
      if (command === undefined) continue
      understood++
      assert.isTrue(bytes.equals(encode(command)), bytes.toString("hex"))
    }
    assert.isAbove(understood, 2000)
  })

  it("go so deep and no deeper, however the bytes were made", () => {
    assert.deepStrictEqual(plainly(decode(encode(nested(maxTxnDepth)))), plainly(nested(maxTxnDepth)))
    assert.isUndefined(KvCommandCodec.encode(nested(maxTxnDepth + 1), 3))
    const within = (depth: number): Buffer => {
      const outer = Buffer.from("00000000000000000100000004", "hex")
      return Buffer.concat([Buffer.of(3, 4), ...Array.from({ length: depth - 1 }, () => outer), Buffer.alloc(12)])
    }
    assert.isDefined(decode(within(maxTxnDepth)))
    assert.isUndefined(decode(within(maxTxnDepth + 1)))
    assert.isUndefined(decode(within(1_000_000)))
  })

  it("are none where there is another form, or what no command has", () => {
    const wrong = [
      // A plain put, a delete range, and a range alone.
      "0301 00 01000000 61 01000000 31",
      "0302 00 01000000 61",
      "0303 00 00 01000000 61",
      // A lease that is none, and one beside keeping the lease.
      "0301 02 01000000 61 01000000 31 0000000000000000",
      "0301 0a 01000000 61 01000000 31 0100000000000000",
      "0301 10 01000000 61 01000000 31",
      // A limit of 0, a sort that is none, a truth that is neither.
      "0304 00000000 01000000 03 00 01 01000000 61 0000000000000000 00000000",
      "0304 00000000 01000000 03 08 00 01000000 61 0300 00000000",
      "0304 00000000 01000000 03 10 00 01000000 61 00000000",
      "0304 00000000 01000000 03 00 40 01000000 61 0100000000000000 00000000",
      "0304 01000000 0000 02 01000000 61 0000000000000000 00000000 00000000",
      "030a 0700000000000000 02",
      // Beyond 2^53 either way.
      "0305 0000000000002000",
      "0305 000000000000e0ff",
      // Counts beyond the end.
      "0304 ffffffff 00000000 00000000",
      "0304 00000000 ffffffff 01 00",
      "0300",
      "030b 0700000000000000"
    ]
    for (const hex of wrong) assert.isUndefined(decodeHex(hex), hex)
    assert.isDefined(decodeHex("0305 0100000000 00e0ff"))
  })

  it("that no store takes have no bytes", () => {
    const put: Put = { _tag: "Put", key: "a", value: Buffer.alloc(0), prevKv: false }
    const impossible: ReadonlyArray<KvCommand> = [
      { _tag: "Compact", revision: 2 ** 53 },
      { _tag: "Compact", revision: 0.5 },
      { _tag: "Compact", revision: Number.NaN },
      { _tag: "LeaseRevoke", id: 2n ** 63n },
      { ...put, lease: -(2n ** 63n) - 1n },
      { ...put, lease: 1n, ignoreLease: true },
      { ...put, value: Buffer.from("v"), ignoreValue: true },
      { ...put, ttlMillis: 0 },
      { ...put, ttlMillis: -1 },
      { ...put, ttlMillis: 9_000_000_000_001 },
      { ...txn, success: [{ ...ranges[0]!, limit: Number.POSITIVE_INFINITY }] },
      { ...txn, compares: [{ key: "", rangeEnd: "", result: "Equal", target: { _tag: "Lease", lease: 2n ** 64n } }] }
    ]
    for (const command of impossible) assert.isUndefined(KvCommandCodec.encode(command, 3), inWords(command))
  })

  it("have values that are no copies", () => {
    const bytes = encode({ ...txn, success: [{ _tag: "Put", key: "a", value: Buffer.from("v"), prevKv: false }] })
    const back = decode(bytes)
    if (back?._tag !== "Txn" || back.success[0]?._tag !== "Put") return assert.fail()
    assert.strictEqual(back.success[0].value.buffer, bytes.buffer)
  })
})

describe("a large put's buffer", () => {
  it("is mostly its value, which the store need not copy", () => {
    for (const length of [5000, 100_000]) {
      const put = decode(
        encode({ _tag: "Put", key: "k".repeat(40), value: new Uint8Array(length), prevKv: false })
      ) as Put
      assert.strictEqual(put.value.byteLength, length)
      assert.strictEqual(owned(put.value), put.value)
    }
  })
})
