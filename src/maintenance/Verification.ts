/**
 * Reads every byte of a data directory and compares every checksum: the log's records as a start would,
 * and the snapshots by decoding them, which a start does only with the newest one.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { Effect } from "effect"
import type { Snapshot } from "../raft/Snapshot.ts"
import { attempt } from "../storage/DiskError.ts"
import type * as Inspection from "../storage/Inspection.ts"
import * as SnapshotName from "../storage/SnapshotName.ts"
import type { StorageError } from "../storage/Storage.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as SnapshotFile from "./SnapshotFile.ts"

export interface Verification {
  readonly inspection: Inspection.Inspection
  /** Whole records of the log. */
  readonly records: number
  /** Those without damage. */
  readonly snapshots: ReadonlyArray<{ readonly file: string; readonly bytes: number; readonly keys: number }>
  /** A start refuses these; it has no other way to what they hold. */
  readonly logProblems: ReadonlyArray<Inspection.Problem>
  /** A start puts these aside and takes an older one, or is sent a new one by its peers. */
  readonly snapshotProblems: ReadonlyArray<Inspection.Problem>
}

export type OnHeadway = (file: string, read: number, total: number) => Effect.Effect<void>

export const verify = Effect.fnUntraced(function* (
  directory: string,
  onHeadway: OnHeadway
): Effect.fn.Return<Verification, StorageError> {
  const inspection = yield* DataDirectory.inspect(directory)
  const snapshots: Array<Verification["snapshots"][number]> = []
  const snapshotProblems: Array<Inspection.Problem> = []
  const names = yield* attempt(`read ${directory}`, "Unreadable", () => fs.readdir(directory))
  for (const name of names.toSorted()) {
    const snapshot = SnapshotName.parse(name)
    if (snapshot === undefined) continue
    const file = path.join(path.resolve(directory), name)
    const checked = yield* check(file, snapshot, (read, total) => onHeadway(file, read, total))
    if ("found" in checked) snapshotProblems.push(checked)
    else snapshots.push(checked)
  }
  const records = inspection.segments.reduce(
    (sum, { sequences }) => sum + (sequences === undefined ? 0 : sequences.last - sequences.first + 1),
    0
  )
  return { inspection, records, snapshots, logProblems: inspection.problems, snapshotProblems }
})

/** What it holds must be what its name says. */
const check = (
  file: string,
  { last, bytes, checksum }: Snapshot,
  onHeadway: SnapshotFile.OnHeadway
): Effect.Effect<Verification["snapshots"][number] | Inspection.Problem> =>
  SnapshotFile.load(file, onHeadway).pipe(
    Effect.map((loaded) => {
      const { image } = loaded
      const isSame = image.last.index === last.index && image.last.term === last.term
      if (!isSame || loaded.bytes !== bytes || loaded.checksum !== checksum) {
        return { file, offset: 0, found: "it is whole, and not the snapshot that its name says" }
      }
      return { file, bytes, keys: loaded.keys }
    }),
    Effect.catch(({ offset, reason }) => Effect.succeed({ file, offset: offset ?? 0, found: reason }))
  )
