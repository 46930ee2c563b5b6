/**
 * A value for each of a row of consecutive indexes, kept as runs: where each begins, and what holds
 * from there on. What is known about a log's entries changes seldom from one to the next.
 */
export class Runs<A> {
  private readonly starts: Array<number> = []
  private readonly values: Array<A> = []

  /** Where the first run begins; undefined when there is none. */
  get start(): number | undefined {
    return this.starts[0]
  }

  /** The value of the first run. */
  get first(): A | undefined {
    return this.values[0]
  }

  /** The value at `index`; undefined before the first run. The last run has no end here. */
  at(index: number): A | undefined {
    let low = 0
    let high = this.starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.starts[middle]! <= index) low = middle + 1
      else high = middle
    }
    return this.values[low - 1]
  }

  /** From `index` on it is `value`. */
  extend(index: number, value: A): void {
    if (this.values.length > 0 && this.values[this.values.length - 1] === value) return
    this.starts.push(index)
    this.values.push(value)
  }

  /** Forgets what is at `index` and after it. */
  cut(index: number): void {
    while (this.starts.length > 0 && this.starts[this.starts.length - 1]! >= index) {
      this.starts.pop()
      this.values.pop()
    }
  }

  /** Forgets what is at `index` and before it. */
  drop(index: number): void {
    let ended = 0
    while (ended + 1 < this.starts.length && this.starts[ended + 1]! <= index + 1) ended++
    this.starts.splice(0, ended)
    this.values.splice(0, ended)
    if (this.starts.length > 0 && this.starts[0]! <= index) this.starts[0] = index + 1
  }

  clear(): void {
    this.starts.length = 0
    this.values.length = 0
  }
}
