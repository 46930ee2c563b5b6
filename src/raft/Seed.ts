/**
 * Chance as a value: the same seed gives the same choices, so an election that went wrong
 * once goes wrong again. The generator is mulberry32: 32 bits of state, enough to spread
 * timeouts, not for secrets.
 */
export type Seed = number

/** A number in [0, 1), and the seed for the next draw. */
export const next = (seed: Seed): readonly [number, Seed] => {
  const state = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return [((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296, state]
}
