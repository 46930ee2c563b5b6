/**
 * The whole command line: arguments in, exit code out. Expected failures end here, as one
 * line on standard error; what remains is a bug.
 */
import { Effect, Layer } from "effect"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { ClientError } from "../client/ClientError.ts"
import { delCommand } from "./DelCommand.ts"
import { devCommand } from "./DevCommand.ts"
import { ExitCode } from "./ExitCode.ts"
import * as Failure from "./Failure.ts"
import { getCommand } from "./GetCommand.ts"
import * as HelpCommand from "./HelpCommand.ts"
import { Host } from "./Host.ts"
import { memberCommand } from "./MemberCommand.ts"
import type { NotFound } from "./NotFound.ts"
import * as Presenter from "./Presenter.ts"
import { putCommand } from "./PutCommand.ts"
import { recoverCommand } from "./RecoverCommand.ts"
import { restoreCommand } from "./RestoreCommand.ts"
import { runServe, serveCommand, serveExamples, serveFlags } from "./ServeCommand.ts"
import type { serve } from "../server/Server.ts"
import { snapshotCommand } from "./SnapshotCommand.ts"
import { statusCommand } from "./StatusCommand.ts"
import { storageCommand } from "./StorageCommand.ts"
import type { UsageError } from "./UsageError.ts"
import { version } from "./Version.ts"

/** Looked for by `Host` before anything is parsed, because help and errors have colours too. */
const noColor = GlobalFlag.Setting("no-color")({
  flag: Flag.Boolean("no-color").pipe(
    Flag.withoutNegation,
    Flag.withDescription("Never use colour (as NO_COLOR does)"),
    Flag.withDefault(false)
  )
})

const commands = [
  devCommand,
  serveCommand,
  putCommand,
  getCommand,
  delCommand,
  statusCommand,
  memberCommand,
  snapshotCommand,
  restoreCommand,
  recoverCommand,
  storageCommand
] as const

const helpCommand = HelpCommand.make(
  commands.map(({ name }) => name),
  (path): Effect.Effect<void, CliFailure> => parse([...path, "--help"])
)

const root = Command.make("balsa", serveFlags, runServe).pipe(
  Command.withDescription(
    "A Raft-replicated key-value store. Start with: balsa dev. Without a command, balsa runs one replica, as balsa serve does."
  ),
  Command.withExamples([
    { command: "balsa dev", description: "A cluster of three on this machine" },
    { command: "balsa put hello world && balsa get hello", description: "Use it" },
    ...serveExamples.slice(0, 1)
  ]),
  Command.withSubcommands([...commands, helpCommand]),
  Command.withGlobalFlags([noColor])
)

const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel]

const layer = Layer.merge(NodeServices.layer, CliConfig.layer({ builtIns }))

const parse = (argv: ReadonlyArray<string>): Effect.Effect<void, CliFailure> =>
  Command.runWith(root, { version })(argv).pipe(Effect.provide(layer))

/** Everything that a command fails with on purpose; a server's errors say themselves what to do. */
type CliFailure = CliError.CliError | UsageError | NotFound | ClientError | Failure.Failure | ServerError

type ServerError = Effect.Error<ReturnType<typeof serve>>

/** Runs one command line; the success value is the exit code. */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<number> =>
  Effect.gen(function* () {
    const host = yield* Host
    return yield* parse(argv).pipe(
      Effect.as(ExitCode.ok),
      Effect.catch((failure) => report(failure, host)),
      Effect.provide(Presenter.layer(host.color))
    )
  })

const report = (failure: CliFailure, host: Host): Effect.Effect<number> => {
  const say = (text: string, exitCode: number) => Effect.as(host.err(text), exitCode)
  switch (failure._tag) {
    case "UsageError":
      return say(Presenter.usageLines(failure.message, [failure.command]), ExitCode.usage)
    case "NotFound":
      return say(`balsa: ${failure.message}`, ExitCode.notFound)
    case "Failure":
      return say(`${failure.code}: ${failure.message}`, failure.exitCode)
    case "ClusterUnavailable":
    case "ReadUnanswered":
    case "OutcomeUnknown":
    case "UnexpectedAnswer":
    case "Unauthorized":
    case "RequestRefused":
    case "Compacted":
    case "FutureRevision":
    case "LeaseNotFound":
    case "LeaseExists":
    case "KeyNotFound":
    case "TooManyOperations":
    case "DuplicateKey":
    case "NoSpace":
      return report(Failure.ofClientError(failure), host)
    case "ShowHelp":
      // The presenter has shown it.
      return Effect.succeed(failure.errors.length > 0 ? ExitCode.usage : ExitCode.ok)
    default:
      return CliError.isCliError(failure)
        ? say(Presenter.usageLines(Presenter.describe(failure), []), ExitCode.usage)
        : say(`balsa: ${failure.message}`, ExitCode.failure)
  }
}
