/** etcd's maintenance: status, alarms, the store's hash, and what there is nothing to do for. */
import { Effect, Semaphore } from "effect"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { KvState } from "../kv/KvState.ts"
import type { HeaderAt } from "./AnswerJson.ts"
import * as GatewayError from "./GatewayError.ts"
import * as GatewayJson from "./GatewayJson.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import { alarmsOf } from "./Health.ts"
import { memberIdOf } from "./Ids.ts"
import type { KvReplica } from "./KvReplica.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"
import * as Status from "./Status.ts"
import * as StoreHash from "./StoreHash.ts"
import * as Writes from "./Writes.ts"

export interface MaintenanceRouteOptions {
  readonly replica: KvReplica
  readonly cluster: string
  readonly store: () => KvState
  readonly headerAt: HeaderAt
  readonly quotaBytes: number
}

type Response = HttpServerResponse.HttpServerResponse
type Operation = (object: JsonObject) => Effect.Effect<Response>

export const make = (options: MaintenanceRouteOptions): { readonly [path: string]: Operation } => {
  const { replica, cluster, store, headerAt } = options
  // Each walks through all keys; one at a time is enough.
  const hashing = Semaphore.makeUnsafe(1)

  const sizeOf = ({ liveBytes, historyBytes }: KvState): Status.StoreSize => ({
    bytes: liveBytes + historyBytes,
    liveBytes,
    quotaUsedUp: Writes.isFull(options)
  })

  const alarm: Operation = (object) => {
    const fields = new RequestFields(object)
    const action = fields.choice("action", "action", ["GET", "ACTIVATE", "DEACTIVATE"])
    const named = fields.choice("alarm", "alarm", ["NONE", "NOSPACE", "CORRUPT"])
    fields.decimal("memberID")
    if (fields.problem !== undefined) return Effect.succeed(GatewayResponse.ofError(fields.problem))
    if (action === "ACTIVATE") return Effect.succeed(GatewayResponse.ofError(noAlarmByHand))
    const raised = alarmsOf(replica.status(), Writes.isFull(options))
    if (action === "DEACTIVATE") {
      const stays = raised.find((one) => named === one)
      return Effect.succeed(
        stays === undefined ? GatewayResponse.json("{}") : GatewayResponse.ofError(staysRaised[stays])
      )
    }
    const id = memberIdOf(cluster, replica.status().id)
    const alarms = raised.map((one) => ({ memberID: id, alarm: one }))
    return Effect.succeed(GatewayResponse.json(JSON.stringify(alarms.length === 0 ? {} : { alarms })))
  }

  return {
    "/v3/maintenance/status": () =>
      Effect.map(
        Effect.suspend(() => Status.status(replica, cluster, sizeOf(store()), headerAt)),
        (text) => GatewayResponse.json(text)
      ),
    "/v3/maintenance/alarm": alarm,
    "/v3/maintenance/hash": () =>
      hashing.withPermits(1)(
        Effect.suspend(() => {
          const state = store()
          const open = GatewayJson.openWithHeader(headerAt(state.revision))
          return Effect.map(StoreHash.hashOf(state), (hash) => GatewayResponse.json(`${open},"hash":${hash}}`))
        })
      ),
    // What is deleted and compacted is gone without it.
    "/v3/maintenance/defragment": () => Effect.succeed(GatewayResponse.json("{}"))
  }
}

const noAlarmByHand = GatewayError.make(
  501,
  12,
  "balsa: alarms are not raised by hand; they tell what is so (NOSPACE: the quota or the disk is full; CORRUPT: a replica differs)"
)

const staysRaised = {
  NOSPACE: GatewayError.make(
    412,
    9,
    "balsa: NOSPACE clears itself as soon as there is room; delete keys, make room on the disk, or raise --quota-bytes"
  ),
  CORRUPT: GatewayError.make(
    412,
    9,
    "balsa: CORRUPT clears itself when this replica has been made anew; what its log says tells how"
  )
}
