/** All that the store holds. Immutable; versions share what they have in common. */
import type { KeyValue } from "./KeyValue.ts"
import * as History from "./History.ts"
import * as Leases from "./Leases.ts"
import * as OrderedMap from "./OrderedMap.ts"

export interface KvState {
  /** Of the last change; what etcd's response headers carry. */
  readonly revision: number
  readonly keys: OrderedMap.OrderedMap<KeyValue>
  /** The first revision that can be read, and watched from; 0 while nothing was compacted. */
  readonly compacted: number
  /** Holds every revision from `compacted` on, and sometimes some before it, which go bit by bit. */
  readonly history: History.History
  /** How each key went that is not there, where the history tells of it. */
  readonly deletions: OrderedMap.OrderedMap<History.Deletion>
  readonly leases: Leases.Leases
  /** What the keys and values that are there take, about: what a quota counts. */
  readonly liveBytes: number
  /** The same of what only the history keeps. */
  readonly historyBytes: number
}

export const initial: KvState = {
  revision: 1,
  keys: OrderedMap.empty,
  compacted: 0,
  history: History.startingAt(2),
  deletions: OrderedMap.empty,
  leases: Leases.empty,
  liveBytes: 0,
  historyBytes: 0
}

/** What a pair takes beside its key and value, about: an object, two entries of maps, and their share of nodes. */
const overheadBytes = 128

export const weigh = (kv: KeyValue): number => overheadBytes + kv.key.length + kv.value.byteLength
