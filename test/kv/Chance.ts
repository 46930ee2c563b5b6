/** Chance from a seed (mulberry32), so that a failing test fails again. */
export interface Chance {
  /** A whole number from 0 up to, but not including, `end`. */
  readonly below: (end: number) => number
  readonly pick: <A>(from: ReadonlyArray<A>) => A
}

export const chanceOf = (seed: number): Chance => {
  let state = seed
  const below = (end: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * end)
  }
  return { below, pick: (from) => from[below(from.length)]! }
}
