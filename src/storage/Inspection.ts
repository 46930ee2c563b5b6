/**
 * What is in a data directory, damaged or not, for people who look: nothing is changed, and damage is
 * told and not thrown. Of a directory in use it may tell of damage that is none, for records are
 * being written to it.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import type { LogPosition } from "../raft/LogEntry.ts"
import type { HardState } from "../raft/RaftEffect.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import { Damage, ofSystem } from "./DiskError.ts"
import * as Identity from "./Identity.ts"
import * as Recovery from "./Recovery.ts"
import * as Segment from "./Segment.ts"
import * as SnapshotName from "./SnapshotName.ts"

export interface Problem {
  /** The path of the file. */
  readonly file: string
  /** In bytes. */
  readonly offset: number
  readonly found: string
}

export interface SegmentReport {
  readonly file: string
  readonly bytes: number
  /** Undefined when its header cannot be read. */
  readonly number: number | undefined
  readonly format: number | undefined
  /** Of its records; `last` is below `first` when it has none. */
  readonly sequences: { readonly first: number; readonly last: number } | undefined
  /** Of the entries that were ever written in it; undefined when it has none. */
  readonly indexes: { readonly lowest: number; readonly highest: number } | undefined
  /** The first in this segment. */
  readonly problem: Problem | undefined
}

export interface Inspection {
  readonly identity: Identity.Identity | undefined
  readonly segments: ReadonlyArray<SegmentReport>
  /** As of the last record that could be read in order, before the first damage. */
  readonly hardState: HardState
  /** Undefined in a directory that was never used. */
  readonly admitted: boolean | undefined
  readonly base: LogPosition
  readonly lastIndex: number
  readonly lastTerm: number | undefined
  /** Whole by their names and lengths, newest first; what is in them has not been looked at. */
  readonly snapshots: ReadonlyArray<{ readonly file: string; readonly snapshot: Snapshot }>
  /** How many bytes at the log's end a crash interrupted; the next start cuts them. No damage. */
  readonly interruptedBytes: number
  /** Why a start would refuse this directory; empty when it would not. */
  readonly problems: ReadonlyArray<Problem>
}

/** Rejects with a StorageError only when the directory itself cannot be read. */
export const inspect = async (directory: string): Promise<Inspection> => {
  try {
    return await look(path.resolve(directory), fs.readdirSync(directory).toSorted())
  } catch (error) {
    throw ofSystem(error, `read ${directory}`, "Unreadable")
  }
}

const look = async (directory: string, names: ReadonlyArray<string>): Promise<Inspection> => {
  const problems: Array<Problem> = []
  const identityPath = path.join(directory, Identity.fileName)
  const identity = await Identity.read(directory).catch((error) => {
    problems.push({ file: identityPath, offset: 0, found: messageOf(error) })
    return undefined
  })
  const files = names.filter((name) => Segment.numberOf(name) !== undefined).map((name) => path.join(directory, name))
  if (identity === undefined && problems.length === 0 && files.length > 0) {
    problems.push({ file: identityPath, offset: 0, found: "the file is missing, while there is a log" })
  }
  if (identity !== undefined && identity.incarnation > 0 && files.length === 0) {
    problems.push({ file: path.join(directory, Segment.nameOf(1)), offset: 0, found: "the whole log is missing" })
  }
  const owner = identity && Segment.ownerOf(identity.cluster, identity.replica)
  const loading = Recovery.begin()
  const first = await readUntilDamage(loading, () => Recovery.segmentsIn(directory), owner)
  if (first !== undefined && files.length > 0) problems.push(problemOf(first, directory))
  const segments: Array<SegmentReport> = []
  for (const file of files) {
    const report = await reportOf(file, loading, first, owner)
    segments.push(report)
    if (report.problem !== undefined && !problems.some((one) => same(one, report.problem!))) {
      problems.push(report.problem)
    }
  }
  const { hardState, admitted, base, last } = loading.replay.outline
  const snapshots = snapshotsIn(directory, names)
  if (identity === undefined && problems.length === 0) {
    problems.push({ file: identityPath, offset: 0, found: "there is no such file: this is no data directory" })
  }
  if (base.index > 0 && !snapshots.some(({ snapshot }) => snapshot.last.index >= base.index)) {
    const found = `the log begins after entry ${base.index}, and there is no snapshot of what stood before`
    problems.push({ file: directory, offset: 0, found })
  }
  return {
    identity,
    segments,
    hardState,
    admitted,
    base,
    lastIndex: last.index,
    lastTerm: last.term,
    snapshots,
    interruptedBytes: first === undefined ? (loading.segments.at(-1)?.cutBytes ?? 0) : 0,
    problems
  }
}

/** What was met that stops the reading, if anything did. */
const readUntilDamage = async (
  loading: Recovery.Loading,
  files: () => ReadonlyArray<string>,
  owner: number | undefined
): Promise<unknown> => {
  try {
    const segments = files()
    if (segments.length === 0) return undefined
    for (const _ of Recovery.read(loading, segments, owner)) await new Promise(setImmediate)
    return undefined
  } catch (error) {
    return error
  }
}

/** A segment that reading the whole log came to, or one after the damage, read for itself. */
const reportOf = async (
  file: string,
  whole: Recovery.Loading,
  first: unknown,
  owner: number | undefined
): Promise<SegmentReport> => {
  const known = whole.segments.find((segment) => segment.path === file)
  if (known !== undefined) {
    return describe(file, known, isIn(first, file) ? problemOf(first, file) : undefined)
  }
  const alone = Recovery.begin()
  const error = await readUntilDamage(alone, () => [file], owner)
  return describe(
    file,
    alone.segments[0],
    error !== undefined && isIn(error, file) ? problemOf(error, file) : undefined
  )
}

/** Errors that name no file are of the system, and of the file that was read when they came. */
const isIn = (error: unknown, file: string): boolean =>
  error !== undefined && (!(error instanceof Damage) || error.path === file)

const describe = (
  file: string,
  found: Recovery.SegmentFound | undefined,
  problem: Problem | undefined
): SegmentReport => ({
  file,
  bytes: found?.size ?? fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0,
  number: found?.header.number,
  format: found?.header.version,
  sequences: found && { first: found.header.firstSequence, last: found.sequence - 1 },
  indexes: found?.indexes,
  problem
})

const problemOf = (error: unknown, file: string): Problem =>
  error instanceof Damage
    ? { file: error.path, offset: error.offset, found: error.found }
    : { file, offset: 0, found: messageOf(error) }

const same = (one: Problem, other: Problem): boolean => one.file === other.file && one.offset === other.offset

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const snapshotsIn = (directory: string, names: ReadonlyArray<string>): Inspection["snapshots"] =>
  names
    .flatMap((name) => {
      const snapshot = SnapshotName.parse(name)
      const file = path.join(directory, name)
      const size = fs.statSync(file, { throwIfNoEntry: false })?.size
      return snapshot === undefined || size !== snapshot.bytes ? [] : [{ file, snapshot }]
    })
    .toSorted((one, other) => other.snapshot.last.index - one.snapshot.last.index)
