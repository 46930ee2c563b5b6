/** etcd's locks (v3lock): held by who is answered, until it is unlocked or its lease ends. */
import { Effect } from "effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { HeaderAt } from "./AnswerJson.ts"
import { encodeKey } from "./Base64.ts"
import * as Contention from "./Contention.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayJson from "./GatewayJson.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"
import * as StoreError from "./StoreError.ts"

export interface LockRouteOptions extends Contention.Contention {
  readonly headerAt: HeaderAt
}

type Response = HttpServerResponse.HttpServerResponse
type Operation = (object: JsonObject) => Effect.Effect<Response>

export const make = (options: LockRouteOptions): { readonly [path: string]: Operation } => {
  const { headerAt, writes } = options
  return {
    "/v3/lock/lock": (object) => {
      const fields = new RequestFields(object)
      const name = fields.key("name", "name")
      const lease = fields.bigInt64("lease", "lease")
      const problem = fields.problem ?? Contention.sizeProblem(options, { key: name })
      if (problem !== undefined) return refuse(problem)
      return Effect.match(Contention.contend(options, name, lease, noValue, sessionExpired), {
        onSuccess: ([{ key }, { revision }]) =>
          GatewayResponse.json(`${GatewayJson.openWithHeader(headerAt(revision))},"key":"${encodeKey(key)}"}`),
        onFailure: ofError
      })
    },
    "/v3/lock/unlock": (object) => {
      const fields = new RequestFields(object)
      const key = fields.key("key", "key")
      if (fields.problem !== undefined) return refuse(fields.problem)
      if (key === "") return refuse(StoreError.unknown(StoreError.keyNotProvided))
      const problem = Contention.sizeProblem(options, { key })
      if (problem !== undefined) return refuse(problem)
      return Effect.match(writes.carryOut({ _tag: "DeleteRange", key, rangeEnd: undefined, prevKv: false }), {
        onSuccess: ({ revision }) => GatewayResponse.json(`${GatewayJson.openWithHeader(headerAt(revision))}}`),
        onFailure: ofError
      })
    }
  }
}

const noValue = new Uint8Array(0)

/** Its lease has ended while it waited: to tell it that it holds the lock would be wrong. */
const sessionExpired = StoreError.unknown(GatewayError.invalid("mutex: session is expired"))

const ofError = (error: GatewayError.GatewayError): Response => GatewayResponse.ofError(StoreError.unknown(error))

const refuse = (error: GatewayError.GatewayError): Effect.Effect<Response> =>
  Effect.succeed(GatewayResponse.ofError(error))
