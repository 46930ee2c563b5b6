/**
 * What a message says must be true by the time it leaves: on disk where it promises something (I9, I10). So must be what
 * a client is told, and what a replica shows: clients are answered while the disk works.
 */
import type { ReplicaId, Term } from "../raft/LogEntry.ts"
import * as Canon from "./CanonicalLog.ts"
import * as Holders from "./Holders.ts"
import type { Host, Oracle } from "./Oracle.ts"
import type { AnyMessage } from "./Subject.ts"
import { require } from "./Violation.ts"

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
      promise(!message.sender.admitted || host.disk.admitted === true)
      promise(message.sender.incarnation === host.disk.incarnation)
      if (message.result._tag !== "Matched") return
      const { matchIndex } = message.result
      const leader = oracle.hosts.find((other) => other.id === to)!
      const leads = leader.state?._tag === "Leader" && leader.state.currentTerm === message.term
      if (leads && currentTerm === message.term) {
        promise(host.disk.chain[matchIndex] === oracle.chains[leader.number]![matchIndex])
      }
      return
    }
    case "HeartbeatReply":
      promise(!message.sender.admitted || host.disk.admitted === true)
      return promise(message.sender.incarnation === host.disk.incarnation)
    case "InstallSnapshot": {
      const { index, term } = message.snapshot.last
      const committed = index <= Canon.lastIndex(oracle.canon) && oracle.canon.entries[index]!.term === term
      require(committed, "only what is committed is in a snapshot (I12)", () => `${host.id} sends ${index}@${term}`)
      return
    }
    default:
      return
  }
}

/** A client hears of what this replica has applied; a write that it was waiting for is `operation`. */
export const onAnswer = (oracle: Oracle, host: Host, operation: number | undefined): void => {
  require(isOnDisk(oracle, host), "what a client is told is on disk (I10)", () => host.id)
  const index = operation === undefined ? undefined : oracle.canon.effects.get(operation)
  // That it is committed at all the ledger tells.
  if (index === undefined) return
  require(Holders.isHeld(oracle, index), "an acknowledged write is on a majority's disks (I6, I7)", () =>
    `${host.id} acknowledges operation ${operation} at ${index}`)
}

/** From now on local reads and watchers see what it has applied. */
export const onShow = (oracle: Oracle, host: Host): void =>
  require(isOnDisk(oracle, host), "what is shown is on disk (I10)", () => host.id)

/** Whether its own disk has term and vote, and all that it has applied. */
const isOnDisk = ({ chains }: Oracle, { number, state, disk }: Host): boolean => {
  if (state === undefined) return true
  const { currentTerm, votedFor, admitted, stateMachine } = state
  const { hardState, chain } = disk
  return (
    hardState.currentTerm === currentTerm &&
    hardState.votedFor === votedFor &&
    (disk.admitted === true) === admitted &&
    chain[stateMachine.lastApplied] === chains[number]![stateMachine.lastApplied]
  )
}

const vote = (oracle: Oracle, voter: ReplicaId, term: Term, candidate: ReplicaId): void => {
  const key = `${voter} ${term}`
  const known = oracle.votes.get(key)
  require(known === undefined || known === candidate, "one vote a term (I9)", () =>
    `${voter} votes for ${candidate} after ${known} in term ${term}`)
  if (known === undefined) oracle.votes.set(key, candidate)
}
