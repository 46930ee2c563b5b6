/** etcd's requests on a watch stream: to begin a watch, to cancel one, and to be told how far all of them are. */
import type { Watch } from "../kv/Watch.ts"
import { type GatewayError, invalid, isGatewayError } from "./GatewayError.ts"
import * as JsonBody from "./JsonBody.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"

export type WatchRequest =
  | {
      readonly _tag: "Create"
      /** 0 has one chosen. */
      readonly id: bigint
      readonly watch: Watch
      /** Wants to be told now and then how far it is, where nothing happens. */
      readonly progressNotify: boolean
      /** Allows a revision to be told in several lines. */
      readonly fragment: boolean
    }
  | { readonly _tag: "Cancel"; readonly id: bigint }
  | { readonly _tag: "Progress" }

export const parse = (text: string): WatchRequest | GatewayError => {
  const json = JsonBody.parse(text)
  if (isGatewayError(json)) return json
  const fields = new RequestFields(json.object)
  const create = fields.message("create_request", "createRequest")
  const cancel = fields.message("cancel_request", "cancelRequest")
  const progress = fields.message("progress_request", "progressRequest")
  if (fields.problem !== undefined) return fields.problem
  if ([create, cancel, progress].filter((asked) => asked !== undefined).length !== 1) return notOne
  if (create !== undefined) return creation(create)
  return cancel === undefined ? { _tag: "Progress" } : cancellation(cancel)
}

export const notOne = invalid(
  "balsa: a request to watch has one of create_request, cancel_request and progress_request"
)

const filters = ["NOPUT", "NODELETE"] as const

const creation = (object: JsonObject): WatchRequest | GatewayError => {
  const fields = new RequestFields(object)
  const key = fields.key("key", "key")
  const rangeEnd = fields.key("range_end", "rangeEnd")
  const startRevision = fields.int64("start_revision", "startRevision")
  const prevKv = fields.flag("prev_kv", "prevKv")
  const progressNotify = fields.flag("progress_notify", "progressNotify")
  const fragment = fields.flag("fragment", "fragment")
  const id = fields.bigInt64("watch_id", "watchId")
  const unwanted = fields.choices("filters", filters)
  if (fields.problem !== undefined) return fields.problem
  const watch = {
    // To etcd, no key is the first one that there can be.
    key: key === "" ? "\0" : key,
    rangeEnd: rangeEnd === "" ? undefined : rangeEnd,
    startRevision,
    prevKv,
    noPut: unwanted.includes("NOPUT"),
    noDelete: unwanted.includes("NODELETE")
  }
  return { _tag: "Create", id, watch, progressNotify, fragment }
}

const cancellation = (object: JsonObject): WatchRequest | GatewayError => {
  const fields = new RequestFields(object)
  const id = fields.bigInt64("watch_id", "watchId")
  return fields.problem ?? { _tag: "Cancel", id }
}
