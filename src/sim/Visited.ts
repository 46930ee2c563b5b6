/**
 * The situations that a search has seen. Whoever differs from another only in that less is in
 * flight can do nothing that the other cannot, so of such only the largest are kept: for each
 * core (replicas, history, what may still happen) a few sets of messages.
 */
import type { Fingerprints } from "./Fingerprint.ts"
import type { Situation } from "./Situation.ts"

export interface Visited {
  /** `undefined` if it, or one with more in flight, is known. */
  readonly add: (situation: Situation) => Seen | undefined
  /** How many were ever added. */
  readonly size: () => number
}

export interface Seen {
  /** A bit for each message in flight. */
  readonly flight: Uint32Array
  /** One with more in flight has been found since. */
  covered: boolean
}

export const make = (fingerprints: Fingerprints): Visited => {
  const cores = new Map<number, Array<Seen>>()
  const places = new Map<number, number>()
  let size = 0

  const placeOf = (key: number): number => {
    const known = places.get(key)
    if (known !== undefined) return known
    places.set(key, places.size)
    return places.size - 1
  }

  const bitsOf = ({ flight }: Situation, renaming: number): Uint32Array => {
    const numbers = flight.map((flying) => placeOf(fingerprints.ofFlying(flying, renaming)))
    const bits = new Uint32Array(numbers.reduce((most, number) => Math.max(most, (number >> 5) + 1), 0))
    for (const number of numbers) bits[number >> 5]! |= 1 << (number & 31)
    return bits
  }

  return {
    add: (situation) => {
      const { key, renaming } = fingerprints.ofCore(situation)
      const flight = bitsOf(situation, renaming)
      const known = cores.get(key) ?? []
      if (known.some((seen) => contains(seen.flight, flight))) return undefined
      for (const seen of known) if (contains(flight, seen.flight)) seen.covered = true
      const seen: Seen = { flight, covered: false }
      cores.set(key, [...known.filter(({ covered }) => !covered), seen])
      size++
      return seen
    },
    size: () => size
  }
}

const contains = (larger: Uint32Array, smaller: Uint32Array): boolean => {
  if (smaller.length > larger.length) return false
  for (let word = 0; word < smaller.length; word++) {
    if ((smaller[word]! & ~larger[word]!) !== 0) return false
  }
  return true
}
