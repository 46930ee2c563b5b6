/** The pairs of a state as pieces, and what a pair is in either version. KvStateCodec has the layout. */
import type { Key, KeyValue } from "../kv/KeyValue.ts"
import * as Leases from "../kv/Leases.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import { type Reader, Writer } from "./Bytes.ts"
import { isLarge, partsOf } from "./LargeValue.ts"

export const kinds = { pairs: 1, large: 2, part: 3 } as const

/** A piece ends with what makes it so large. */
export const targetBytes = 64 * 1024

export interface Metadata extends Omit<KeyValue, "value"> {
  /** It names a lease, but does not go with it: that lease is of a time before the cluster came down to a version without any. */
  readonly stray: boolean
}

/** All of a pair but its value, as a version has it. */
export interface Form {
  readonly write: (to: Writer, kv: KeyValue) => void
  readonly read: (from: Reader) => Metadata
}

export const first: Form = {
  write: (to, kv) => {
    to.latin1(kv.key)
    writeRevisions(to, kv)
    to.i64(kv.lease)
  },
  read: (from) => {
    const key = from.latin1()
    const { createRevision, modRevision, version } = readRevisions(from)
    return { key, createRevision, modRevision, version, lease: from.i64(), stray: true }
  }
}

const flags = { lease: 1, stray: 2 } as const

/** What is written depends on the leases, what is read does not. */
export const second = (leases: Leases.Leases): Form => ({
  write: (to, kv) => {
    const { key, lease } = kv
    to.u8(lease === 0n ? 0 : Leases.holds(leases, lease, key) ? flags.lease : flags.lease | flags.stray)
    to.latin1(key)
    writeRevisions(to, kv)
    if (lease !== 0n) to.i64(lease)
  },
  read: (from) => {
    const found = from.u8()
    if (found > 3 || found === flags.stray) from.fail()
    const key = from.latin1()
    const { createRevision, modRevision, version } = readRevisions(from)
    const stray = (found & flags.stray) !== 0
    return { key, createRevision, modRevision, version, lease: readLease(from, found), stray }
  }
})

/** There is one if it is flagged, and then it is not 0. */
export const readLease = (from: Reader, found: number): bigint => {
  if ((found & flags.lease) === 0) return 0n
  const lease = from.i64()
  if (lease === 0n) from.fail()
  return lease
}

type Revisions = Pick<KeyValue, "createRevision" | "modRevision" | "version">

export const writeRevisions = (to: Writer, { createRevision, modRevision, version }: Revisions): void => {
  to.safe(createRevision)
  to.safe(modRevision)
  to.safe(version)
}

/** In their order. */
export const readRevisions = (from: Reader): Revisions => {
  const revisions = { createRevision: from.safe(), modRevision: from.safe(), version: from.safe() }
  const { createRevision, modRevision, version } = revisions
  if (createRevision < 1 || createRevision > modRevision || version < 1) from.fail()
  return revisions
}

export const pieces = function* (
  keys: OrderedMap.OrderedMap<KeyValue>,
  form: Form,
  scratch?: Writer
): Generator<Uint8Array, void> {
  let from: Key | undefined = ""
  while (from !== undefined) {
    const to = scratch?.begin() ?? new Writer(targetBytes + 1024)
    const { piece, large, next }: Slice = pieceFrom(keys, from, form, to)
    if (piece !== undefined) yield piece
    if (large !== undefined) {
      yield headOf(large, form)
      yield* partsOf(kinds.part, large.value, scratch)
    }
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

const pieceFrom = (keys: OrderedMap.OrderedMap<KeyValue>, from: Key, form: Form, to: Writer): Slice => {
  to.u8(kinds.pairs)
  let large: KeyValue | undefined
  let last: Key | undefined
  let full = false
  OrderedMap.walk(keys, from, undefined, (kv, key) => {
    last = key
    if (isLarge(kv.value)) large = kv
    else {
      form.write(to, kv)
      to.bytes(kv.value)
    }
    full = large !== undefined || to.length >= targetBytes
    return !full
  })
  return {
    piece: to.length > 1 ? to.finish() : undefined,
    large,
    next: full && last !== undefined ? `${last}\0` : undefined
  }
}

const headOf = (kv: KeyValue, form: Form): Uint8Array => {
  const head = new Writer(kv.key.length + 64)
  head.u8(kinds.large)
  form.write(head, kv)
  head.u32(kv.value.byteLength)
  return head.finish()
}
