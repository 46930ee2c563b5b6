/**
 * Chance in the simulator: one stream per subsystem, all derived from one seed, so that
 * switching one fault off does not reshuffle the rest. Not the core's `Seed`: the core
 * must not notice who draws.
 */
export interface Random {
  /** In [0, 1). */
  readonly draw: () => number
  /** A whole number in [0, bound). */
  readonly below: (bound: number) => number
  readonly between: (low: number, high: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(from: ReadonlyArray<T>) => T
  /** Exponentially distributed: mostly short, sometimes long. */
  readonly wait: (mean: number) => number
}

export const stream = (seed: number, name: string): Random => {
  const draw = generator(mix(seed | 0, text(name)))
  const below = (bound: number): number => Math.floor(draw() * bound)
  return {
    draw,
    below,
    between: (low, high) => low + draw() * (high - low),
    chance: (probability) => draw() < probability,
    pick: (from) => from[below(from.length)]!,
    wait: (mean) => -Math.log(1 - draw()) * mean
  }
}

/** Folds `value` into a 32-bit digest; used for traces and logs as well. */
export const mix = (digest: number, value: number): number => {
  let mixed = Math.imul(digest ^ value, 0x9e3779b1)
  mixed ^= mixed >>> 15
  mixed = Math.imul(mixed, 0x85ebca6b)
  return mixed ^ (mixed >>> 13)
}

export const text = (value: string): number => {
  let digest = value.length
  for (let at = 0; at < value.length; at++) digest = mix(digest, value.charCodeAt(at))
  return digest
}

/** xoshiro128**: four words of state, far longer a period than any run. */
const generator = (seed: number): (() => number) => {
  let [a, b, c, d] = [mix(seed, 1), mix(seed, 2), mix(seed, 3), mix(seed, 4) | 1]
  return () => {
    const five = Math.imul(b, 5)
    const result = Math.imul((five << 7) | (five >>> 25), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 11) | (d >>> 21)
    return (result >>> 0) / 4294967296
  }
}
