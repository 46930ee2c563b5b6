/**
 * Coverage marks: named rare paths, counted as a run takes them. They are read off what came in,
 * what went out and what changed, so the core does not know of them. A test requires that every
 * one is hit: the net must not stop reaching a place in silence.
 */
import type { Taken } from "./Taken.ts"
import * as Elections from "./ElectionMarks.ts"
import * as Members from "./MemberMarks.ts"
import * as Replications from "./ReplicationMarks.ts"
import * as Requests from "./RequestMarks.ts"
import * as Snapshots from "./SnapshotMarks.ts"
import * as Terms from "./TermMarks.ts"

/** What comes from outside the replica: its process, its disk, its clients. */
export const worldMarks = [
  "crash before Persist",
  "crash between Persist and what follows",
  "crash between two messages",
  "crash while a record is on its way",
  "crash between an early answer and its record",
  "a torn record dropped at start",
  "a failed sync ended the replica",
  "a record found after a failed sync",
  "a record lost after a failed sync",
  "restart with a log",
  "restart from a snapshot",
  "an older snapshot used at start",
  "a log without its snapshot used at start",
  "a replica without a whole snapshot begins anew",
  "a disk lost",
  "a snapshot taken",
  "a snapshot that could not be stored",
  "a snapshot missing when it was to be sent",
  "a snapshot of several chunks",
  "a spoiled snapshot",
  "restart with a vote in the present term",
  "a request applied after it was submitted again",
  "a request applied after a change of leader",
  "a client gave up",
  "acknowledgements heard while the disk works",
  "a commit while the disk works",
  "applied while the disk works",
  "a program replaced by a later one",
  "a removed replica loses its disk"
] as const

export const names = [
  ...Terms.marks,
  ...Elections.marks,
  ...Replications.marks,
  ...Requests.marks,
  ...Snapshots.marks,
  ...Members.marks,
  ...worldMarks
] as const
export type Mark = (typeof names)[number]

export type Tally = Map<Mark, number>

export const hit = (tally: Tally, mark: Mark): void => {
  tally.set(mark, (tally.get(mark) ?? 0) + 1)
}

export const onStep = (tally: Tally, step: Taken): void => {
  const mark = (name: Mark): void => hit(tally, name)
  Terms.onStep(step, mark)
  Elections.onStep(step, mark)
  Replications.onStep(step, mark)
  Requests.onStep(step, mark)
  Snapshots.onStep(step, mark)
  Members.onStep(step, mark)
}

/** Those that were not hit and should have been. */
export const missing = (tally: Tally): ReadonlyArray<Mark> =>
  names.filter((name) => !tally.has(name) && !Snapshots.rare.some((rare) => rare === name))
