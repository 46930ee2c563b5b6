/**
 * A replica's disk: a synced log, and behind it at most one record that is on its way. One
 * `Persist` is one record under one checksum: a crash leaves it there whole, or not, or torn,
 * which is found at the next start and means not. Nothing is reordered, for nothing is written
 * behind a record that is not synced. Snapshots lie beside the log as files of their own.
 *
 * A digest chains the entries: equal digests at an index mean equal logs up to there. Digests stay
 * where a snapshot has taken the place of entries, so that such a disk still counts as one that
 * holds what they stood for.
 */
import type { LogEntry, LogPosition } from "../raft/LogEntry.ts"
import { Index, origin, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { HardState, LogChange, Persist } from "../raft/RaftEffect.ts"
import type { Start } from "../raft/Replica.ts"
import { same } from "../raft/Snapshot.ts"
import type { Stored } from "./Library.ts"
import { mix, text } from "./Random.ts"
import { inWords } from "./Subject.ts"
import { Violation } from "./Violation.ts"

export interface Disk {
  hardState: HardState
  admitted: boolean | undefined
  /** What stands before the first entry. */
  base: LogPosition
  /** Consecutive from `base` on. */
  readonly entries: Array<LogEntry<unknown>>
  /** `chain[i]` digests the entries up to index i, those before `base` among them; `chain[0]` is 0. */
  readonly chain: Array<number>
  /** Whole and durable, newest first. */
  snapshots: ReadonlyArray<Stored>
  /** Starts of this replica; its record is synced before the replica runs. */
  incarnation: number
  /** Its end is a record that was cut short. */
  torn: boolean
}

export const blank = (): Disk => ({
  hardState: { currentTerm: Term(0), votedFor: undefined },
  admitted: undefined,
  base: origin,
  entries: [],
  chain: [0],
  snapshots: [],
  incarnation: 0,
  torn: false
})

/** An empty directory, on the same machine: only the world knows that it was not always empty. */
export const wipe = (disk: Disk): void => {
  const { entries, chain, incarnation: _, ...rest } = blank()
  Object.assign(disk, rest)
  disk.entries.splice(0, disk.entries.length, ...entries)
  disk.chain.splice(0, disk.chain.length, ...chain)
}

export const lastIndex = (disk: Disk): Index => Index(disk.base.index + disk.entries.length)

/** Whether the log holds the entry at this position, or begins right behind it. */
export const holds = ({ base, entries }: Disk, { index, term }: LogPosition): boolean =>
  index === base.index ? term === base.term : entries[index - base.index - 1]?.term === term

/** A bit changes in the latest whole snapshot from which the log goes on. */
export const damage = (disk: Disk): void => {
  const latest = disk.snapshots.find(({ snapshot, damaged }) => !damaged && holds(disk, snapshot.last))
  disk.snapshots = disk.snapshots.map((stored) => (stored === latest ? { ...stored, damaged: true } : stored))
}

/** Beside the others, newest first. */
export const store = (disk: Disk, stored: Stored): void => {
  const others = disk.snapshots.filter(({ snapshot }) => !same(snapshot, stored.snapshot))
  disk.snapshots = [stored, ...others].sort((one, other) => other.snapshot.last.index - one.snapshot.last.index)
}

/** What a start finds. */
export interface Found {
  /** The one to start from; `undefined` where the log goes back to the first entry. */
  readonly stored: Stored | undefined
  /** A newer one is damaged. */
  readonly fellBack: boolean
  /** No snapshot is whole, and the log does not go back to the first entry: the replica begins anew. */
  readonly reset: Persist<unknown> | undefined
}

/**
 * What a start does before it trusts what it reads: a record whose checksum is wrong was never
 * written, a snapshot from which the log does not go on is removed, a damaged one is put aside.
 */
export const recover = (disk: Disk): Found => {
  disk.torn = false
  const vouched = disk.snapshots.filter(({ snapshot }) => holds(disk, snapshot.last))
  const whole = vouched.findIndex(({ damaged }) => !damaged)
  disk.snapshots = whole === -1 ? [] : vouched.slice(whole)
  const lost = whole === -1 && disk.base.index > 0
  return {
    stored: disk.snapshots[0],
    fellBack: whole > 0 || (whole === -1 && vouched.length > 0),
    reset: lost ? { _tag: "Persist", hardState: undefined, admitted: false, base: origin, log: undefined } : undefined
  }
}

/** What a replica starts from, once its disk is recovered. */
export const contents = (
  disk: Disk
): Pick<Start<unknown, unknown>, "hardState" | "admitted" | "image" | "base" | "entries" | "snapshots"> => ({
  hardState: disk.hardState,
  admitted: disk.admitted,
  image: disk.snapshots[0]?.image,
  base: disk.base,
  entries: disk.entries.slice(),
  snapshots: disk.snapshots.map(({ snapshot }) => snapshot)
})

export const write = (disk: Disk, record: Persist<unknown>): void => {
  if (disk.torn) throw new Violation("nothing is written behind a torn record", `from ${record.log?.from}`)
  if (record.hardState !== undefined) disk.hardState = record.hardState
  if (record.admitted !== undefined) disk.admitted = record.admitted
  if (record.base !== undefined) rebase(disk, record.base)
  if (record.log !== undefined) {
    continues(disk, record.log)
    disk.entries.length = record.log.from - disk.base.index - 1
    for (const entry of record.log.entries) disk.entries.push(entry)
    extend(disk.chain, record.log)
  }
}

/** The log begins after `base` from now on, and snapshots of what is before it are removed. */
const rebase = (disk: Disk, base: LogPosition): void => {
  const anew = base.index === 0
  if (holds(disk, base)) disk.entries.splice(0, base.index - disk.base.index)
  else {
    const chain = anew ? [0] : chainAt(disk.snapshots, base)
    disk.entries.length = 0
    disk.chain.splice(0, disk.chain.length, ...chain)
  }
  disk.base = base
  disk.snapshots = anew ? [] : disk.snapshots.filter(({ snapshot }) => snapshot.last.index >= base.index)
  const covered = anew || disk.snapshots.some(({ snapshot, damaged }) => !damaged && holds(disk, snapshot.last))
  if (!covered) {
    throw new Violation("a log begins at a snapshot", `at ${base.index}@${base.term}, but none from there on is stored`)
  }
}

/** The digests up to the position of a stored snapshot. */
export const chainAt = (snapshots: ReadonlyArray<Stored>, { index, term }: LogPosition): ReadonlyArray<number> => {
  const found = snapshots.find(({ snapshot: { last } }) => last.index === index && last.term === term)
  if (found === undefined) throw new Violation("what is installed is stored", `nothing at ${index}@${term}`)
  return found.chain
}

const continues = (disk: Disk, change: LogChange<unknown>): void => {
  const last = lastIndex(disk)
  if (change.from > last + 1 || change.from <= disk.base.index) {
    throw new Violation(
      "a log has no gaps",
      `written from ${change.from}, but there are entries ${disk.base.index + 1} to ${last}`
    )
  }
}

/** What a change of the log does to the digests. */
export const extend = (chain: Array<number>, change: LogChange<unknown>): void => {
  chain.length = change.from
  for (const entry of change.entries) chain.push(mix(mix(chain[entry.index - 1]!, entry.term), identity(entry)))
}

/** A number for what an entry holds: its request, which nobody uses twice for different commands. */
const identity = ({ payload }: LogEntry<unknown>): number => {
  if (payload._tag === "NoOp") return 0
  if (payload._tag !== "Command") return mix(1, text(inWords(payload)))
  const { replica, incarnation, sequence } = payload.request
  return mix(mix(replicaNumber(replica) + 1, incarnation), sequence)
}

/** Simulated replicas are named A, B, C ... */
export const replicaNumber = (id: ReplicaId): number => id.charCodeAt(0) - 65
export const replicaName = (number: number): ReplicaId => ReplicaId(String.fromCharCode(65 + number))
