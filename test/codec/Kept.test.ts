/** Encoded commands hold on to no more memory than they take. */
import { expect, test } from "vitest"
import { kept } from "../../src/codec/Kept.ts"
import { KvCommandCodec } from "../../src/codec/KvCommandCodec.ts"
import { historySince } from "../../src/kv/KvCommand.ts"

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at % 251)

test.each([0, 1, 300, 4096, 4097, 100_000])("%d bytes are the same", (length) => {
  const bytes = bytesOf(length)
  expect([...kept(bytes)]).toEqual([...bytes])
})

test("those kept before are not written to", () => {
  const all = Array.from({ length: 500 }, (_, at) => kept(bytesOf(at)))
  expect(all.every((bytes, at) => Buffer.compare(bytes, bytesOf(at)) === 0)).toBe(true)
})

test("a small view into a large buffer lets go of it, and one that is large enough is not copied", () => {
  const large = new Uint8Array(1_000_000)
  expect(kept(large)).toBe(large)
  expect(kept(large.subarray(0, 10)).buffer.byteLength).toBeLessThan(20_000)
  expect(kept(large.subarray(0, 10_000)).buffer.byteLength).toBe(10_000)
})

test("commands share buffers with nothing but commands, however much else is written between them", () => {
  const buffers = new Set<ArrayBufferLike>()
  for (let number = 0; number < 1000; number++) {
    const put = { _tag: "Put", key: `${number}`, value: bytesOf(100), prevKv: false } as const
    buffers.add(KvCommandCodec.encode(put, historySince)!.buffer)
    Buffer.allocUnsafe(10_000)
  }
  const held = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0)
  expect(held).toBeLessThan(2 * 1000 * 130)
})
