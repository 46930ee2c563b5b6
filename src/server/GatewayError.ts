/**
 * A request that fails, as etcd's JSON gateway tells it: a gRPC code, an HTTP status and a text.
 * Clients compare the texts, so where etcd has one for a failure it is etcd's, letter by letter;
 * what Balsa has to add stands in fields of its own.
 */
import type { RequestError } from "../runtime/RequestError.ts"
import type { Objection } from "../sessions/Session.ts"

export interface GatewayError {
  readonly _tag: "GatewayError"
  readonly status: number
  /** gRPC's: 3 InvalidArgument, 8 ResourceExhausted, 11 OutOfRange, 12 Unimplemented, 13 Internal, 14 Unavailable. */
  readonly code: number
  readonly message: string
  /** True for a write that may be applied later, or may have been already. */
  readonly outcomeUnknown: boolean
  /** What happened in more words than etcd's text has. */
  readonly reason: string | undefined
}

export const isGatewayError = (value: object): value is GatewayError => "_tag" in value && value._tag === "GatewayError"

export const make = (
  status: number,
  code: number,
  message: string,
  reason?: string,
  outcomeUnknown = false
): GatewayError => ({
  _tag: "GatewayError",
  status,
  code,
  message,
  outcomeUnknown,
  reason
})

export const invalid = (message: string): GatewayError => make(400, 3, message)

/** The request asks for something that etcd has and Balsa does not. Ignoring it would answer another question. */
export const unsupported = (what: string): GatewayError => make(501, 12, `balsa: ${what} is not supported yet`)

export const bodyTooLarge = (maxBodyBytes: number): GatewayError =>
  make(413, 8, `balsa: the request body is longer than ${maxBodyBytes} bytes`)

export const tooManyRequests = (reason: string): GatewayError => make(429, 8, "etcdserver: too many requests", reason)
/** etcd says this when its quota is used up; Balsa then, too, and when the disk is full. */
export const noSpace = (reason: string): GatewayError =>
  make(429, 8, "etcdserver: mvcc: database space exceeded", reason)
export const stoppedBecause = (reason: string, outcomeUnknown = false): GatewayError =>
  make(503, 14, "etcdserver: server stopped", reason, outcomeUnknown)
export const serverStopped = stoppedBecause("the replica stopped before it had an answer", true)
export const internal = make(500, 13, "balsa: internal error; what the server logged says more", undefined, true)
export const unknownCommand = make(
  501,
  12,
  "balsa: the replicas run versions that differ, and one does not know this command; nothing was changed"
)

export const authNotEnabled = make(412, 9, "etcdserver: authentication is not enabled")

export const idempotencyKeyInvalid = invalid(
  "balsa: Idempotency-Key must be 1 to 255 printable ASCII characters, without space at either end"
)
/** As the draft on the header has it (draft-ietf-httpapi-idempotency-key-header, 2.7). */
export const idempotencyKeyReused = make(
  422,
  3,
  "balsa: another request was made with this Idempotency-Key; nothing was changed, use a new key for a new request"
)
export const resultNotKept = make(
  409,
  6,
  "balsa: a request with this Idempotency-Key was carried out before, with an answer too long to keep; it was not carried out again"
)
const notUnderstood = (reason: string): GatewayError =>
  make(501, 12, "balsa: not all replicas understand this yet; nothing was changed", reason)

export const ofRequestError = (error: RequestError): GatewayError => {
  switch (error._tag) {
    case "Unavailable":
      return error.outcomeUnknown
        ? make(503, 14, "etcdserver: request timed out, possibly due to connection lost", error.message, true)
        : make(503, 14, "etcdserver: no leader", error.message)
    case "RequestTimeout":
      return make(503, 14, "etcdserver: request timed out", error.message, error.outcomeUnknown)
    case "ResourceExhausted":
      return {
        ...(error.limit === "diskSpace" ? noSpace(error.message) : tooManyRequests(error.message)),
        outcomeUnknown: error.outcomeUnknown
      }
    case "NotUnderstood":
      return notUnderstood(error.message)
    case "AmendmentRefused":
      return amendmentRefused(error.reason, error.message)
  }
}

export const memberNotFound = make(
  404,
  5,
  "etcdserver: member not found",
  "there is no such member; see them with: balsa member list"
)
export const memberExists = (id: string, address: string): GatewayError =>
  make(
    412,
    9,
    "etcdserver: member ID already exist",
    `${id} is a member already, at ${address}; if it has moved: balsa member update ${id} --address HOST:PORT`
  )
export const peerUrlExists = (address: string): GatewayError =>
  make(412, 9, "etcdserver: Peer URLs already exists", `${address} is the address of another member`)
export const memberUnreachable = (id: string, why: string): GatewayError =>
  make(412, 9, "etcdserver: unhealthy cluster", `${id} is not taken in: ${why}`)
export const badTransferee = (reason?: string): GatewayError =>
  make(412, 9, "etcdserver: bad leader transferee", reason ?? "there is no such member; see: balsa member list")

/** Why sessions did not let a command through. */
export const ofObjection = (reason: Objection): GatewayError => {
  switch (reason) {
    case "KeyReused":
      return idempotencyKeyReused
    case "InvalidName":
      return idempotencyKeyInvalid
    case "TooOld":
      return make(409, 9, "balsa: the session has gone on since this request; nothing was changed now", undefined, true)
    case "SessionExpired":
      return make(409, 9, "balsa: there is no such session any more; nothing was changed now", undefined, true)
  }
}

/** In etcd's words where it has some. */
const amendmentRefused = (reason: string, message: string): GatewayError => {
  switch (reason) {
    case "NotAMember":
      return make(404, 5, "etcdserver: member not found", message)
    case "NotAVoter":
      return badTransferee(message)
    case "NotCaughtUp":
      return make(412, 9, "etcdserver: can only promote a learner member which is in sync with leader", message)
    case "WouldLoseQuorum":
      return make(412, 9, "etcdserver: re-configuration failed due to not enough started members", message)
    default:
      return make(412, 9, `balsa: ${message}`)
  }
}

/** etcd before 3.6 says `error`, since then `message`; clients look for either. */
export const toJson = (error: GatewayError): string =>
  JSON.stringify({
    error: error.message,
    message: error.message,
    code: error.code,
    ...(error.reason === undefined ? {} : { reason: error.reason }),
    ...(error.outcomeUnknown ? { outcome_unknown: true } : {})
  })
