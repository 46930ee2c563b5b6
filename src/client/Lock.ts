/**
 * Locks that wait in order, under the keys of etcdctl's. A lock lasts as long as its scope and its lease. Somebody who was
 * paused for longer than that does not know that it is lost: what must not be written by two has to check the token,
 * which grows with every holder, or be a transaction with `isHeld` among its comparisons.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { RequestError } from "./ClientError.ts"
import * as Compare from "./Compare.ts"
import { Connection } from "./Connection.ts"
import type { Cluster } from "./Gateway.ts"
import type { HeldLease, LeaseLost } from "./HeldLease.ts"
import type { Bytes } from "./KeyRange.ts"
import * as Lease from "./Lease.ts"
import type { LeaseExists } from "./Refusal.ts"
import * as Line from "./WaitingLine.ts"

export interface LockOptions {
  /** Of the lease that is made for it: how long others wait when its holder is gone without a word; 60 if nothing is said. */
  readonly ttlSeconds?: number | undefined
  /** One that is there already, for several locks together. It outlives this one. Under one lease a lock has one holder, who may take it twice. */
  readonly lease?: HeldLease | undefined
}

export interface HeldLock extends Pick<HeldLease, "lost" | "isLost" | "during"> {
  readonly key: Uint8Array
  /** The fencing token: higher than that of every holder before. */
  readonly token: number
  readonly lease: HeldLease
  /** For transactions: holds for as long as this lock is held. */
  readonly isHeld: Compare.Compare
}

export type LockError = Line.LineError | RequestError | LeaseExists

export interface LockService {
  /** Waits for its turn; who is interrupted leaves the line. */
  readonly acquire: (name: Bytes, options?: LockOptions) => Effect.Effect<HeldLock, LockError, Scope.Scope>
  /** `undefined` when somebody else has it. */
  readonly tryAcquire: (
    name: Bytes,
    options?: LockOptions
  ) => Effect.Effect<HeldLock | undefined, LockError, Scope.Scope>
  /** Runs under the lock, and is interrupted with `LeaseLost` when that is lost. */
  readonly withLock: (
    name: Bytes,
    options?: LockOptions
  ) => <A, E, R>(use: (lock: HeldLock) => Effect.Effect<A, E, R>) => Effect.Effect<A, E | LockError | LeaseLost, R>
}

export class Lock extends Context.Service<Lock, LockService>()("balsa/client/Lock") {
  static readonly layer: Layer.Layer<Lock, never, Connection> = Layer.effect(
    Lock,
    Effect.map(Connection, (cluster) => make(cluster))
  )
}

export const make = (cluster: Cluster): LockService => {
  const acquire: LockService["acquire"] = Effect.fnUntraced(function* (name, options = {}) {
    const lease = yield* leaseFor(cluster, options)
    const place = yield* enterScoped(cluster, name, "", lease)
    if (!place.isFirst) yield* lease.during(Line.waitForTurn(cluster, name, place, lease))
    return held(place, lease)
  })
  return {
    acquire,
    tryAcquire: Effect.fnUntraced(function* (name, options = {}) {
      const lease = yield* leaseFor(cluster, options)
      const place = yield* enterScoped(cluster, name, "", lease)
      if (place.isFirst) return held(place, lease)
      yield* Line.leave(cluster, name, lease)
      return undefined
    }),
    withLock: (name, options) => (use) =>
      Effect.scoped(Effect.flatMap(acquire(name, options), (lock) => lock.during(use(lock))))
  }
}

export const leaseFor = (
  cluster: Cluster,
  { lease, ttlSeconds = 60 }: LockOptions
): Effect.Effect<HeldLease, RequestError | LeaseExists, Scope.Scope> =>
  lease === undefined ? Lease.make(cluster).make({ ttlSeconds }) : Effect.succeed(lease)

/** The place is left with the scope, even one that was entered without an answer. Where it cannot be left, it goes with its lease. */
export const enterScoped = Effect.fnUntraced(function* (
  cluster: Cluster,
  name: Bytes,
  value: Bytes,
  lease: HeldLease
): Effect.fn.Return<Line.Place, Line.LineError, Scope.Scope> {
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(lease.isLost, (isLost) => (isLost ? Effect.void : Effect.ignore(Line.leave(cluster, name, lease))))
  )
  return yield* lease.during(Line.enter(cluster, name, value, lease))
})

export const held = ({ key, token }: Line.Place, lease: HeldLease): HeldLock => ({
  key,
  token,
  lease,
  lost: lease.lost,
  isLost: lease.isLost,
  during: lease.during,
  isHeld: Compare.createRevision(key).equals(token)
})
