/** Leases, locks and leaderships for those who do not use Effect: held until they are closed, with a signal that tells when they are lost. */
import { Effect, Exit, Scope } from "effect"
import type { Leadership } from "./Election.ts"
import type { HeldLease, LeaseLost } from "./HeldLease.ts"
import type { Bytes } from "./KeyRange.ts"
import type { LeaseId } from "./LeaseId.ts"
import type { HeldLock } from "./Lock.ts"

export interface Held extends AsyncDisposable {
  /** Aborted when it is lost, with `LeaseLost` as the reason. */
  readonly signal: AbortSignal
  readonly close: () => Promise<void>
}

export interface PromiseLease extends Held {
  readonly id: LeaseId
  readonly ttlSeconds: number
  /** For locks and elections that share it. */
  readonly lease: HeldLease
}

export interface PromiseLock extends Held, Pick<HeldLock, "key" | "token" | "lease" | "isHeld"> {}

export interface PromiseLeadership extends PromiseLock {
  readonly proclaim: (value: Bytes) => Promise<void>
  readonly resign: () => Promise<void>
}

export interface Waiting {
  readonly signal?: AbortSignal | undefined
}

export const leaseOf = (lease: HeldLease, held: Held): PromiseLease => ({
  ...held,
  id: lease.id,
  ttlSeconds: lease.ttlSeconds,
  lease
})

export const lockOf = ({ key, token, lease, isHeld }: HeldLock, held: Held): PromiseLock => ({
  ...held,
  key,
  token,
  lease,
  isHeld
})

export const leadershipOf = (leadership: Leadership, held: Held): PromiseLeadership => ({
  ...lockOf(leadership, held),
  proclaim: (value) => Effect.runPromise(leadership.proclaim(value)),
  resign: () => Effect.runPromise(leadership.resign)
})

type Losable = Pick<HeldLease, "lost">

/** In a scope of its own, which ends with `parent` at the latest. */
export const open = async <T extends Losable, P, E>(
  parent: Scope.Scope,
  make: Effect.Effect<T, E, Scope.Scope>,
  waiting: Waiting,
  describe: (made: T, held: Held) => P
): Promise<P> => {
  const { made, scope } = await inScope(parent, make, waiting)
  return describe(made, await holding(scope, made))
}

export const openIfAny = async <T extends Losable, P, E>(
  parent: Scope.Scope,
  make: Effect.Effect<T | undefined, E, Scope.Scope>,
  describe: (made: T, held: Held) => P
): Promise<P | undefined> => {
  const { made, scope } = await inScope(parent, make, {})
  if (made !== undefined) return describe(made, await holding(scope, made))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return undefined
}

const inScope = async <T, E>(
  parent: Scope.Scope,
  make: Effect.Effect<T, E, Scope.Scope>,
  { signal }: Waiting
): Promise<{ readonly made: T; readonly scope: Scope.Closeable }> => {
  const scope = await Effect.runPromise(Scope.fork(parent))
  const making = make.pipe(
    Scope.provide(scope),
    Effect.onError(() => Scope.close(scope, Exit.void))
  )
  try {
    return { made: await Effect.runPromise(making, signal === undefined ? {} : { signal }), scope }
  } catch (error) {
    // As everything does that takes a signal; what it interrupted has no error of its own.
    throw signal?.aborted === true ? signal.reason : error
  }
}

const holding = async (scope: Scope.Closeable, { lost }: Losable): Promise<Held> => {
  const abort = new AbortController()
  const telling = lost.pipe(Effect.catch((reason: LeaseLost) => Effect.sync(() => abort.abort(reason))))
  await Effect.runPromise(Effect.forkIn(telling, scope))
  const close = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))
  return { signal: abort.signal, close, [Symbol.asyncDispose]: close }
}
