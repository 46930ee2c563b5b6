/**
 * Effect's scheduler and clock as one object that a seed decides: one run queue for all
 * fibers, a heap of timers, and nothing of the real world. Which fiber goes on, where one is
 * pre-empted and when time moves are drawn from the seed, so the seed fixes how fibers
 * interleave, and the same seed repeats a run exactly.
 *
 * What runs here must not wait for promises or IO: the run would be over, undecided.
 */
import { Clock, Duration, Effect, type Exit, type Scheduler } from "effect"
import { type Random, stream } from "../../src/sim/Random.ts"

export interface Temper {
  /** Operations between two pre-emptions, on average. */
  readonly opsBetweenYields: number
  /** The chance that any of the waiting tasks goes next; otherwise it is the oldest. */
  readonly disorder: number
  /** The chance, at each task, that time moves on although tasks wait: a busy machine. */
  readonly haste: number
}

export const steady: Temper = { opsBetweenYields: 2048, disorder: 0, haste: 0 }

interface Timer {
  readonly at: number
  readonly number: number
  readonly fire: () => void
}

export class SeededScheduler implements Scheduler.Scheduler, Clock.Clock {
  readonly executionMode = "sync" as const
  /** Tasks run so far: a name for any moment of a run. */
  steps = 0
  /** In whole microseconds, so that every sleep moves time, however small the rest of it has become. */
  private nowMicros = 0
  private timers = 0
  private opsLeft: number
  private temper: Temper
  private readonly random: Random
  private readonly tasks: Array<() => void> = []
  private readonly heap: Array<Timer> = []
  private readonly interventions = new Map<number, () => void>()

  constructor(seed: number, temper: Temper = steady) {
    this.random = stream(seed, "scheduler")
    this.temper = temper
    this.opsLeft = this.drawOps()
  }

  /** From now on as a machine with nothing else to do. */
  calm(): void {
    this.temper = { ...this.temper, haste: 0 }
  }

  /** Runs `intervene` between two tasks, when so many more have run. */
  afterSteps(steps: number, intervene: () => void): void {
    this.interventions.set(this.steps + steps, intervene)
  }

  /** Its exit; `undefined` where it waits for what never comes, or takes more than `maxSteps`. */
  run<A, E>(effect: Effect.Effect<A, E>, maxSteps = 1_000_000): Exit.Exit<A, E> | undefined {
    const fiber = Effect.runFork(Effect.provideService(effect, Clock.Clock, this), { scheduler: this })
    while (fiber.pollUnsafe() === undefined && this.steps < maxSteps) if (!this.step()) break
    return fiber.pollUnsafe()
  }

  private step(): boolean {
    const intervene = this.interventions.get(this.steps++)
    intervene?.()
    const waiting = this.tasks.length
    if (waiting === 0 || (this.heap.length > 0 && this.random.chance(this.temper.haste))) return this.fireNext()
    const chosen = waiting > 1 && this.random.chance(this.temper.disorder) ? this.random.below(waiting) : 0
    this.tasks.splice(chosen, 1)[0]!()
    return true
  }

  private fireNext(): boolean {
    const next = pop(this.heap)
    if (next === undefined) return false
    this.nowMicros = next.at
    next.fire()
    return true
  }

  private drawOps(): number {
    return 1 + Math.floor(this.random.wait(this.temper.opsBetweenYields))
  }

  shouldYield(): boolean {
    if (--this.opsLeft > 0) return false
    this.opsLeft = this.drawOps()
    return true
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => void this.tasks.push(task), flush: () => {} }
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const micros = Math.max(1, Math.round(Duration.toMillis(duration) * 1000))
    return Effect.callback<void>((resume) => {
      let open = true
      push(this.heap, { at: this.nowMicros + micros, number: this.timers++, fire: () => open && resume(Effect.void) })
      return Effect.sync(() => {
        open = false
      })
    })
  }

  /** In whole milliseconds, as clocks tell it; the others are finer. */
  currentTimeMillisUnsafe(): number {
    return Math.floor(this.nowMicros / 1000)
  }

  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.nowMicros) * 1000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = this.currentTimeNanos
}

/** By time; ties in the order in which they were set. */
const isBefore = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.number < other.number)

const push = (heap: Array<Timer>, timer: Timer): void => {
  let at = heap.push(timer) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (isBefore(heap[parent]!, timer)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = timer
}

const pop = (heap: Array<Timer>): Timer | undefined => {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (child >= heap.length || isBefore(last, heap[child]!)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}
