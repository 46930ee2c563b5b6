/** Every POST route of etcd's gateway, with the fields of its request and what is a good value of each. */
import type { Json } from "../Normal.ts"

export type Field =
  | { readonly kind: "bytes" | "int64" | "uint64" | "flag" | "text" }
  | { readonly kind: "choice" }
  | { readonly kind: "message"; readonly fields: Fields }
  | { readonly kind: "list"; readonly of: Field }

export interface Fields {
  readonly [name: string]: Field
}

export interface Route {
  readonly path: string
  /** What the request is apart from the field that is wrong. */
  readonly good: { readonly [name: string]: Json }
  readonly fields: Fields
  /** Goes on for ever, unless it is refused: only its first line is compared. */
  readonly isStream?: boolean
  /** Not to be sent as it stands: it would wait, or take the only member out of its cluster. */
  readonly isHarmful?: boolean
}

const bytes: Field = { kind: "bytes" }
const int64: Field = { kind: "int64" }
const uint64: Field = { kind: "uint64" }
const flag: Field = { kind: "flag" }
const text: Field = { kind: "text" }
const choice: Field = { kind: "choice" }
const message = (fields: Fields): Field => ({ kind: "message", fields })
const list = (of: Field): Field => ({ kind: "list", of })

const put: Fields = {
  key: bytes,
  value: bytes,
  lease: int64,
  prev_kv: flag,
  ignore_value: flag,
  ignore_lease: flag
}
const range: Fields = {
  key: bytes,
  range_end: bytes,
  limit: int64,
  revision: int64,
  sort_order: choice,
  sort_target: choice,
  serializable: flag,
  keys_only: flag,
  count_only: flag,
  min_mod_revision: int64,
  max_mod_revision: int64,
  min_create_revision: int64,
  max_create_revision: int64
}
const deleteRange: Fields = { key: bytes, range_end: bytes, prev_kv: flag }
const compare: Fields = {
  result: choice,
  target: choice,
  key: bytes,
  range_end: bytes,
  version: int64,
  create_revision: int64,
  mod_revision: int64,
  value: bytes,
  lease: int64
}
const operation: Fields = {
  request_put: message(put),
  request_range: message(range),
  request_delete_range: message(deleteRange),
  request_txn: message({ compare: list(message({})), success: list(message({})), failure: list(message({})) })
}
const lease: Fields = { ID: int64 }
const leader: Field = message({ name: bytes, key: bytes, rev: int64, lease: int64 })
const user: Fields = { name: text, password: text }

const key = "YQ=="
/** No lease has it. */
const ID = "12345"

const keyValue: ReadonlyArray<Route> = [
  { path: "/v3/kv/put", good: { key }, fields: put },
  { path: "/v3/kv/range", good: { key }, fields: range },
  { path: "/v3/kv/deleterange", good: { key }, fields: deleteRange },
  {
    path: "/v3/kv/txn",
    good: {},
    fields: { compare: list(message(compare)), success: list(message(operation)), failure: list(message({})) }
  },
  { path: "/v3/kv/compaction", good: { revision: "1" }, fields: { revision: int64, physical: flag } }
]

const leases: ReadonlyArray<Route> = [
  { path: "/v3/lease/grant", good: { TTL: "100", ID: "777" }, fields: { TTL: int64, ID: int64 } },
  { path: "/v3/lease/revoke", good: { ID }, fields: lease },
  { path: "/v3/lease/keepalive", good: { ID }, fields: lease },
  { path: "/v3/lease/timetolive", good: { ID }, fields: { ...lease, keys: flag } },
  { path: "/v3/lease/leases", good: {}, fields: {} },
  { path: "/v3/kv/lease/revoke", good: { ID }, fields: lease },
  { path: "/v3/kv/lease/timetolive", good: { ID }, fields: { ...lease, keys: flag } },
  { path: "/v3/kv/lease/leases", good: {}, fields: {} }
]

