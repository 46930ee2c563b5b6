/** etcd's key-value requests: range, put, delete range, transaction and compaction. */
import { Effect } from "effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { KvCommand } from "../kv/KvCommand.ts"
import type { KvQuery } from "../kv/KvQuery.ts"
import type { HeaderAt } from "./AnswerJson.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayRequest from "./GatewayRequest.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import type { KvReplica } from "./KvReplica.ts"
import type { JsonObject } from "./RequestFields.ts"
import * as TxnRequest from "./TxnRequest.ts"
import type { Writes } from "./Writes.ts"

export interface KvRouteOptions {
  readonly replica: KvReplica
  readonly writes: Writes
  readonly headerAt: HeaderAt
  readonly maxRequestBytes: number
}

type Response = HttpServerResponse.HttpServerResponse
type Headers = { readonly [name: string]: string | undefined }
type Operation = (object: JsonObject, headers: Headers) => Effect.Effect<Response>

export const make = (options: KvRouteOptions): { readonly [path: string]: Operation } => {
  const { replica, writes, headerAt, maxRequestBytes } = options

  const write = (
    asked: KvCommand | GatewayError.GatewayError,
    { "idempotency-key": key }: Headers
  ): Effect.Effect<Response> => {
    const command = GatewayRequest.named(asked, key)
    if (GatewayError.isGatewayError(command)) return Effect.succeed(GatewayResponse.ofError(command))
    return Effect.match(writes.propose(command), {
      onSuccess: (result) => GatewayResponse.ofStoreResult(result, headerAt),
      onFailure: GatewayResponse.ofError
    })
  }

  const read = (query: KvQuery, serializable: boolean): Effect.Effect<Response> =>
    Effect.match(serializable ? replica.queryLocal(query) : replica.query(query), {
      onSuccess: (answer) => {
        const response = GatewayResponse.ofAnswer(answer, headerAt)
        return serializable ? GatewayResponse.withStaleness(response, replica.staleness()) : response
      },
      onFailure: (error) => GatewayResponse.ofError(GatewayError.ofRequestError(error))
    })

  return {
    "/v3/kv/put": (object, headers) => write(GatewayRequest.put(object, maxRequestBytes), headers),
    "/v3/kv/deleterange": (object, headers) => write(GatewayRequest.deleteRange(object, maxRequestBytes), headers),
    "/v3/kv/compaction": (object, headers) => write(GatewayRequest.compaction(object), headers),
    "/v3/kv/range": (object) => {
      const request = GatewayRequest.range(object, maxRequestBytes)
      if (GatewayError.isGatewayError(request)) return Effect.succeed(GatewayResponse.ofError(request))
      return read(request.query, request.serializable)
    },
    "/v3/kv/txn": (object, headers) => {
      const request = TxnRequest.txn(object, maxRequestBytes)
      if (GatewayError.isGatewayError(request)) return Effect.succeed(GatewayResponse.ofError(request))
      return request.isReadOnly ? read(request.txn, request.serializable) : write(request.txn, headers)
    }
  }
}
