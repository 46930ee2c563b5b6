/**
 * Removing what is no longer needed while the replica goes on: a removal waits for the disk several
 * times, and nobody waits for the removal.
 */
import { Effect, type Scope, Semaphore } from "effect"

export interface Tidying {
  /** Has it done soon. */
  readonly ask: Effect.Effect<void>
}

/** Asking again before it is begun asks for nothing more. What was asked for is done when the scope closes. */
export const make = Effect.fnUntraced(function* (
  tidy: Effect.Effect<void>
): Effect.fn.Return<Tidying, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const one = yield* Semaphore.make(1)
  let asked = 0
  const work = one.withPermit(
    Effect.suspend(() => {
      if (asked === 0) return Effect.void
      asked = 0
      return tidy
    })
  )
  yield* Effect.addFinalizer(() => work)
  const ask = Effect.suspend(() => {
    asked++
    return Effect.asVoid(Effect.forkIn(Effect.uninterruptible(work), scope))
  })
  return { ask }
})
