/** The JSON that servers write and clients read. */
import { createHash } from "node:crypto"
import { describe, expect, test } from "vitest"
import { ReplicaId } from "../../src/raft/LogEntry.ts"
import * as Base64 from "../../src/server/Base64.ts"
import * as GatewayJson from "../../src/server/GatewayJson.ts"
import { clusterIdOf, memberIdOf } from "../../src/server/Ids.ts"

const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))

test("every byte of keys and values comes back", () => {
  const value = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const kv = {
    key: everyByte,
    value,
    createRevision: 1,
    modRevision: 9_007_199_254_740_991,
    version: 3,
    lease: 2n ** 62n
  }
  const back = GatewayJson.parseKeyValue(JSON.parse(GatewayJson.keyValue(kv)))
  expect(back && { ...back, value: Uint8Array.from(back.value) }).toEqual(kv)
})

test("zero fields are left out and come back as zero", () => {
  const kv = { key: "k", value: new Uint8Array(0), createRevision: 1, modRevision: 1, version: 1, lease: 0n }
  const text = GatewayJson.keyValue(kv)
  expect(text).toBe(`{"key":"aw==","create_revision":"1","mod_revision":"1","version":"1"}`)
  expect(GatewayJson.parseKeyValue(JSON.parse(text))).toMatchObject({ version: 1, lease: 0n })
})

test("a value in the middle of a larger buffer is only itself", () => {
  expect(Base64.encodeBytes(Buffer.from("xabcx").subarray(1, 4))).toBe("YWJj")
})

describe("what is no key and value is none", () => {
  test.each([null, 7, {}, { key: 7 }, { key: "?" }, { key: "aw==", version: "x" }, { key: "aw==", lease: 1.5 }])(
    "%j",
    (json) => {
      expect(GatewayJson.parseKeyValue(json)).toBeUndefined()
    }
  )
})

test("ids are the first eight bytes of a hash, unsigned, and differ by cluster", () => {
  const expected = createHash("sha256").update("cluster/c").digest("hex").slice(0, 16)
  expect(clusterIdOf("c")).toBe(BigInt(`0x${expected}`).toString())
  const ids = ["a", "b", "c", "d"].flatMap((cluster) =>
    ["A", "B", "C"].map((name) => memberIdOf(cluster, ReplicaId(name)))
  )
  expect(new Set(ids).size).toBe(12)
  for (const id of ids) expect(BigInt(id) < 2n ** 64n).toBe(true)
})
