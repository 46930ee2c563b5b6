/** A machine whose result tells how many commands were applied, with sessions around it whose limits are small. */
import type { Machine } from "../../src/raft/Machine.ts"
import * as Sessions from "../../src/sessions/Sessions.ts"

export interface Count {
  readonly _tag: "Count"
  readonly word: string
  readonly weight: number
}

export interface Counted {
  readonly _tag: "Count"
  readonly count: number
  readonly weight: number
}

export const counting: Machine<number, Count, Counted, undefined, number> = {
  initial: 0,
  apply: (count, { weight }) => [count + 1, { _tag: "Count", count: count + 1, weight }],
  query: (count) => count,
  sizeOf: ({ word }) => word.length,
  digest: ({ word }, { count }) => word.length * 1000 + count
}

export const limits = {
  keys: { lifetimeMillis: 100, maxCount: 6, maxBytes: 1100 },
  clients: { lifetimeMillis: 100, maxCount: 3, maxBytes: 600 },
  maxResultBytes: 50
}

export const machine = Sessions.over(counting, {
  identify: ({ word }) => Array.from(word).reduce((sum, letter) => sum * 256 + letter.charCodeAt(0), 7),
  weigh: ({ weight }) => weight,
  limits
})

export type State = typeof machine.initial
