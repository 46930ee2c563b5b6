/** What rules are about: a state, or a step from one to the next with what was said. See Invariants. */
import type * as Logs from "./Log.ts"
import type { Persist, RaftEffect } from "./RaftEffect.ts"
import type { Leader, ServerState } from "./ServerState.ts"

export type State = ServerState<unknown, unknown, unknown>
export type Leading = Leader<unknown, unknown, unknown>
export type Effects = ReadonlyArray<RaftEffect<unknown, unknown, unknown>>
export type Sent = Effects[number] & { readonly _tag: "Send" }

export interface Step {
  readonly before: State
  readonly after: State
  readonly persist: Persist<unknown> | undefined
  /** What stands left of `Persist`, and what stands right of it, or all there is. */
  readonly early: Effects
  readonly late: Effects
  /** The messages among both; gathered once, because several rules want them. */
  readonly sent: ReadonlyArray<Sent>
  /** The change from one log to the other; computed once, because every rule about logs wants it. */
  readonly change: Logs.Change<unknown> | undefined
}

/** The leader before and after, if one replica led one term throughout. */
export const reign = ({ before, after }: Step): { readonly before: Leading; readonly after: Leading } | undefined =>
  before._tag === "Leader" && after._tag === "Leader" && before.currentTerm === after.currentTerm
    ? { before, after }
    : undefined
