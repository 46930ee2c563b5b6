/** `balsa storage verify`: every byte of a data directory is read, and every checksum compared. */
import { Effect } from "effect"
import * as Command from "effect/cli/Command"
import { basename } from "node:path"
import * as LockHolder from "../maintenance/LockHolder.ts"
import * as Verification from "../maintenance/Verification.ts"
import * as ClientOptions from "./ClientOptions.ts"
import type { Failure } from "./Failure.ts"
import { Host } from "./Host.ts"
import { failure, ofStorage } from "./MaintenanceFailure.ts"
import * as Progress from "./Progress.ts"
import { directoryFlags, directoryOf } from "./StorageOptions.ts"

export const verifyCommand = Command.make(
  "verify",
  { ...directoryFlags, output: ClientOptions.clientFlags.output },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const command = "storage verify"
    const directory = yield* Effect.fromResult(directoryOf(command, input, host.environment))
    const output = yield* Effect.fromResult(ClientOptions.parseOutput(command, input.output, host.environment))
    const holder = yield* LockHolder.find(directory)
    if (holder !== undefined) {
      yield* host.err(
        `process ${holder.pid} is using ${directory}: what it is just writing may look like damage, and is none`
      )
    }
    const progress = yield* Progress.make(host)
    const verified = yield* progress
      .during(
        `reading ${directory}`,
        Verification.verify(directory, (file, read, total) =>
          progress.tell(() => `reading ${basename(file)}: ${Progress.mebibytes(read, total)}`)
        )
      )
      .pipe(Effect.mapError(ofStorage), Effect.ensuring(progress.clear))
    yield* host.out(output === "json" || output === "jsonl" ? toJson(directory, verified) : inLines(verified))
    const damage = diagnose(directory, verified)
    if (damage !== undefined) return yield* damage
  })
).pipe(
  Command.withDescription(
    "Read every byte of a data directory and compare every checksum, of the log's records and of the snapshots. Changes nothing. Exits with 1 when something is damaged, and says what to do."
  ),
  Command.withShortDescription("Read all of a data directory and compare its checksums"),
  Command.withExamples([{ command: "balsa storage verify --data-dir ./balsa-data/A" }])
)

const inLines = ({
  inspection,
  records,
  snapshots,
  logProblems,
  snapshotProblems
}: Verification.Verification): string => {
  const bytes = inspection.segments.reduce((sum, segment) => sum + segment.bytes, 0)
  const lines = [
    `read the log: ${inspection.segments.length} segments, ${records} records, ${bytes} bytes`,
    ...(inspection.interruptedBytes > 0
      ? [`its last ${inspection.interruptedBytes} bytes are a write that a crash interrupted; no damage`]
      : []),
    ...snapshots.map(({ file, bytes: length, keys }) => `read ${basename(file)}: ${keys} keys, ${length} bytes`),
    ...[...logProblems, ...snapshotProblems].map(
      ({ file, offset, found }) => `damaged: ${file} at offset ${offset}: ${found}`
    ),
    ...(logProblems.length + snapshotProblems.length === 0 ? ["no damage"] : [])
  ]
  return lines.map((line) => `${line}\n`).join("")
}

const toJson = (directory: string, verified: Verification.Verification): string => {
  const { inspection, records, snapshots, logProblems, snapshotProblems } = verified
  const segments = inspection.segments.map(({ file, bytes }) => ({ file, bytes }))
  const problems = [...logProblems, ...snapshotProblems]
  const { interruptedBytes } = inspection
  return `${JSON.stringify({ directory, segments, records, interrupted_bytes: interruptedBytes, snapshots, problems })}\n`
}

const diagnose = (
  directory: string,
  { inspection, logProblems, snapshotProblems }: Verification.Verification
): Failure | undefined => {
  const alone = inspection.identity?.voters.length === 1
  if (logProblems.length > 0) {
    const advice = alone
      ? "It is the only voter of its cluster, so nobody else has its data: restore a backup into a new directory (balsa restore)"
      : `If the other replicas are well, stop this one and run: balsa storage repair --from-peers --data-dir ${directory}`
    return failure(
      "BALSA_DAMAGED",
      `${directory}: the replica does not start on it, and nothing was changed. ${advice}`
    )
  }
  if (snapshotProblems.length === 0) return undefined
  const advice = alone
    ? "Save a backup before anything else (balsa snapshot save)"
    : "If none is left, its peers send it one"
  return failure(
    "BALSA_DAMAGED",
    `${directory}: the log is whole, and a snapshot is not. A replica that starts puts it aside and takes an older one. ${advice}`
  )
}
