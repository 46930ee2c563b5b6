/**
 * What must be true of the cluster's history, checked after every step, by means of its
 * own: which log each replica has (as digests), who led which term, who voted for whom,
 * and what is committed. It trusts nothing that a replica says about itself.
 */
import * as Logs from "../raft/Log.ts"
import type { Index, ReplicaId, Term } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import * as Canon from "./CanonicalLog.ts"
import { extend } from "./Disk.ts"
import * as Disks from "./Disk.ts"
import { checkStep } from "./StepRules.ts"
import type { AnyEffect, AnyMessage, State } from "./Subject.ts"
import { require } from "./Violation.ts"

/** A replica, with what the oracle looks at. */
export interface Host {
  readonly id: ReplicaId
  readonly number: number
  readonly disk: Disks.Disk
  readonly state: State | undefined
}

export interface Oracle {
  readonly hosts: ReadonlyArray<Host>
  readonly options: Options
  readonly canon: Canon.CanonicalLog
  /** For each replica, the digests of its log in memory. */
  readonly chains: Array<Array<number>>
  readonly leaders: Map<Term, ReplicaId>
  /** Which log an entry ends, by term and index: the Log Matching Property as a table. */
  readonly entries: Map<number, number>
  /** The vote of a replica in a term. */
  readonly votes: Map<string, ReplicaId>
}

export const make = (hosts: ReadonlyArray<Host>, canon: Canon.CanonicalLog, options: Options): Oracle => ({
  hosts,
  options,
  canon,
  chains: hosts.map(() => [0]),
  leaders: new Map(),
  entries: new Map(),
  votes: new Map()
})

const quorum = (oracle: Oracle): number => Math.floor(oracle.hosts.length / 2) + 1

/** It has just read its disk. */
export const onStart = (oracle: Oracle, host: Host, state: State): void => {
  oracle.chains[host.number] = host.disk.chain.slice()
  const { currentTerm, votedFor } = host.disk.hardState
  require(state.currentTerm === currentTerm && state.votedFor === votedFor, "a restart keeps term and vote", () =>
    `${host.id} starts in term ${state.currentTerm} with vote ${state.votedFor}, the disk has ${currentTerm} ${votedFor}`)
  const { log } = state.stateMachine
  require(Logs.lastIndex(log) === host.disk.entries.length, "a restart keeps the log", () => host.id)
}

/** One call of `reduceAll`. Nothing of what it says has left yet. */
export const onStep = (
  oracle: Oracle,
  host: Host,
  step: { readonly before: State; readonly after: State; readonly effects: ReadonlyArray<AnyEffect> }
): void => {
  const { before, after, effects } = step
  const persist = effects.find((effect) => effect._tag === "Persist")
  if (before === after) {
    require(persist === undefined, "what did not change is not written", () => host.id)
    return
  }
  checkStep(before, effects, after, oracle.options)
  onLogChange(oracle, host, step, persist)
  if (after._tag === "Leader") onLeader(oracle, host, after)
  // A sole voter's entries are committed by its own disk, which has not got them yet.
  if (oracle.hosts.length > 1 || persist === undefined) onCommit(oracle, host, after)
}

