/**
 * Replicas that applied the same entries must have come to the same state. Each says with what
 * it acknowledges how far it has applied and to which hash; the leader compares with its own. Where
 * they differ, the majority is right: the others stop serving, and say so. Where
 * all have been compared and no majority agrees, nobody can tell who is right, and all that differ stop.
 */
import type { Checkpoint } from "./Chain.ts"
import * as Configurations from "./Configuration.ts"
import { type Batch, send } from "./Core.ts"
import type { Index, Instant, ReplicaId } from "./LogEntry.ts"
import type { Diverged } from "./Message.ts"
import type { Compared, Progress } from "./Progress.ts"
import type { Leader, ServerState } from "./ServerState.ts"
import * as StateMachines from "./StateMachine.ts"

/** What a follower's checkpoints say about it; what was known before where they cannot be compared. */
export const compare = <S, C, Q>(
  state: Leader<S, C, Q>,
  before: Compared | undefined,
  applied: ReadonlyArray<Checkpoint>
): Compared | undefined => {
  let compared = before
  for (const { index, hash } of applied) {
    const own = StateMachines.hashAt(state.stateMachine, index)
    if (own === undefined || (compared !== undefined && compared.index > index)) continue
    const agrees = own === hash
    // A follower that differs and says so again has not heard it yet.
    compared =
      agrees && compared?.agrees === true && compared.index === index ? compared : { index, agrees, told: false }
  }
  return compared
}

export interface Verdict<S, C, Q> {
  readonly state: Leader<S, C, Q>
  /** Where the leader itself is the one that differs. */
  readonly differs: Checkpoint | undefined
}

/** Draws the consequences of what was compared: a follower is told, or the leader is the one that differs. */
export const judge = <S, C, Q, R, A>(
  state: Leader<S, C, Q>,
  { at, patienceMillis }: { readonly at: Instant; readonly patienceMillis: number },
  batch: Batch<C, Q, R, A>
): Verdict<S, C, Q> => {
  const differing = [...state.progress.keys()].filter((id) => state.progress.get(id)!.compared?.agrees === false)
  if (differing.length === 0) return { state, differs: undefined }
  const progress = new Map(state.progress)
  const tell = (peer: ReplicaId): void => {
    const { compared, incarnation } = state.progress.get(peer)!
    const hash = StateMachines.hashAt(state.stateMachine, compared!.index)
    if (hash === undefined) return
    const at = { index: compared!.index, hash }
    send(batch, peer, { _tag: "Diverged", term: state.currentTerm, incarnation, at })
  }
  let told = false
  for (const peer of differing) {
    const { compared } = state.progress.get(peer)!
    const index = compared!.index
    const hash = StateMachines.hashAt(state.stateMachine, index)
    if (compared!.told || hash === undefined) continue
    switch (whoIsRight(state, { index, differing, gone: (id) => isAway(state.progress.get(id), at, patienceMillis) })) {
      case "Unknown":
        continue
      case "Follower":
        return { state, differs: { index, hash } }
      case "Nobody":
        for (const other of differing) tell(other)
        return { state, differs: { index, hash } }
      case "Leader":
        tell(peer)
        progress.set(peer, { ...progress.get(peer)!, compared: { ...compared!, told: true } })
        told = true
    }
  }
  return { state: told ? { ...state, progress } : state, differs: undefined }
}

const isAway = (progress: Progress | undefined, at: Instant, patienceMillis: number): boolean =>
  progress !== undefined && progress.heardAt + patienceMillis <= at

interface Difference {
  readonly index: Index
  readonly differing: ReadonlyArray<ReplicaId>
  readonly gone: (id: ReplicaId) => boolean
}

const whoIsRight = <S, C, Q>(
  { id: self, progress, configuration }: Leader<S, C, Q>,
  { index, differing, gone }: Difference
): "Leader" | "Follower" | "Nobody" | "Unknown" => {
  const agrees = (id: ReplicaId): boolean => {
    const compared = progress.get(id)?.compared
    return id === self || (compared !== undefined && compared.agrees && compared.index >= index)
  }
  const isMajority = (ids: ReadonlyArray<ReplicaId>): boolean => Configurations.isQuorum(configuration, new Set(ids))
  const voters = Configurations.allVoters(configuration)
  if (isMajority(voters.filter(agrees))) return "Leader"
  const unheard = voters.filter((id) => !agrees(id) && !differing.includes(id))
  if (isMajority(differing)) return "Follower"
  if (unheard.length === 0) return "Nobody"
  // Whoever could decide is away. If it is the leader that is wrong, it will stop when they are back.
  return unheard.every(gone) ? "Leader" : "Unknown"
}

export const onDiverged = <S, C, Q>(
  state: ServerState<S, C, Q>,
  { from, message }: { readonly from: ReplicaId; readonly message: Diverged }
): ServerState<S, C, Q> => {
  const { incarnation, at } = message
  const own = StateMachines.hashAt(state.stateMachine, at.index)
  const isMeant =
    state._tag === "Follower" && state.leader === from && incarnation === state.incarnation && own !== undefined
  return isMeant && own !== at.hash && state.diverged === undefined ? { ...state, diverged: at } : state
}
