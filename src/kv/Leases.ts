/**
 * Leases by id and by the time at which they expire, as an immutable value. Time is the cluster's, as leaders stamp it on
 * commands: it stands still while nobody leads, so what is left of a lease survives an election.
 */
import { ClusterTime } from "../raft/LogEntry.ts"
import type { Key } from "./KeyValue.ts"
import * as OrderedMap from "./OrderedMap.ts"

export interface Lease {
  readonly id: bigint
  readonly ttlSeconds: number
  readonly expiresAt: ClusterTime
  /** It came with the put of a key, and goes with it. */
  readonly isOwn: boolean
  /** Those that are attached to it. */
  readonly keys: OrderedMap.OrderedMap<true>
}

export interface Leases {
  readonly byId: OrderedMap.OrderedMap<Lease>
  /** By the time at which they expire, then by id. */
  readonly byExpiry: OrderedMap.OrderedMap<bigint>
  /** How many of those that come with a key there have been: their ids are `firstOwn` and on. */
  readonly owns: number
}

/** No id that is chosen by chance or by a client is among those from here on, almost surely; one that is taken is passed over. */
export const firstOwn = 1n << 62n

/** etcd's, where elections take a second: a lease must outlive an election and what came before it. */
export const minTtlSeconds = 2
/** etcd's: 285 years, so that no sum overflows. */
export const maxTtlSeconds = 9_000_000_000

export const empty: Leases = { byId: OrderedMap.empty, byExpiry: OrderedMap.empty, owns: 0 }

export const get = ({ byId }: Leases, id: bigint): Lease | undefined => OrderedMap.get(byId, eightBytes(id))

export const size = ({ byId }: Leases): number => OrderedMap.size(byId)

/** In place of one with the same id. */
export const set = (leases: Leases, lease: Lease): Leases => {
  const key = eightBytes(lease.id)
  const before = OrderedMap.get(leases.byId, key)
  const byId = OrderedMap.set(leases.byId, key, lease)
  if (before?.expiresAt === lease.expiresAt) return { ...leases, byId }
  const byExpiry = before === undefined ? leases.byExpiry : OrderedMap.remove(leases.byExpiry, expiryKey(before))
  return { ...leases, byId, byExpiry: OrderedMap.set(byExpiry, expiryKey(lease), lease.id) }
}

export const remove = (leases: Leases, id: bigint): Leases => {
  const lease = get(leases, id)
  if (lease === undefined) return leases
  return {
    ...leases,
    byId: OrderedMap.remove(leases.byId, eightBytes(id)),
    byExpiry: OrderedMap.remove(leases.byExpiry, expiryKey(lease))
  }
}

/** A lease that is not there takes no keys. */
export const attach = (leases: Leases, id: bigint, key: Key): Leases => {
  const lease = get(leases, id)
  if (lease === undefined || OrderedMap.get(lease.keys, key) !== undefined) return leases
  return set(leases, { ...lease, keys: OrderedMap.set(lease.keys, key, true) })
}

/** Whether the key goes with it. One that names it need not: it may mean an earlier one of this name (see KvMachine.migrate). */
export const holds = (leases: Leases, id: bigint, key: Key): boolean =>
  id !== 0n && OrderedMap.get(get(leases, id)?.keys ?? OrderedMap.empty, key) === true

/**
 * One that came with the key goes with it: no other can be put with it. One that does not hold the key has the name of an
 * earlier one, and no more.
 */
export const detach = (leases: Leases, id: bigint, key: Key): Leases => {
  const lease = get(leases, id)
  if (lease === undefined || OrderedMap.get(lease.keys, key) === undefined) return leases
  return lease.isOwn ? remove(leases, id) : set(leases, { ...lease, keys: OrderedMap.remove(lease.keys, key) })
}

/** One for a single key, which is put right after. */
export const own = (leases: Leases, expiresAt: ClusterTime, ttlMillis: number): readonly [Leases, bigint] => {
  let { owns } = leases
  while (get(leases, firstOwn + BigInt(owns)) !== undefined) owns++
  const id = firstOwn + BigInt(owns)
  const lease: Lease = { id, ttlSeconds: ttlMillis / 1000, expiresAt, isOwn: true, keys: OrderedMap.empty }
  return [{ ...set(leases, lease), owns: owns + 1 }, id]
}

/** In the order in which they expire, until `visit` returns false. */
export const walk = ({ byId, byExpiry }: Leases, visit: (lease: Lease) => boolean): void =>
  OrderedMap.walk(byExpiry, "", undefined, (id) => visit(OrderedMap.get(byId, eightBytes(id))!))

/** So many may expire in one command, while which nothing else happens; and so many keys go with them, unless one alone has more. */
export const maxExpired = 1000
export const maxExpiredKeys = 10_000

/** What one command has to do. */
export interface Taking {
  readonly ids: Array<bigint>
  keys: number
}

export const taking = (): Taking => ({ ids: [], keys: 0 })

/** Whether the command does this one, too. */
export const take = (taken: Taking, { id, keys }: Lease): boolean => {
  const together = taken.keys + OrderedMap.size(keys)
  const isTooMuch = taken.ids.length >= maxExpired || (taken.ids.length > 0 && together > maxExpiredKeys)
  if (isTooMuch) return false
  taken.ids.push(id)
  taken.keys = together
  return true
}

/** Those whose time is over, the longest first, as many as one command may do. */
export const due = (leases: Leases, time: ClusterTime): ReadonlyArray<bigint> => {
  const taken = taking()
  walk(leases, (lease) => lease.expiresAt <= time && take(taken, lease))
  return taken.ids
}

/** A whole number of milliseconds, which 1000 times the seconds of a lease that came with a key is not always. */
export const expiryOf = (ttlSeconds: number, time: ClusterTime): ClusterTime =>
  ClusterTime(time + Math.round(ttlSeconds * 1000))

const expiryKey = ({ expiresAt, id }: Lease): Key => eightBytes(BigInt(expiresAt)) + eightBytes(id)

/** Big-endian, so that they sort as the numbers do. */
const eightBytes = (number: bigint): Key => {
  let key = ""
  for (let shift = 56n; shift >= 0n; shift -= 8n) key += String.fromCharCode(Number((number >> shift) & 0xffn))
  return key
}

export const keysOf = ({ keys }: Lease): ReadonlyArray<Key> => {
  const all: Array<Key> = []
  OrderedMap.walk(keys, "", undefined, (_, key) => {
    all.push(key)
    return true
  })
  return all
}
