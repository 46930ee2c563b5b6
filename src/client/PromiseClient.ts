/**
 * The client for those who do not use Effect: promises, async iteration, `await using`. A promise rejects with the same
 * typed errors (`error._tag`, or `instanceof`), and so does an iteration.
 *
 *     await using client = await connect({ endpoints: ["127.0.0.1:7401"] })
 *     for await (const event of client.watch(prefixRange("config/"))) console.log(event)
 */
import { Deferred, Effect, Exit, Layer, Scope, Stream } from "effect"
import { ClientClosed } from "./ClientError.ts"
import { type ClientOptions, Connection } from "./Connection.ts"
import * as Election from "./Election.ts"
import type { Cluster } from "./Gateway.ts"
import type { DeleteAnswer, KeyValue, PutAnswer } from "./GatewayJson.ts"
import type { Bytes, Keys } from "./KeyRange.ts"
import * as Kv from "./Kv.ts"
import * as Lease from "./Lease.ts"
import type { LeaseId } from "./LeaseId.ts"
import * as Lock from "./Lock.ts"
import * as Held from "./PromiseHeld.ts"
import { type Iterate, type PromiseValues, type Run, valuesOf } from "./PromiseValues.ts"
import type { RangeOptions } from "./RangeRequest.ts"
import type { Operations, Transaction, TxnAnswer } from "./Txn.ts"
import type { Codec } from "./Values.ts"
import * as Watch from "./Watch.ts"
import type { WatchOptions } from "./WatchConnection.ts"
import type { WatchBatch } from "./WatchCursor.ts"
import type { WatchEvent } from "./WatchResponse.ts"
import type { DeleteOptions, Named, PutOptions, TouchOptions } from "./WriteRequest.ts"

export interface PromiseClient extends AsyncDisposable {
  readonly get: (key: Bytes, options?: RangeOptions) => Promise<KeyValue | undefined>
  readonly range: (keys: Keys, options?: RangeOptions) => Promise<Kv.Range>
  /** All of a range as of one revision, page by page. */
  readonly list: (keys: Keys, options?: Kv.PageOptions) => AsyncIterable<KeyValue>
  readonly put: (key: Bytes, value: Bytes, options?: PutOptions & Named) => Promise<PutAnswer>
  readonly touch: (key: Bytes, options?: TouchOptions & Named) => Promise<PutAnswer>
  readonly delete: (keys: Keys, options?: DeleteOptions & Named) => Promise<DeleteAnswer>
  readonly txn: <Then extends Operations, Else extends Operations>(
    transaction: Transaction<Then, Else>
  ) => Promise<TxnAnswer<Then, Else>>
  readonly compact: (revision: number, options?: { readonly physical?: boolean }) => Promise<number>
  /** Begins each time it is iterated. Ends with the iteration, or with the client. */
  readonly watch: (keys: Keys, options?: WatchOptions) => AsyncIterable<WatchEvent>
  readonly watchBatches: (keys: Keys, options?: WatchOptions) => AsyncIterable<WatchBatch>
  /** Kept alive until it is closed. */
  readonly lease: (options: Lease.GrantOptions) => Promise<Held.PromiseLease>
  readonly timeToLive: (id: LeaseId, options?: { readonly keys?: boolean }) => Promise<Lease.TimeToLive>
  /** Waits for its turn; when `signal` is aborted it leaves the line. */
  readonly lock: (name: Bytes, options?: Lock.LockOptions & Held.Waiting) => Promise<Held.PromiseLock>
  readonly tryLock: (name: Bytes, options?: Lock.LockOptions) => Promise<Held.PromiseLock | undefined>
  readonly campaign: (
    name: Bytes,
    value: Bytes,
    options?: Lock.LockOptions & Held.Waiting
  ) => Promise<Held.PromiseLeadership>
  readonly leader: (name: Bytes) => Promise<Election.Leader | undefined>
  readonly observe: (name: Bytes) => AsyncIterable<Election.Leader>
  readonly values: <A>(schema: Codec<A>) => PromiseValues<A>
  /** Gives back what is held, ends what is iterated, and closes the connections. Whatever is asked later rejects with ClientClosed. */
  readonly close: () => Promise<void>
}

/** Rejects with InvalidClientOptions. It connects when something is asked for. */
export const connect = async (options: ClientOptions): Promise<PromiseClient> => {
  const scope = Scope.makeUnsafe()
  const cluster = await Effect.runPromise(
    Connection.pipe(Effect.provide(await Effect.runPromise(Layer.buildWithScope(Connection.layer(options), scope))))
  )
  return facade(cluster, scope)
}

const facade = (cluster: Cluster, scope: Scope.Closeable): PromiseClient => {
  const closed = Deferred.makeUnsafe<void>()
  const kv = Kv.make(cluster)
  const watch = Watch.make(cluster)
  const lease = Lease.make(cluster)
  const lock = Lock.make(cluster)
  const election = Election.make(cluster)
  /** What is held is given back while it closes, which needs the connections; nothing else is asked from then on. */
  const guard = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | ClientClosed, R> =>
    Effect.suspend(
      (): Effect.Effect<A, E | ClientClosed, R> =>
        Deferred.isDoneUnsafe(closed) ? Effect.fail(new ClientClosed()) : effect
    )
  const run: Run = (effect) => Effect.runPromise(guard(effect))
  const iterate: Iterate = (stream) =>
    Stream.toAsyncIterable(
      Stream.unwrap(guard(Effect.sync(() => Stream.interruptWhen(stream, Deferred.await(closed)))))
    )
  const close = async (): Promise<void> => {
    Deferred.doneUnsafe(closed, Exit.void)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return {
    get: (key, options) => run(Effect.map(kv.range(key, options), ({ kvs }) => kvs[0])),
    range: (keys, options) => run(kv.range(keys, options)),
    list: (keys, options) => iterate(kv.stream(keys, options)),
    put: (key, value, options) => run(kv.put(key, value, options)),
    touch: (key, options) => run(kv.touch(key, options)),
    delete: (keys, options) => run(kv.delete(keys, options)),
    txn: (transaction) => run(kv.txn(transaction)),
    compact: (revision, options) => run(Effect.map(kv.compact(revision, options), ({ revision }) => revision)),
    watch: (keys, options) => iterate(watch.events(keys, options)),
    watchBatches: (keys, options) => iterate(watch.batches(keys, options)),
    lease: (options) => Held.open(scope, guard(lease.make(options)), {}, Held.leaseOf),
    timeToLive: (id, options) => run(lease.timeToLive(id, options)),
    lock: (name, options = {}) => Held.open(scope, guard(lock.acquire(name, options)), options, Held.lockOf),
    tryLock: (name, options) => Held.openIfAny(scope, guard(lock.tryAcquire(name, options)), Held.lockOf),
    campaign: (name, value, options = {}) =>
      Held.open(scope, guard(election.campaign(name, value, options)), options, Held.leadershipOf),
    leader: (name) => run(election.leader(name)),
    observe: (name) => iterate(election.observe(name)),
    values: (schema) => valuesOf(schema, { kv, watch, run, iterate }),
    close,
    [Symbol.asyncDispose]: close
  }
}
