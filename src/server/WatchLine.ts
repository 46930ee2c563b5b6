/**
 * The lines of a watch stream in etcd's JSON. Fields stand in the order in which etcd writes them. A line of events comes in
 * parts, so that a long one never exists as a whole.
 */
import type { Change } from "../kv/History.ts"
import * as Watch from "../kv/Watch.ts"
import type { Taken } from "../kv/Watcher.ts"
import { encodeKey } from "./Base64.ts"
import * as GatewayJson from "./GatewayJson.ts"

type Header = GatewayJson.Header
type Changes = Extract<Taken, { readonly _tag: "Changes" }>

export const created = (header: Header, id: bigint): string => line(`${open(header, id)},"created":true`)

/** etcd's way to say that there is no such watch: it was begun with no number, and cancelled at once. */
export const refused = (header: Header, reason: string): string =>
  line(`${open(header, -1n)},"created":true,"canceled":true,"cancel_reason":${JSON.stringify(reason)}`)

export const cancelled = (header: Header, id: bigint): string => line(`${open(header, id)},"canceled":true`)

/** `compacted` is the first revision from which it can be watched again. */
export const compacted = (header: Header, id: bigint, compacted: number): string =>
  line(`${open(header, id)},"canceled":true${GatewayJson.int64Field("compact_revision", compacted)}`)

/** Everything up to the header's revision has been told, to this watch, or to all of the stream for -1. */
export const progress = (header: Header, id: bigint): string => line(open(header, id))

/** All that was taken, in one line; in several, where a revision may be told in fragments and is longer than `maxBytes`. */
export function* events(
  watch: Watch.Watch,
  taken: Changes,
  { header, id, maxBytes }: { readonly header: Header; readonly id: bigint; readonly maxBytes: number }
): Generator<string> {
  const changes = taken.revisions.flatMap((record) => record.changes)
  let at = 0
  while (at < changes.length) {
    const end = endOfFragment(watch, changes, at, maxBytes)
    const fragment = end < changes.length ? ',"fragment":true' : ""
    yield `${beginning}${open(header, id)}${fragment},"events":[`
    for (const first = at; at < end; at++) {
      yield `${at === first ? "" : ","}${event(watch, changes[at]!, taken.compacted)}`
    }
    yield `]${ending}`
  }
}

const beginning = '{"result":'
const ending = "}}\n"

const line = (fields: string): string => `${beginning}${fields}${ending}`

const open = (header: Header, id: bigint): string =>
  `${GatewayJson.openWithHeader(header)}${id === 0n ? "" : `,"watch_id":"${id}"`}`

const event = (watch: Watch.Watch, change: Change, compacted: number): string => {
  const previous = Watch.previous(watch, change, compacted)
  const prevKv = previous === undefined ? "" : `,"prev_kv":${GatewayJson.keyValue(previous)}`
  return change._tag === "Put"
    ? `{"kv":${GatewayJson.keyValue(change.kv)}${prevKv}}`
    : `{"type":"DELETE","kv":{"key":"${encodeKey(change.key)}","mod_revision":"${change.modRevision}"}${prevKv}}`
}

/** At least one, and as many more as fit. */
const endOfFragment = (watch: Watch.Watch, changes: ReadonlyArray<Change>, first: number, maxBytes: number): number => {
  let bytes = 0
  for (let at = first; at < changes.length; at++) {
    bytes += Watch.weighChange(watch, changes[at]!)
    if (at > first && bytes > maxBytes) return at
  }
  return changes.length
}
