/** Results come back from within other bytes, and whatever the bytes say there is a result or a failed reader. */
import { assert, describe, it } from "@effect/vitest"
import { Reader, Writer } from "../../src/codec/Bytes.ts"
import { KvResultCodec } from "../../src/codec/KvResultCodec.ts"
import { maxTxnDepth } from "../../src/codec/KvTxnCodec.ts"
import type { KvResult, OperationResult, TxnResult } from "../../src/kv/KvCommand.ts"
import { plainly, results } from "./KvCommandSamples.ts"

const bytesOf = (result: KvResult): Buffer => {
  const to = new Writer()
  KvResultCodec.write(to, result)
  return to.finish()
}

const read = (bytes: Uint8Array): KvResult | undefined => {
  const from = new Reader(bytes)
  const result = KvResultCodec.read(from)
  return from.done ? result : undefined
}

describe("results", () => {
  it("come back as they were, one after the other", () => {
    for (const result of results) assert.deepStrictEqual(plainly(read(bytesOf(result))), plainly(result))
    const from = new Reader(Buffer.concat(results.map(bytesOf)))
    for (const result of results) assert.deepStrictEqual(plainly(KvResultCodec.read(from)), plainly(result))
    assert.isTrue(from.done)
  })

  it("keep to the recorded format", () => {
    const recorded = [
      ["01 0700000000000000 00", { _tag: "Put", revision: 7, prevKv: undefined }],
      ["03 0700000000000000", { _tag: "UnknownCommand", revision: 7 }],
      [
        "04 0700000000000000 01 01000000 05 0700000000000000 00000000 01 0900000000000000",
        {
          _tag: "Txn",
          revision: 7,
          succeeded: true,
          responses: [{ _tag: "Range", revision: 7, kvs: [], more: true, count: 9 }]
        }
      ],
      ["06 0700000000000000", { _tag: "Compact", revision: 7 }],
      [
        "07 0700000000000000 0500000000000000 3c00000000000000",
        { _tag: "LeaseGrant", revision: 7, id: 5n, ttlSeconds: 60 }
      ],
      ["08 0700000000000000", { _tag: "LeaseRevoke", revision: 7 }],
      [
        "09 0700000000000000 0500000000000000 3c00000000000000",
        { _tag: "LeaseKeepAlive", revision: 7, id: 5n, ttlSeconds: 60 }
      ],
      ["0a 0700000000000000 03000000", { _tag: "LeaseExpire", revision: 7, expired: 3 }],
      [
        "0b 0700000000000000 0500000000000000 ffffffffffffffff 8813000000000000 3c00000000000000 01000000 01000000 6b",
        {
          _tag: "LeaseTimeToLive",
          revision: 7,
          id: 5n,
          ttlSeconds: -1,
          ttlMillis: 5000,
          grantedTtlSeconds: 60,
          keys: ["k"]
        }
      ],
      ["0d 0700000000000000 00 0900000000000000", { _tag: "Merge", revision: 7, value: 9n }],
      ["0d 0700000000000000 02", { _tag: "Merge", revision: 7, value: "Overflow" }],
      ["0c 0700000000000000 04 0300000000000000", { _tag: "Rejected", revision: 7, reason: "Compacted", compacted: 3 }]
    ] as const satisfies ReadonlyArray<readonly [string, KvResult]>
    for (const [hex, result] of recorded) {
      assert.strictEqual(bytesOf(result).toString("hex"), hex.replaceAll(" ", ""))
    }
  })

  it("are none when cut, and never more than one thing when changed", () => {
    const misread: Array<string> = []
    for (const result of results) {
      const bytes = bytesOf(result)
      for (let end = 0; end < bytes.length; end++) assert.isUndefined(read(bytes.subarray(0, end)))
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >>> 3]! ^= 1 << (bit & 7)
        const other = read(flipped)
        if (other !== undefined && !bytesOf(other).equals(flipped)) misread.push(flipped.toString("hex"))
      }
    }
    assert.deepStrictEqual(misread, [])
  })

  it("go so deep and no deeper, and believe no count", () => {
    const within = (depth: number): Buffer =>
      Buffer.concat([
        ...Array.from({ length: depth - 1 }, () => Buffer.from("0407000000000000000101000000", "hex")),
        Buffer.from("0407000000000000000100000000", "hex")
      ])
    let deepest: TxnResult = { _tag: "Txn", revision: 7, succeeded: true, responses: [] }
    for (let n = 1; n < maxTxnDepth; n++) deepest = { ...deepest, responses: [deepest satisfies OperationResult] }
    assert.deepStrictEqual(read(within(maxTxnDepth)), deepest)
    assert.isUndefined(read(within(maxTxnDepth + 1)))
    assert.isUndefined(read(within(1_000_000)))
    for (const hex of ["04070000000000000001ffffffff", "050700000000000000ffffffff"]) {
      assert.isUndefined(read(Buffer.from(hex, "hex")))
    }
  })

  it("keep no bytes but their own in memory", () => {
    const bytes = Buffer.concat([bytesOf(results[3]!)])
    const back = read(bytes)
    if (back?._tag !== "DeleteRange") return assert.fail()
    for (const { value } of back.prevKvs) assert.strictEqual(value.buffer.byteLength, value.byteLength)
  })
})
