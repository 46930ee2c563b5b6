/**
 * What is left out of a seed's run: how a run that failed is made small enough to read. A
 * seed with its cuts is a run as exact as the seed alone, and fits on a command line.
 */
import type { Toggle } from "./Plan.ts"

export interface Cuts {
  readonly size?: number
  /** Faults that are switched off. */
  readonly off?: ReadonlyArray<Toggle>
  /** The faults end after so many steps of the world. */
  readonly steps?: number
  /** Only these strikes come, counted in the order in which they would. */
  readonly strikes?: ReadonlyArray<number>
  /** Only these requests are made, counted in the order in which clients would. */
  readonly asks?: ReadonlyArray<number>
}

export const none: Cuts = {}

/** As JSON for a command line, with runs of numbers as `"3-17"`. */
export const inWords = (cuts: Cuts): string =>
  JSON.stringify({
    ...cuts,
    ...(cuts.strikes === undefined ? {} : { strikes: ranges(cuts.strikes) }),
    ...(cuts.asks === undefined ? {} : { asks: ranges(cuts.asks) })
  })

type Written = Omit<Cuts, "strikes" | "asks"> & { readonly strikes?: string; readonly asks?: string }

export const fromWords = (words: string): Cuts => {
  const { strikes, asks, ...rest } = JSON.parse(words) as Written
  return {
    ...rest,
    ...(strikes === undefined ? {} : { strikes: numbers(strikes) }),
    ...(asks === undefined ? {} : { asks: numbers(asks) })
  }
}

const ranges = (all: ReadonlyArray<number>): string => {
  const found: Array<[number, number]> = []
  for (const number of all) {
    const last = found.at(-1)
    if (last !== undefined && last[1] === number - 1) last[1] = number
    else found.push([number, number])
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(" ")
}

const numbers = (words: string): ReadonlyArray<number> =>
  words.split(" ").flatMap((range) => {
    if (range === "") return []
    const [from, to] = range.split("-").map(Number)
    return Array.from({ length: (to ?? from!) - from! + 1 }, (_, place) => from! + place)
  })

export const keeps = (only: ReadonlyArray<number> | undefined, number: number): boolean =>
  only === undefined || only.includes(number)
