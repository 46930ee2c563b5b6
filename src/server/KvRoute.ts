/**
 * etcd's key-value requests: range, put, delete range, transaction and compaction. There are very many of them, so they get by without
 * Effect, whoever serves them.
 */
import type { KvCommand } from "../kv/KvCommand.ts"
import type { KvQuery } from "../kv/KvQuery.ts"
import type { RequestId } from "../raft/LogEntry.ts"
import { type RequestError, Unavailable } from "../runtime/RequestError.ts"
import * as Answer from "./Answer.ts"
import type { HeaderAt } from "./AnswerJson.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayRequest from "./GatewayRequest.ts"
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

export type Headers = { readonly [name: string]: string | undefined }

/** Told once. Whoever is told makes the answer: what goes wrong there is not for the replica to bear. */
export type Reply = (answer: () => Answer.Answer) => void

/** Gives what the replica can forget if the client goes away; nothing where the reply has been told. */
export type KvOperation = (object: JsonObject, headers: Headers, reply: Reply) => RequestId | undefined

export const make = (options: KvRouteOptions): { readonly [path: string]: KvOperation } => {
  const { replica, writes, headerAt, maxRequestBytes } = options

  const write = (
    asked: KvCommand | GatewayError.GatewayError,
    { "idempotency-key": key }: Headers,
    reply: Reply
  ): RequestId | undefined => {
    const command = GatewayRequest.named(asked, key)
    if (GatewayError.isGatewayError(command)) return refuse(command, reply)
    const refusal = writes.refusal(command)
    if (refusal !== undefined) return refuse(refusal, reply)
    return replica.direct.propose(command, {
      succeed: (result) => reply(() => Answer.ofStoreResult(result, headerAt)),
      fail: (error) => fail(error, reply)
    })
  }

  const read = (query: KvQuery, serializable: boolean, reply: Reply): RequestId | undefined => {
    if (serializable) return readLocal(query, reply)
    return replica.direct.query(query, {
      succeed: (answer) => reply(() => Answer.ofAnswer(answer, headerAt)),
      fail: (error) => fail(error, reply)
    })
  }

  const readLocal = (query: KvQuery, reply: Reply): undefined => {
    const answer = replica.direct.queryLocal(query)
    if (answer instanceof Unavailable) return fail(answer, reply)
    reply(() => Answer.withStaleness(Answer.ofAnswer(answer, headerAt), replica.staleness()))
  }

  return {
    "/v3/kv/put": (object, headers, reply) => write(GatewayRequest.put(object, maxRequestBytes), headers, reply),
    "/v3/kv/deleterange": (object, headers, reply) =>
      write(GatewayRequest.deleteRange(object, maxRequestBytes), headers, reply),
    "/v3/kv/compaction": (object, headers, reply) => write(GatewayRequest.compaction(object), headers, reply),
    "/v3/kv/range": (object, _, reply) => {
      const request = GatewayRequest.range(object, maxRequestBytes)
      if (GatewayError.isGatewayError(request)) return refuse(request, reply)
      return read(request.query, request.serializable, reply)
    },
    "/v3/kv/txn": (object, headers, reply) => {
      const request = TxnRequest.txn(object, maxRequestBytes)
      if (GatewayError.isGatewayError(request)) return refuse(request, reply)
      return request.isReadOnly ? read(request.txn, request.serializable, reply) : write(request.txn, headers, reply)
    }
  }
}

const refuse = (error: GatewayError.GatewayError, reply: Reply): undefined => {
  reply(() => Answer.ofError(error))
}

const fail = (error: RequestError, reply: Reply): undefined => refuse(GatewayError.ofRequestError(error), reply)
