/**
 * What goes on while the disk works: acknowledgements that come are taken out of the mailbox, before everything else there, and heard
 * (see raft/Overtaking). Between two turns of the loop, so by callbacks; what goes wrong in one is for the loop to find.
 */
import type { Index } from "../raft/LogEntry.ts"
import { mayOvertake } from "../raft/Overtaking.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import type { Mailbox } from "./Mailbox.ts"

type Event<Q, S> = RaftEvent<Uint8Array, Q, S>

/** Takes a step, its log being on the disk up to `durable`; false where it may not be taken yet. */
export type TakeStep<Q, S> = (events: ReadonlyArray<Event<Q, S>>, durable: Index) => boolean

export class Meanwhile<Q, S> {
  defect: unknown
  /** While it is none, nothing is heard. */
  private durable: Index | undefined
  private isDue = false
  private readonly mailbox: Mailbox<Event<Q, S>>
  private readonly takeStep: TakeStep<Q, S>

  constructor(mailbox: Mailbox<Event<Q, S>>, takeStep: TakeStep<Q, S>) {
    this.mailbox = mailbox
    this.takeStep = takeStep
  }

  begin(durable: Index): void {
    this.durable = durable
    this.mailbox.onPut = (event) => {
      if (this.isDue || !mayOvertake(event)) return
      this.isDue = true
      // What came with it in one packet makes one step with it.
      queueMicrotask(() => this.hear())
    }
  }

  end(): void {
    this.durable = undefined
    this.mailbox.onPut = undefined
  }

  private hear(): void {
    this.isDue = false
    const { durable, mailbox } = this
    if (durable === undefined) return
    try {
      const events = mailbox.takeMessages(mayOvertake)
      if (events.length === 0 || this.takeStep(events, durable)) return
      mailbox.putBack(events)
      this.end()
    } catch (defect) {
      this.defect ??= defect
      this.end()
    }
  }
}
