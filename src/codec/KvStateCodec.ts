/**
 * The store's state as pieces, and back. All numbers are little-endian:
 *
 *     first piece: revision (8), how many pairs (8)
 *     then, each piece beginning with its kind (1):
 *       1 pairs  until its end, keys rising through all pieces:
 *                key (4 + n), createRevision (8), modRevision (8), version (8), lease (8), value (4 + n)
 *       2 large  one pair whose value is in the following pieces:
 *                key (4 + n), createRevision (8), modRevision (8), version (8), lease (8), its length (4)
 *       3 part   more of that value, until it is complete
 *
 * Where pieces end depends on the pairs alone, so equal states give equal bytes, whatever led to them.
 */
import type { Key, KeyValue } from "../kv/KeyValue.ts"
import * as Compaction from "../kv/Compaction.ts"
import { initial, type KvState } from "../kv/KvState.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import { Reader, Writer } from "./Bytes.ts"
import type { StateCodec, StateDecoder } from "./StateCodec.ts"

const version = 1
const kinds = { pairs: 1, large: 2, part: 3 } as const

/** A piece of pairs ends with the pair that makes it so large. */
const targetBytes = 64 * 1024
/** A value above this travels in parts of this size. */
const partBytes = 128 * 1024

const encode = function* ({ revision, keys }: KvState): Generator<Uint8Array, void> {
  const first = new Writer(16)
  first.safe(revision)
  first.safe(OrderedMap.size(keys))
  yield first.finish()
  let from: Key | undefined = ""
  while (from !== undefined) {
    const { piece, large, next } = pairsFrom(keys, from)
    if (piece !== undefined) yield piece
    if (large !== undefined) yield* partsOf(large)
    from = next
  }
}

interface Slice {
  readonly piece: Uint8Array | undefined
  /** The pair after them, if its value is large. */
  readonly large: KeyValue | undefined
  /** Where to go on; `undefined` at the end. */
  readonly next: Key | undefined
}

const pairsFrom = (keys: KvState["keys"], from: Key): Slice => {
  const to = new Writer(targetBytes + 1024)
  to.u8(kinds.pairs)
  let large: KeyValue | undefined
  let last: Key | undefined
  let full = false
  OrderedMap.walk(keys, from, undefined, (kv, key) => {
    last = key
    if (kv.value.byteLength > partBytes) large = kv
    else writePair(to, kv)
    full = large !== undefined || to.length >= targetBytes
    return !full
  })
  return {
    piece: to.length > 1 ? to.finish() : undefined,
    large,
    next: full && last !== undefined ? `${last}\0` : undefined
  }
}

const partsOf = function* (kv: KeyValue): Generator<Uint8Array, void> {
  const head = new Writer(kv.key.length + 64)
  head.u8(kinds.large)
  writeMetadata(head, kv)
  head.u32(kv.value.byteLength)
  yield head.finish()
  for (let at = 0; at < kv.value.byteLength; at += partBytes) {
    const part = new Writer(1 + partBytes)
    part.u8(kinds.part)
    part.raw(kv.value.subarray(at, at + partBytes))
    yield part.finish()
  }
}

const writePair = (to: Writer, kv: KeyValue): void => {
  writeMetadata(to, kv)
  to.bytes(kv.value)
}

const writeMetadata = (to: Writer, kv: KeyValue): void => {
  to.latin1(kv.key)
  to.safe(kv.createRevision)
  to.safe(kv.modRevision)
  to.safe(kv.version)
  to.u64(kv.lease)
}

type Metadata = Omit<KeyValue, "value">

const readMetadata = (from: Reader): Metadata => ({
  key: from.latin1(),
  createRevision: from.safe(),
  modRevision: from.safe(),
  version: from.safe(),
  lease: from.u64()
})

class Decoding implements StateDecoder<KvState> {
  private head: { readonly revision: number; readonly count: number } | undefined
  private readonly keys = OrderedMap.builder<KeyValue>()
  private large: { readonly kv: Metadata; readonly length: number } | undefined
  private parts: Array<Uint8Array> = []
  /** Of the large value. */
  private arrived = 0
  private failed = false

  push(piece: Uint8Array): boolean {
    if (this.failed) return false
    const from = new Reader(piece)
    if (this.head === undefined) {
      this.head = { revision: from.safe(), count: from.safe() }
      if (!from.done || this.head.revision < 1) from.fail()
    } else {
      const kind = from.u8()
      if ((kind === kinds.part) !== (this.large !== undefined)) from.fail()
      else if (kind === kinds.pairs) this.takePairs(from)
      else if (kind === kinds.large) this.takeLarge(from)
      else if (kind === kinds.part) this.takePart(from, piece.subarray(1))
      else from.fail()
    }
    this.failed = from.failed
    return !this.failed
  }

  finish(): KvState | undefined {
    const { head, keys } = this
    if (this.failed || head === undefined || this.large !== undefined || keys.size !== head.count) return undefined
    return Compaction.forget({ ...initial, revision: head.revision, keys: keys.finish() })
  }

  /** A value gets bytes of its own: a view would keep its whole piece in memory, long after its neighbours are gone. */
  private takePairs(from: Reader): void {
    while (from.remaining > 0 && !from.failed) {
      const kv = readMetadata(from)
      this.add(from, kv, new Uint8Array(from.bytes()))
    }
  }

  private takeLarge(from: Reader): void {
    const kv = readMetadata(from)
    const length = from.u32()
    if (!from.done || length <= partBytes) return from.fail()
    this.large = { kv, length }
  }

  private takePart(from: Reader, part: Uint8Array): void {
    const { kv, length } = this.large!
    this.parts.push(part)
    this.arrived += part.length
    if (part.length !== Math.min(partBytes, length - this.arrived + part.length)) return from.fail()
    if (this.arrived < length) return
    // Not Buffer.concat: that may put it in a shared buffer.
    const value = new Uint8Array(length)
    let at = 0
    for (const one of this.parts) {
      value.set(one, at)
      at += one.length
    }
    this.large = undefined
    this.parts = []
    this.arrived = 0
    this.add(from, kv, value)
  }

  private add(from: Reader, { key, createRevision, modRevision, version, lease }: Metadata, value: Uint8Array): void {
    const { revision } = this.head!
    const possible = createRevision >= 1 && createRevision <= modRevision && modRevision <= revision && version >= 1
    if (!possible || from.failed || !this.keys.add(key, { key, value, createRevision, modRevision, version, lease })) {
      from.fail()
    }
  }
}

export const KvStateCodec: StateCodec<KvState> = {
  version,
  encode,
  decoder: (found) => (found === version ? new Decoding() : undefined)
}
