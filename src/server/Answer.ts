/**
 * The machine's results and answers as they go over HTTP, whoever carries them. A large one is made piece by piece as the client
 * reads: its JSON never exists as a whole.
 */
import type { KvResult } from "../kv/KvCommand.ts"
import type { KvAnswer } from "../kv/KvQuery.ts"
import type { Staleness } from "../runtime/Membership.ts"
import type { StoreResult } from "../sessions/Store.ts"
import * as AnswerJson from "./AnswerJson.ts"
import * as GatewayError from "./GatewayError.ts"
import * as StoreError from "./StoreError.ts"

export interface Answer {
  readonly status: number
  /** JSON: all of it, or the first piece. */
  readonly text: string
  /** Further pieces, each to be made when the one before it is on its way; ASCII. What it returns is the last one. */
  readonly rest: Generator<string, string> | undefined
  /** Beside those that every answer has. */
  readonly headers: Headers
}

type Headers = { readonly [name: string]: string }

export const contentType = "application/json"

/** Answers up to about this long are written at once, with their length; longer ones in pieces of this length. */
export const pieceBytes = 256 * 1024

const noHeaders: Headers = {}

export const json = (text: string, status = 200): Answer => ({ status, text, rest: undefined, headers: noHeaders })

export const ofError = (error: GatewayError.GatewayError): Answer => json(GatewayError.toJson(error), error.status)

export const ofResult = (result: KvResult, headerAt: AnswerJson.HeaderAt): Answer => {
  switch (result._tag) {
    case "Rejected":
      return ofError(StoreError.ofRejection(result.reason))
    case "UnknownCommand":
      return ofError(GatewayError.unknownCommand)
    // Nobody asks for it by way of the gateway.
    case "Merge":
      return ofError(GatewayError.internal)
    default:
      return ofParts(AnswerJson.ofResult(result, headerAt))
  }
}

export const ofAnswer = (answer: KvAnswer, headerAt: AnswerJson.HeaderAt): Answer => {
  switch (answer._tag) {
    case "Range":
    case "Txn":
      return ofParts(AnswerJson.ofResult(answer, headerAt))
    case "Leases":
      return ofParts(AnswerJson.ofLeases(answer, headerAt))
    case "FutureRevision":
    case "TooMuchRead":
    case "Compacted":
      return ofError(StoreError.ofRejection(answer._tag))
  }
}

/** How old a local answer may be, beside it: its body is etcd's. Without a leader nobody can tell how old. */
export const withStaleness = (answer: Answer, { appliedIndex, heardLeaderMillisAgo }: Staleness): Answer =>
  withHeaders(answer, {
    "balsa-applied-index": String(appliedIndex),
    ...(heardLeaderMillisAgo === undefined ? {} : { "balsa-leader-heard-millis": String(heardLeaderMillisAgo) })
  })

const withHeaders = (answer: Answer, headers: Headers): Answer => ({
  ...answer,
  headers: { ...answer.headers, ...headers }
})

/** Of a write that may have come with an `Idempotency-Key`: the same answer as the first time, and a header that says so. */
export const ofStoreResult = (result: StoreResult, headerAt: AnswerJson.HeaderAt): Answer => {
  switch (result._tag) {
    case "Repeated": {
      const first =
        result.result === undefined ? ofError(GatewayError.resultNotKept) : ofResult(result.result, headerAt)
      return withHeaders(first, { "idempotency-replayed": "true" })
    }
    case "NotApplied":
      return ofError(GatewayError.ofObjection(result.reason))
    // Nobody registers by way of the gateway.
    case "Registered":
      return ofError(GatewayError.internal)
    default:
      return ofResult(result, headerAt)
  }
}

/** Parts are ASCII: numbers, base64 and names of fields. */
export const ofParts = (parts: AnswerJson.Parts): Answer => {
  const further = parts[Symbol.iterator]()
  let text = ""
  for (let next = further.next(); next.done !== true; next = further.next()) {
    if (text.length >= pieceBytes) return { status: 200, text, rest: piecesOf(next.value, further), headers: noHeaders }
    text += next.value
  }
  return json(text)
}

/** Pieces that are long enough to be sent by themselves; returns the last one, which may be short. */
function* piecesOf(part: string, further: Iterator<string>): Generator<string, string> {
  let piece = part
  for (let next = further.next(); next.done !== true; next = further.next()) {
    if (piece.length >= pieceBytes) {
      yield piece
      piece = ""
    }
    piece += next.value
  }
  return piece
}
