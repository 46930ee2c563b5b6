/**
 * A hash of the keys that there are, by which replicas are compared: equal at equal revisions. Beside the keys, values, revisions and
 * names of leases nothing goes into it: how much history a replica still holds, or how long a lease has left, may differ while a
 * request is on its way. It walks through a state that nothing changes, and lets others have their turn meanwhile.
 */
import { Effect } from "effect"
import { crc32 } from "node:zlib"
import type { Key, KeyValue } from "../kv/KeyValue.ts"
import type { KvState } from "../kv/KvState.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"

/** So many keys are hashed before others get their turn, or so many bytes. */
const keysAtOnce = 1_000
const bytesAtOnce = 1024 * 1024

export const hashOf = Effect.fnUntraced(function* ({ keys }: KvState): Effect.fn.Return<number> {
  let hash = 0
  let from: Key | undefined = ""
  while (from !== undefined) {
    let count = 0
    let bytes = 0
    let last: Key | undefined
    OrderedMap.walk(keys, from, undefined, (kv) => {
      hash = extend(hash, kv)
      count += 1
      bytes += kv.key.length + kv.value.length
      last = kv.key
      return count < keysAtOnce && bytes < bytesAtOnce
    })
    from = count < keysAtOnce && bytes < bytesAtOnce ? undefined : `${last}\0`
    yield* Effect.yieldNow
  }
  return hash
})

const extend = (hash: number, { key, value, createRevision, modRevision, version, lease }: KeyValue): number => {
  const numbers = `${key.length} ${value.length} ${createRevision} ${modRevision} ${version} ${lease} `
  return crc32(value, crc32(Buffer.from(numbers + key, "latin1"), hash))
}
