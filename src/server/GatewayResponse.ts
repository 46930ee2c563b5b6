/**
 * The machine's results and answers as HTTP responses. A large answer is written out piece by
 * piece as the client reads: its JSON never exists as a whole, and other requests get their turn
 * between two pieces.
 */
import { Stream } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { KeyValue } from "../kv/KeyValue.ts"
import type { KvResult } from "../kv/KvCommand.ts"
import type { Staleness } from "../runtime/Membership.ts"
import type { StoreResult } from "../sessions/Store.ts"
import type { KvAnswer } from "../kv/KvQuery.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayJson from "./GatewayJson.ts"

type Response = HttpServerResponse.HttpServerResponse
type HeaderAt = (revision: number) => GatewayJson.Header

/** Answers up to about this long are written at once, with their length; longer ones in pieces of this length. */
export const pieceBytes = 256 * 1024

export const json = (text: string, status = 200): Response =>
  HttpServerResponse.text(text, { status, contentType: "application/json" })

export const ofError = (error: GatewayError.GatewayError): Response => json(GatewayError.toJson(error), error.status)

export const ofResult = (result: KvResult, headerAt: HeaderAt): Response => {
  switch (result._tag) {
    case "Put": {
      const { prevKv } = result
      const open = GatewayJson.openWithHeader(headerAt(result.revision))
      return json(prevKv === undefined ? `${open}}` : `${open},"prev_kv":${GatewayJson.keyValue(prevKv)}}`)
    }
    case "DeleteRange": {
      const open = GatewayJson.openWithHeader(headerAt(result.revision))
      return list(`${open}${GatewayJson.int64Field("deleted", result.deleted)}`, "prev_kvs", result.prevKvs, "}")
    }
    default:
      return ofError(GatewayError.unknownCommand)
  }
}

export const ofAnswer = (answer: KvAnswer, headerAt: HeaderAt): Response => {
  switch (answer._tag) {
    case "Range": {
      const open = GatewayJson.openWithHeader(headerAt(answer.revision))
      // etcd counts without saying whether a limit would have left some out.
      const more = answer.more && answer.kvs.length > 0 ? `,"more":true` : ""
      return list(open, "kvs", answer.kvs, `${more}${GatewayJson.int64Field("count", answer.count)}}`)
    }
    case "FutureRevision":
      return ofError(GatewayError.futureRevision)
    default:
      return ofError(GatewayError.compacted)
  }
}

/** How old a local answer may be, beside it: its body is etcd's. Without a leader nobody can tell how old. */
export const withStaleness = (response: Response, { appliedIndex, heardLeaderMillisAgo }: Staleness): Response =>
  HttpServerResponse.setHeaders(response, {
    "balsa-applied-index": String(appliedIndex),
    ...(heardLeaderMillisAgo === undefined ? {} : { "balsa-leader-heard-millis": String(heardLeaderMillisAgo) })
  })

/** Of a write that may have come with an `Idempotency-Key`: the same answer as the first time, and a header that says so. */
export const ofStoreResult = (result: StoreResult, headerAt: HeaderAt): Response => {
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

const list = (before: string, name: string, kvs: ReadonlyArray<KeyValue>, after: string): Response => {
  if (kvs.length === 0) return json(before + after)
  if (isShort(kvs)) return json(`${before},"${name}":[${kvs.map(GatewayJson.keyValue).join(",")}]${after}`)
  const stream = Stream.fromIterable(pieces(`${before},"${name}":[`, kvs, `]${after}`), { chunkSize: 1 })
  return HttpServerResponse.stream(stream, { contentType: "application/json" })
}

const isShort = (kvs: ReadonlyArray<KeyValue>): boolean => {
  let length = 0
  for (const kv of kvs) {
    length += GatewayJson.keyValueLength(kv)
    if (length > pieceBytes) return false
  }
  return true
}

function* pieces(before: string, kvs: ReadonlyArray<KeyValue>, after: string): Generator<Uint8Array> {
  let piece = before
  for (const [index, kv] of kvs.entries()) {
    piece += index === 0 ? GatewayJson.keyValue(kv) : `,${GatewayJson.keyValue(kv)}`
    if (piece.length >= pieceBytes) {
      yield Buffer.from(piece, "latin1")
      piece = ""
    }
  }
  yield Buffer.from(piece + after, "latin1")
}
