/**
 * The bounds of a small search, and those that every run of the tests sees to the end. Each
 * standard scope gives room to one kind of trouble: together they would be too large.
 */
import type { Budget } from "./Situation.ts"

export interface Scope extends Budget {
  /** The voters at the beginning, and how many more there are. */
  readonly replicas: number
  readonly spares: number
  /** No term beyond this one. */
  readonly terms: number
  /** No log longer than this: a doubled command takes up a place every time it arrives. */
  readonly entries: number
  /** No more rounds of reads in a term: a doubled question asks for another. */
  readonly rounds: number
  /** The logs to begin with, as the terms of their entries: none of them is known to be committed. */
  readonly logs: ReadonlyArray<ReadonlyArray<number>>
  /** Nobody may vote at the beginning, and the first vote of each admits it. */
  readonly blank: boolean
  /** A snapshot is taken when so many entries more are applied. */
  readonly snapshotEntries: number
}

export const least: Scope = {
  replicas: 3,
  spares: 0,
  terms: 1,
  entries: 2,
  rounds: 1,
  logs: [],
  blank: false,
  snapshotEntries: 1_000_000,
  elections: 1,
  beats: 0,
  commands: 0,
  queries: 0,
  resubmissions: 0,
  crashes: 0,
  amendments: 0,
  transfers: 0
}

export const standard: ReadonlyArray<readonly [name: string, scope: Scope]> = [
  ["two elections and a crash", { ...least, terms: 2, elections: 2, crashes: 1 }],
  ["an election, a heartbeat and two crashes", { ...least, beats: 1, crashes: 2 }],
  ["a command and a crash", { ...least, commands: 1, crashes: 1 }],
  ["a command across two terms", { ...least, terms: 2, elections: 2, commands: 1 }],
  ["a read", { ...least, queries: 1 }],
  ["Figure 8, from (b) on", { ...least, logs: [[1], [2], []], terms: 4, elections: 2 }],
  ["a follower with a tail of its own", { ...least, logs: [[1], [1, 1], [1]], terms: 2, entries: 3, beats: 1 }],
  [
    "two replicas, two terms, a command and a crash",
    { ...least, replicas: 2, terms: 2, elections: 2, entries: 3, commands: 1, crashes: 1 }
  ],
  ["a first election and a crash", { ...least, blank: true, crashes: 1 }],
  [
    "two first elections of two replicas, and a crash",
    { ...least, replicas: 2, blank: true, terms: 2, elections: 2, beats: 1, crashes: 1 }
  ],
  [
    "snapshots instead of logs",
    { ...least, logs: [[1, 1], [1, 1], []], snapshotEntries: 1, terms: 2, entries: 3, beats: 1 }
  ],
  [
    "snapshots instead of logs, two replicas, and a crash",
    { ...least, replicas: 2, logs: [[1, 1], []], snapshotEntries: 1, terms: 2, entries: 3, beats: 1, crashes: 1 }
  ],
  [
    "two become three, across two terms",
    { ...least, replicas: 2, spares: 1, terms: 2, elections: 2, entries: 4, amendments: 1 }
  ],
  ["two become three, and a crash", { ...least, replicas: 2, spares: 1, entries: 3, amendments: 1, crashes: 1 }],
  ["three become two, across two terms", { ...least, terms: 2, elections: 2, entries: 4, amendments: 1 }],
  ["a transfer and a crash", { ...least, terms: 2, entries: 3, transfers: 1, crashes: 1 }]
]

/** Minutes rather than seconds, and so by hand. */
export const larger: typeof standard = [
  ["a command that is logged twice", { ...least, entries: 3, commands: 1 }],
  ["a command across two terms, and a crash", { ...least, terms: 2, elections: 2, commands: 1, crashes: 1 }],
  ["a read whose question is doubled", { ...least, queries: 1, rounds: 2 }],
  ["three become four, across two terms", { ...least, spares: 1, terms: 2, elections: 2, entries: 4, amendments: 1 }],
  ["a transfer across three terms", { ...least, terms: 3, elections: 2, entries: 4, transfers: 1 }],
  ["three terms", { ...least, terms: 3, elections: 3, entries: 3 }]
]
