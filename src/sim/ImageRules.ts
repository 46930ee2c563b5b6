/**
 * Snapshots against the canonical log: whoever took an image, and however it came to a replica, it
 * equals what applying the log up to its last entry gives (I12); so does a replica's value (I5, I22).
 */
import * as Logs from "../raft/Log.ts"
import type { LogPosition, ReplicaId, RequestId } from "../raft/LogEntry.ts"
import * as Canon from "./CanonicalLog.ts"
import * as Disks from "./Disk.ts"
import type { Host, Oracle } from "./Oracle.ts"
import { type AnyEffect, type AnyImage, inWords, type State } from "./Subject.ts"
import * as Standings from "./Standings.ts"
import { require } from "./Violation.ts"

/** What it has applied gave what it gives everywhere. */
export const checkApplied = (oracle: Oracle, host: Host, { stateMachine }: State): void => {
  const { canon, altered } = oracle
  const { lastApplied, value, hash } = stateMachine
  const expected = canon.entries[lastApplied]
  require(expected !== undefined, "only what is committed is applied (I5)", () => `${host.id} up to ${lastApplied}`)
  const same = canon.subject.digest(value) === expected!.digest
  if (altered.size > 0 && altered.has(host.number)) {
    // A snapshot has brought back what was lost.
    if (same && hash === expected!.hash) altered.delete(host.number)
    return
  }
  require(same, "one state at one index (I5, I22)", () => `${host.id} has applied something else up to ${lastApplied}`)
  require(hash === expected!.hash, "one chain at one index (I22)", () => `${host.id} at ${lastApplied}`)
}

export const checkImage = (oracle: Oracle, host: Host, image: AnyImage, how: "taken" | "received"): void => {
  const { canon, altered, tainted } = oracle
  if (how === "taken" && altered.has(host.number)) tainted.add(image)
  if (tainted.has(image)) return
  const { index, term } = image.last
  const rule = (holds: boolean, what: string): void =>
    require(holds, "a snapshot is the log up to its last entry (I12)", () =>
      `${host.id} has ${how} one at ${index}@${term} with another ${what}`)
  rule(index <= Canon.lastIndex(canon) && canon.entries[index]!.term === term, "last entry")
  const expected = canon.entries[index]!
  rule(canon.subject.digest(image.value) === expected.digest, "value")
  rule(image.hash === expected.hash, "hash")
  rule(sameRequests(image.applied, expected.applied), "last request of a replica")
  const standing = Standings.at(oracle.standings, expected.chain)
  // Before there is one in the log it is what its replica was told at its first start.
  rule(standing.index === 0 || inWords(image.configuration) === inWords(standing.configuration), "configuration")
  rule(image.time === expected.time && image.version === expected.version, "time or version")
  rule(image.epoch === 0, "epoch")
}

const sameRequests = (one: ReadonlyMap<ReplicaId, RequestId>, other: ReadonlyMap<ReplicaId, RequestId>): boolean =>
  one.size === other.size &&
  [...one].every(([replica, { incarnation, sequence }]) => {
    const last = other.get(replica)
    return last?.incarnation === incarnation && last.sequence === sequence
  })

/** The log begins elsewhere: where it is compacted, or behind a snapshot that takes its place (§7). */
export const onBase = (
  oracle: Oracle,
  host: Host,
  step: { readonly before: State; readonly after: State; readonly effects: ReadonlyArray<AnyEffect> },
  base: LogPosition
): void => {
  const { before, after, effects } = step
  const { log, commitIndex } = before.stateMachine
  const installed = effects.some((effect) => effect._tag === "SnapshotInstalled")
  require(base.index > log.base.index, "a snapshot never goes back (I8)", () => `${host.id} to ${base.index}`)
  require(base.index <= after.stateMachine.lastApplied, "only what is applied is compacted", () =>
    `${host.id} up to ${base.index}, applied ${after.stateMachine.lastApplied}`)
  if (installed) {
    require(base.index > commitIndex, "no old snapshot is installed (I8)", () =>
      `${host.id} at ${base.index}, committed ${commitIndex}`)
    onInstalled(oracle, host, base)
  }
  if (Logs.holds(log, base)) return
  require(installed, "a log is replaced by a snapshot only", () => `${host.id} at ${base.index}`)
  const chain = oracle.chains[host.number]!
  chain.splice(0, chain.length, ...Disks.chainAt(host.disk.snapshots, base))
}

/** What is in it was checked when it came; what an altered replica sent alters whoever installs it. */
const onInstalled = (oracle: Oracle, host: Host, base: LogPosition): void => {
  const stored = host.disk.snapshots.find(({ snapshot }) => snapshot.last.index === base.index)
  require(stored !== undefined, "what is installed is stored", () => `${host.id} at ${base.index}`)
  if (oracle.tainted.has(stored!.image)) oracle.altered.add(host.number)
}
