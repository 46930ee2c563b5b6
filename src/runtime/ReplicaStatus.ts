/** What a replica says of itself, to its server, to people, to tests. */
import * as Configurations from "../raft/Configuration.ts"
import * as Logs from "../raft/Log.ts"
import { Index, type ReplicaId, type Term } from "../raft/LogEntry.ts"
import { isOutside, leaderOf, quorumLost, type ServerState } from "../raft/ServerState.ts"
import type { PeerConnection } from "../transport/Transport.ts"
import type { DiskWatch } from "./DiskWatch.ts"
import { percent } from "./Headway.ts"

export interface ReplicaStatus {
  readonly id: ReplicaId
  readonly role: "Follower" | "PreCandidate" | "Candidate" | "Leader"
  readonly term: Term
  readonly leader: ReplicaId | undefined
  /** False while no majority is in reach, as far as this replica can tell. */
  readonly available: boolean
  /** False while it may not vote and does not count: its disk was empty, and it has not caught up yet. */
  readonly admitted: boolean
  /** The entry at which it was found to differ from the other replicas; then it serves nobody. */
  readonly divergedAt: Index | undefined
  /** The version of commands that the cluster has agreed on, as of what is applied here. */
  readonly commandVersion: number
  /** It is no member, as far as it knows: it was removed, or has not been added yet. It serves nobody. */
  readonly outside: boolean
  /** The cluster has agreed on this version of commands, and this replica does not understand it. */
  readonly outdatedBy: number | undefined
  /** To whom it hands over the leadership just now. */
  readonly handingOverTo: ReplicaId | undefined
  /** Its disk has no room: it takes no commands. */
  readonly diskFull: boolean
  /** A write waits for room, and all else with it. */
  readonly diskStuck: boolean
  readonly lastIndex: Index
  readonly commitIndex: Index
  readonly lastApplied: Index
  /** The latest on its disk. */
  readonly snapshot: { readonly index: Index; readonly bytes: number } | undefined
  /** How much of its leader's snapshot has arrived, in percent, while one does. */
  readonly receivingPercent: number | undefined
  /** The log that is kept: its first entry (perhaps still to come), and what it takes on the disk. */
  readonly log: { readonly firstIndex: Index; readonly bytes: number }
  readonly voters: ReadonlyArray<ReplicaId>
  /** Requests of this replica's clients that have no answer yet. */
  readonly waiting: number
  readonly connections: ReadonlyArray<PeerConnection>
}

export const of = (
  state: ServerState<unknown, unknown, unknown>,
  { disk, waiting, connections }: { readonly disk: DiskWatch } & Pick<ReplicaStatus, "waiting" | "connections">
): ReplicaStatus => {
  const { log, commitIndex, lastApplied } = state.stateMachine
  const { incoming, snapshots } = state
  return {
    id: state.id,
    role: state._tag,
    term: state.currentTerm,
    leader: leaderOf(state),
    available: !quorumLost(state),
    admitted: state.admitted,
    divergedAt: state.diverged?.index,
    commandVersion: state.stateMachine.version,
    outside: isOutside(state),
    outdatedBy: state.stateMachine.outdated,
    handingOverTo: state._tag === "Leader" ? state.transfer?.to : undefined,
    diskFull: disk.isFull(),
    diskStuck: disk.isStuck(),
    lastIndex: Logs.lastIndex(log),
    commitIndex,
    lastApplied,
    snapshot: snapshots.latest && { index: snapshots.latest.last.index, bytes: snapshots.latest.bytes },
    receivingPercent: incoming && percent(incoming.held, incoming.snapshot.bytes),
    log: { firstIndex: Index(log.base.index + 1), bytes: disk.status().logBytes },
    voters: state.configuration.voters,
    waiting,
    connections
  }
}

/** Nobody else has what this replica has. */
export const isAlone = (id: ReplicaId, configuration: Configurations.Configuration): boolean =>
  Configurations.isQuorum(configuration, new Set([id]))
