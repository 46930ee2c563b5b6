/**
 * What one client asked of one replica, and what became of it. Instants are the world's;
 * `floor` is what the operation must already see.
 */
import type { ReplicaId } from "../raft/LogEntry.ts"

export interface Operation {
  readonly number: number
  readonly client: number
  readonly replica: ReplicaId
  readonly kind: "Command" | "Query" | "Amendment"
  readonly input: unknown
  readonly invokedAt: number
  /** The place in the canonical log up to which effects were acknowledged before this was asked. */
  readonly floor: number
  ending: Ending | undefined
}

export type Ending =
  | { readonly _tag: "Done"; readonly output: unknown; readonly at: number }
  /** It was refused before anything was done: it must never take effect. */
  | { readonly _tag: "Refused"; readonly reason: string; readonly at: number }
  /** Nobody can tell: it may have taken effect, may yet, or never will. */
  | { readonly _tag: "Unknown"; readonly reason: string; readonly at: number }
