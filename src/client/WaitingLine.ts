/**
 * What locks and elections are made of, in the words of etcd's own clients, so that they and these wait in one line: under
 * `NAME/` everybody puts a key that ends in the hexadecimal id of a lease. Who has the lowest create revision is first;
 * everybody else watches the one right before, so that one that goes wakes one.
 */
import { Effect, Stream } from "effect"
import * as Compare from "./Compare.ts"
import type { Cluster } from "./Gateway.ts"
import type { KeyValue } from "./GatewayJson.ts"
import { type HeldLease, LeaseLost } from "./HeldLease.ts"
import { type Bytes, type KeyRange, prefixRange, toBytes } from "./KeyRange.ts"
import * as Kv from "./Kv.ts"
import { toHex } from "./LeaseId.ts"
import * as Txn from "./Txn.ts"
import * as Watch from "./Watch.ts"

/** A place in the line. */
export interface Place {
  readonly key: Uint8Array
  /** The create revision of the key: higher than that of everybody who was first before. */
  readonly token: number
  /** What stands under the key. */
  readonly value: Uint8Array
  /** Who is first; nobody has gone before since. */
  readonly isFirst: boolean
}

export type LineError = Kv.TxnError | Watch.WatchError | LeaseLost

/** Everybody in the line. */
export const lineOf = (name: Bytes): KeyRange => prefixRange(Buffer.concat([toBytes(name), slash]))

const slash = Buffer.from("/")

const firstInLine = { sort: { by: "create" }, limit: 1 } as const

/** Who is first, if anybody is there. */
export const firstOf = (cluster: Cluster, name: Bytes): Effect.Effect<Kv.Range, Kv.RangeError> =>
  Kv.make(cluster).range(lineOf(name), firstInLine)

/** Under the same lease always the same place, so that it may be asked for again. */
export const enter = (
  cluster: Cluster,
  name: Bytes,
  value: Bytes,
  lease: HeldLease
): Effect.Effect<Place, Kv.TxnError> => {
  const key = keyOf(name, lease)
  const first = Txn.range(lineOf(name), firstInLine)
  const entering = Txn.when(Compare.isMissing(key))
    .andThen(Txn.put(key, value, { lease: lease.id }), first)
    .orElse(Txn.get(key), first)
  return Effect.map(Kv.runTxn(cluster, entering, true), (answer): Place => {
    const isFirst = (token: number): boolean => (answer.answers[1].kvs[0]?.createRevision ?? token) === token
    if (answer.succeeded)
      return { key, token: answer.revision, value: toBytes(value), isFirst: isFirst(answer.revision) }
    const mine = answer.answers[0]
    const token = mine?.createRevision ?? answer.revision
    return { key, token, value: mine?.value ?? toBytes(value), isFirst: isFirst(token) }
  })
}

const keyOf = (name: Bytes, { id }: HeldLease): Uint8Array =>
  Buffer.concat([toBytes(name), slash, Buffer.from(toHex(id))])

/** Whether or not it was ever entered: all under this lease is its own. */
export const leave = (cluster: Cluster, name: Bytes, lease: HeldLease): Effect.Effect<void, Kv.TxnError> => {
  const key = keyOf(name, lease)
  const leaving = Txn.when(Compare.lease(key).equals(lease.id)).andThen(Txn.remove(key))
  return Effect.asVoid(Kv.runTxn(cluster, leaving, true))
}

/** Until everybody who came before has gone. */
export const waitForTurn = Effect.fnUntraced(function* (
  cluster: Cluster,
  name: Bytes,
  place: Place,
  lease: HeldLease
): Effect.fn.Return<void, LineError> {
  const kv = Kv.make(cluster)
  while (true) {
    const before = yield* kv.range(lineOf(name), {
      sort: { by: "create", descending: true },
      limit: 1,
      maxCreateRevision: place.token - 1
    })
    const predecessor = before.kvs[0]
    if (predecessor === undefined) break
    yield* untilDeleted(cluster, predecessor, before.revision + 1)
  }
  const mine = yield* kv.get(place.key)
  if (mine?.createRevision !== place.token) {
    return yield* new LeaseLost({ id: lease.id, reason: "the place in the line is gone" })
  }
})

const untilDeleted = (
  cluster: Cluster,
  { key }: KeyValue,
  startRevision: number
): Effect.Effect<void, Watch.WatchError> =>
  Watch.make(cluster)
    .events(key, { startRevision, only: "deletes" })
    .pipe(
      Stream.take(1),
      Stream.runDrain,
      // What is forgotten may have been the deletion: the next look tells.
      Effect.catchTag("Compacted", () => Effect.void)
    )
