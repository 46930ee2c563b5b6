/** What the policy's actions come to: a message to a client, or an event for the core. */
import { Instant, type ReplicaId, type RequestId } from "../raft/LogEntry.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import { commandCodec, type State } from "./CourseMachine.ts"
import type { CourseMessage } from "./CourseMessage.ts"
import type { PolicyAction } from "./PolicyState.ts"
import * as Wire from "./Wire.ts"
import type { ClientRequest, Envelope } from "./Wire.ts"

export type CourseEvent = RaftEvent<Uint8Array, string, State>

/** Who acts, and when. */
export interface Actor extends Envelope {
  readonly replica: ReplicaId
  readonly incarnation: number
  readonly at: number
  /** As far as it has heard. */
  readonly commitIndex: number
}

export type Act =
  | { readonly _tag: "Tell"; readonly message: CourseMessage }
  | { readonly _tag: "Ask"; readonly event: CourseEvent }

export const actOf = (action: PolicyAction, actor: Actor): Act => {
  switch (action._tag) {
    case "Submit":
      return { _tag: "Ask", event: eventOf(action.request, action.sequence, actor) }
    case "Notice":
      return { _tag: "Tell", message: Wire.peer(actor, action.to, undefined, actor.commitIndex) }
    case "Ok":
      return { _tag: "Tell", message: Wire.ok(actor, action) }
    case "Redirect":
      return { _tag: "Tell", message: Wire.redirect(actor, action) }
    case "Fail":
      return { _tag: "Tell", message: Wire.fail(actor, action) }
  }
}

const eventOf = (asked: ClientRequest, sequence: number, { replica, incarnation, at }: Actor): CourseEvent => {
  const request: RequestId = { replica, incarnation, sequence }
  if (asked._tag === "Get") return { _tag: "QuerySubmitted", at: Instant(at), request, query: asked.key }
  const command = commandCodec.encode(asked, 1)!
  return { _tag: "CommandSubmitted", at: Instant(at), request, command }
}
