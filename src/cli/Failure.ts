/**
 * A failure as the user meets it: a code to search for, the cause at each endpoint, whether
 * anything was done, and what to do next. On one line, without a stack.
 */
import { Data } from "effect"
import type { Attempt, ClientError } from "../client/ClientError.ts"
import { show } from "../client/Endpoint.ts"
import type { Refusal, RequestRefused } from "../client/Refusal.ts"
import { ExitCode } from "./ExitCode.ts"

export class Failure extends Data.TaggedError("Failure")<{
  readonly code: string
  readonly message: string
  readonly exitCode: ExitCode
}> {}

const causes = (attempts: ReadonlyArray<Attempt>): string =>
  attempts.map(({ endpoint, reason }) => `${show(endpoint)} ${reason}`).join("; ")

export const ofClientError = (error: ClientError): Failure => {
  switch (error._tag) {
    case "ClusterUnavailable": {
      const quorum = error.attempts.some(({ kind }) => kind !== "NotSent")
      const done = error.write ? ". Nothing was written" : ""
      return quorum
        ? new Failure({
            code: "BALSA_NO_QUORUM",
            message: `no endpoint reaches a majority (${causes(error.attempts)})${done}. ${
              error.write
                ? "See: balsa status"
                : "To read what one replica has, add --consistency stale. See: balsa status"
            }`,
            exitCode: ExitCode.unavailable
          })
        : new Failure({
            code: "BALSA_UNREACHABLE",
            message: `no endpoint answers (${causes(error.attempts)})${done}. Start a cluster (balsa dev), or name the right addresses with --endpoints`,
            exitCode: ExitCode.unavailable
          })
    }
    case "ReadUnanswered":
      return new Failure({
        code: "BALSA_TIMEOUT",
        message: `no answer in time (${causes(error.attempts)}). Try a longer --timeout, or see: balsa status`,
        exitCode: ExitCode.outcomeUnknown
      })
    case "OutcomeUnknown":
      return new Failure({
        code: "BALSA_OUTCOME_UNKNOWN",
        message: `sent, but without an answer (${causes([error.attempt])}). The change may have been applied, or may still be; it was not tried again. Look before you repeat it: balsa get`,
        exitCode: ExitCode.outcomeUnknown
      })
    case "RequestRefused":
      return ofRefusal(error, error.kind)
    case "Unauthorized":
      return new Failure({
        code: "BALSA_UNAUTHORIZED",
        message: `${show(error.endpoint)} denies it (${error.reason})`,
        exitCode: ExitCode.unauthorized
      })
    case "NoSpace":
      return ofRefusal(error, "Exhausted")
    case "Compacted":
    case "FutureRevision":
    case "LeaseNotFound":
    case "LeaseExists":
    case "KeyNotFound":
    case "TooManyOperations":
    case "DuplicateKey":
      return ofRefusal(error, "Invalid")
    case "UnexpectedAnswer":
      return new Failure({
        code: "BALSA_UNEXPECTED_ANSWER",
        message: `${show(error.endpoint)} answers, but is it a replica's address for clients? (${error.reason})`,
        exitCode: ExitCode.failure
      })
  }
}

const ofRefusal = (error: Refusal, kind: RequestRefused["kind"]): Failure => {
  const where = show(error.endpoint)
  switch (kind) {
    case "Exhausted":
      return new Failure({
        code: "BALSA_BUSY",
        message: `${where} is at a limit (${error.reason}). Nothing was done; trying again later may help`,
        exitCode: ExitCode.failure
      })
    case "Invalid":
    case "Other":
      return new Failure({
        code: "BALSA_REFUSED",
        message: `${where} refuses the request (${error.reason})`,
        exitCode: ExitCode.failure
      })
  }
}
