/**
 * Waiting for room on a full disk: the same step is tried again until there is some. Only what has
 * changed nothing may be tried again (see `lacksRoom`); every other failure is the caller's.
 */
import { Effect, Latch } from "effect"
import { lacksRoom } from "./DiskError.ts"

const retryMillis = 500
const warnEveryMillis = 10_000

export class Room {
  /** A step is waiting right now. */
  waits = false
  private readonly closing = Latch.makeUnsafe(false)

  /** What still waits is given up, and fails as it did when it was last tried. */
  readonly close: Effect.Effect<void> = Effect.asVoid(this.closing.open)

  /**
   * `step` failed with `error` for want of room: tries it again until that is not why it fails. To be
   * interrupted while it waits is fine; then the step was not done.
   */
  retry<A, E>(what: string, error: E, step: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const waiting = Effect.race(Effect.as(Effect.sleep(retryMillis), false), Effect.as(this.closing.await, true))
    const again = Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        this.waits = true
        for (let waited = 0; ; waited += retryMillis) {
          if (waited % warnEveryMillis === 0) yield* Effect.logWarning(warning(what, error, waited))
          if (yield* restore(waiting)) return yield* Effect.fail(error)
          const exit = yield* Effect.result(step)
          if (exit._tag === "Failure" && lacksRoom(exit.failure)) continue
          if (exit._tag === "Failure") return yield* Effect.fail(exit.failure)
          yield* Effect.logInfo(`There is room again: ${what} was done after ${waited + retryMillis} ms`)
          return exit.success
        }
      })
    )
    const ended = Effect.sync(() => {
      this.waits = false
    })
    return Effect.ensuring(again, ended)
  }
}

const warning = (what: string, error: unknown, waited: number): string => {
  const why = error instanceof Error ? error.message : String(error)
  const since = waited === 0 ? "" : ` for ${waited / 1000} s`
  return `There is no room${since} to ${what} (${why}). It is tried again until there is: free some space.`
}
