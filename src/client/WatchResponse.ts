/** A line of a watch, as the gateway writes it: a result, or an error after which the stream ends. */
import * as Json from "./GatewayJson.ts"

export type WatchEvent =
  | {
      readonly _tag: "Put"
      readonly kv: Json.KeyValue
      /** If it was asked for, there was one, and it has not been compacted. */
      readonly previous: Json.KeyValue | undefined
    }
  | {
      readonly _tag: "Delete"
      /** Its key, and as `modRevision` the revision that deleted it; a lease that ended deletes, too. */
      readonly kv: Json.KeyValue
      readonly previous: Json.KeyValue | undefined
    }

export type WatchResponse =
  | {
      readonly _tag: "Created"
      /** Of the store; a watch without a start gets what comes after it. */
      readonly revision: number
    }
  | {
      readonly _tag: "Events"
      readonly events: ReadonlyArray<WatchEvent>
      /** The next response goes on with it, maybe within a revision. */
      readonly isFragment: boolean
    }
  | {
      readonly _tag: "Progress"
      /** Everything up to it has been sent. */
      readonly revision: number
    }
  | {
      readonly _tag: "Canceled"
      readonly compactRevision: number | undefined
      readonly reason: string
    }
  | { readonly _tag: "Failed"; readonly error: Json.Json }
  | { readonly _tag: "Unreadable"; readonly line: string }

export const parse = (line: string): WatchResponse => {
  const message = Json.parse(line)
  if (Json.isJson(message?.["error"])) return { _tag: "Failed", error: message["error"] }
  const result = message?.["result"]
  if (!Json.isJson(result)) return { _tag: "Unreadable", line: line.slice(0, 200) }
  const revision = Json.revisionOf(result)
  // A watch that is refused at once is created and canceled in one line.
  if (result["canceled"] === true) {
    return {
      _tag: "Canceled",
      compactRevision: result["compact_revision"] === undefined ? undefined : Json.integer(result["compact_revision"]),
      reason: Json.text(result["cancel_reason"], "the server canceled the watch")
    }
  }
  if (result["created"] === true) return { _tag: "Created", revision }
  const events = Array.isArray(result["events"]) ? result["events"] : []
  if (events.length === 0) return { _tag: "Progress", revision }
  return { _tag: "Events", events: events.map(eventIn), isFragment: result["fragment"] === true }
}

const eventIn = (value: unknown): WatchEvent => {
  const event = Json.isJson(value) ? value : {}
  const previous = Json.isJson(event["prev_kv"]) ? Json.keyValue(event["prev_kv"]) : undefined
  // PUT is zero, and so left out.
  const isDelete = event["type"] === "DELETE" || event["type"] === 1
  return { _tag: isDelete ? "Delete" : "Put", kv: Json.keyValue(event["kv"]), previous }
}
