/**
 * Reads a directory's log at a start, in slices, so that signals are heard and progress is told when it
 * takes long.
 */
import * as fs from "node:fs"
import { Clock, Effect } from "effect"
import { ofSystem } from "./DiskError.ts"
import * as Recovery from "./Recovery.ts"
import type { StorageError } from "./Storage.ts"

const reportEveryNanos = 1_000_000_000n

export const load = (
  directory: string,
  segments: ReadonlyArray<string>,
  owner: number
): Effect.Effect<Recovery.Loading, StorageError> =>
  Effect.gen(function* () {
    const loading = Recovery.begin()
    const trying = <A>(step: () => A): Effect.Effect<A, StorageError> =>
      Effect.try({ try: step, catch: (error) => ofSystem(error, `read the log in ${directory}`, "Unreadable") })
    const total = yield* trying(() => segments.reduce((sum, file) => sum + fs.statSync(file).size, 0))
    const startedAt = yield* Clock.monotonicTimeNanos
    const reading = Recovery.read(loading, segments, owner)
    let reportedAt = startedAt
    while (true) {
      const { done, value } = yield* trying(() => reading.next())
      if (done === true) return loading
      yield* Effect.yieldNow
      const now = yield* Clock.monotonicTimeNanos
      if (now - reportedAt < reportEveryNanos) continue
      reportedAt = now
      yield* Effect.logInfo(`reading the log: ${describe(value, total, now - startedAt)}`)
    }
  })

const describe = ({ bytes, entries }: Recovery.Progress, total: number, nanos: bigint): string => {
  const percent = Math.floor((bytes / total) * 100)
  return `${percent} %, ${entries.toLocaleString("en-US")} entries, ${(Number(nanos) / 1e9).toFixed(1)} s`
}
