/**
 * The members as a replica knows them: for its transport, which has to reach them, and for people,
 * who want to know who counts, who is in reach and how far each has come. Only a leader knows the latter.
 */
import * as Amending from "../raft/Amending.ts"
import type { Amendment, MemberChange } from "../raft/Amendment.ts"
import type { Configuration } from "../raft/Configuration.ts"
import * as Configurations from "../raft/Configuration.ts"
import * as Logs from "../raft/Log.ts"
import { Index, type Instant, type ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import type { Leader, ServerState } from "../raft/ServerState.ts"
import * as Succession from "../raft/Succession.ts"
import type { Transport } from "../transport/Transport.ts"

type State = ServerState<unknown, unknown, unknown>

/** Where members are reached, as far as an operator has said so at this replica. */
export type Addresses = ReadonlyMap<ReplicaId, string>

export interface MembersStatus {
  /** Of the entry that says who they are; 0 for those with whom the cluster began. */
  readonly index: Index
  /** Whether that entry is committed, as far as this replica knows. */
  readonly committed: boolean
  /** Voters are changing: two majorities are needed until it is left. */
  readonly joint: boolean
  readonly members: ReadonlyArray<MemberStatus>
}

export interface MemberStatus {
  readonly id: ReplicaId
  /** One that is leaving votes until the change under way is done. */
  readonly role: "voter" | "learner" | "leaving"
  /** Of a learner: whether it becomes a voter once it has caught up. */
  readonly promote: boolean
  readonly address: string | undefined
  /** What the leader knows of it; `undefined` elsewhere. */
  readonly progress: MemberProgress | undefined
}

export interface MemberProgress {
  /** It has spoken within an election timeout, and counts. */
  readonly inReach: boolean
  readonly admitted: boolean
  readonly matchIndex: Index
  /** Entries that the leader has, and it does not. */
  readonly lag: number
  /** Of a learner that has yet to catch up: in which round it is. */
  readonly catchUpRound: number | undefined
  readonly caughtUp: boolean
  /** The latest version of commands that it understands; 0 before it has spoken. */
  readonly version: number
}

/** For the transport. One whose address nobody knows is a member all the same. */
export const addressesOf = (
  configuration: Configuration,
  addresses: Addresses,
  transport: Pick<Transport["Service"], "connections">
): Addresses => {
  const connected = new Map(transport.connections().map(({ id, address }) => [id, address]))
  const known = (id: ReplicaId): string =>
    Configurations.addressOf(configuration, id) ?? addresses.get(id) ?? connected.get(id) ?? ""
  return new Map(Configurations.members(configuration).map((id) => [id, known(id)]))
}

/**
 * An amendment of the members tells the log where all of them are, as far as is known here: those who founded the cluster
 * are not in it yet, and one that joins, or comes back with an empty disk, was started with nobody's address.
 */
export const complete = (amendment: Amendment, configuration: Configuration, addresses: Addresses): Amendment => {
  if (amendment._tag !== "Members" || Configurations.isJoint(configuration)) return amendment
  if (amendment.changes.some(({ _tag }) => _tag === "Leave")) return amendment
  const removed = new Set(amendment.changes.flatMap((change) => (change._tag === "Remove" ? [change.id] : [])))
  const moves: Array<MemberChange> = []
  for (const id of Configurations.members(configuration)) {
    const address = addresses.get(id)
    const isKnown = Configurations.addressOf(configuration, id) !== undefined
    if (!isKnown && address !== undefined && !removed.has(id)) moves.push({ _tag: "Move", id, address })
  }
  return moves.length === 0 ? amendment : { ...amendment, changes: [...moves, ...amendment.changes] }
}

export const of = (state: State, addresses: Addresses, options: Options, at: Instant): MembersStatus => {
  const { configuration, configurations, stateMachine } = state
  const { index } = Succession.last(configurations)
  return {
    index,
    committed: index <= stateMachine.commitIndex,
    joint: Configurations.isJoint(configuration),
    members: Configurations.members(configuration)
      .toSorted()
      .map((id) => ({
        id,
        role: roleOf(configuration, id),
        promote: configuration.learners.some((learner) => learner.id === id && learner.promote),
        address: Configurations.addressOf(configuration, id) ?? addresses.get(id),
        progress: state._tag === "Leader" ? progressOf(state, id, options, at) : undefined
      }))
  }
}

const roleOf = ({ voters, outgoing }: Configuration, id: ReplicaId): MemberStatus["role"] => {
  if (voters.includes(id)) return "voter"
  return outgoing.includes(id) ? "leaving" : "learner"
}

const progressOf = (
  state: Leader<unknown, unknown, unknown>,
  id: ReplicaId,
  options: Options,
  at: Instant
): MemberProgress | undefined => {
  const last = Logs.lastIndex(state.stateMachine.log)
  const inReach = Amending.isInReach(options, state, id, at)
  if (id === state.id) {
    const version = state.stateMachine.version
    return { inReach, admitted: true, matchIndex: last, lag: 0, catchUpRound: undefined, caughtUp: true, version }
  }
  const progress = state.progress.get(id)
  if (progress === undefined) return undefined
  const catchUp = state.catchUps.get(id)
  const { admitted, matchIndex, version } = progress
  const isCatchingUp = Configurations.isLearner(state.configuration, id) && catchUp?.done !== true
  return {
    inReach,
    // Before it has spoken nobody knows.
    admitted: admitted && progress.incarnation > 0,
    matchIndex,
    lag: Math.max(0, Index(last) - matchIndex),
    catchUpRound: isCatchingUp ? catchUp?.round : undefined,
    caughtUp: !isCatchingUp,
    version
  }
}

/** How old what a replica has applied may be. */
export interface Staleness {
  /**
   * Since it last knew what was committed: a follower since it heard its leader, a leader since a majority
   * answered it. `undefined` when it knows no leader: then nobody can tell.
   */
  readonly heardLeaderMillisAgo: number | undefined
  readonly appliedIndex: Index
  readonly commitIndex: Index
}

export const staleness = (state: State, at: Instant): Staleness => {
  const { lastApplied, commitIndex } = state.stateMachine
  const heardAt = heardLeaderAt(state, at)
  return {
    heardLeaderMillisAgo: heardAt === undefined ? undefined : Math.max(0, Math.round(at - heardAt)),
    appliedIndex: lastApplied,
    commitIndex
  }
}

const heardLeaderAt = (state: State, at: Instant): number | undefined => {
  switch (state._tag) {
    case "Leader":
      return Configurations.quorumValue(state.configuration, (id) =>
        id === state.id ? at : (state.progress.get(id)?.heardAt ?? 0)
      )
    case "Follower":
      return state.leader === undefined ? undefined : state.leaderHeardAt
    case "PreCandidate":
    case "Candidate":
      return undefined
  }
}