const watch: Route = {
  path: "/v3/watch",
  good: {},
  isStream: true,
  fields: {
    create_request: message({
      key: bytes,
      range_end: bytes,
      start_revision: int64,
      progress_notify: flag,
      filters: list(choice),
      prev_kv: flag,
      watch_id: int64,
      fragment: flag
    }),
    cancel_request: message({ watch_id: int64 }),
    progress_request: message({})
  }
}

const maintenance: ReadonlyArray<Route> = [
  { path: "/v3/maintenance/status", good: {}, fields: {} },
  { path: "/v3/maintenance/alarm", good: {}, fields: { action: choice, memberID: uint64, alarm: choice } },
  { path: "/v3/maintenance/hash", good: {}, fields: {} },
  { path: "/v3/maintenance/defragment", good: {}, fields: {} },
  { path: "/v3/maintenance/snapshot", good: {}, fields: {}, isStream: true },
  { path: "/v3/maintenance/transfer-leadership", good: { targetID: ID }, fields: { targetID: uint64 } }
]

const cluster: ReadonlyArray<Route> = [
  { path: "/v3/cluster/member/list", good: {}, fields: {} },
  { path: "/v3/cluster/member/add", good: {}, fields: { peerURLs: list(text), isLearner: flag } },
  { path: "/v3/cluster/member/remove", good: { ID }, fields: { ID: uint64 } },
  { path: "/v3/cluster/member/update", good: { ID }, fields: { ID: uint64, peerURLs: list(text) } },
  { path: "/v3/cluster/member/promote", good: { ID }, fields: { ID: uint64 } }
]

const concurrency: ReadonlyArray<Route> = [
  { path: "/v3/lock/lock", good: { name: key, lease: ID }, fields: { name: bytes, lease: int64 } },
  { path: "/v3/lock/unlock", good: { key }, fields: { key: bytes } },
  {
    path: "/v3/election/campaign",
    good: { name: key, lease: ID },
    fields: { name: bytes, lease: int64, value: bytes }
  },
  { path: "/v3/election/proclaim", good: {}, fields: { leader, value: bytes } },
  { path: "/v3/election/leader", good: { name: key }, fields: { name: bytes } },
  { path: "/v3/election/observe", good: { name: key }, fields: { name: bytes }, isStream: true },
  { path: "/v3/election/resign", good: {}, fields: { leader } }
]

const auth: ReadonlyArray<Route> = [
  { path: "/v3/auth/enable", good: {}, fields: {} },
  { path: "/v3/auth/disable", good: {}, fields: {} },
  { path: "/v3/auth/authenticate", good: { name: "root", password: "x" }, fields: user },
  { path: "/v3/auth/user/add", good: { name: "" }, fields: {} },
  { path: "/v3/auth/user/get", good: { name: "nobody" }, fields: { name: text } },
  { path: "/v3/auth/user/list", good: {}, fields: {} },
  { path: "/v3/auth/user/delete", good: { name: "nobody" }, fields: { name: text } },
  { path: "/v3/auth/user/changepw", good: { name: "nobody" }, fields: user },
  { path: "/v3/auth/user/grant", good: { user: "nobody", role: "none" }, fields: { user: text, role: text } },
  { path: "/v3/auth/user/revoke", good: { name: "nobody", role: "none" }, fields: { name: text, role: text } },
  { path: "/v3/auth/role/get", good: { role: "none" }, fields: { role: text } },
  { path: "/v3/auth/role/list", good: {}, fields: {} },
  { path: "/v3/auth/role/delete", good: { role: "none" }, fields: { role: text } },
  { path: "/v3/auth/role/grant", good: { name: "none" }, fields: { name: text } },
  { path: "/v3/auth/role/revoke", good: { role: "none" }, fields: { role: text, key: bytes } }
]

export const routes: ReadonlyArray<Route> = [
  ...keyValue,
  ...leases,
  watch,
  ...maintenance,
  ...cluster,
  ...concurrency,
  ...auth
]
