/** `balsa help`: what --help shows, and topics that belong to no single command. */
import { Effect, Option } from "effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as ExitCode from "./ExitCode.ts"
import { Host } from "./Host.ts"
import { UsageError } from "./UsageError.ts"

const environment = `ENVIRONMENT
  A flag wins over its variable; setting both is fine. An empty variable counts as unset.

  BALSA_ID, BALSA_PEERS, BALSA_CLUSTER, BALSA_LISTEN_CLIENT, BALSA_LISTEN_PEER,
  BALSA_DATA_DIR, BALSA_HEARTBEAT, BALSA_ELECTION_TIMEOUT, BALSA_SNAPSHOT_LOG_SIZE,
  BALSA_SNAPSHOT_COUNT, BALSA_LOG_FORMAT, BALSA_JOIN, BALSA_LEARNER, BALSA_READ_LEASE,
  BALSA_MAX_CLOCK_DRIFT
      as the flags of balsa serve: --id, --peers, and so on; the first three and
      BALSA_DATA_DIR also for restore, recover and storage
  BALSA_ENDPOINTS, BALSA_OUTPUT, BALSA_TIMEOUT
      as the flags of every command that asks a cluster, of restore, recover and storage
  XDG_STATE_HOME
      where balsa shell keeps its history; ~/.local/state if unset
  NO_COLOR, FORCE_COLOR
      switch colour off or on (as --no-color does)`

const topics: ReadonlyMap<string, string> = new Map([
  ["exit-codes", ExitCode.explanation],
  ["environment", environment]
])

/** `showHelp` prints the --help of one of `commands`, or of the program; only the root command can. */
export const make = <E, R>(
  commands: ReadonlyArray<string>,
  showHelp: (path: ReadonlyArray<string>) => Effect.Effect<void, E, R>
) =>
  Command.make(
    "help",
    {
      topic: Argument.String("TOPIC").pipe(
        Argument.withDescription("A command, or one of: exit-codes, environment"),
        Argument.optional
      )
    },
    Effect.fnUntraced(function* ({ topic }) {
      const host = yield* Host
      const name = Option.getOrElse(topic, () => "")
      const text = topics.get(name)
      if (text !== undefined) return yield* host.out(`${text}\n`)
      if (name !== "" && !commands.includes(name)) {
        const known = [...commands, ...topics.keys()].join(", ")
        return yield* new UsageError({
          command: "help",
          message: `there is no help for "${name}"; topics are ${known}`
        })
      }
      return yield* showHelp(name === "" ? [] : [name])
    })
  ).pipe(
    Command.withDescription("Explain a command or a topic (exit-codes, environment)"),
    Command.withExamples([{ command: "balsa help put" }, { command: "balsa help exit-codes" }])
  )
