/**
 * Who has what is committed on its disk.
 *
 * A disk that is lost takes with it what its replica helped to commit. The rule for what is
 * committed (I6, I7) is then: it is on the disks of a majority, where of a replica that
 * lost its disk the former one counts until it is admitted again, and from then on the new one. Who
 * elects a leader meanwhile is a majority without that replica, and of these it has all but one:
 * so some voter still holds what is committed. A disk whose snapshot covers an entry holds it.
 */
import * as Disks from "./Disk.ts"
import type { Host, Oracle } from "./Oracle.ts"
import { require } from "./Violation.ts"

export const quorum = (oracle: Oracle): number => Math.floor(oracle.hosts.length / 2) + 1

/** By whose disks an entry is held, a bit each. */
export const holdersOf = (oracle: Oracle, index: number, chain: number): number => {
  let holders = 0
  for (const other of oracle.hosts) if (counted(oracle, other)[index] === chain) holders |= 1 << other.number
  return holders
}

/** The disk by which a replica counts: its own once it is admitted, until then the one that it lost. */
const counted = (oracle: Oracle, { disk, number }: Host): ReadonlyArray<number> =>
  disk.admitted ? disk.chain : oracle.former[number]!

/** Who holds what is committed has changed: still a majority of all (I7). */
export const recount = (oracle: Oracle, host: Host, from: number, oldLast: number): void => {
  if (!host.disk.admitted) return
  const { entries } = oracle.canon
  const end = Math.min(
    entries.length - 1,
    Math.max(oldLast, Disks.lastIndex(host.disk), oracle.former[host.number]!.length)
  )
  for (let index = from; index <= end; index++) {
    const committed = entries[index]!
    if (host.disk.chain[index] === committed.chain) committed.holders |= 1 << host.number
    else committed.holders &= ~(1 << host.number)
    require(count(committed.holders) >= quorum(oracle), "what is committed stays on a majority's disks (I7)", () =>
      `${host.id} has dropped entry ${index}`)
  }
}

export const count = (bits: number): number => {
  let total = 0
  for (let rest = bits & 0xff; rest !== 0; rest &= rest - 1) total++
  return total
}
