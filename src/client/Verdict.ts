/** What one endpoint's answer means for the whole request: it is done, it failed for good, or the next endpoint may be asked. */
import { type Attempt, type ClientError, OutcomeUnknown, UnexpectedAnswer } from "./ClientError.ts"
import type { Endpoint } from "./Endpoint.ts"
import * as Json from "./GatewayJson.ts"
import type { Exchange } from "./HttpExchange.ts"
import * as Refusal from "./Refusal.ts"

export type Verdict =
  | {
      readonly _tag: "Done"
      readonly endpoint: Endpoint
      readonly body: Json.Json
      readonly headers: Extract<Exchange, { readonly _tag: "Answered" }>["headers"]
    }
  | { readonly _tag: "Stop"; readonly error: ClientError }
  | {
      readonly _tag: "GoOn"
      readonly attempt: Attempt
      /** A write may have been carried out. */
      readonly isOpen: boolean
    }

/** `stopsUnanswered`: a write that must not be carried out twice, and so ends where its outcome is open. */
export const judge = (endpoint: Endpoint, answer: Exchange, stopsUnanswered: boolean): Verdict => {
  switch (answer._tag) {
    case "NotSent":
      return { _tag: "GoOn", attempt: { endpoint, kind: "NotSent", reason: answer.reason }, isOpen: false }
    case "Unanswered": {
      const attempt: Attempt = { endpoint, kind: answer.timedOut ? "TimedOut" : "Broken", reason: answer.reason }
      return stopsUnanswered ? stop(new OutcomeUnknown({ attempt })) : { _tag: "GoOn", attempt, isOpen: true }
    }
    case "Answered": {
      const body = Json.parse(answer.body)
      if (answer.status === 200 && body !== undefined && !Json.isJson(body["error"])) {
        return { _tag: "Done", endpoint, body, headers: answer.headers }
      }
      return judgeError(endpoint, answer.status, Json.isJson(body?.["error"]) ? body["error"] : body, stopsUnanswered)
    }
  }
}

const stop = (error: ClientError): Verdict => ({ _tag: "Stop", error })

/** google.rpc.Code, as the gateway's errors carry it. */
const Code = {
  DeadlineExceeded: 4,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  Unavailable: 14,
  Unauthenticated: 16
}

/** In a stream it is called `grpc_code`. */
const codeOf = (status: number, body: Json.Json | undefined): number | undefined => {
  const code = body?.["code"] ?? body?.["grpc_code"]
  if (typeof code === "number") return code
  if (status === 503) return Code.Unavailable
  if (status === 504) return Code.DeadlineExceeded
  if (status === 429) return Code.ResourceExhausted
  if (status === 401) return Code.Unauthenticated
  return status === 403 ? Code.PermissionDenied : undefined
}

/** `status` is zero for an error in the midst of a stream. */
export const judgeError = (
  endpoint: Endpoint,
  status: number,
  body: Json.Json | undefined,
  stopsUnanswered: boolean
): Verdict => {
  const code = codeOf(status, body)
  const message = Json.text(body?.["message"] ?? body?.["error"], `HTTP status ${status}`)
  const reason = typeof body?.["reason"] === "string" ? body["reason"] : message
  const timedOut = code === Code.DeadlineExceeded || message.includes("timed out")
  const attempt: Attempt = { endpoint, kind: timedOut ? "TimedOut" : "NoQuorum", reason }
  const saysOpen = body?.["outcome_unknown"] === true
  if (stopsUnanswered && saysOpen) return stop(new OutcomeUnknown({ attempt }))
  const refused = (kind: Refusal.RequestRefused["kind"]): Verdict =>
    stop(new Refusal.RequestRefused({ endpoint, status, reason, kind }))
  const known = Refusal.ofText({ endpoint, reason }, message)
  if (known !== undefined) return stop(known)
  if (message.includes("not leader") || isRedirect(status)) return { _tag: "GoOn", attempt, isOpen: false }
  switch (code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded: {
      const isOpen = saysOpen || !certainlyNotApplied(body, message)
      return stopsUnanswered && isOpen ? stop(new OutcomeUnknown({ attempt })) : { _tag: "GoOn", attempt, isOpen }
    }
    case Code.ResourceExhausted:
      // Too large is too large: no later time is better.
      return refused(status === 413 ? "Invalid" : "Exhausted")
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return stop(new Refusal.Unauthorized({ endpoint, reason, unauthenticated: code === Code.Unauthenticated }))
    default:
      return typeof body?.["message"] === "string"
        ? refused(status < 500 ? "Invalid" : "Other")
        : stop(new UnexpectedAnswer({ endpoint, reason: `HTTP status ${status}, and not a gateway's answer` }))
  }
}

/** Whoever sends a client elsewhere has not done what it asked for; the other endpoints are where it may be done. */
const isRedirect = (status: number): boolean => status >= 300 && status < 400

/**
 * A Balsa replica gives its reason, and says so when the outcome is open. From anything else
 * (etcd, a proxy in between) only "no leader" is proof that a write was not carried out.
 */
const certainlyNotApplied = (body: Json.Json | undefined, message: string): boolean =>
  typeof body?.["reason"] === "string" || message.includes("no leader")
