/**
 * What one command is doing to the store: changes of keys that become one revision, all of them or none. It is changed
 * in place and must not be used after `finish`; the state that it began with stays as it was.
 */
import { ClusterTime } from "../raft/LogEntry.ts"
import * as History from "./History.ts"
import type { Key, KeyValue } from "./KeyValue.ts"
import { type KvState, weighPair } from "./KvState.ts"
import * as Leases from "./Leases.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { SharedBuffer } from "./SharedBuffer.ts"

export interface Writing {
  readonly before: KvState
  readonly time: ClusterTime
  readonly owner: OrderedMap.Owner
  keys: KvState["keys"]
  deletions: KvState["deletions"]
  leases: Leases.Leases
  liveBytes: number
  historyBytes: number
  /** A hole is where a key came and went. */
  changes: Array<History.Change | undefined>
  /** How many there are. */
  changed: number
  /** Where that of each key is; made when it is asked for first, as for most commands it never is. */
  places: Map<Key, number> | undefined
  /** How many pairs its reads and compares look at (see Txns.maxLooked). */
  looked: number
}

/** Under an `owner` that is not its own, it must be carried out to the end: maps of the state before may change with it. */
export const begin = (before: KvState, time: ClusterTime, owner: OrderedMap.Owner = OrderedMap.owner()): Writing => ({
  before,
  time,
  owner,
  keys: before.keys,
  deletions: before.deletions,
  leases: before.leases,
  liveBytes: before.liveBytes,
  historyBytes: before.historyBytes,
  changes: [],
  changed: 0,
  places: undefined,
  looked: 0
})

/** The revision as a read within the command sees it: a new one as soon as something has changed. */
export const revisionOf = ({ before, changed }: Writing): number => before.revision + (changed > 0 ? 1 : 0)

/** What a read within the command sees. A past revision is to be read in the state before it. */
export const view = (writing: Writing): Pick<KvState, "keys" | "deletions" | "history" | "revision"> => ({
  keys: writing.keys,
  deletions: writing.deletions,
  history: writing.before.history,
  revision: revisionOf(writing)
})

/** A lease for the key that is put next, which goes by itself after so long. */
export const ownLease = (writing: Writing, ttlMillis: number): bigint => {
  const [leases, id] = Leases.own(writing.leases, ClusterTime(writing.time + ttlMillis), ttlMillis)
  writing.leases = leases
  return id
}

/** Gives what was there before. `value` is kept for ever: see `owned`. A lease that is not there takes no keys. */
export const put = (writing: Writing, key: Key, value: Uint8Array, lease: bigint): KeyValue | undefined => {
  const revision = writing.before.revision + 1
  const known = OrderedMap.get(writing.keys, key)
  const kv: KeyValue = {
    // The string that there is: the one that has just arrived goes again at once, and a pair and its place in the map have one between them.
    key: known === undefined ? key : known.key,
    value,
    createRevision: known === undefined ? revision : known.createRevision,
    modRevision: revision,
    // Two puts in one command are one to all others.
    version: known === undefined ? 1 : known.modRevision === revision ? known.version : known.version + 1,
    lease
  }
  // Right after it was looked for, which has found the way.
  writing.keys = OrderedMap.set(writing.keys, key, kv, writing.owner)
  const deleted = known === undefined ? OrderedMap.get(writing.deletions, key) : undefined
  const earlier = earlierIn(writing, key, known ?? deleted)
  if (deleted !== undefined) writing.deletions = OrderedMap.remove(writing.deletions, key, writing.owner)
  const oldLease = known?.lease ?? 0n
  if (oldLease !== 0n && oldLease !== lease) writing.leases = Leases.detach(writing.leases, oldLease, key)
  // Also where the key has it already: that may have been an earlier one of this name (see KvMachine.migrate).
  if (lease !== 0n) writing.leases = Leases.attach(writing.leases, lease, key)
  writing.liveBytes += known === undefined ? weighPair(kv) : value.byteLength - known.value.byteLength
  if (earlier === undefined) note(writing, { _tag: "Put", kv, prev: known, deleted }, undefined)
  else {
    const since = beginningOf(writing.changes[earlier]!)
    note(writing, { _tag: "Put", kv, prev: since.prev, deleted: since.deleted }, earlier)
  }
  return known
}

/** Gives what was there; `undefined`, and nothing changes, where there is no such key. */
export const remove = (writing: Writing, key: Key): KeyValue | undefined => {
  const known = OrderedMap.get(writing.keys, key)
  if (known === undefined) return undefined
  writing.keys = OrderedMap.remove(writing.keys, key, writing.owner)
  noteRemoved(writing, known)
  return known
}

