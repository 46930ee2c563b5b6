/**
 * What is told of a run: each line with the seconds since it began in front. And waiting: for a
 * condition, never for a time, and never without an end.
 */
import { setTimeout as pause } from "node:timers/promises"

export class Timeline {
  private readonly began = performance.now()
  private readonly write: (line: string) => void

  constructor(write: (line: string) => void) {
    this.write = write
  }

  say(text: string): void {
    const seconds = ((performance.now() - this.began) / 1000).toFixed(1).padStart(6)
    for (const line of text.split("\n")) this.write(`${seconds}  ${line}`)
  }
}

/** How often a condition is looked at: it costs the two cores that everything runs on, too. */
const lookEveryMillis = 100

/** Looks until there is something to see. `attempt` may throw where it is plain that nothing will come. */
export const until = async <A>(
  what: string,
  limitMillis: number,
  attempt: () => Promise<A | undefined> | A | undefined
): Promise<A> => {
  const start = performance.now()
  for (;;) {
    const result = await attempt()
    if (result !== undefined) return result
    if (performance.now() - start > limitMillis) throw new Error(`${what}: not within ${limitMillis / 1000} s`)
    await pause(lookEveryMillis)
  }
}

/** In seconds, for reading. */
export const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`
