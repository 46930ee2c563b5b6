/**
 * Tells when an instant has come, to one who waits again and again, and nearly always for a later instant than before: every message moves a
 * deadline. It sleeps on through that, for of all instants that it was set to the last alone counts, and when it wakes up it looks which that
 * is. Only for an earlier one it lies down anew. It sleeps on Effect's clock, so that tests may hold it, and at most once at a time.
 */
import { type Clock, type Context, Duration, Effect, type Fiber } from "effect"
import { Instant } from "../raft/LogEntry.ts"

type Sleeper = Pick<Clock.Clock, "sleep" | "monotonicTimeNanosUnsafe">

const never = Instant(Infinity)

export class Alarm {
  private ring: (() => void) | undefined
  private instant = never
  /** When it wakes up, in `fiber`. */
  private until = never
  private fiber: Fiber.Fiber<void> | undefined
  private readonly clock: Sleeper
  private readonly fork: (sleep: Effect.Effect<void>) => Fiber.Fiber<void>

  constructor(clock: Sleeper, context: Context.Context<never>) {
    this.clock = clock
    this.fork = Effect.runForkWith(context)
  }

  /** On the clock's monotonic time. */
  now(): Instant {
    return Instant(Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6)
  }

  /** Rings once, when `instant` has come, and not for what it was set to before. */
  set(instant: Instant, ring: () => void): void {
    this.instant = instant
    this.ring = ring
    if (instant < this.until) this.sleep()
  }

  /** Does not ring; it may sleep on. */
  quiet(): void {
    this.ring = undefined
  }

  /** Neither rings nor sleeps: no timer is left. */
  stop(): void {
    this.quiet()
    this.riseEarly()
  }

  private sleep(): void {
    this.riseEarly()
    this.until = this.instant
    const millis = Math.max(0, Math.ceil(this.instant - this.now()))
    const fiber = this.fork(this.clock.sleep(Duration.millis(millis)))
    this.fiber = fiber
    fiber.addObserver(() => {
      if (this.fiber === fiber) this.wakeUp()
    })
  }

  private riseEarly(): void {
    const { fiber } = this
    this.fiber = undefined
    this.until = never
    fiber?.interruptUnsafe()
  }

  private wakeUp(): void {
    this.fiber = undefined
    this.until = never
    const { ring } = this
    if (ring === undefined || this.instant === never) return
    // A timer may be a little early.
    if (this.instant > this.now()) return this.sleep()
    this.ring = undefined
    ring()
  }
}
