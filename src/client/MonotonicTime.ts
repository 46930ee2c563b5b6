/** Milliseconds that only go forward; of them only differences mean something. */
import { Clock, Effect } from "effect"

export const nowMillis: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)
