/**
 * The machine's results and answers as HTTP responses. A large answer is written out piece by
 * piece as the client reads: its JSON never exists as a whole, and other requests get their turn
 * between two pieces.
 */
import { Stream } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { KvResult } from "../kv/KvCommand.ts"
import type { KvAnswer } from "../kv/KvQuery.ts"
import type { Staleness } from "../runtime/Membership.ts"
import type { StoreResult } from "../sessions/Store.ts"
import * as AnswerJson from "./AnswerJson.ts"
import * as GatewayError from "./GatewayError.ts"
import * as StoreError from "./StoreError.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Answers up to about this long are written at once, with their length; longer ones in pieces of this length. */
export const pieceBytes = 256 * 1024

export const json = (text: string, status = 200): Response =>
  HttpServerResponse.text(text, { status, contentType: "application/json" })

export const ofError = (error: GatewayError.GatewayError): Response => json(GatewayError.toJson(error), error.status)

export const ofResult = (result: KvResult, headerAt: AnswerJson.HeaderAt): Response => {
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

export const ofAnswer = (answer: KvAnswer, headerAt: AnswerJson.HeaderAt): Response => {
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
export const withStaleness = (response: Response, { appliedIndex, heardLeaderMillisAgo }: Staleness): Response =>
  HttpServerResponse.setHeaders(response, {
    "balsa-applied-index": String(appliedIndex),
    ...(heardLeaderMillisAgo === undefined ? {} : { "balsa-leader-heard-millis": String(heardLeaderMillisAgo) })
  })

/** Of a write that may have come with an `Idempotency-Key`: the same answer as the first time, and a header that says so. */
export const ofStoreResult = (result: StoreResult, headerAt: AnswerJson.HeaderAt): Response => {
  switch (result._tag) {
    case "Repeated": {
      const first =
        result.result === undefined ? ofError(GatewayError.resultNotKept) : ofResult(result.result, headerAt)
      return HttpServerResponse.setHeader(first, "idempotency-replayed", "true")
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
export const ofParts = (parts: AnswerJson.Parts): Response => {
  const pieces = piecesOf(parts)
  const first = pieces.next()
  if (first.done === true) return json(first.value)
  const stream = Stream.fromIterable(bytesOf(first.value, pieces), { chunkSize: 1 })
  return HttpServerResponse.stream(stream, { contentType: "application/json" })
}

/** Pieces that are long enough to be sent by themselves; returns the last one, which may be short. */
function* piecesOf(parts: AnswerJson.Parts): Generator<string, string> {
  let piece = ""
  for (const part of parts) {
    if (piece.length >= pieceBytes) {
      yield piece
      piece = ""
    }
    piece += part
  }
  return piece
}

function* bytesOf(first: string, rest: Generator<string, string>): Generator<Uint8Array> {
  yield Buffer.from(first, "latin1")
  for (let next = rest.next(); ; next = rest.next()) {
    yield Buffer.from(next.value, "latin1")
    if (next.done === true) return
  }
}
