/** The key-value store under test, all of it: history, transactions, leases, compaction. */
import type { Changes } from "../kv/History.ts"
import * as History from "../kv/History.ts"
import type { KeyValue } from "../kv/KeyValue.ts"
import { historySince, type KvCommand, type KvResult } from "../kv/KvCommand.ts"
import { KvMachine, unknownCommand } from "../kv/KvMachine.ts"
import type { KvAnswer, KvQuery } from "../kv/KvQuery.ts"
import type { KvState } from "../kv/KvState.ts"
import * as Leases from "../kv/Leases.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"
import { ClusterTime } from "../raft/LogEntry.ts"
import type { Context } from "../raft/Machine.ts"
import { mix, text } from "./Random.ts"
import * as StoreChoice from "./StoreChoice.ts"
import * as StoreHub from "./StoreHub.ts"
import { rule } from "./StoreRules.ts"
import { inWords, type Subject } from "./Subject.ts"

type Store = Subject<KvState, KvCommand, KvResult, KvQuery, KvAnswer>

/** No lease is shorter than two seconds, for which elections here are too quick and runs too short: so its seconds are. */
const quick = (context: Context): Context => ({ ...context, time: ClusterTime(context.time * 5) })

/** What was understood from the beginning. Anything else means nothing yet, where bytes are read (runtime/ByteMachine.ts). */
const isPlain = (command: KvCommand): boolean =>
  command._tag === "DeleteRange" ||
  (command._tag === "Put" &&
    (command.lease ?? 0n) === 0n &&
    command.ignoreValue !== true &&
    command.ignoreLease !== true &&
    command.ttlMillis === undefined)

/** The store, or one with a bug in it. */
export const over = (machine: Store["machine"], hub: NonNullable<Store["hub"]> = StoreHub.make): Store => ({
  name: "store",
  hub,
  machine: {
    ...machine,
    apply: (state, command, context) =>
      context.version < historySince && !isPlain(command)
        ? [state, unknownCommand(state)]
        : machine.apply(state, command, quick(context))
  },
  // In most clusters there is history from the beginning; in some it begins when the last program is replaced, if ever.
  versions: (random) => (random.chance(0.25) ? [historySince - 1, historySince] : [historySince, historySince + 1]),
  command: StoreChoice.command,
  query: StoreChoice.query,
  alter: (random, state) => {
    const { key } = StoreChoice.keyRange(random)
    const there = OrderedMap.get(state.keys, key) ?? { key, createRevision: 1, modRevision: 1, version: 1, lease: 0n }
    return { ...state, keys: OrderedMap.set(state.keys, key, { ...there, value: Uint8Array.of(0xff) }) }
  },
  digest: (state) => remembered(states, state, ofState),
  rule: (before, after, command, result, context) => rule(before, after, command, result, quick(context)),
  sameResult: (one, other) => one.revision === other.revision && inWords(one) === inWords(other),
  sameAnswer: (one, other) => one.revision === other.revision && inWords(one) === inWords(other)
})

export const subject = over(KvMachine)

/** What never changes is looked at once. */
const remembered = <A extends object>(known: WeakMap<A, number>, one: A, digest: (one: A) => number): number => {
  const before = known.get(one)
  if (before !== undefined) return before
  const fresh = digest(one)
  known.set(one, fresh)
  return fresh
}

const states = new WeakMap<KvState, number>()
const pairs = new WeakMap<KeyValue, number>()
const records = new WeakMap<Changes, number>()

const ofState = (state: KvState): number => {
  const { revision, compacted, trimmed, history, deletions, liveBytes, historyBytes, leases } = state
  let digest = [
    revision,
    compacted,
    trimmed,
    history.first,
    history.length,
    liveBytes,
    historyBytes,
    leases.owns
  ].reduce(mix, 0)
  OrderedMap.walk(state.keys, "", undefined, (kv) => {
    digest = mix(digest, remembered(pairs, kv, ofPair))
    return true
  })
  for (let at = history.first; at <= History.last(history); at++) {
    digest = mix(digest, remembered(records, History.at(history, at)!, ofRecord))
  }
  OrderedMap.walk(deletions, "", undefined, ({ modRevision, prev }, key) => {
    digest = mix(mix(mix(digest, text(key)), modRevision), remembered(pairs, prev, ofPair))
    return true
  })
  Leases.walk(leases, (lease) => {
    const { id, ttlSeconds, expiresAt } = lease
    digest = [ofId(id), ttlSeconds * 1000, expiresAt, lease.isOwn ? 1 : 0].reduce(mix, digest)
    for (const key of Leases.keysOf(lease)) digest = mix(digest, text(key))
    return true
  })
  return digest
}

const ofId = (id: bigint): number => Number(BigInt.asIntN(32, id ^ (id >> 32n)))

const ofPair = ({ key, value, createRevision, modRevision, version, lease }: KeyValue): number => {
  let digest = text(key)
  for (const byte of value) digest = mix(digest, byte)
  return [createRevision, modRevision, version, ofId(lease)].reduce(mix, digest)
}

const ofRecord = ({ revision, time, changes }: Changes): number => {
  let digest = mix(mix(revision, time), changes.length)
  for (const change of changes) {
    if (change._tag === "Put")
      digest = mix(mix(digest, remembered(pairs, change.kv, ofPair)), change.deleted?.modRevision ?? 0)
    else digest = mix(mix(digest, text(change.key)), change.modRevision)
    digest = mix(digest, change.prev === undefined ? 0 : remembered(pairs, change.prev, ofPair))
  }
  return digest
}
