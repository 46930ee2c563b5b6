/** Which data directory a command is about: named, or the one where `balsa serve` keeps a replica's. */
import { type Option, Result } from "effect"
import * as Flag from "effect/cli/Flag"
import type { Environment } from "./Host.ts"
import { serveFlags } from "./ServeCommand.ts"
import * as Setting from "./Setting.ts"
import type { UsageError } from "./UsageError.ts"

export const directoryFlags = {
  dataDir: serveFlags.dataDir.pipe(
    Flag.withDescription("The data directory; ./balsa-data/<id> of the replica that --id names (BALSA_DATA_DIR)")
  ),
  id: serveFlags.id.pipe(Flag.withDescription("Name of the replica (BALSA_ID)"))
}

export interface DirectoryFlags {
  readonly dataDir: Option.Option<string>
  readonly id: Option.Option<string>
}

export const directoryOf = (
  command: string,
  flags: DirectoryFlags,
  environment: Environment
): Result.Result<string, UsageError> => {
  const named = Setting.from("data-dir", flags.dataDir, environment, "BALSA_DATA_DIR")?.value
  if (named === "") return Setting.fail(command, "--data-dir is empty; name a directory, or leave it out")
  if (named !== undefined) return Result.succeed(named)
  const id = Setting.from("id", flags.id, environment, "BALSA_ID")?.value
  return id === undefined || id === ""
    ? Setting.fail(command, "which data directory? Name it with --data-dir, or the replica with --id")
    : Result.succeed(`./balsa-data/${id}`)
}
