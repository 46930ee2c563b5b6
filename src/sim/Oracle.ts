/**
 * What must be true of the cluster's history, checked after every step, by means of its
 * own: which log each replica has (as digests), who led which term, who voted for whom,
 * and what is committed. It trusts nothing that a replica says about itself.
 */
import * as Logs from "../raft/Log.ts"
import type { Index, LogEntry, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import * as Canon from "./CanonicalLog.ts"
import { extend } from "./Disk.ts"
import * as Disks from "./Disk.ts"
import { dismiss, holdersOf, idsOf, recount, recountAll } from "./Holders.ts"
import * as Images from "./ImageRules.ts"
import * as Leaders from "./LeaderRules.ts"
import * as Members from "./MemberRules.ts"
import * as Standings from "./Standings.ts"
import { checkStep } from "./StepRules.ts"
import type { AnyEffect, AnyImage, State } from "./Subject.ts"
import { require } from "./Violation.ts"

/** A replica, with what the oracle looks at. */
export interface Host {
  readonly id: ReplicaId
  readonly number: number
  readonly disk: Disks.Disk
  readonly state: State | undefined
  /** The latest version of commands that its program understands. */
  readonly version: number
}

export interface Oracle {
  readonly hosts: ReadonlyArray<Host>
  readonly options: Options
  readonly canon: Canon.CanonicalLog
  readonly standings: Standings.Standings
  /** For each replica, the digests of its log in memory, from index 0 on whatever the log begins with. */
  readonly chains: Array<Array<number>>
  /** For each replica, the digests on the disk that it has lost. */
  readonly former: Array<ReadonlyArray<number>>
  /** Who has lost a disk and is not admitted again. */
  readonly forgetful: Set<number>
  /** What a sole voter was before the step whose record is on its way. */
  readonly unwritten: Map<number, State>
  readonly leaders: Map<Term, ReplicaId>
  /** Which log an entry ends, by term and index: the Log Matching Property as a table. */
  readonly entries: Map<number, number>
  /** The vote of a replica in a term, whatever became of its disk. */
  readonly votes: Map<string, ReplicaId>
  /** Whose value was changed by no entry: it and what it takes images of are exempt. */
  readonly altered: Set<number>
  readonly tainted: Set<AnyImage>
  /** Somebody's value was ever altered: until then nobody may be called different. */
  suspect: boolean
}

/** The first `founders` of the hosts begin the cluster. */
export const make = (
  hosts: ReadonlyArray<Host>,
  founders: number,
  canon: Canon.CanonicalLog,
  options: Options
): Oracle => ({
  hosts,
  options,
  canon,
  standings: Standings.begin(hosts.slice(0, founders).map(({ id }) => id)),
  chains: hosts.map(() => [0]),
  former: hosts.map(() => [0]),
  forgetful: new Set(),
  unwritten: new Map(),
  leaders: new Map(),
  entries: new Map(),
  votes: new Map(),
  altered: new Set(),
  tainted: new Set(),
  suspect: false
})

/** What a start does with its disk first. A replica that finds nothing that it can start from has lost it. */
export const recover = (oracle: Oracle, host: Host): Disks.Found => {
  const found = Disks.recover(host.disk)
  if (found.reset === undefined) return found
  onForget(oracle, host)
  Disks.write(host.disk, found.reset)
  return found
}

/** It has just read its disk. */
export const onStart = (oracle: Oracle, host: Host, state: State): void => {
  const { disk } = host
  Standings.forget(oracle.standings, host.number)
  oracle.unwritten.delete(host.number)
  oracle.chains[host.number] = disk.chain.slice()
  const { currentTerm, votedFor } = disk.hardState
  require(state.currentTerm === currentTerm && state.votedFor === votedFor, "a restart keeps term and vote", () =>
    `${host.id} starts in term ${state.currentTerm} with vote ${state.votedFor}, the disk has ${currentTerm} ${votedFor}`)
  require(state.admitted === (disk.admitted === true), "a restart keeps whether it may vote", () => host.id)
  const { log, lastApplied, commitIndex } = state.stateMachine
  const same = Logs.lastIndex(log) === Disks.lastIndex(disk) && log.base.index === disk.base.index
  require(same, "a restart keeps the log", () => host.id)
  const from = disk.snapshots[0]?.snapshot.last.index ?? 0
  require(lastApplied === from && commitIndex === from, "a restart begins with its snapshot", () =>
    `${host.id} has applied ${lastApplied}, its snapshot is at ${from}`)
  const [stored] = disk.snapshots
  // What an altered replica has stored alters whoever starts from it.
  if (stored !== undefined && oracle.tainted.has(stored.image)) oracle.altered.add(host.number)
  Images.checkApplied(oracle, host, state)
  Members.checkConfiguration(oracle, host, state)
}

/** Its disk is about to be lost; what it held counts until it is admitted again. */
export const onForget = (oracle: Oracle, host: Host): void => {
  if (host.disk.admitted) oracle.former[host.number] = host.disk.chain.slice()
  oracle.forgetful.add(host.number)
}

/** It is no member, and its disk is about to be lost: nothing rests on it any more. */
export const onRetire = (oracle: Oracle, host: Host): void => {
  dismiss(oracle, host)
  oracle.forgetful.add(host.number)
}

/** Its value changes under it. */
export const alter = (
  oracle: Oracle,
  host: { readonly number: number; state: State | undefined },
  change: (value: unknown) => unknown
): void => {
  if (host.state === undefined) return
  const { stateMachine } = host.state
  const value = change(stateMachine.value)
  host.state = { ...host.state, stateMachine: { ...stateMachine, value } }
  oracle.altered.add(host.number)
  oracle.suspect = true
}

/** It asks for an image to be stored, or has got one. */
export const onImage = (oracle: Oracle, host: Host, image: AnyImage, how: "taken" | "received"): void =>
  Images.checkImage(oracle, host, image, how)

/** One call of `reduceAll`. Nothing of what it says has left yet. */
export const onStep = (
  oracle: Oracle,
  host: Host,
  step: { readonly before: State; readonly after: State; readonly effects: ReadonlyArray<AnyEffect> }
): void => {
  const { before, after, effects } = step
  const persist = effects.find((effect) => effect._tag === "Persist")
  Leaders.checkForgetful(oracle, host, step)
  if (before === after) {
    require(persist === undefined, "what did not change is not written", () => host.id)
    return
  }
  checkStep(before, effects, after, oracle.options)
  onLogChange(oracle, host, step, persist)
  if (after.diverged !== before.diverged && after.diverged !== undefined) {
    require(oracle.suspect, "nobody is called different without a reason", () => host.id)
  }
  if (after.configuration !== before.configuration) Members.checkConfiguration(oracle, host, after)
  const { outdated } = after.stateMachine
  require(outdated === undefined, "nobody has to apply what it does not understand", () => `${host.id}: ${outdated}`)
  if (after._tag === "Leader") Leaders.onLeader(oracle, host, after)
  // A sole voter's entries are committed by its own disk, which has not got them yet.
  if (Members.isAhead(before, after) && persist !== undefined) {
    oracle.unwritten.set(host.number, before)
    return
  }
  onCommit(oracle, host, before, after)
  Standings.checkFresh(oracle.standings, host.number, oracle.canon)
}

const onLogChange = (
  oracle: Oracle,
  host: Host,
  {
    before,
    after,
    effects
  }: { readonly before: State; readonly after: State; readonly effects: ReadonlyArray<AnyEffect> },
  persist: Persist<unknown> | undefined
): void => {
  const changed = before.currentTerm !== after.currentTerm || before.votedFor !== after.votedFor
  require(!changed || persist?.hardState !== undefined, "a new term or vote is written", () => host.id)
  const isSame = before.admitted === after.admitted && before.pristine === after.pristine
  const admission = isSame ? undefined : after.admitted
  require(persist?.admitted === admission, "who is admitted writes it down", () => host.id)
  const change = Logs.difference(before.stateMachine.log, after.stateMachine.log)
  require((change?.log === undefined) === (persist?.log === undefined), "a changed log is written", () => host.id)
  require((change?.base === undefined) === (persist?.base === undefined), "a changed base is written", () => host.id)
  if (change === undefined) return
  const chain = oracle.chains[host.number]!
  if (change.base !== undefined) Images.onBase(oracle, host, { before, after, effects }, change.base)
  if (change.log === undefined) return
  const { from, entries } = change.log
  require(from > before.stateMachine.commitIndex, "no committed entry is dropped (I13)", () =>
    `${host.id} drops from ${from}, committed up to ${before.stateMachine.commitIndex}`)
  const led = before._tag === "Leader" && after._tag === "Leader" && before.currentTerm === after.currentTerm
  require(!led || from > Logs.lastIndex(before.stateMachine.log), "a leader only appends (I2)", () => host.id)
  extend(chain, change.log)
  require(chain.length - 1 === Logs.lastIndex(after.stateMachine.log), "a log is consecutive", () => host.id)
  Standings.onEntries(oracle.standings, host.number, chain, entries)
  // What a sole voter has not written is known to nobody: its term and its entries may come again.
  if (!Members.isAhead(before, after)) onEntries(oracle, host, chain, entries)
  for (const entry of entries) {
    require(entry.term <= after.currentTerm, "no entry is from a later term", () => `${host.id} at ${entry.index}`)
  }
}

const onEntries = (
  oracle: Oracle,
  host: Host,
  chain: ReadonlyArray<number>,
  entries: ReadonlyArray<LogEntry<unknown>>
): void => {
  for (const entry of entries) {
    const key = entry.term * 0x4000000 + entry.index
    const known = oracle.entries.get(key)
    if (known === undefined) oracle.entries.set(key, chain[entry.index]!)
    else require(known === chain[entry.index], "log matching (I3)", () => `${host.id} at ${entry.index}@${entry.term}`)
  }
}

/** It claims that entries are committed, and what applying them gave. */
const onCommit = (oracle: Oracle, host: Host, before: State, after: State): void => {
  const { canon } = oracle
  const { commitIndex, log } = after.stateMachine
  const chain = oracle.chains[host.number]!
  const known = Math.min(commitIndex, Canon.lastIndex(canon))
  require(chain[known] === canon.entries[known]!.chain, "one sequence is committed (I5)", () =>
    `${host.id} has committed another log up to ${known}`)
  if (commitIndex > known) {
    // One that is removed leads until that is committed.
    const leads = before._tag === "Leader" && before.currentTerm === after.currentTerm
    require(leads || after._tag === "Leader", "leaders commit first (I6)", () =>
      `${host.id} ${after._tag} to ${commitIndex}`)
    require(Logs.termAt(log, commitIndex) ===
      after.currentTerm, "only entries of the leader's term are counted (I6)", () =>
      `${host.id} commits ${commitIndex} of term ${Logs.termAt(log, commitIndex)} in term ${after.currentTerm}`)
    for (let index = known + 1; index <= commitIndex; index++) commitOne(oracle, host, after, index as Index)
  }
  Images.checkApplied(oracle, host, after)
}

const commitOne = (oracle: Oracle, host: Host, after: State, index: Index): void => {
  const chain = oracle.chains[host.number]![index]!
  const holders = holdersOf(oracle, index, chain)
  const holding = idsOf(oracle, holders)
  // What follows a configuration that is committed in this step may be logged in it, too.
  const { fresh } = oracle.standings
  const standing = Members.standingOf(oracle, host)
  const counted = fresh.includes(standing) && standing.index > index ? standing.before!.configuration : undefined
  const isHeld = [after.configuration, counted].some((one) => one && Standings.isQuorum(one, holding))
  require(isHeld, "what is committed is on a majority's disks (I6)", () =>
    `${host.id} commits ${index} in term ${after.currentTerm}, but only the disks of ${[...holding].join(" ")} have it`)
  const entry = Logs.get(after.stateMachine.log, index)!
  Canon.commit(oracle.canon, entry, { chain, committedIn: after.currentTerm, holders })
  if (Standings.onCommit(oracle.standings, index, chain)) recountAll(oracle)
  Members.checkVersion(oracle, entry)
  for (const other of oracle.hosts) {
    const leads = other.state?._tag === "Leader" && other.state.currentTerm > after.currentTerm
    if (leads) Leaders.complete(oracle, other, index)
  }
}

/** A record is on the disk. */
export const onSynced = (oracle: Oracle, host: Host, record: Persist<unknown>): void => {
  const { disk } = host
  const { hardState, base } = disk
  const oldLast = Disks.lastIndex(disk)
  const wasAdmitted = disk.admitted === true
  const replaced = record.base !== undefined && !Disks.holds(disk, record.base)
  Disks.write(disk, record)
  const { currentTerm, votedFor } = disk.hardState
  require(currentTerm >= hardState.currentTerm, "a term never goes back on disk (I8)", () => host.id)
  const kept =
    currentTerm > hardState.currentTerm || hardState.votedFor === undefined || votedFor === hardState.votedFor
  require(kept, "a vote is not changed on disk (I9)", () => `${host.id} in term ${currentTerm}`)
  require(disk.base.index >= base.index, "a snapshot never goes back (I8)", () => host.id)
  require(record.admitted !== false || !wasAdmitted, "who has lost nothing stays admitted", () => host.id)
  if (record.admitted === true) {
    oracle.forgetful.delete(host.number)
    recount(oracle, host, 1, oldLast)
  } else if (replaced) recount(oracle, host, 1, oldLast)
  else if (record.log !== undefined) recount(oracle, host, record.log.from, oldLast)
}

/** What a sole voter has logged and committed counts once its record is written. */
export const onOwnSync = (oracle: Oracle, host: Host, record: Persist<unknown>): void => {
  const { state, disk } = host
  const before = oracle.unwritten.get(host.number)
  oracle.unwritten.delete(host.number)
  if (state === undefined) return
  if (record.log !== undefined) onEntries(oracle, host, disk.chain, record.log.entries)
  onCommit(oracle, host, before ?? state, state)
  Standings.checkFresh(oracle.standings, host.number, oracle.canon)
}
