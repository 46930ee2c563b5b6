/** When to say how far something long has come: not within its first second, and then about once a second. */
const intervalMillis = 1000

export class Headway {
  private readonly beganAt: number
  private saidAt: number

  constructor(at: number) {
    this.beganAt = at
    this.saidAt = at
  }

  /** Whether anything was said, so that the end is worth saying too. */
  get wasTold(): boolean {
    return this.saidAt > this.beganAt
  }

  millis(at: number): number {
    return Math.round(at - this.beganAt)
  }

  /** True when it is time to say something, which then counts as said. */
  isDue(at: number): boolean {
    if (at - this.saidAt < intervalMillis) return false
    this.saidAt = at
    return true
  }
}

/** In whole percent, and 100 only when it is done. */
export const percent = (done: number, total: number): number =>
  total === 0 ? 100 : Math.min(100, Math.floor((100 * done) / total))
