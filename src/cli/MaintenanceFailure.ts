/** What goes wrong with files of data and backups, as the user meets it (see Failure). */
import type { SnapshotFileError } from "../maintenance/SnapshotFile.ts"
import { ExitCode } from "./ExitCode.ts"
import { Failure } from "./Failure.ts"

export const failure = (code: string, message: string): Failure =>
  new Failure({ code, message, exitCode: ExitCode.failure })

export const ofSnapshotFile = ({ kind, file, offset, reason }: SnapshotFileError): Failure => {
  switch (kind) {
    case "Unreadable":
      return failure("BALSA_FILE", `cannot read ${file}: ${reason}`)
    case "UnknownFormat":
      return failure(
        "BALSA_NEWER_FORMAT",
        `${file} was written by a newer version of Balsa (at offset ${offset}: ${reason}). Use that version`
      )
    case "Corrupt":
      return failure(
        "BALSA_SNAPSHOT_DAMAGED",
        `${file} is no whole snapshot: at offset ${offset}, ${reason}. It cannot be restored; use another one`
      )
  }
}

/** The message of a StorageError says what to do. */
export const ofStorage = ({ reason, message }: { readonly reason: string; readonly message: string }): Failure => {
  const codes: { readonly [reason: string]: string } = {
    InUse: "BALSA_IN_USE",
    Corrupt: "BALSA_DAMAGED",
    UnknownFormat: "BALSA_NEWER_FORMAT",
    NoSpace: "BALSA_NO_SPACE"
  }
  return failure(codes[reason] ?? "BALSA_FILE", message)
}

export const ofSystem = (what: string, error: unknown): Failure =>
  failure("BALSA_FILE", `cannot ${what}: ${error instanceof Error ? error.message : String(error)}`)
