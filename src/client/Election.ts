/**
 * Elections, under the keys of etcdctl's: who waits longest leads, for as long as its scope and its lease last, and says
 * something that everybody sees. What holds of locks and their tokens holds of leaders.
 */
import { Context, Data, Effect, Layer, type Scope, Stream } from "effect"
import * as Compare from "./Compare.ts"
import { Connection } from "./Connection.ts"
import type { Cluster } from "./Gateway.ts"
import type { KeyValue } from "./GatewayJson.ts"
import type { Bytes } from "./KeyRange.ts"
import * as Kv from "./Kv.ts"
import type { LeaseId } from "./LeaseId.ts"
import { enterScoped, held, type HeldLock, leaseFor, type LockError, type LockOptions } from "./Lock.ts"
import * as Txn from "./Txn.ts"
import * as Line from "./WaitingLine.ts"
import * as Watch from "./Watch.ts"

/** Somebody else leads, or nobody. */
export class NotLeader extends Data.TaggedError("NotLeader")<{ readonly key: Uint8Array }> {
  override get message(): string {
    return `${Buffer.from(this.key).toString()} does not lead, or no more`
  }
}

export interface Leadership extends HeldLock {
  /** Says something else. */
  readonly proclaim: (value: Bytes) => Effect.Effect<void, Kv.TxnError | NotLeader>
  /** Before its scope closes. */
  readonly resign: Effect.Effect<void, Kv.TxnError>
}

/** The leader as others see it. */
export interface Leader {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly token: number
  readonly lease: LeaseId | undefined
  /** Of what it says. */
  readonly modRevision: number
}

export interface ElectionService {
  /** Waits for its turn; who is interrupted is no candidate any more. */
  readonly campaign: (
    name: Bytes,
    value: Bytes,
    options?: LockOptions
  ) => Effect.Effect<Leadership, LockError | NotLeader, Scope.Scope>
  readonly leader: (name: Bytes) => Effect.Effect<Leader | undefined, Kv.RangeError>
  /** The leader, and again whenever there is another, or it says something else. When a lot happens some may be left out, never the last. */
  readonly observe: (name: Bytes) => Stream.Stream<Leader, Kv.RangeError | Watch.WatchError>
}

export class Election extends Context.Service<Election, ElectionService>()("balsa/client/Election") {
  static readonly layer: Layer.Layer<Election, never, Connection> = Layer.effect(
    Election,
    Effect.map(Connection, (cluster) => make(cluster))
  )
}

export const make = (cluster: Cluster): ElectionService => ({
  campaign: Effect.fnUntraced(function* (name, value, options = {}) {
    const lease = yield* leaseFor(cluster, options)
    const place = yield* enterScoped(cluster, name, value, lease)
    // It was a candidate already, and said something else.
    if (!Buffer.from(place.value).equals(Buffer.from(value))) yield* proclaim(cluster, place, lease.id, value)
    if (!place.isFirst) yield* lease.during(Line.waitForTurn(cluster, name, place, lease))
    return {
      ...held(place, lease),
      proclaim: (value) => proclaim(cluster, place, lease.id, value),
      resign: Line.leave(cluster, name, lease)
    }
  }),
  leader: (name) =>
    Effect.map(Line.firstOf(cluster, name), ({ kvs }) => (kvs[0] === undefined ? undefined : leaderIn(kvs[0]))),
  observe: (name) => Stream.forever(observeOne(cluster, name))
})

const proclaim = Effect.fnUntraced(function* (
  cluster: Cluster,
  { key, token }: Pick<Line.Place, "key" | "token">,
  lease: LeaseId,
  value: Bytes
): Effect.fn.Return<void, Kv.TxnError | NotLeader> {
  const saying = Txn.when(Compare.createRevision(key).equals(token)).andThen(Txn.put(key, value, { lease }))
  const { succeeded } = yield* Kv.runTxn(cluster, saying, false)
  if (!succeeded) return yield* new NotLeader({ key })
})

const leaderIn = ({ key, value, createRevision, modRevision, lease }: KeyValue): Leader => ({
  key,
  value,
  token: createRevision,
  lease,
  modRevision
})

type Observed = Stream.Stream<Leader, Kv.RangeError | Watch.WatchError>

/** One leader from its first word to its end; where there is none, until somebody comes. */
const observeOne = (cluster: Cluster, name: Bytes): Observed =>
  Stream.unwrap(
    Effect.map(Line.firstOf(cluster, name), ({ kvs, revision }): Observed => {
      const { events } = Watch.make(cluster)
      const first = kvs[0]
      const startRevision = revision + 1
      const changes: Observed =
        first === undefined
          ? events(Line.lineOf(name), { startRevision, only: "puts" }).pipe(Stream.take(1), Stream.drain)
          : events(first.key, { startRevision }).pipe(
              Stream.takeWhile(({ _tag }) => _tag === "Put"),
              Stream.map(({ kv }) => leaderIn(kv))
            )
      const forgotten = Stream.catchTag(changes, "Compacted", (): Observed => Stream.empty)
      return first === undefined ? forgotten : Stream.concat(Stream.make(leaderIn(first)), forgotten)
    })
  )
