/**
 * A lease with somebody who looks after it. It is lost when the server says so, and also when it could not be renewed for as
 * long as it lives: by then others may have what it guarded, and whoever holds it has to stop without having heard from
 * anybody. The time counts from before each request, so it ends here no later than there, as long as this
 * clock does not run slower than the cluster's.
 */
import { Data, Deferred, Effect, type Scope } from "effect"
import type { RequestError } from "./ClientError.ts"
import type { LeaseId } from "./LeaseId.ts"
import { nowMillis } from "./MonotonicTime.ts"
import type { LeaseNotFound } from "./Refusal.ts"

/** What rested on a lease does so no more. */
export class LeaseLost extends Data.TaggedError("LeaseLost")<{
  readonly id: LeaseId
  readonly reason: string
}> {
  override get message(): string {
    return `lease ${this.id.toString(16)} is lost: ${this.reason}`
  }
}

export interface Granted {
  readonly id: LeaseId
  readonly ttlSeconds: number
}

export interface HeldLease {
  readonly id: LeaseId
  /** As it was granted. */
  readonly ttlSeconds: number
  /** Does not succeed; fails when the lease is lost. */
  readonly lost: Effect.Effect<never, LeaseLost>
  readonly isLost: Effect.Effect<boolean>
  /** Runs only while the lease holds: interrupted, with `LeaseLost`, when it does not. */
  readonly during: <A, E, R>(use: Effect.Effect<A, E, R>) => Effect.Effect<A, E | LeaseLost, R>
}

export interface Keeping<E> {
  readonly grant: Effect.Effect<Granted, E>
  readonly keepAlive: (id: LeaseId, timeoutMillis: number) => Effect.Effect<number, RequestError | LeaseNotFound>
  readonly revoke: (id: LeaseId) => Effect.Effect<void, RequestError | LeaseNotFound>
  /** For one renewal. */
  readonly requestMillis: number
}

export const hold = Effect.fnUntraced(function* <E>(keeping: Keeping<E>): Effect.fn.Return<HeldLease, E, Scope.Scope> {
  const lost = yield* Deferred.make<never, LeaseLost>()
  const askedAt = yield* nowMillis
  const lose = (id: LeaseId, reason: string): Effect.Effect<void> =>
    Effect.asVoid(Deferred.fail(lost, new LeaseLost({ id, reason })))
  const { id, ttlSeconds } = yield* Effect.acquireRelease(
    keeping.grant,
    ({ id }) =>
      // One that has run out needs nothing more, and where no answer comes it runs out.
      Deferred.isDone(lost).pipe(
        Effect.flatMap((isLost) => (isLost ? Effect.void : Effect.ignore(keeping.revoke(id)))),
        Effect.andThen(lose(id, "it was given back"))
      ),
    { interruptible: true }
  )
  yield* keepAlive(keeping, id, ttlSeconds * 1000, askedAt).pipe(
    Effect.catchDefect((defect) => Effect.succeed(`nobody renews it any more: ${String(defect)}`)),
    Effect.flatMap((reason) => lose(id, reason)),
    Effect.forkScoped
  )
  const untilLost = Deferred.await(lost)
  return {
    id,
    ttlSeconds,
    lost: untilLost,
    isLost: Deferred.isDone(lost),
    during: (use) => Effect.raceFirst(untilLost, use)
  }
})

/** Goes on for as long as the lease does; gives the reason why it does no more. */
const keepAlive = Effect.fnUntraced(function* <E>(
  { keepAlive, requestMillis }: Keeping<E>,
  id: LeaseId,
  ttlMillis: number,
  askedAt: number
): Effect.fn.Return<string> {
  let deadline = askedAt + ttlMillis
  let pauseMillis = ttlMillis / 3
  while (true) {
    yield* Effect.sleep(Math.max(0, Math.min(pauseMillis, deadline - (yield* nowMillis))))
    const now = yield* nowMillis
    if (now >= deadline) return "it was not renewed in time"
    const renewed = yield* keepAlive(id, Math.min(requestMillis, deadline - now)).pipe(
      Effect.timeout(deadline - now),
      Effect.result
    )
    if (renewed._tag === "Success") {
      deadline = now + renewed.success * 1000
      pauseMillis = (renewed.success * 1000) / 3
    } else {
      if (renewed.failure._tag === "LeaseNotFound") return "the server has it no more"
      // Sooner than usual, and not at once: who has failed a moment ago mostly fails again.
      pauseMillis = Math.min(maxRetryMillis, ttlMillis / 10)
    }
  }
})

const maxRetryMillis = 1000