const onLogChange = (
  oracle: Oracle,
  host: Host,
  { before, after }: { readonly before: State; readonly after: State },
  persist: Persist<unknown> | undefined
): void => {
  const changed = before.currentTerm !== after.currentTerm || before.votedFor !== after.votedFor
  require(!changed || persist?.hardState !== undefined, "a new term or vote is written", () => host.id)
  const change = Logs.difference(before.stateMachine.log, after.stateMachine.log)
  require((change === undefined) === (persist?.log === undefined), "a changed log is written", () => host.id)
  if (change === undefined) return
  const chain = oracle.chains[host.number]!
  require(change.from > before.stateMachine.commitIndex, "no committed entry is dropped (I13)", () =>
    `${host.id} drops from ${change.from}, committed up to ${before.stateMachine.commitIndex}`)
  const led = before._tag === "Leader" && after._tag === "Leader" && before.currentTerm === after.currentTerm
  require(!led || change.from > Logs.lastIndex(before.stateMachine.log), "a leader only appends (I2)", () => host.id)
  extend(chain, change)
  require(chain.length - 1 === Logs.lastIndex(after.stateMachine.log), "a log is consecutive", () => host.id)
  // What a sole voter has not written is known to nobody: its term and its entries may come again.
  if (oracle.hosts.length === 1) return
  for (const entry of change.entries) {
    const key = entry.term * 0x4000000 + entry.index
    const known = oracle.entries.get(key)
    if (known === undefined) oracle.entries.set(key, chain[entry.index]!)
    else require(known === chain[entry.index], "log matching (I3)", () => `${host.id} at ${entry.index}@${entry.term}`)
    require(entry.term <= after.currentTerm, "no entry is from a later term", () => `${host.id} at ${entry.index}`)
  }
}

const onLeader = (oracle: Oracle, host: Host, after: State): void => {
  const leader = oracle.leaders.get(after.currentTerm)
  if (leader === host.id) return
  require(leader === undefined, "one leader a term (I1)", () => `${leader} and ${host.id} in ${after.currentTerm}`)
  oracle.leaders.set(after.currentTerm, host.id)
  elected(oracle, host, after.currentTerm)
  const { entries } = oracle.canon
  let index = entries.length - 1
  while (index > 0 && entries[index]!.committedIn >= after.currentTerm) index--
  complete(oracle, host, index)
}

/** Its own vote is counted when it leads; of the others those that have left their voters, on disk. */
const elected = (oracle: Oracle, host: Host, term: Term): void => {
  const votes = oracle.hosts.filter(({ id }) => id === host.id || oracle.votes.get(`${id} ${term}`) === host.id)
  require(votes.length >= quorum(oracle), "a leader has the votes of a majority (I1)", () =>
    `${host.id} leads term ${term} with ${votes.map(({ id }) => id).join(" ")}`)
}

const complete = (oracle: Oracle, host: Host, index: number): void => {
  const committed = oracle.canon.entries[index]!
  require(oracle.chains[host.number]![index] === committed.chain, "a leader has all that is committed (I4)", () =>
    `${host.id} leads without entry ${index}, which was committed in term ${committed.committedIn}`)
}

/** It claims that entries are committed, and what applying them gave. */
const onCommit = (oracle: Oracle, host: Host, after: State): void => {
  const { canon } = oracle
  const { commitIndex, lastApplied, log, value } = after.stateMachine
  const chain = oracle.chains[host.number]!
  const known = Math.min(commitIndex, Canon.lastIndex(canon))
  require(chain[known] === canon.entries[known]!.chain, "one sequence is committed (I5)", () =>
    `${host.id} has committed another log up to ${known}`)
  if (commitIndex > known) {
    require(after._tag === "Leader", "leaders commit first (I6)", () => `${host.id} ${after._tag} to ${commitIndex}`)
    require(Logs.termAt(log, commitIndex) ===
      after.currentTerm, "only entries of the leader's term are counted (I6)", () =>
      `${host.id} commits ${commitIndex} of term ${Logs.termAt(log, commitIndex)} in term ${after.currentTerm}`)
    for (let index = known + 1; index <= commitIndex; index++) commitOne(oracle, host, after, index as Index)
  }
  require(canon.subject.digest(value) === canon.entries[lastApplied]!.digest, "one state at one index (I5, I22)", () =>
    `${host.id} has applied something else up to ${lastApplied}`)
}

