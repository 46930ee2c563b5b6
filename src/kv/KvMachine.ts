/**
 * The key-value store as a pure `Machine`: etcd's data model as far as put, range and delete
 * range. A store starts at revision 1; each command that changes it takes the next revision.
 *
 * No history is kept yet: the present is the only revision that can be read, and every older one
 * counts as compacted.
 */
import type { Machine } from "../raft/Machine.ts"
import type { Key, KeyRange, KeyValue } from "./KeyValue.ts"
import type { KvCommand, KvResult } from "./KvCommand.ts"
import { digest } from "./KvDigest.ts"
import type { KvAnswer, KvQuery } from "./KvQuery.ts"
import * as OrderedMap from "./OrderedMap.ts"

export interface KvState {
  /** Of the last change; what etcd's response headers carry. */
  readonly revision: number
  readonly keys: OrderedMap.OrderedMap<KeyValue>
}

const initial: KvState = { revision: 1, keys: OrderedMap.empty }

const apply = (state: KvState, command: KvCommand): readonly [KvState, KvResult] => {
  switch (command._tag) {
    case "Put":
      return put(state, command)
    case "DeleteRange":
      return deleteRange(state, command)
  }
}

const put = (state: KvState, command: Extract<KvCommand, { _tag: "Put" }>): readonly [KvState, KvResult] => {
  const { key } = command
  const revision = state.revision + 1
  const previous = OrderedMap.get(state.keys, key)
  const next: KeyValue = {
    key,
    value: owned(command.value),
    createRevision: previous === undefined ? revision : previous.createRevision,
    modRevision: revision,
    version: previous === undefined ? 1 : previous.version + 1,
    lease: 0n
  }
  return [
    { revision, keys: OrderedMap.set(state.keys, key, next) },
    { _tag: "Put", revision, prevKv: command.prevKv ? previous : undefined }
  ]
}

const deleteRange = (
  state: KvState,
  command: Extract<KvCommand, { _tag: "DeleteRange" }>
): readonly [KvState, KvResult] => {
  const [from, to] = bounds(command)
  const deleted = OrderedMap.count(state.keys, from, to)
  if (deleted === 0) return [state, { _tag: "DeleteRange", revision: state.revision, deleted, prevKvs: [] }]
  const prevKvs = command.prevKv ? collect(state.keys, from, to, deleted) : []
  const revision = state.revision + 1
  // A single key leaves by the way that keeps the tree dense.
  const keys =
    command.rangeEnd === undefined
      ? OrderedMap.remove(state.keys, command.key)
      : OrderedMap.removeRange(state.keys, from, to)
  return [
    { revision, keys },
    { _tag: "DeleteRange", revision, deleted, prevKvs }
  ]
}

/** A revision or a limit of 0 or less is none, as in etcd. `count` is of the whole range, whatever the limit. */
const query = (state: KvState, query: KvQuery): KvAnswer => {
  const { revision, keys } = state
  if (query.revision > revision) return { _tag: "FutureRevision", revision }
  if (query.revision > 0 && query.revision < revision) return { _tag: "Compacted", revision }
  if (query.rangeEnd === undefined) return single(state, query)
  const [from, to] = bounds(query)
  const count = OrderedMap.count(keys, from, to)
  if (query.countOnly) return { _tag: "Range", revision, kvs: [], more: false, count }
  const wanted = query.limit > 0 ? Math.min(query.limit, count) : count
  const kvs = collect(keys, from, to, wanted)
  return {
    _tag: "Range",
    revision,
    kvs: query.keysOnly ? kvs.map(withoutValue) : kvs,
    more: wanted < count,
    count
  }
}

/** The commonest read, by one way down the tree instead of three. */
const single = (state: KvState, query: KvQuery): KvAnswer => {
  const found = OrderedMap.get(state.keys, query.key)
  const count = found === undefined ? 0 : 1
  const kvs = found === undefined || query.countOnly ? [] : [query.keysOnly ? withoutValue(found) : found]
  return { _tag: "Range", revision: state.revision, kvs, more: false, count }
}

/** The first `wanted` pairs of [from, to). */
const collect = (
  keys: OrderedMap.OrderedMap<KeyValue>,
  from: Key,
  to: Key | undefined,
  wanted: number
): ReadonlyArray<KeyValue> => {
  const kvs: Array<KeyValue> = []
  if (wanted > 0) OrderedMap.walk(keys, from, to, (kv) => kvs.push(kv) < wanted)
  return kvs
}

/** A range as a half-open interval, without an upper end if undefined. Nothing lies between `key` and `key\0`. */
const bounds = ({ key, rangeEnd }: KeyRange): readonly [from: Key, to: Key | undefined] => {
  if (rangeEnd === undefined) return [key, `${key}\0`]
  return [key, rangeEnd === "\0" ? undefined : rangeEnd]
}

const noBytes = new Uint8Array(0)

const withoutValue = (kv: KeyValue): KeyValue => ({ ...kv, value: noBytes })

/**
 * A value that may be kept for ever. What arrives is often a small view into a large network or file
 * buffer, all of which would stay in memory as long as the view; so unless the view is at
 * least half of its buffer, its bytes are copied into one of their own.
 */
const owned = (value: Uint8Array): Uint8Array => {
  if (value.byteLength === 0) return noBytes
  return value.buffer.byteLength <= 2 * value.byteLength ? value : new Uint8Array(value)
}

/** What applying gives for bytes that are no command; the state stays as it is. */
export const unknownCommand = (state: KvState): KvResult => ({ _tag: "UnknownCommand", revision: state.revision })

/** What a command weighs besides its key and value, about. */
const overheadBytes = 32

const sizeOf = (command: KvCommand): number => {
  switch (command._tag) {
    case "Put":
      return overheadBytes + command.key.length + command.value.byteLength
    case "DeleteRange":
      return overheadBytes + command.key.length + (command.rangeEnd?.length ?? 0)
  }
}

/** What a result takes in memory, about. */
export const weigh = (result: KvResult): number => {
  switch (result._tag) {
    case "Put":
      return overheadBytes + weighPair(result.prevKv)
    case "DeleteRange":
      return result.prevKvs.reduce((sum, kv) => sum + weighPair(kv), overheadBytes)
    case "UnknownCommand":
      return overheadBytes
  }
}

const weighPair = (kv: KeyValue | undefined): number =>
  kv === undefined ? 0 : 2 * overheadBytes + kv.key.length + kv.value.byteLength

export const KvMachine: Machine<KvState, KvCommand, KvResult, KvQuery, KvAnswer> = {
  initial,
  apply,
  query,
  sizeOf,
  digest
}
