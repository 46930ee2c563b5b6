/**
 * How far a long job is, on standard error, once it has taken a second: on a terminal as one line that is
 * written over, elsewhere as a line each second in which there is news.
 */
import { Clock, Effect } from "effect"
import type { Host } from "./Host.ts"

export interface Progress {
  /** Called as often as is convenient; `text` is asked for at most once a second. */
  readonly tell: (text: () => string) => Effect.Effect<void>
  /** Tells what is the matter as time passes, for a job that does not say itself how far it is. */
  readonly during: <A, E, R>(text: string, job: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Before anything else is printed. */
  readonly clear: Effect.Effect<void>
}

const everyMillis = 1000

export const make = Effect.fnUntraced(function* (host: Host, terminal: boolean = host.errorTerminal) {
  const begun = yield* Clock.currentTimeMillis
  let toldAt = begun
  let shown = false
  let last = ""

  const show = (text: string): Effect.Effect<void> => {
    if (!terminal) {
      if (text === last) return Effect.void
      last = text
      return host.err(text)
    }
    shown = true
    return Effect.sync(() => void process.stderr.write(`\r${text}\u001b[K`))
  }

  const tell: Progress["tell"] = (text) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (now - toldAt < everyMillis) return Effect.void
      toldAt = now
      return show(text())
    })

  const tick = (text: string): Effect.Effect<never> =>
    Effect.forever(
      Effect.andThen(
        Effect.sleep(everyMillis),
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          tell(() => `${text}, ${((now - begun) / 1000).toFixed(0)} s so far`)
        )
      )
    )

  const progress: Progress = {
    tell,
    during: (text, job) => Effect.raceFirst(job, tick(text)),
    clear: Effect.suspend(() => {
      if (!shown) return Effect.void
      shown = false
      return Effect.sync(() => void process.stderr.write("\r\u001b[K"))
    })
  }
  return progress
})

/** `12.3 of 45.6 MiB`. */
export const mebibytes = (done: number, total: number): string => `${inMebibytes(done)} of ${inMebibytes(total)} MiB`

const inMebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
