/** Images of the store, and snapshots taken apart and put together by hand. */
import { unstamped } from "../../src/raft/Machine.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import { crc32 } from "node:zlib"
import { KvStateCodec } from "../../src/codec/KvStateCodec.ts"
import * as SnapshotCodec from "../../src/codec/SnapshotCodec.ts"
import type { KvCommand } from "../../src/kv/KvCommand.ts"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import * as OrderedMap from "../../src/kv/OrderedMap.ts"
import { ClusterTime, Index, ReplicaId, type RequestId, Term } from "../../src/raft/LogEntry.ts"
import type { Image } from "../../src/raft/Snapshot.ts"

export const put = (key: string, value: string | Uint8Array): KvCommand => ({
  _tag: "Put",
  key,
  value: typeof value === "string" ? Buffer.from(value) : value,
  prevKv: false
})

export const erase = (key: string, rangeEnd?: string): KvCommand => ({
  _tag: "DeleteRange",
  key,
  rangeEnd,
  prevKv: false
})

export const stateOf = (commands: Iterable<KvCommand>, from = KvMachine.initial): KvState => {
  let state = from
  for (const command of commands) state = KvMachine.apply(state, command, unstamped)[0]
  return state
}

const requests: ReadonlyArray<RequestId> = [
  { replica: ReplicaId("C"), incarnation: 3, sequence: 77 },
  { replica: ReplicaId("A"), incarnation: 2 ** 40, sequence: 1 }
]

export const imageOf = <S>(value: S): Image<S> => ({
  last: { index: Index(2 ** 33), term: Term(12) },
  configuration: Configurations.of(["A", "B", "C"].map(ReplicaId)),
  applied: new Map(requests.map((request) => [request.replica, request])),
  hash: 0xfedc_ba98,
  epoch: 2,
  time: ClusterTime(0),
  version: 1,
  ceiling: undefined,
  value
})

/** A few keys of all kinds, written over and deleted. */
export const sample: Image<KvState> = imageOf(
  stateOf([
    put("b", "first"),
    put("a", ""),
    put("b", "second"),
    put("gone", "soon"),
    erase("gone"),
    put("", "empty key"),
    put(
      String.fromCharCode(0, 127, 128, 255),
      Uint8Array.from({ length: 256 }, (_, i) => i)
    )
  ])
)

export const bytesOf = (image: Image<KvState>): Buffer => Buffer.concat([...SnapshotCodec.encode(image, KvStateCodec)])

export const decode = (bytes: Uint8Array, cutEvery = bytes.length): Image<KvState> | SnapshotCodec.Problem => {
  const decoder = SnapshotCodec.decoder(KvStateCodec)
  for (let at = 0; at < bytes.length; at += cutEvery) {
    // A problem stays, and more bytes do no harm.
    decoder.push(bytes.subarray(at, at + cutEvery))
  }
  return decoder.finish()
}

/** An image with what can be compared: maps do not say what they hold. */
export const plain = (image: Image<KvState> | SnapshotCodec.Problem): unknown =>
  "value" in image ? { ...image, value: { revision: image.value.revision, pairs: pairsOf(image.value) } } : image

export const pairsOf = ({ keys }: KvState): ReadonlyArray<unknown> => {
  const pairs: Array<unknown> = []
  OrderedMap.walk(keys, "", undefined, (kv) => pairs.push({ ...kv, value: Buffer.from(kv.value).toString("hex") }) > 0)
  return pairs
}

export interface Chunk {
  readonly kind: number
  readonly contents: Buffer
}

export const openingBytes = 12

export const chunksOf = (snapshot: Buffer): Array<Chunk> => {
  const chunks: Array<Chunk> = []
  for (let at = openingBytes; at < snapshot.length; ) {
    const length = snapshot.readUInt32LE(at)
    chunks.push({ kind: snapshot[at + 8]!, contents: snapshot.subarray(at + 9, at + 8 + length) })
    at += 8 + length
  }
  return chunks
}

/** Every checksum is right, whatever the chunks say. */
export const assemble = (chunks: ReadonlyArray<Chunk>, opening = bytesOf(sample).subarray(0, openingBytes)): Buffer => {
  let bytes: Buffer = opening
  for (const { kind, contents } of chunks) {
    const end = kind === 3 ? endAfter(bytes, chunks) : contents
    const chunk = Buffer.concat([Buffer.alloc(8), Buffer.from([kind]), end])
    chunk.writeUInt32LE(chunk.length - 8)
    chunk.writeUInt32LE(crc32(Buffer.concat([chunk.subarray(0, 4), chunk.subarray(8)])), 4)
    bytes = Buffer.concat([bytes, chunk])
  }
  return bytes
}

const endAfter = (bytes: Buffer, chunks: ReadonlyArray<Chunk>): Buffer => {
  const end = Buffer.alloc(20)
  end.writeBigUInt64LE(BigInt(chunks.filter(({ kind }) => kind === 2).length))
  end.writeBigUInt64LE(BigInt(bytes.length), 8)
  end.writeUInt32LE(crc32(bytes), 16)
  return end
}