/** Removes all of [from, to), which `found` is in the order of keys. */
export const removeAll = (
  writing: Writing,
  [from, to]: readonly [from: Key, to: Key | undefined],
  found: ReadonlyArray<KeyValue>
): void => {
  writing.keys = OrderedMap.removeRange(writing.keys, from, to)
  for (const kv of found) noteRemoved(writing, kv)
}

const noteRemoved = (writing: Writing, known: KeyValue): void => {
  const { key } = known
  const earlier = earlierIn(writing, key, known)
  const { prev, deleted } =
    earlier === undefined ? { prev: known, deleted: undefined } : beginningOf(writing.changes[earlier]!)
  if (known.lease !== 0n) writing.leases = Leases.detach(writing.leases, known.lease, key)
  writing.liveBytes -= weighPair(known)
  if (prev === undefined) {
    // It came and went within one command: to all others nothing has changed.
    forget(writing, key, earlier!)
    if (deleted !== undefined) writing.deletions = OrderedMap.set(writing.deletions, key, deleted, writing.owner)
    return
  }
  const change: History.Deletion = { _tag: "Delete", key, modRevision: writing.before.revision + 1, prev }
  writing.deletions = OrderedMap.set(writing.deletions, key, change, writing.owner)
  note(writing, change, earlier)
}

/** Where this command has changed the key already, which only what came with it in one transaction can have. */
const earlierIn = (
  writing: Writing,
  key: Key,
  newest: { readonly modRevision: number } | undefined
): number | undefined => {
  if (newest === undefined || newest.modRevision <= writing.before.revision) return undefined
  writing.places ??= new Map(writing.changes.map((change, place) => [History.keyOf(change!), place]))
  return writing.places.get(key)
}

/** What the key was before the command. */
const beginningOf = (change: History.Change): Pick<Extract<History.Change, { _tag: "Put" }>, "prev" | "deleted"> =>
  change._tag === "Put" ? { prev: change.prev, deleted: change.deleted } : { prev: change.prev, deleted: undefined }

const note = (writing: Writing, change: History.Change, earlier: number | undefined): void => {
  if (earlier === undefined) {
    writing.places?.set(History.keyOf(change), writing.changes.length)
    // Most commands change one key: room for many is made when there are many.
    if (writing.changes.length === 0) writing.changes = [change]
    else writing.changes.push(change)
    writing.changed++
  } else {
    writing.historyBytes -= weighChange(writing.changes[earlier]!)
    writing.changes[earlier] = change
  }
  writing.historyBytes += weighChange(change)
}

const forget = (writing: Writing, key: Key, earlier: number): void => {
  writing.historyBytes -= weighChange(writing.changes[earlier]!)
  writing.changes[earlier] = undefined
  writing.changed--
  writing.places?.delete(key)
}

/** What a record takes for each change beside the pair that was there before, about. */
const changeBytes = 96

/** What only the history keeps for the sake of a change, about. */
export const weighChange = ({ prev }: History.Change): number =>
  changeBytes + (prev === undefined ? 0 : weighPair(prev))

/** The state after it: one revision later if keys have changed, the same revision otherwise. */
export const finish = (writing: Writing): KvState => {
  const { before, time, keys, deletions, leases, liveBytes, historyBytes } = writing
  if (writing.changed === 0) return leases === before.leases ? before : { ...before, leases }
  const revision = before.revision + 1
  const changes = withoutHoles(writing)
  const history = History.append(before.history, { revision, time, changes })
  return {
    revision,
    keys,
    compacted: before.compacted,
    history,
    trimmed: before.trimmed,
    deletions,
    leases,
    liveBytes,
    historyBytes
  }
}

const withoutHoles = ({ changes, changed }: Writing): ReadonlyArray<History.Change> =>
  changed === changes.length
    ? (changes as ReadonlyArray<History.Change>)
    : changes.filter((change) => change !== undefined)

const noBytes = new Uint8Array(0)

/**
 * Values of middling length share buffers of so many bytes, for a buffer of its own costs more than its bytes. Smaller ones lie in their
 * objects, larger ones are worth a buffer; and as long as one value of a shared one is there, no more than this stays for it.
 */
const sharedBytes = 2048
const shortest = 65
const longest = sharedBytes / 3
const shared = new SharedBuffer(sharedBytes)

/**
 * A value that may be kept for ever. What arrives is often a small view into a large network or file
 * buffer, all of which would stay in memory as long as the view; so unless the view is at
 * least half of its buffer, its bytes are copied.
 */
export const owned = (value: Uint8Array): Uint8Array => {
  const { byteLength } = value
  if (byteLength === 0) return noBytes
  if (value.buffer.byteLength <= 2 * byteLength) return value
  if (byteLength < shortest || byteLength > longest) return new Uint8Array(value)
  const start = shared.room(byteLength)
  const copy = new Uint8Array(shared.buffer, start, byteLength)
  copy.set(value)
  return copy
}
