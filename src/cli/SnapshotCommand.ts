/** `balsa snapshot save` and `balsa snapshot status`: backups of a running cluster. */
import { Clock, Effect } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as SnapshotFile from "../maintenance/SnapshotFile.ts"
import * as ClientOptions from "./ClientOptions.ts"
import * as Facts from "./Facts.ts"
import { Host } from "./Host.ts"
import { ofSnapshotFile } from "./MaintenanceFailure.ts"
import * as Progress from "./Progress.ts"
import * as SnapshotFacts from "./SnapshotFacts.ts"
import { save } from "./SnapshotSaving.ts"
import { UsageError } from "./UsageError.ts"

const fileArgument = (description: string) => Argument.String("FILE").pipe(Argument.withDescription(description))

/** A large store takes a while before its first byte comes. */
const saveTimeout = "1m"

const saveCommand = Command.make(
  "save",
  {
    file: fileArgument("Where to keep the snapshot"),
    force: Flag.Boolean("force").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Replace FILE if it is there"),
      Flag.withDefault(false)
    ),
    ...ClientOptions.clientFlags,
    timeout: ClientOptions.clientFlags.timeout.pipe(
      Flag.withDescription(
        `How long to wait for the snapshot to begin, and whenever it pauses; ${saveTimeout} (BALSA_TIMEOUT)`
      )
    )
  },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const options = yield* Effect.fromResult(ClientOptions.parse("snapshot save", input, host.environment, saveTimeout))
    yield* checkFile("snapshot save", input.file)
    const begun = yield* Clock.currentTimeMillis
    const progress = yield* Progress.make(host)
    const saved = yield* save({ cluster: options, file: input.file, force: input.force, progress }).pipe(
      Effect.ensuring(progress.clear)
    )
    const seconds = Math.round(((yield* Clock.currentTimeMillis) - begun) / 10) / 100
    const json = options.output === "json" || options.output === "jsonl"
    yield* host.out(
      json
        ? Facts.render([...SnapshotFacts.of(saved), ["seconds", seconds]], "json")
        : SnapshotFacts.line(saved, seconds)
    )
  })
).pipe(
  Command.withDescription(
    "Save all keys of a running cluster to a file, as of one moment: every write that was acknowledged before is in it. The file appears when it is complete, on disk, and was read back without a fault. To begin a cluster from it: balsa restore"
  ),
  Command.withShortDescription("Save all keys of a running cluster to a file"),
  Command.withExamples([
    { command: "balsa snapshot save backup.snap" },
    { command: "balsa snapshot save nightly.snap --force -e 10.0.0.1:7401 -o json", description: "For scripts" }
  ])
)

const statusCommand = Command.make(
  "status",
  { file: fileArgument("The snapshot"), output: ClientOptions.clientFlags.output },
  Effect.fnUntraced(function* (input) {
    const host = yield* Host
    const output = yield* Effect.fromResult(
      ClientOptions.parseOutput("snapshot status", input.output, host.environment)
    )
    yield* checkFile("snapshot status", input.file)
    const progress = yield* Progress.make(host)
    const found = yield* SnapshotFile.load(input.file, (read, total) =>
      progress.tell(() => `checking: ${Progress.mebibytes(read, total)}`)
    ).pipe(Effect.mapError(ofSnapshotFile), Effect.ensuring(progress.clear))
    yield* host.out(Facts.render(SnapshotFacts.of(found), output ?? (host.terminal ? "table" : "plain")))
  })
).pipe(
  Command.withDescription(
    "Read a snapshot file to its end, compare its checksums, and print what is in it. A damaged one exits with 1, and standard error says where the damage is."
  ),
  Command.withShortDescription("Check a snapshot file and print what is in it"),
  Command.withExamples([{ command: "balsa snapshot status backup.snap" }])
)

const checkFile = (command: string, file: string): Effect.Effect<void, UsageError> =>
  file === "" ? Effect.fail(new UsageError({ command, message: "FILE is empty; name a file" })) : Effect.void

export const snapshotCommand = Command.make("snapshot").pipe(
  Command.withDescription("Backups: save one from a running cluster, and check one. See also: balsa restore"),
  Command.withShortDescription("Save backups, and check them"),
  Command.withExamples([
    { command: "balsa snapshot save backup.snap" },
    { command: "balsa snapshot status backup.snap" }
  ]),
  Command.withSubcommands([saveCommand, statusCommand])
)
