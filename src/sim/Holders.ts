/**
 * Who has what is committed on its disk.
 *
 * A leader commits by the last configuration of its log: then the entry is on the disks of a majority, and of
 * one of each where that is joint (I6). From then on it must be where the majorities of all that may be
 * in force find it. Of the configuration that is committed last that is a majority of its voters, or of those
 * who are leaving: what was committed by the one before is held by a majority of the leaving, what
 * is committed by the one that follows a joint one by a majority of its voters only. Either way a joint
 * majority contains a holder; and when a configuration is committed, all before it is held as it is (I7).
 *
 * A disk that is lost takes with it what its replica helped to commit. Of a replica that lost its disk
 * the former one counts until it is admitted again, and from then on the new one. Who
 * elects a leader meanwhile is a majority without that replica, and of these it has all but one:
 * so some voter still holds what is committed. A disk whose snapshot covers an entry holds it. Who is no
 * member may lose its disk at any time, and is counted no more.
 */
import type { Configuration } from "../raft/Configuration.ts"
import * as Configurations from "../raft/Configuration.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import * as Disks from "./Disk.ts"
import type { Host, Oracle } from "./Oracle.ts"
import { require } from "./Violation.ts"

/** By whose disks an entry is held, a bit each. */
export const holdersOf = (oracle: Oracle, index: number, chain: number): number => {
  let holders = 0
  for (const other of oracle.hosts) if (counted(oracle, other)[index] === chain) holders |= 1 << other.number
  return holders
}

/** Whether what is committed at `index` is where that is looked for, this very moment (I7). */
export const isHeld = (oracle: Oracle, index: number): boolean =>
  isKept(oracle.standings.committed.configuration, holdersOf(oracle, index, oracle.canon.entries[index]!.chain))

/** The disk by which a replica counts: its own once it is admitted, until then the one that it lost. */
const counted = (oracle: Oracle, { disk, number }: Host): ReadonlyArray<number> =>
  disk.admitted ? disk.chain : oracle.former[number]!

export const idsOf = ({ hosts }: Oracle, bits: number): ReadonlySet<ReplicaId> =>
  new Set(hosts.filter(({ number }) => ((bits >> number) & 1) === 1).map(({ id }) => id))

/** Who holds what is committed has changed: still a majority (I7). */
export const recount = (oracle: Oracle, host: Host, from: number, oldLast: number): void => {
  if (!host.disk.admitted) return
  const { entries } = oracle.canon
  const end = Math.min(
    entries.length - 1,
    Math.max(oldLast, Disks.lastIndex(host.disk), oracle.former[host.number]!.length)
  )
  const bit = 1 << host.number
  const { configuration } = oracle.standings.committed
  for (let index = from; index <= end; index++) {
    const committed = entries[index]!
    const has = host.disk.chain[index] === committed.chain
    if (has) {
      committed.holders |= bit
      continue
    }
    committed.holders &= ~bit
    require(isKept(configuration, committed.holders), "what is committed stays on a majority's disks (I7)", () =>
      `${host.id} has dropped entry ${index}`)
  }
}

/** Another configuration is committed: what was committed before must be where that looks for it. */
export const recountAll = (oracle: Oracle): void => {
  const { configuration } = oracle.standings.committed
  oracle.canon.entries.forEach(({ holders }, index) => {
    if (index === 0) return
    require(isKept(configuration, holders), "what is committed is on a majority of the next disks (I7)", () =>
      `entry ${index} is on ${[...idsOf(oracle, holders)].join(" ")}`)
  })
}

/** It is no member, and its disk counts no more. */
export const dismiss = (oracle: Oracle, { number }: Host): void => {
  oracle.former[number] = [0]
  for (const entry of oracle.canon.entries) entry.holders &= ~(1 << number)
}

const isKept = ({ voters, outgoing }: Configuration, holders: number): boolean =>
  isMajority(voters, holders) || (outgoing.length > 0 && isMajority(outgoing, holders))

const isMajority = (voters: ReadonlyArray<ReplicaId>, holders: number): boolean => {
  let count = 0
  for (const id of voters) count += (holders >> Disks.replicaNumber(id)) & 1
  return count >= Configurations.majority(voters.length)
}
