/**
 * What a replica may do while its disk works. A leader hears acknowledgements: they commit what was logged before, whose clients
 * would else wait for a `Persist` that is not theirs. And leader and follower apply what the step that is being written has left
 * for later (`appliesLater`), which is all that the news of a deadline leads to then.
 *
 * It rests on nothing that is being written. A leader counts its own log to the end (see Proposing), which is true of the disk only
 * when that is done; so a step that commits what is still on its way there is not taken, and neither is one that has anything to
 * write or to say beside appends and answers. Reducing is pure: what is not taken has not happened, and happens later.
 */
import { showsWhatIsDurable } from "./Durability.ts"
import type { Persist, RaftEffect } from "./RaftEffect.ts"
import type { RaftEvent } from "./RaftEvent.ts"
import type { Replica } from "./Replica.ts"
import type { ServerState } from "./ServerState.ts"

/** Whether an event may overtake a `Persist` that is under way; the others wait for it. */
export const mayOvertake = (event: RaftEvent<unknown, unknown, unknown>): boolean =>
  event._tag === "MessageReceived" &&
  (event.message._tag === "AppendEntriesReply" || event.message._tag === "HeartbeatReply")

/** The step for acknowledgements, or for the news that time has passed, if it may be taken while `writing` is; its effects wait for nothing. */
export const attempt = <S, C, R, Q, A>(
  { reduceAll }: Pick<Replica<S, C, R, Q, A>, "reduceAll">,
  before: ServerState<S, C, Q>,
  events: ReadonlyArray<RaftEvent<C, Q, S>>,
  writing: Persist<C>
): readonly [ServerState<S, C, Q>, ReadonlyArray<RaftEffect<C, R, A, S>>] | undefined => {
  if (!events.every((event) => mayOvertake(event) || event._tag === "DeadlineReached")) return undefined
  if (before._tag !== "Leader" && (before._tag !== "Follower" || events.some(mayOvertake))) return undefined
  const [after, effects] = reduceAll(before, events)
  const isSameReign = after._tag === before._tag && after.currentTerm === before.currentTerm
  const isTaken = isSameReign && showsWhatIsDurable(writing, after) && effects.every(waitsForNothing)
  return isTaken ? [after, effects] : undefined
}

const waitsForNothing = <C, R, A, S>(effect: RaftEffect<C, R, A, S>): boolean =>
  effect._tag === "Reply" ||
  (effect._tag === "Send" && (effect.message._tag === "AppendEntries" || effect.message._tag === "Heartbeat"))
