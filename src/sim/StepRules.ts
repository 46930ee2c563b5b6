/**
 * What must be true of any state of one replica, and of any step from one to the next: the
 * core's own rules (raft/Invariants.ts), and one that holds because the simulator sees whole
 * steps only.
 */
import { type Configuration, isMember } from "../raft/Configuration.ts"
import * as Invariants from "../raft/Invariants.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import type { AnyEffect, AnyEvent, State } from "./Subject.ts"
import { require, Violation } from "./Violation.ts"

export const checkStep = (
  before: State,
  effects: ReadonlyArray<AnyEffect>,
  after: State,
  { appliesLater, maxApplyEntries }: Pick<Options, "appliesLater" | "maxApplyEntries">
): void => {
  const broken = [...Invariants.ofState(after), ...Invariants.ofStep(before, effects, after)]
  const [first] = broken
  if (first !== undefined) throw new Violation(first, `${after.id} (${after._tag}): ${broken.join("; ")}`)
  const { commitIndex, lastApplied, log } = after.stateMachine
  const installed = effects.some((effect) => effect._tag === "SnapshotInstalled")
  const from = installed ? log.base.index : before.stateMachine.lastApplied
  const waits = appliesLater && log !== before.stateMachine.log
  const done = lastApplied === Math.min(commitIndex, from + maxApplyEntries)
  require(done || (waits && lastApplied === from), "what is committed is applied, as far as one step may", () =>
    `${after.id}: applied ${lastApplied}, committed ${commitIndex}`)
}

/** It has entered a later term, long after anything was amiss: not for one that is no member any more, or not yet. */
export const checkDisturbed = (members: Configuration, id: ReplicaId, events: ReadonlyArray<AnyEvent>): void => {
  if (!isMember(members, id)) return
  for (const event of events) {
    const outsider = event._tag === "MessageReceived" && !isMember(members, event.from) ? event : undefined
    const heeded = outsider?.message._tag === "RequestVote" && events.length === 1
    require(!heeded, "who is no member disturbs nobody", () => `${id} enters a term of ${outsider?.from}`)
  }
}
