/**
 * The whole command line: arguments in, exit code out. Expected failures end here, as one
 * line on standard error; what remains is a bug.
 */
import { Effect, Layer } from "effect"
import * as CliConfig from "effect/cli/CliConfig"
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { compactCommand } from "./CompactCommand.ts"
import { delCommand } from "./DelCommand.ts"
import { devCommand } from "./DevCommand.ts"
import { electCommand } from "./ElectCommand.ts"
import { ExitCode } from "./ExitCode.ts"
import { getCommand } from "./GetCommand.ts"
import * as HelpCommand from "./HelpCommand.ts"
import { Host } from "./Host.ts"
import { leaseCommand } from "./LeaseCommand.ts"
import { lockCommand } from "./LockCommand.ts"
import { memberCommand } from "./MemberCommand.ts"
import * as Presenter from "./Presenter.ts"
import { putCommand } from "./PutCommand.ts"
import { recoverCommand } from "./RecoverCommand.ts"
import { type CliFailure, report } from "./Report.ts"
import { restoreCommand } from "./RestoreCommand.ts"
import { runServe, serveCommand, serveExamples, serveFlags } from "./ServeCommand.ts"
import * as ShellCommand from "./ShellCommand.ts"
import { snapshotCommand } from "./SnapshotCommand.ts"
import { statusCommand } from "./StatusCommand.ts"
import { storageCommand } from "./StorageCommand.ts"
import { txnCommand } from "./TxnCommand.ts"
import { version } from "./Version.ts"
import { watchCommand } from "./WatchCommand.ts"

/** Looked for by `Host` before anything is parsed, because help and errors have colours too. */
const noColor = GlobalFlag.Setting("no-color")({
  flag: Flag.Boolean("no-color").pipe(
    Flag.withoutNegation,
    Flag.withDescription("Never use colour (as NO_COLOR does)"),
    Flag.withDefault(false)
  )
})

const storeCommands = [
  putCommand,
  getCommand,
  delCommand,
  watchCommand,
  txnCommand,
  leaseCommand,
  lockCommand,
  electCommand,
  compactCommand
] as const

const clusterCommands = [statusCommand, memberCommand, snapshotCommand] as const

const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel]

const layer = Layer.merge(NodeServices.layer, CliConfig.layer({ builtIns }))

/** One command line; the success value is the exit code. */
const end = (line: Effect.Effect<void, CliFailure>): Effect.Effect<number> =>
  Effect.gen(function* () {
    const host = yield* Host
    return yield* line.pipe(
      Effect.as(ExitCode.ok),
      Effect.catch((failure) => report(failure, host)),
      Effect.provide(Presenter.layer(host.color))
    )
  })

const shellCommands = [...storeCommands, ...clusterCommands] as const

const shellHelp = HelpCommand.make(
  shellCommands.map(({ name }) => name),
  (path): Effect.Effect<void, CliFailure> => parseInShell([...path, "--help"])
)

/** What a line of the shell may be: what runs for as long as a replica does is started elsewhere. */
const shellRoot = Command.make("balsa").pipe(
  Command.withDescription("The commands of this shell, without balsa in front; exit or Ctrl-D leaves"),
  Command.withSubcommands([...shellCommands, shellHelp])
)

const parseInShell = (argv: ReadonlyArray<string>): Effect.Effect<void, CliFailure> =>
  Command.runWith(shellRoot, { version })(argv).pipe(Effect.provide(layer))

const shellCommand = ShellCommand.make({
  run: (argv) => end(parseInShell(argv)),
  describe: () => Completions.fromCommand(shellRoot)
})

const commands = [
  devCommand,
  serveCommand,
  ...storeCommands,
  shellCommand,
  ...clusterCommands,
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
    { command: "balsa shell", description: "Look around" },
    ...serveExamples.slice(0, 1)
  ]),
  Command.withSubcommands([...commands, helpCommand]),
  Command.withGlobalFlags([noColor])
)

const parse = (argv: ReadonlyArray<string>): Effect.Effect<void, CliFailure> =>
  Command.runWith(root, { version })(argv).pipe(Effect.provide(layer))

/** Runs one command line; the success value is the exit code. */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<number> => Effect.suspend(() => end(parse(argv)))
