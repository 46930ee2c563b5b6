/**
 * Leases as their owners understand them (I19): one that was granted or kept alive for so many seconds, and its keys with it,
 * is there until so many seconds of the cluster's time have gone by, or somebody says otherwise; and what ends it is an
 * entry of the log.
 */
import type { Context } from "../raft/Machine.ts"
import type { Key, KeyValue } from "../kv/KeyValue.ts"
import type { KvCommand, KvResult } from "../kv/KvCommand.ts"
import type { KvState } from "../kv/KvState.ts"
import * as Leases from "../kv/Leases.ts"
import * as OrderedMap from "../kv/OrderedMap.ts"

export const brokenLease = (
  before: KvState,
  after: KvState,
  command: KvCommand,
  result: KvResult,
  { time }: Context
): string | undefined => {
  let broken: string | undefined
  Leases.walk(before.leases, (lease) => {
    broken ??= brokenTenure(lease, after, command, result, time)
    return broken === undefined
  })
  if (broken !== undefined) return broken
  if (result._tag === "LeaseGrant") {
    const granted = Leases.get(after.leases, result.id)
    if (granted === undefined || Leases.get(before.leases, result.id) !== undefined)
      return `${result.id} is not granted`
    if (granted.expiresAt !== time + result.ttlSeconds * 1000) return `${result.id} ends at ${granted.expiresAt}`
  }
  if (result._tag === "LeaseExpire" && result.expired !== Leases.size(before.leases) - Leases.size(after.leases))
    return `${result.expired} are said to be over, and others have gone`
  if (command._tag === "Put" && command.ttlMillis !== undefined && result._tag === "Put") {
    const own = Leases.get(after.leases, OrderedMap.get(after.keys, command.key)?.lease ?? 0n)
    if (own?.expiresAt !== time + command.ttlMillis) return `${command.key} ends at ${own?.expiresAt}`
  }
  Leases.walk(after.leases, (lease) => {
    broken ??= brokenKeys(lease, before, after)
    return broken === undefined
  })
  return broken
}

/** What became of a lease that was there. */
const brokenTenure = (
  lease: Leases.Lease,
  after: KvState,
  command: KvCommand,
  result: KvResult,
  time: number
): string | undefined => {
  const { id, expiresAt, ttlSeconds } = lease
  const about = isAbout(command, id) ? command._tag : undefined
  const now = Leases.get(after.leases, id)
  if (now !== undefined) {
    if (about === "LeaseRevoke") return `${id} is revoked, and still there`
    // No cluster here has as many leases as would be too many for one command.
    if (about === "LeaseExpire" && result._tag === "LeaseExpire" && expiresAt <= time)
      return `${id} is over, and still there`
    const isKept = about === "LeaseKeepAlive" && expiresAt > time
    const ends = isKept ? time + ttlSeconds * 1000 : expiresAt
    return now.expiresAt === ends ? undefined : `${id} ends at ${now.expiresAt} instead of ${ends}`
  }
  const { isOwn } = lease
  if (about === "LeaseExpire" && expiresAt > time) return `${id} has gone ${expiresAt - time} ms before its time (I19)`
  if (isOwn && Leases.keysOf(lease).every((key) => OrderedMap.get(after.keys, key)?.lease !== id)) return undefined
  if (about !== "LeaseExpire" && about !== "LeaseRevoke")
    return `${id} has gone, and ${command._tag} is no reason (I19)`
  const left = Leases.keysOf(lease).find((key) => OrderedMap.get(after.keys, key) !== undefined)
  return left === undefined ? undefined : `${left} has outlived ${id}`
}

const isAbout = (command: KvCommand, id: bigint): boolean =>
  command._tag === "LeaseExpire" ? command.ids.includes(id) : "id" in command && command.id === id

/** What it holds is its own, and what was put with it just now it holds. */
const brokenKeys = (lease: Leases.Lease, before: KvState, after: KvState): string | undefined => {
  const foreign = Leases.keysOf(lease).find((key) => OrderedMap.get(after.keys, key)?.lease !== lease.id)
  if (foreign !== undefined) return `${lease.id} holds ${foreign}, which is not its own`
  let lost: Key | undefined
  OrderedMap.walk(after.keys, "", undefined, (kv: KeyValue, key) => {
    const isNew = kv !== OrderedMap.get(before.keys, key)
    if (isNew && kv.lease === lease.id && OrderedMap.get(lease.keys, key) === undefined) lost = key
    return lost === undefined
  })
  return lost === undefined ? undefined : `${lost} was put with ${lease.id}, which does not hold it`
}
