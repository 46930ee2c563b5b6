/**
 * What locks and elections have in common, as etcd's v3lock and v3election have it: whoever wants it puts a key below its name, and
 * it is theirs whose key was created first. A key goes with its lease, or with the client that waits and goes away.
 *
 * Reading this replica's own state is enough to know whose turn it is. It holds the key that was put, and whatever is created later
 * has a later revision: once nobody is left before it, nobody will be.
 */
import { Effect } from "effect"
import type { Key, KeyRange, KeyValue } from "../kv/KeyValue.ts"
import type { Compare, Operation, TxnResult } from "../kv/KvCommand.ts"
import type { RangeQuery } from "../kv/KvQuery.ts"
import type { KvState } from "../kv/KvState.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import * as Ranging from "../kv/Ranging.ts"
import type { GatewayError } from "./GatewayError.ts"
import * as GatewayRequest from "./GatewayRequest.ts"
import * as LeaseRoute from "./LeaseRoute.ts"
import * as StoreError from "./StoreError.ts"
import * as Waiting from "./Waiting.ts"
import type { Writes } from "./Writes.ts"

export interface Contention extends Waiting.Waiting {
  readonly writes: Writes
  /** Of a name or key and a value together. */
  readonly maxRequestBytes: number
}

/** What is too large for a put is so here, whatever is done with it. */
export const sizeProblem = (
  { maxRequestBytes }: Contention,
  request: Parameters<typeof GatewayRequest.sizeOf>[0]
): GatewayError | undefined =>
  GatewayRequest.sizeOf(request) > maxRequestBytes ? StoreError.unknown(StoreError.requestTooLarge) : undefined

export interface Place {
  readonly name: Key
  readonly key: Key
  readonly lease: bigint
  /** Of the key's creation: the fencing token. */
  readonly createRevision: number
  /** As it was found, if it was there before. */
  readonly found: KeyValue | undefined
  /** The store's when it was entered. */
  readonly revision: number
}

/** etcd's, for whoever brings no lease. */
const defaultTtlSeconds = 60

/**
 * Enters, and waits for its turn; gives the state in which it has come. Where it does not come to that, because the client goes away
 * or something fails, nothing is left behind: neither the key nor, where it was made for this, the lease.
 */
export const contend = (
  contention: Contention,
  name: Key,
  lease: bigint,
  value: Uint8Array,
  whenGone: GatewayError,
  onEntered: (place: Place) => Effect.Effect<void, GatewayError> = () => Effect.void
): Effect.Effect<readonly [place: Place, state: KvState], GatewayError> =>
  // An outcome that nobody waits for could not be undone, so only the waiting can be interrupted.
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { writes } = contention
      const id = lease === 0n ? (yield* LeaseRoute.grantLease(writes, 0n, defaultTtlSeconds)).id : lease
      const place = yield* enter(writes, name, id, value).pipe(
        Effect.tapError(() => (lease === 0n ? revoke(writes, id) : Effect.void))
      )
      const turn = Effect.andThen(onEntered(place), waitForTurn(contention, place, whenGone))
      const state = yield* restore(turn).pipe(
        Effect.onError(() => (lease === 0n ? revoke(writes, id) : leave(writes, place)))
      )
      return [place, state] as const
    })
  )

const enter = Effect.fnUntraced(function* (writes: Writes, name: Key, lease: bigint, value: Uint8Array) {
  const key = keyOf(name, lease)
  const result = yield* writes.carryOut({
    _tag: "Txn",
    compares: [createdAt(key, 0)],
    success: [{ _tag: "Put", key, value, prevKv: false, lease }],
    failure: [read({ key, rangeEnd: undefined })]
  })
  const found = firstIn(result)
  const createRevision = found?.createRevision ?? result.revision
  return { name, key, lease, createRevision, found, revision: result.revision }
})

/** As etcd names it, by the lease in hexadecimal. */
const keyOf = (name: Key, lease: bigint): Key => `${name}/${lease.toString(16)}`

const waitForTurn = Effect.fnUntraced(function* (contention: Contention, place: Place, whenGone: GatewayError) {
  for (let state = yield* Waiting.until(contention, place.revision); ; state = contention.store()) {
    const own = OrderedMap.get(state.keys, place.key)
    if (own?.createRevision !== place.createRevision) return yield* Effect.fail(whenGone)
    const before = lastBefore(state, place)
    if (before === undefined) return state
    const gone = { rangeEnd: undefined, startRevision: state.revision + 1, prevKv: false, noPut: true, noDelete: false }
    yield* Effect.raceFirst(
      Waiting.changes(contention, { ...gone, key: before.key }),
      Waiting.changes(contention, { ...gone, key: place.key })
    )
  }
})

/** Each waits for the one before it alone, so that one that goes wakes one. */
const lastBefore = (state: KvState, { name, createRevision }: Place): KeyValue | undefined =>
  Ranging.range(state, {
    ...read(keysOf(name)),
    keysOnly: true,
    sort: { order: "Descend", target: "Create" },
    maxCreateRevision: createRevision - 1,
    limit: 1
  }).kvs[0]

/** Whose turn it is. */
export const firstOf = (name: Key): RangeQuery => ({
  ...read(keysOf(name)),
  sort: { order: "Ascend", target: "Create" },
  limit: 1
})

/** Of all who contend for it. */
export const keysOf = (name: Key): KeyRange => ({ key: `${name}/`, rangeEnd: `${name}0` })

/** It was put with this lease, and no later one with the same name. */
const leave = (writes: Writes, { key, createRevision }: Place): Effect.Effect<void> =>
  Effect.ignore(writes.carryOut(ifCreatedAt(key, createRevision, { _tag: "DeleteRange", key, ...alone })))

const revoke = (writes: Writes, id: bigint): Effect.Effect<void> =>
  Effect.ignore(writes.carryOut({ _tag: "LeaseRevoke", id }))

const alone = { rangeEnd: undefined, prevKv: false } as const

export const ifCreatedAt = (key: Key, revision: number, operation: Operation) =>
  ({ _tag: "Txn", compares: [createdAt(key, revision)], success: [operation], failure: [] }) as const

const createdAt = (key: Key, number: number): Compare => ({
  key,
  rangeEnd: undefined,
  result: "Equal",
  target: { _tag: "CreateRevision", number }
})

const read = (range: KeyRange): RangeQuery => ({
  _tag: "Range",
  ...range,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false
})

const firstIn = ({ responses: [response] }: TxnResult): KeyValue | undefined =>
  response?._tag === "Range" ? response.kvs[0] : undefined
