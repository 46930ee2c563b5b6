/**
 * A snapshot's file says in its name all that the core knows of it, so that a start need not read it:
 * `snapshot-<index, 16 digits>-<term>-<bytes>-<crc32, 8 hexadecimal digits>.snap`. Names are in the order
 * of the indexes. Other files of snapshots have these endings.
 */
import { Index, Term } from "../raft/LogEntry.ts"
import type { Snapshot } from "../raft/Snapshot.ts"
import { temporary } from "./DurableFile.ts"

/** It cannot be used, and is kept for people. */
export const damaged = ".damaged"

/** The file that is being written from this replica's own state, and the one that a leader sends. */
export const taken = `snapshot-taken${temporary}`
export const incoming = `snapshot-incoming${temporary}`

export const of = ({ last, bytes, checksum }: Snapshot): string =>
  `snapshot-${String(last.index).padStart(16, "0")}-${last.term}-${bytes}-${checksum.toString(16).padStart(8, "0")}.snap`

/** `undefined` for any name that `of` does not give. */
export const parse = (name: string): Snapshot | undefined => {
  const [, index, term, bytes, checksum] = /^snapshot-(\d{16})-(\d+)-(\d+)-([0-9a-f]{8})\.snap$/.exec(name) ?? []
  if (index === undefined || term === undefined || bytes === undefined || checksum === undefined) return undefined
  const snapshot: Snapshot = {
    last: { index: Index(Number(index)), term: Term(Number(term)) },
    bytes: Number(bytes),
    checksum: Number.parseInt(checksum, 16)
  }
  return of(snapshot) === name ? snapshot : undefined
}

/** Whether it is a snapshot that was put aside. */
export const isDamaged = (name: string): boolean =>
  name.endsWith(damaged) && parse(name.slice(0, -damaged.length)) !== undefined
