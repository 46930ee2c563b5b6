/** All that the store holds. Immutable; versions share what they have in common. */
import type { KeyValue } from "./KeyValue.ts"
import * as History from "./History.ts"
import * as Leases from "./Leases.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { ClusterTime } from "../raft/LogEntry.ts"

export interface KvState {
  /** Of the last change; what etcd's response headers carry. */
  readonly revision: number
  readonly keys: OrderedMap.OrderedMap<KeyValue>
  /** The first revision that can be read, and watched from; 0 while nothing was compacted. */
  readonly compacted: number
  /** Holds every revision from `firstKept` on, and sometimes some before it, which go bit by bit (see Compaction). */
  readonly history: History.History
  /** How many changes of the first record, if that is to go, are done away with already. */
  readonly trimmed: number
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
  // The first revision is one that changed nothing: who watches from the beginning misses nothing.
  history: History.append(History.startingAt(1), { revision: 1, time: ClusterTime(0), changes: [] }),
  trimmed: 0,
  deletions: OrderedMap.empty,
  leases: Leases.empty,
  liveBytes: 0,
  historyBytes: 0
}

/**
 * The first revision whose changes are kept for whoever watches. After a time in which the cluster agreed on no history, that is
 * later than the first that can be read: its state is there, what it changed is not.
 */
export const firstKept = ({ compacted, history }: KvState): number => Math.max(compacted, history.first)

/**
 * What a pair takes beside the bytes of its key and value, as measured with a million of them: an object, a string, a typed array
 * with its buffer (most of it), and its share of the map's nodes. Less would let in small values until the heap is full.
 */
const overheadBytes = 350

export const weighPair = (kv: KeyValue): number => overheadBytes + kv.key.length + kv.value.byteLength
