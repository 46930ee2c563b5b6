/** What commands do to leases. Their time is the cluster's: `writing.time`. */
import type { KvResult, LeaseCommand, Rejection } from "./KvCommand.ts"
import * as Leases from "./Leases.ts"
import * as OrderedMap from "./OrderedMap.ts"
import * as Writing from "./Writing.ts"

export const apply = (writing: Writing.Writing, command: LeaseCommand): KvResult | Rejection => {
  switch (command._tag) {
    case "LeaseGrant":
      return grant(writing, command)
    case "LeaseRevoke":
      return revoke(writing, command.id)
    case "LeaseKeepAlive":
      return keepAlive(writing, command.id)
    case "LeaseExpire":
      return expire(writing, command.ids)
    case "LeaseTimeToLive":
      return timeToLive(writing, command)
  }
}

const grant = (
  writing: Writing.Writing,
  { id, ttlSeconds }: { readonly id: bigint; readonly ttlSeconds: number }
): KvResult | Rejection => {
  if (id === 0n) return "LeaseNotFound"
  if (ttlSeconds > Leases.maxTtlSeconds) return "LeaseTtlTooLarge"
  if (Leases.get(writing.leases, id) !== undefined) return "LeaseExists"
  const ttl = Math.max(Leases.minTtlSeconds, ttlSeconds)
  const expiresAt = Leases.expiryOf(ttl, writing.time)
  writing.leases = Leases.set(writing.leases, { id, ttlSeconds: ttl, expiresAt, isOwn: false, keys: OrderedMap.empty })
  return { _tag: "LeaseGrant", revision: writing.before.revision, id, ttlSeconds: ttl }
}

const revoke = (writing: Writing.Writing, id: bigint): KvResult | Rejection => {
  const lease = Leases.get(writing.leases, id)
  if (lease === undefined) return "LeaseNotFound"
  end(writing, lease)
  return { _tag: "LeaseRevoke", revision: Writing.revisionOf(writing) }
}

/** With its keys, in their order. */
const end = (writing: Writing.Writing, { id, keys }: Leases.Lease): void => {
  // First, so that not each of its keys is taken from it.
  writing.leases = Leases.remove(writing.leases, id)
  OrderedMap.walk(keys, "", undefined, (_, key) => {
    Writing.remove(writing, key)
    return true
  })
}

/** One whose time is over stays so, whether or not it has been done away with yet: its owner has been told that it may be. */
const keepAlive = (writing: Writing.Writing, id: bigint): KvResult => {
  const { time, before } = writing
  const lease = Leases.get(writing.leases, id)
  const isAlive = lease !== undefined && lease.expiresAt > time
  if (isAlive) {
    writing.leases = Leases.set(writing.leases, { ...lease, expiresAt: Leases.expiryOf(lease.ttlSeconds, time) })
  }
  return {
    _tag: "LeaseKeepAlive",
    revision: before.revision,
    id,
    ttlSeconds: isAlive ? Math.ceil(lease.ttlSeconds) : 0
  }
}

/** Once a lease is one too many for a command, so are those after it: they are due still, and the next command is about them. */
const expire = (writing: Writing.Writing, ids: ReadonlyArray<bigint>): KvResult => {
  const taken = Leases.taking()
  for (const id of ids) {
    const lease = Leases.get(writing.leases, id)
    const isOver = lease !== undefined && lease.expiresAt <= writing.time
    if (!isOver) continue
    if (!Leases.take(taken, lease)) break
    end(writing, lease)
  }
  return { _tag: "LeaseExpire", revision: Writing.revisionOf(writing), expired: taken.ids.length }
}

const timeToLive = (
  { leases, time, before: { revision } }: Writing.Writing,
  { id, keys }: Extract<LeaseCommand, { _tag: "LeaseTimeToLive" }>
): KvResult => {
  const lease = Leases.get(leases, id)
  if (lease === undefined) {
    return { _tag: "LeaseTimeToLive", revision, id, ttlSeconds: -1, ttlMillis: -1, grantedTtlSeconds: 0, keys: [] }
  }
  const ttlMillis = Math.max(0, lease.expiresAt - time)
  return {
    _tag: "LeaseTimeToLive",
    revision,
    id,
    ttlSeconds: Math.floor(ttlMillis / 1000),
    ttlMillis,
    grantedTtlSeconds: Math.ceil(lease.ttlSeconds),
    keys: keys ? Leases.keysOf(lease) : []
  }
}
