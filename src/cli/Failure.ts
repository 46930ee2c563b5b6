/**
 * A failure as the user meets it: a code to search for, the cause at each endpoint, whether
 * anything was done, and what to do next. On one line, without a stack.
 */
import { Data } from "effect"
import type { Attempt, ClientError, ClusterUnavailable } from "../client/ClientError.ts"
import { show } from "../client/Endpoint.ts"
import type { Compacted, Refusal, RequestRefused } from "../client/Refusal.ts"
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
    case "ClusterUnavailable":
      return ofUnavailable(error, !error.write)
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
    case "UnexpectedAnswer":
      return new Failure({
        code: "BALSA_UNEXPECTED_ANSWER",
        message: `${show(error.endpoint)} answers, but is it a replica's address for clients? (${error.reason})`,
        exitCode: ExitCode.failure
      })
    case "ClientClosed":
      return new Failure({ code: "BALSA_CLOSED", message: error.message, exitCode: ExitCode.failure })
    case "RequestRefused":
      return error.kind === "Exhausted" ? atLimit(error) : refused(error)
    default:
      return ofRefusal(error)
  }
}

/** As of any request; a read of what one replica has needs no advice to do just that. */
export const ofRead = (error: ClientError, stale: boolean): Failure =>
  error._tag === "ClusterUnavailable" ? ofUnavailable(error, !stale) : ofClientError(error)

const ofUnavailable = ({ attempts, write }: ClusterUnavailable, mayBeStale: boolean): Failure => {
  const done = write ? ". Nothing was written" : ""
  const heard = attempts.filter(({ kind }) => kind !== "NotSent")
  if (heard.length === 0) {
    return new Failure({
      code: "BALSA_UNREACHABLE",
      message: `no endpoint answers (${causes(attempts)})${done}. Start a cluster (balsa dev), or name the right addresses with --endpoints`,
      exitCode: ExitCode.unavailable
    })
  }
  // One that was removed answers nobody, whatever is asked for; it says itself what to do.
  if (heard.every(({ reason }) => reason.includes("not a member"))) {
    return new Failure({
      code: "BALSA_NOT_A_MEMBER",
      message: `${causes(attempts)}${done}. Name the members with --endpoints`,
      exitCode: ExitCode.unavailable
    })
  }
  const advice = mayBeStale
    ? "To read what one replica has, add --consistency stale. See: balsa status"
    : "See: balsa status"
  return new Failure({
    code: "BALSA_NO_QUORUM",
    message: `no endpoint reaches a majority (${causes(attempts)})${done}. ${advice}`,
    exitCode: ExitCode.unavailable
  })
}

const refused = (error: Refusal, code = "BALSA_REFUSED", advice = ""): Failure =>
  new Failure({
    code,
    message: `${show(error.endpoint)} refuses the request (${error.reason})${advice}`,
    exitCode: ExitCode.failure
  })

const atLimit = (error: Refusal): Failure =>
  new Failure({
    code: "BALSA_BUSY",
    message: `${show(error.endpoint)} is at a limit (${error.reason}). Nothing was done; trying again later may help`,
    exitCode: ExitCode.failure
  })

const absent = (code: string, message: string): Failure => new Failure({ code, message, exitCode: ExitCode.notFound })

const ofRefusal = (error: Exclude<Refusal, RequestRefused>): Failure => {
  switch (error._tag) {
    case "Compacted":
      return ofCompacted(error)
    case "FutureRevision":
      return refused(
        error,
        "BALSA_FUTURE_REVISION",
        ". The store has not come that far; leave --rev out for the latest"
      )
    case "LeaseNotFound":
      return absent("BALSA_NO_LEASE", "there is no such lease: it has ended, or never was. See: balsa lease list")
    case "LeaseExists":
      return refused(error, "BALSA_LEASE_EXISTS", ". Leave --id out to get one that is free")
    case "KeyNotFound":
      return absent("BALSA_NO_KEY", "the key is not there, and a put that keeps its value or its lease needs it to be")
    case "TooManyOperations":
      return refused(error, "BALSA_TOO_MANY", ". Divide the transaction into smaller ones")
    case "DuplicateKey":
      return refused(error, "BALSA_DUPLICATE_KEY", ". A transaction writes each key at most once")
    case "NoSpace":
      return refused(error, "BALSA_NO_SPACE", ". Nothing was written; make room with balsa del and balsa compact")
    case "Unauthorized":
      return new Failure({
        code: "BALSA_UNAUTHORIZED",
        message: `${show(error.endpoint)} denies it (${error.reason})`,
        exitCode: ExitCode.unauthorized
      })
  }
}

export const ofCompacted = ({
  endpoint,
  reason,
  compactRevision
}: Pick<Compacted, "endpoint" | "reason" | "compactRevision">): Failure =>
  new Failure({
    code: "BALSA_COMPACTED",
    message: `${show(endpoint)} no longer has that revision (${reason}). ${
      compactRevision === undefined
        ? "Leave --rev out for the latest"
        : `The oldest that is left is ${compactRevision}: add --rev ${compactRevision}, or leave --rev out for the latest`
    }`,
    exitCode: ExitCode.failure
  })
