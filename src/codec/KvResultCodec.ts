/**
 * Results of the store's commands, as sessions keep them:
 *
 *     kind (1: 1 Put, 2 DeleteRange, 3 UnknownCommand), revision (8), then
 *     Put: whether there was a pair (1), and it; DeleteRange: deleted (8), how many pairs (4), and they
 *
 * A pair is key (4 + n), createRevision (8), modRevision (8), version (8), lease (8), value (4 + n).
 */
import type { KeyValue } from "../kv/KeyValue.ts"
import type { KvResult } from "../kv/KvCommand.ts"
import type { Reader, Writer } from "./Bytes.ts"
import { readOptional, writeOptional } from "./Fields.ts"
import type { ResultCodec } from "./ResultCodec.ts"

const kinds = { Put: 1, DeleteRange: 2, UnknownCommand: 3 } as const

const write = (to: Writer, result: KvResult): void => {
  to.u8(kinds[result._tag as "Put"])
  to.safe(result.revision)
  switch (result._tag) {
    case "Put":
      writeOptional(to, result.prevKv, (kv) => writePair(to, kv))
      break
    case "DeleteRange":
      to.safe(result.deleted)
      to.u32(result.prevKvs.length)
      for (const kv of result.prevKvs) writePair(to, kv)
      break
    case "UnknownCommand":
      break
  }
}

const read = (from: Reader): KvResult => {
  const kind = from.u8()
  const revision = from.safe()
  switch (kind) {
    case kinds.Put:
      return { _tag: "Put", revision, prevKv: readOptional(from, () => readPair(from)) }
    case kinds.DeleteRange:
      return { _tag: "DeleteRange", revision, deleted: from.safe(), prevKvs: readPairs(from) }
    case kinds.UnknownCommand:
      break
    default:
      from.fail()
  }
  return { _tag: "UnknownCommand", revision }
}

/** The count is believed only as far as there are bytes. */
const readPairs = (from: Reader): ReadonlyArray<KeyValue> => {
  const count = from.u32()
  const pairs: Array<KeyValue> = []
  while (pairs.length < count && !from.failed) pairs.push(readPair(from))
  return pairs
}

const writePair = (to: Writer, kv: KeyValue): void => {
  to.latin1(kv.key)
  to.safe(kv.createRevision)
  to.safe(kv.modRevision)
  to.safe(kv.version)
  to.u64(kv.lease)
  to.bytes(kv.value)
}

const readPair = (from: Reader): KeyValue => ({
  key: from.latin1(),
  createRevision: from.safe(),
  modRevision: from.safe(),
  version: from.safe(),
  lease: from.u64(),
  value: new Uint8Array(from.bytes())
})

export const KvResultCodec: ResultCodec<KvResult> = { write, read }