const commitOne = (oracle: Oracle, host: Host, after: State, index: Index): void => {
  const chain = oracle.chains[host.number]![index]!
  let holders = 0
  for (const other of oracle.hosts) if (other.disk.chain[index] === chain) holders |= 1 << other.number
  require(count(holders) >= quorum(oracle), "what is committed is on a majority's disks (I6)", () =>
    `${host.id} commits ${index} in term ${after.currentTerm}, but only ${count(holders)} disks have it`)
  Canon.commit(oracle.canon, Logs.get(after.stateMachine.log, index)!, {
    chain,
    committedIn: after.currentTerm,
    holders
  })
  for (const other of oracle.hosts) {
    const leads = other.state?._tag === "Leader" && other.state.currentTerm > after.currentTerm
    if (leads) complete(oracle, other, index)
  }
}

/** A record is on the disk. */
export const onSynced = (oracle: Oracle, host: Host, record: Persist<unknown>): void => {
  const { disk } = host
  const before = disk.hardState
  const oldLength = disk.entries.length
  const oldChain = record.log === undefined ? [] : disk.chain.slice(record.log.from, oldLength + 1)
  Disks.write(disk, record)
  const { currentTerm, votedFor } = disk.hardState
  require(currentTerm >= before.currentTerm, "a term never goes back on disk (I8)", () => host.id)
  const kept = currentTerm > before.currentTerm || before.votedFor === undefined || votedFor === before.votedFor
  require(kept, "a vote is not changed on disk (I9)", () => `${host.id} in term ${currentTerm}`)
  if (record.log !== undefined) recount(oracle, host, record.log.from, oldChain)
}

/** Who holds what is committed has changed: still a majority of all (I7). */
const recount = (oracle: Oracle, host: Host, from: number, oldChain: ReadonlyArray<number>): void => {
  const { entries } = oracle.canon
  const end = Math.min(entries.length - 1, Math.max(from + oldChain.length - 1, host.disk.entries.length))
  for (let index = from; index <= end; index++) {
    const committed = entries[index]!
    if (host.disk.chain[index] === committed.chain) committed.holders |= 1 << host.number
    else committed.holders &= ~(1 << host.number)
    require(count(committed.holders) >= quorum(oracle), "what is committed stays on a majority's disks (I7)", () =>
      `${host.id} has dropped entry ${index}`)
  }
}

const count = (bits: number): number => {
  let total = 0
  for (let rest = bits & 0xff; rest !== 0; rest &= rest - 1) total++
  return total
}

/** A sole voter's commit counts once its record is written. */
export const onOwnSync = (oracle: Oracle, host: Host): void => {
  if (oracle.hosts.length === 1 && host.state !== undefined) onCommit(oracle, host, host.state)
}

/** A message leaves: what it promises must be on disk by now (I10). */
export const onSend = (oracle: Oracle, host: Host, to: ReplicaId, message: AnyMessage): void => {
  const { currentTerm, votedFor } = host.disk.hardState
  const promise = (holds: boolean): void =>
    require(holds, "what is said is on disk (I10)", () => `${host.id} sends ${message._tag} of term ${message.term}`)
  promise(currentTerm >= message.term)
  switch (message._tag) {
    case "RequestVote":
      promise(currentTerm > message.term || votedFor === host.id)
      return vote(oracle, host.id, message.term, host.id)
    case "RequestVoteReply":
      if (!message.granted) return
      promise(currentTerm > message.term || votedFor === to)
      return vote(oracle, host.id, message.term, to)
    case "AppendEntriesReply": {
      if (message.result._tag !== "Matched") return
      const { matchIndex } = message.result
      const leader = oracle.hosts.find((other) => other.id === to)!
      const leads = leader.state?._tag === "Leader" && leader.state.currentTerm === message.term
      if (leads && currentTerm === message.term) {
        promise(host.disk.chain[matchIndex] === oracle.chains[leader.number]![matchIndex])
      }
      return
    }
    default:
      return
  }
}

const vote = (oracle: Oracle, voter: ReplicaId, term: Term, candidate: ReplicaId): void => {
  const key = `${voter} ${term}`
  const known = oracle.votes.get(key)
  require(known === undefined || known === candidate, "one vote a term (I9)", () =>
    `${voter} votes for ${candidate} after ${known} in term ${term}`)
  if (known === undefined) oracle.votes.set(key, candidate)
}
