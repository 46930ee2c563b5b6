/** How a command that failed on purpose ends: a line on standard error, and an exit code. */
import { Effect } from "effect"
import * as CliError from "effect/cli/CliError"
import type { ClientError } from "../client/ClientError.ts"
import type { serve } from "../server/Server.ts"
import { ExitCode } from "./ExitCode.ts"
import * as Failure from "./Failure.ts"
import type { Host } from "./Host.ts"
import type { NotFound } from "./NotFound.ts"
import * as Presenter from "./Presenter.ts"
import type { ProgramEnd } from "./ProgramEnd.ts"
import type { UsageError } from "./UsageError.ts"

/** Everything that a command fails with on purpose; a server's errors say themselves what to do. */
export type CliFailure =
  | CliError.CliError
  | UsageError
  | NotFound
  | ProgramEnd
  | ClientError
  | Failure.Failure
  | ServerError

type ServerError = Effect.Error<ReturnType<typeof serve>>

export const report = (failure: CliFailure, host: Host): Effect.Effect<number> => {
  const say = (text: string, exitCode: number) => Effect.as(host.err(text), exitCode)
  switch (failure._tag) {
    case "UsageError":
      return say(Presenter.usageLines(failure.message, [failure.command], host), ExitCode.usage)
    case "NotFound":
      return say(`balsa: ${failure.message}`, ExitCode.notFound)
    case "ProgramEnd":
      return failure.message === undefined ? Effect.succeed(failure.exitCode) : say(failure.message, failure.exitCode)
    case "Failure":
      return say(`${failure.code}: ${failure.message}`, failure.exitCode)
    case "ClusterUnavailable":
    case "ReadUnanswered":
    case "OutcomeUnknown":
    case "UnexpectedAnswer":
    case "ClientClosed":
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
        ? say(Presenter.usageLines(Presenter.describe(failure), [], host), ExitCode.usage)
        : say(`balsa: ${failure.message}`, ExitCode.failure)
  }
}
