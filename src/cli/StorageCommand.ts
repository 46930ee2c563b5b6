/** `balsa storage`: what is in a data directory, whether it is sound, and the way out when it is not. */
import * as Command from "effect/cli/Command"
import { inspectCommand } from "./StorageInspect.ts"
import { repairCommand } from "./StorageRepair.ts"
import { verifyCommand } from "./StorageVerify.ts"

export const storageCommand = Command.make("storage").pipe(
  Command.withDescription("Look into a data directory, check it, and repair a replica whose log is damaged"),
  Command.withShortDescription("Inspect, verify and repair a data directory"),
  Command.withExamples([
    { command: "balsa storage inspect --data-dir ./balsa-data/A" },
    { command: "balsa storage verify --data-dir ./balsa-data/A" },
    { command: "balsa storage repair --from-peers --data-dir ./balsa-data/A" }
  ]),
  Command.withSubcommands([inspectCommand, verifyCommand, repairCommand])
)
