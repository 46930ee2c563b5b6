/**
 * What goes on while the disk works: acknowledgements that come are taken out of the mailbox, before everything else there, and heard
 * (see raft/Overtaking). Between two turns of the loop, so by callbacks; what goes wrong in one is for the loop to find.
 */
import { mayOvertake } from "../raft/Overtaking.ts"
import type { Persist } from "../raft/RaftEffect.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import type { Mailbox } from "./Mailbox.ts"

type Event<Q, S> = RaftEvent<Uint8Array, Q, S>

/** Takes a step while `writing` is being written; false where it may not be taken yet. */
export type TakeStep<Q, S> = (events: ReadonlyArray<Event<Q, S>>, writing: Persist<Uint8Array>) => boolean

export class Meanwhile<Q, S> {
  defect: unknown
  /** While it is none, nothing is heard. */
  private writing: Persist<Uint8Array> | undefined
  private isDue = false
  private readonly mailbox: Mailbox<Event<Q, S>>
  private readonly takeStep: TakeStep<Q, S>

  constructor(mailbox: Mailbox<Event<Q, S>>, takeStep: TakeStep<Q, S>) {
    this.mailbox = mailbox
    this.takeStep = takeStep
  }

  begin(writing: Persist<Uint8Array>): void {
    this.writing = writing
    this.mailbox.onPut = (event) => {
      if (this.isDue || !mayOvertake(event)) return
      this.isDue = true
      // What came with it in one packet makes one step with it.
      queueMicrotask(() => this.hear())
    }
  }

  end(): void {
    this.writing = undefined
    this.mailbox.onPut = undefined
  }

  private hear(): void {
    this.isDue = false
    const { writing, mailbox } = this
    if (writing === undefined) return
    try {
      const events = mailbox.takeMessages(mayOvertake)
      if (events.length === 0 || this.takeStep(events, writing)) return
      mailbox.putBack(events)
      this.end()
    } catch (defect) {
      this.defect ??= defect
      this.end()
    }
  }
}
