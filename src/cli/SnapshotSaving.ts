/**
 * A backup on this machine's disk: it gets its name when it is whole, durable, and was read back and
 * decoded. Until then it is called FILE.PID.part, and whatever goes wrong leaves nothing behind.
 */
import { Effect } from "effect"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { show } from "../client/Endpoint.ts"
import type { Cluster } from "../client/Gateway.ts"
import * as Snapshot from "../client/Snapshot.ts"
import * as SnapshotFile from "../maintenance/SnapshotFile.ts"
import { ofClientError, type Failure } from "./Failure.ts"
import { failure, ofSnapshotFile, ofSystem } from "./MaintenanceFailure.ts"
import { mebibytes, type Progress } from "./Progress.ts"

const unfinished = ".part"

export interface Saving {
  readonly cluster: Cluster
  readonly file: string
  /** Replace a file that has this name. */
  readonly force: boolean
  readonly progress: Progress
}

export const save = Effect.fnUntraced(function* ({
  cluster,
  file,
  force,
  progress
}: Saving): Effect.fn.Return<SnapshotFile.SnapshotFile, Failure> {
  yield* checkName(file, force)
  const part = `${file}.${process.pid}${unfinished}`
  return yield* Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.void,
        // Once it is renamed there is nothing to remove.
        () => Effect.ignore(Effect.tryPromise(() => fs.rm(part, { force: true })))
      )
      yield* receive(cluster, part, progress)
      const loaded = yield* SnapshotFile.load(part, (read, total) =>
        progress.tell(() => `checking: ${mebibytes(read, total)}`)
      ).pipe(Effect.mapError(ofSnapshotFile))
      yield* checkName(file, force)
      yield* system(`name ${file}`, async () => {
        await fs.rename(part, file)
        await SnapshotFile.syncDirectory(path.dirname(path.resolve(file)))
      })
      return { ...loaded, file }
    })
  )
})

const system = <A>(what: string, steps: () => Promise<A>): Effect.Effect<A, Failure> =>
  Effect.tryPromise({ try: steps, catch: (error) => ofSystem(what, error) })

const checkName = Effect.fnUntraced(function* (file: string, force: boolean): Effect.fn.Return<void, Failure> {
  const found = yield* Effect.promise(() => fs.stat(file).catch(() => undefined))
  if (found === undefined || (force && found.isFile())) return
  return yield* found.isDirectory()
    ? failure("BALSA_FILE", `${file} is a directory; name a file in it`)
    : failure(
        "BALSA_FILE_EXISTS",
        `${file} is there already, and was left as it is. Choose another name, or add --force`
      )
})

const receive = (cluster: Cluster, part: string, progress: Progress): Effect.Effect<void, Failure> =>
  Effect.acquireUseRelease(
    system(`make ${part}`, () => fs.open(part, "w", 0o600)),
    (handle) =>
      Effect.gen(function* () {
        let written = 0
        const take = Effect.fnUntraced(function* (bytes: Uint8Array, total: number): Effect.fn.Return<void, Failure> {
          yield* system(`write to ${part}`, () => handle.writeFile(bytes))
          written += bytes.length
          yield* progress.tell(() => `saving: ${mebibytes(written, total)}`)
        })
        yield* progress.during("asking for a snapshot", Snapshot.download(cluster, take)).pipe(Effect.mapError(inWords))
        yield* system(`write to ${part}`, () => handle.sync())
      }),
    (handle) => Effect.ignore(Effect.tryPromise(() => handle.close()))
  )

const inWords = (error: Effect.Error<ReturnType<typeof Snapshot.download<Failure>>>): Failure => {
  switch (error._tag) {
    case "Failure":
      return error
    case "TransferBroken":
      return failure(
        "BALSA_TRANSFER_BROKEN",
        `the snapshot of ${show(error.endpoint)} broke off: ${error.reason}. Nothing was kept; try again`
      )
    default:
      return ofClientError(error)
  }
}
