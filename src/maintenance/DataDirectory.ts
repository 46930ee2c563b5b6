/** A replica's data directory, as people look into it and repair it while no replica runs on it. */
import type { Effect } from "effect"
import { attempt } from "../storage/DiskError.ts"
import * as Inspections from "../storage/Inspection.ts"
import * as Reset from "../storage/Reset.ts"
import type { StorageError } from "../storage/Storage.ts"

export type { Identity } from "../storage/Identity.ts"
export type { Inspection, Problem } from "../storage/Inspection.ts"

/** Changes nothing, also while a replica runs. */
export const inspect = (directory: string): Effect.Effect<Inspections.Inspection, StorageError> =>
  attempt(`read ${directory}`, "Unreadable", () => Inspections.inspect(directory))

/** Sets the log and the snapshots aside; the replica is not admitted any more. Refused while the directory is in use. */
export const reset = (directory: string, reason: string): Effect.Effect<Reset.Done, StorageError> =>
  Reset.reset(directory, reason)
