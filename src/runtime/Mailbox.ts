/**
 * What has arrived and is not reduced yet. Anybody puts in; the replica's loop alone takes
 * out, all at once. When it fills, messages of peers are dropped first, since Raft sends
 * them again; requests of clients are refused later, since nobody does.
 */
import { Effect, Latch, type Option } from "effect"

export interface MailboxLimits {
  /** Beyond so many events, messages of peers are dropped. */
  readonly maxMailboxMessages: number
  /** Beyond so many events, clients' requests are refused. */
  readonly maxMailboxRequests: number
}

export const defaultLimits: MailboxLimits = { maxMailboxMessages: 16_384, maxMailboxRequests: 65_536 }

export class Mailbox<E> {
  /** Messages of peers that were dropped since the start. */
  dropped = 0
  private events: Array<E> = []
  private readonly filled = Latch.makeUnsafe(false)
  private readonly limits: MailboxLimits

  constructor(limits: MailboxLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.events.length
  }

  offerMessage(event: E): void {
    if (this.events.length >= this.limits.maxMailboxMessages) this.dropped++
    else this.put(event)
  }

  /** False where the limit is reached: nothing was put in. */
  offerRequest(event: E): boolean {
    if (this.events.length >= this.limits.maxMailboxRequests) return false
    this.put(event)
    return true
  }

  /** For what was admitted before and goes in again. */
  put(event: E): void {
    this.events.push(event)
    if (this.events.length === 1) this.filled.openUnsafe()
  }

  /** Everything that waits, perhaps nothing. */
  takeAll(): Array<E> {
    const events = this.events
    if (events.length > 0) {
      this.events = []
      this.filled.closeUnsafe()
    }
    return events
  }

  /** Returns when something waits, or when `millis` have passed. */
  wait(millis: number): Effect.Effect<Option.Option<void>> {
    return Effect.timeoutOption(this.filled.await, millis)
  }
}
