/**
 * A replica's disk: a synced image, and behind it at most one record that is on its way. One
 * `Persist` is one record under one checksum: a crash leaves it there whole, or not, or torn,
 * which is found at the next start and means not. Nothing is reordered, for nothing is written
 * behind a record that is not synced. A digest chains the entries: equal digests at an index
 * mean equal logs up to there.
 */
import type { LogEntry } from "../raft/LogEntry.ts"
import { ReplicaId, Term } from "../raft/LogEntry.ts"
import type { HardState, LogChange, Persist } from "../raft/RaftEffect.ts"
import { mix } from "./Random.ts"
import { Violation } from "./Violation.ts"

export interface Disk {
  hardState: HardState
  readonly entries: Array<LogEntry<unknown>>
  /** `chain[i]` digests the entries up to index i; `chain[0]` is 0. */
  readonly chain: Array<number>
  /** Starts of this replica; its record is synced before the replica runs. */
  incarnation: number
  /** Its end is a record that was cut short. */
  torn: boolean
}

export const blank = (): Disk => ({
  hardState: { currentTerm: Term(0), votedFor: undefined },
  entries: [],
  chain: [0],
  incarnation: 0,
  torn: false
})

/** What a start does before it trusts what it reads: a record whose checksum is wrong was never written. */
export const repair = (disk: Disk): void => {
  disk.torn = false
}

export const write = (disk: Disk, record: Persist<unknown>): void => {
  if (disk.torn) throw new Violation("nothing is written behind a torn record", `from ${record.log?.from}`)
  if (record.hardState !== undefined) disk.hardState = record.hardState
  if (record.log !== undefined) {
    continues(disk, record.log)
    disk.entries.length = record.log.from - 1
    for (const entry of record.log.entries) disk.entries.push(entry)
    extend(disk.chain, record.log)
  }
}

const continues = (disk: Disk, change: LogChange<unknown>): void => {
  if (change.from > disk.entries.length + 1) {
    throw new Violation("a log has no gaps", `written from ${change.from}, but ${disk.entries.length} entries exist`)
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
  const { replica, incarnation, sequence } = payload.request
  return mix(mix(replicaNumber(replica) + 1, incarnation), sequence)
}

/** Simulated replicas are named A, B, C ... */
export const replicaNumber = (id: ReplicaId): number => id.charCodeAt(0) - 65
export const replicaName = (number: number): ReplicaId => ReplicaId(String.fromCharCode(65 + number))
