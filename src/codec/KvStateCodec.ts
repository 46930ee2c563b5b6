/**
 * The store's state as pieces, and back. All numbers are little-endian. Version 1, of a cluster that has agreed on no history:
 *
 *     first piece: revision (8), how many pairs (8)
 *     then, each piece beginning with its kind (1):
 *       1 pairs  until its end, keys rising through all pieces:
 *                key (4 + n), createRevision (8), modRevision (8), version (8), lease (8), value (4 + n)
 *       2 large  one pair whose value is in the following pieces: as above, with its length (4) in place of the value
 *       3 part   more of that value, until it is complete
 *
 * Version 2:
 *
 *     first piece: revision (8), how many pairs (8), compacted (8), the first revision whose changes are kept (8), how many leases (8),
 *                  how many leases came with a key so far (8)
 *     then, each piece beginning with its kind (1), leases before pairs before changes:
 *       4 leases until its end, ids rising (below 0 after those above): flags (1: 1 it came with a key), id (8), TTL in milliseconds (8),
 *                expiresAt (8)
 *       1 pairs  until its end, keys rising through all pieces: flags (1: 1 lease, 2 which it does not go with), key (4 + n),
 *                createRevision (8), modRevision (8), version (8), lease (8) if flagged, value (4 + n)
 *       2 large, 3 part as above
 *       5 changes until its end, through all pieces from the last revision back to the first that is kept, and
 *                in each from the last change to the first; each item beginning with its kind (1):
 *           1 record  time (8); the changes that follow are of the revision before that of the record before it
 *           2 put     flags (1: 1 lease, 2 there was a pair before, 4 with the same value), key (4 + n); of the pair before:
 *                     modRevision (8) if the put did not create the key anew, else createRevision (8), modRevision (8), version (8);
 *                     lease (8) if flagged, value (4 + n) unless it is the same
 *           3 delete  flags (1: 1 lease, 2 always), key (4 + n); of the pair before: createRevision (8), modRevision (8),
 *                     version (8), lease (8) if flagged, value (4 + n)
 *       6 large change  one item as above, with the value's length (4) in place of the value; parts follow
 *
 * The first revision of a store changed nothing and is not told. What is compacted is not written, whether or not it has
 * been done away with: equal states give equal bytes, whatever led to them.
 */
import { historySince } from "../kv/KvCommand.ts"
import { firstKept, initial, type KvState } from "../kv/KvState.ts"
import * as Leases from "../kv/Leases.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import type { Key } from "../kv/KeyValue.ts"
import { Writer } from "./Bytes.ts"
import { writeBoolean } from "./Fields.ts"
import * as KvChanges from "./KvChanges.ts"
import * as KvPairs from "./KvPairs.ts"
import { KvStateDecoding, leasesKind, pairsAlone, withHistory } from "./KvStateDecoding.ts"
import type { StateCodec } from "./StateCodec.ts"

const encode = function* (state: KvState, version = withHistory, scratch?: Writer): Generator<Uint8Array, void> {
  const { revision, keys, compacted, history, leases } = state
  const first = scratch?.begin() ?? new Writer(48)
  first.safe(revision)
  first.safe(OrderedMap.size(keys))
  if (version === pairsAlone) {
    yield first.finish()
    return yield* KvPairs.pieces(keys, KvPairs.first, scratch)
  }
  const kept = firstKept(state)
  first.safe(compacted)
  first.safe(kept)
  first.safe(Leases.size(leases))
  first.safe(leases.owns)
  yield first.finish()
  yield* leasePieces(leases, scratch)
  yield* KvPairs.pieces(keys, KvPairs.second(leases), scratch)
  yield* KvChanges.pieces(history, Math.max(kept, initial.revision + 1), scratch)
}

const leasePieces = function* ({ byId }: Leases.Leases, scratch?: Writer): Generator<Uint8Array, void> {
  let from: Key | undefined = ""
  while (from !== undefined) {
    const to = scratch?.begin() ?? new Writer(KvPairs.targetBytes + 1024)
    to.u8(leasesKind)
    let next: Key | undefined
    OrderedMap.walk(byId, from, undefined, ({ id, ttlSeconds, expiresAt, isOwn }, key) => {
      writeBoolean(to, isOwn)
      to.i64(id)
      to.safe(Math.round(ttlSeconds * 1000))
      to.safe(expiresAt)
      if (to.length >= KvPairs.targetBytes) next = `${key}\0`
      return next === undefined
    })
    if (to.length > 1) yield to.finish()
    from = next
  }
}

export const KvStateCodec = {
  version: withHistory,
  versionFor: (agreed) => (agreed < historySince ? pairsAlone : withHistory),
  encode,
  decoder: (found) => (found === pairsAlone || found === withHistory ? new KvStateDecoding(found) : undefined)
} satisfies StateCodec<KvState>
