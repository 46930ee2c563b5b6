/**
 * What the store promises of each command, checked where the log is replayed: its answers alone would not tell. What a
 * revision changed is found by comparing what there was before with what there is after, and not by what the
 * store itself writes down about it.
 */
import type { Context } from "../raft/Machine.ts"
import * as History from "../kv/History.ts"
import type { Key, KeyValue } from "../kv/KeyValue.ts"
import { historySince, type KvCommand, type KvResult } from "../kv/KvCommand.ts"
import { firstKept, type KvState } from "../kv/KvState.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import * as Ranging from "../kv/Ranging.ts"
import { brokenLease } from "./LeaseRules.ts"
import { mix } from "./Random.ts"

/** What became of one key in a revision. */
export interface Difference {
  readonly key: Key
  /** `undefined` where it is gone. */
  readonly kv: KeyValue | undefined
  readonly prev: KeyValue | undefined
}

/** In the order of keys. */
export const difference = (before: KvState, after: KvState): ReadonlyArray<Difference> => {
  if (before.keys === after.keys) return []
  const found: Array<Difference> = []
  OrderedMap.walk(after.keys, "", undefined, (kv, key) => {
    const prev = OrderedMap.get(before.keys, key)
    if (kv !== prev) found.push({ key, kv, prev })
    return true
  })
  OrderedMap.walk(before.keys, "", undefined, (prev, key) => {
    if (OrderedMap.get(after.keys, key) === undefined) found.push({ key, kv: undefined, prev })
    return true
  })
  return found.sort((one, other) => (one.key < other.key ? -1 : 1))
}

export const rule = (
  before: KvState,
  after: KvState,
  command: KvCommand,
  result: KvResult,
  context: Context
): string | undefined =>
  brokenRevision(before, after, result, command._tag === "Txn") ??
  brokenRecord(before, after, context) ??
  brokenPast(before, after, command, context) ??
  brokenLease(before, after, command, result, context)

/** One command is one revision, or none where it changes nothing; what is refused changes nothing. A transaction may delete a key and put it anew. */
const brokenRevision = (before: KvState, after: KvState, result: KvResult, isTxn: boolean): string | undefined => {
  if (after.revision < before.revision) return `revision ${after.revision} after ${before.revision}`
  const changed = difference(before, after)
  const revisions = after.revision - before.revision
  if (revisions !== (changed.length > 0 ? 1 : 0)) return `${revisions} revisions for ${changed.length} changes`
  if (result._tag === "Rejected" && changed.length > 0) return `${result.reason}, and it has changed something`
  if (result.revision !== after.revision) return `an answer at ${result.revision} of a store at ${after.revision}`
  for (const { key, kv, prev } of changed) {
    if (kv === undefined) continue
    const { createRevision, version } = kv
    const goesOn = createRevision === prev?.createRevision && version === prev.version + 1
    const isNew = createRevision === after.revision && version === 1 && (prev === undefined || isTxn)
    if (kv.key !== key || kv.modRevision !== after.revision || !(goesOn || isNew))
      return `${key} of version ${kv.version} at ${kv.createRevision} and ${kv.modRevision}`
  }
  return undefined
}

/** The history has exactly what has changed. */
const brokenRecord = (before: KvState, after: KvState, { version, time }: Context): string | undefined => {
  if (after.revision === before.revision || version < historySince) return undefined
  const record = History.at(after.history, after.revision)
  if (record?.revision !== after.revision || record.time !== time) return `no record of revision ${after.revision}`
  const recorded = new Map(record.changes.map((change) => [History.keyOf(change), change]))
  const changed = difference(before, after)
  const isWhole = recorded.size === record.changes.length && recorded.size === changed.length
  const isSame = changed.every(({ key, kv, prev }) => {
    const change = recorded.get(key)
    return change !== undefined && change.prev === prev && (change._tag === "Put" ? change.kv : undefined) === kv
  })
  return isWhole && isSame ? undefined : `revision ${after.revision} is written down as something else`
}

/** A revision that can be read reads as it always did; by one command after the other, so for ever. */
const brokenPast = (before: KvState, after: KvState, command: KvCommand, { version }: Context): string | undefined => {
  const { compacted } = after
  if (compacted < before.compacted) return `compacted ${compacted} after ${before.compacted}`
  if (compacted > after.revision) return `compacted ${compacted} of ${after.revision}`
  if (compacted > before.compacted && command._tag === "Compact" && compacted !== command.revision) {
    return `compacted ${compacted}, and ${command.revision} was asked for`
  }
  const { first } = after.history
  if (version >= historySince && first > before.history.first && first > compacted) {
    return `what ${compacted} has changed is forgotten, and that is not compacted`
  }
  const readable = before.revision - compacted
  const some = readable <= 0 ? [] : [compacted, compacted + ((mix(after.revision, compacted) >>> 0) % readable)]
  for (const revision of [...some, before.revision]) {
    if (revision < Math.max(1, compacted)) continue
    const [was, is] = [readAt(before, revision), readAt(after, revision)]
    const isSame = was.length === is.length && was.every((kv, at) => kv === is[at])
    if (!isSame) return `revision ${revision} of ${after.revision} has ${is.length} pairs, and had ${was.length}`
  }
  for (let revision = firstKept(after); revision <= after.revision; revision++) {
    if (History.at(after.history, revision)?.revision !== revision) return `nobody knows what ${revision} has changed`
  }
  return undefined
}

const readAt = (state: KvState, revision: number): ReadonlyArray<KeyValue> => {
  const kvs: Array<KeyValue> = []
  Ranging.walkAt(state, revision, ["", undefined], (kv) => kvs.push(kv) > 0)
  return kvs
}
