/** One call of `reduceAll` as it is looked at from outside: what came in, what went out, what changed. */
import type { Options } from "../raft/Options.ts"
import type { AnyEffect, AnyEvent, AnyMessage, State } from "./Subject.ts"

export interface Taken {
  readonly options: Options
  readonly before: State
  readonly after: State
  readonly events: ReadonlyArray<AnyEvent>
  readonly effects: ReadonlyArray<AnyEffect>
}

/** The one message that came in, where nothing else did: then what changed is due to it. */
export const onlyMessage = ({ events }: Taken): { readonly from: string; readonly message: AnyMessage } | undefined => {
  const [event] = events
  return events.length === 1 && event?._tag === "MessageReceived" ? event : undefined
}

/** What it answers to whoever sent that message. */
export const answerTo = ({ effects }: Taken, to: string): AnyMessage | undefined => {
  for (const effect of effects) if (effect._tag === "Send" && effect.to === to) return effect.message
  return undefined
}
