/** etcd's leases: grant, revoke, keep alive, time to live, and all that there are. */
import { Effect, Random, Stream } from "effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { KvCommand } from "../kv/KvCommand.ts"
import * as AnswerJson from "./AnswerJson.ts"
import * as Answer from "./Answer.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import * as JsonSequence from "./JsonSequence.ts"
import type { KvReplica } from "./KvReplica.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"
import * as StoreError from "./StoreError.ts"
import * as StreamLine from "./StreamLine.ts"
import type { Writes } from "./Writes.ts"

export interface LeaseRouteOptions {
  readonly replica: KvReplica
  readonly writes: Writes
  /** The store's revision here, for answers that need no more. */
  readonly revision: () => number
  readonly headerAt: AnswerJson.HeaderAt
}

type Response = HttpServerResponse.HttpServerResponse
type Operation = (object: JsonObject) => Effect.Effect<Response>
type Failure = GatewayError.GatewayError

/** One after the other, as the client reads the answers; more of them are another request. */
export const maxKeepAlives = 10_000

export const make = (options: LeaseRouteOptions): { readonly [path: string]: Operation } => {
  const { replica, writes, headerAt } = options

  const carryOut = (command: Exclude<KvCommand, { readonly _tag: "Txn" }>): Effect.Effect<Response> =>
    Effect.match(writes.carryOut(command), {
      onSuccess: (result) => GatewayResponse.of(Answer.ofResult(result, headerAt)),
      onFailure: GatewayResponse.ofError
    })

  const grant: Operation = (object) => {
    const fields = new RequestFields(object)
    // A shorter one than may be is raised to the least there is, by the store.
    const ttlSeconds = Math.max(0, fields.int64("TTL", "TTL"))
    const id = fields.bigInt64("ID", "ID")
    if (fields.problem !== undefined) return refuse(fields.problem)
    return Effect.match(grantLease(writes, id, ttlSeconds), {
      onSuccess: (result) => GatewayResponse.of(Answer.ofResult(result, headerAt)),
      onFailure: GatewayResponse.ofError
    })
  }

  const revoke: Operation = (object) => {
    const id = idIn(object)
    if (typeof id !== "bigint") return refuse(id)
    return id !== 0n ? carryOut({ _tag: "LeaseRevoke", id }) : refuse(StoreError.leaseNotFound)
  }

  const timeToLive: Operation = (object) => {
    const fields = new RequestFields(object)
    const id = fields.bigInt64("ID", "ID")
    const keys = fields.flag("keys", "keys")
    if (fields.problem !== undefined) return refuse(fields.problem)
    if (id !== 0n) return carryOut({ _tag: "LeaseTimeToLive", id, keys })
    const none = { ttlSeconds: -1, ttlMillis: -1, grantedTtlSeconds: 0, keys: [] } as const
    const result = { _tag: "LeaseTimeToLive", revision: options.revision(), id, ...none } as const
    return Effect.succeed(GatewayResponse.of(Answer.ofResult(result, headerAt)))
  }

  const leases: Operation = () =>
    Effect.match(replica.query({ _tag: "Leases" }), {
      onSuccess: (answer) => GatewayResponse.of(Answer.ofAnswer(answer, headerAt)),
      onFailure: (error) => GatewayResponse.ofError(GatewayError.ofRequestError(error))
    })

  return {
    "/v3/lease/grant": grant,
    "/v3/lease/revoke": revoke,
    "/v3/kv/lease/revoke": revoke,
    "/v3/lease/timetolive": timeToLive,
    "/v3/kv/lease/timetolive": timeToLive,
    "/v3/lease/leases": leases,
    "/v3/kv/lease/leases": leases
  }
}

/** A line for each that is asked for. The first one decides how the answer begins; a later failure is a line. */
export const keepAlive =
  ({ writes, revision, headerAt }: LeaseRouteOptions): ((text: string) => Effect.Effect<Response>) =>
  (text) => {
    const lineOf = (object: JsonObject | Failure): Effect.Effect<string, Failure> => {
      const id = GatewayError.isGatewayError(object) ? object : idIn(object)
      if (typeof id !== "bigint") return Effect.fail(id)
      const none = { _tag: "LeaseKeepAlive", revision: revision(), id, ttlSeconds: 0 } as const
      const result = id !== 0n ? writes.carryOut({ _tag: "LeaseKeepAlive", id }) : Effect.succeed(none)
      return Effect.map(result, (kept) => StreamLine.ofResult([...AnswerJson.ofResult(kept, headerAt)].join("")))
    }
    const objects = JsonSequence.objectsIn(text)
    const first = objects.next()
    if (first.done === true) return Effect.succeed(GatewayResponse.json(""))
    return Effect.match(lineOf(first.value), {
      // As etcd: what is wrong with the request is told as ever, and what comes of it as in a line.
      onFailure: (error) =>
        error.code === 3
          ? GatewayResponse.ofError(error)
          : GatewayResponse.json(StreamLine.ofError(error), error.status),
      onSuccess: (line) => {
        const rest = Stream.fromIterable(objects, { chunkSize: 1 }).pipe(
          Stream.take(maxKeepAlives - 1),
          Stream.mapEffect(lineOf),
          Stream.catch((error) => Stream.succeed(StreamLine.ofError(error)))
        )
        const lines = Stream.concat(Stream.succeed(line), rest)
        return HttpServerResponse.stream(Stream.encodeText(lines), { contentType: "application/json" })
      }
    })
  }

/** With an id of its own choosing for 0. */
export const grantLease = Effect.fnUntraced(function* (writes: Writes, id: bigint, ttlSeconds: number) {
  if (id !== 0n) return yield* writes.carryOut({ _tag: "LeaseGrant", id, ttlSeconds })
  for (let attempt = 1; ; attempt++) {
    const granted = yield* Effect.result(writes.carryOut({ _tag: "LeaseGrant", id: yield* randomId, ttlSeconds }))
    if (granted._tag === "Success") return granted.success
    if (granted.failure !== StoreError.leaseExists || attempt === maxAttempts)
      return yield* Effect.fail(granted.failure)
  }
})

/** That one of 2^63 is taken happens once in a lifetime; twice in a row is no chance. */
const maxAttempts = 5

const randomId = Effect.gen(function* () {
  const high = yield* Random.nextIntBetween(0, 2 ** 31 - 1)
  const low = yield* Random.nextIntBetween(1, 2 ** 32 - 1)
  return (BigInt(high) << 32n) | BigInt(low)
})

const idIn = (object: JsonObject): bigint | Failure => {
  const fields = new RequestFields(object)
  const id = fields.bigInt64("ID", "ID")
  return fields.problem ?? id
}

const refuse = (error: Failure): Effect.Effect<Response> => Effect.succeed(GatewayResponse.ofError(error))
