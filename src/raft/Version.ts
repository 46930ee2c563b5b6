/**
 * What commands mean may grow with the program. The cluster agrees on a version in its log, so that all replicas
 * apply by the same one from the same entry on: leaders raise it to what all members understand, as their
 * acknowledgements tell. So a cluster in which some members run an older program applies only
 * what all of them can; and a version, once it is raised, keeps out who does not understand it.
 *
 * To go back to an older program, an operator limits the version first.
 */
import * as Configurations from "./Configuration.ts"
import type { Payload, ReplicaId } from "./LogEntry.ts"
import { versionOf } from "./Machine.ts"
import type { Refusal } from "./RaftEffect.ts"
import type { Leader } from "./ServerState.ts"

type VersionPayload = Extract<Payload<never>, { readonly _tag: "Version" }>

/** The entry by which this leader raises the version, if all members understand a later one. */
export const raise = <S, C, Q>(
  machine: { readonly version?: number },
  state: Leader<S, C, Q>
): VersionPayload | undefined => {
  const { version, ceiling } = state.stateMachine
  const most = Math.min(versionOf(machine), ceiling ?? Number.POSITIVE_INFINITY)
  if (most <= version || isPending(state)) return undefined
  let understood = most
  for (const peer of Configurations.peers(state.configuration, state.id)) {
    understood = Math.min(understood, state.progress.get(peer)?.version ?? 0)
  }
  return understood <= version ? undefined : { _tag: "Version", version: understood, ceiling, request: undefined }
}

/** Whether a peer could lead: who is outdated applies nothing, and neither serves nor stands. */
export const isUnderstoodBy = <S, C, Q>({ stateMachine, progress }: Leader<S, C, Q>, peer: ReplicaId): boolean =>
  (progress.get(peer)?.version ?? 0) >= (stateMachine.outdated ?? stateMachine.version)

/** What is logged and not applied may say something else. */
const isPending = <S, C, Q>({ stateMachine, announced }: Leader<S, C, Q>): boolean =>
  stateMachine.lastApplied < announced

export type Limited =
  | { readonly _tag: "Refused"; readonly reason: Refusal }
  | { readonly _tag: "Good"; readonly payload: VersionPayload }

/** Sets, or lifts, how far the version may rise; where it is higher, it comes down. */
export const limit = <S, C, Q>(state: Leader<S, C, Q>, ceiling: number | undefined): Limited => {
  const { version: present } = state.stateMachine
  if (isPending(state)) return { _tag: "Refused", reason: "ChangePending" }
  if (ceiling !== undefined && (!Number.isSafeInteger(ceiling) || ceiling < 1)) {
    return { _tag: "Refused", reason: "UnknownVersion" }
  }
  const version = Math.min(present, ceiling ?? present)
  return { _tag: "Good", payload: { _tag: "Version", version, ceiling, request: undefined } }
}
