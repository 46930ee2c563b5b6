/**
 * What has arrived and is not reduced yet. Anybody puts in; the replica's loop alone takes
 * out, all at once. Messages of peers beyond a limit are dropped, since Raft sends them again;
 * requests of clients beyond theirs are refused. Each has its own limit, so that no rush of
 * clients drops a heartbeat.
 */
import { Effect } from "effect"
import type { Instant } from "../raft/LogEntry.ts"
import type { Alarm } from "./Alarm.ts"

export interface MailboxLimits {
  /** Beyond so many messages of peers, further ones are dropped. */
  readonly maxMailboxMessages: number
  /** Beyond so many clients' requests, further ones are refused. */
  readonly maxMailboxRequests: number
}

export const defaultLimits: MailboxLimits = { maxMailboxMessages: 16_384, maxMailboxRequests: 65_536 }

export class Mailbox<E> {
  /** Messages of peers that were dropped since the start. */
  dropped = 0
  private events: Array<E> = []
  private messages = 0
  /** Told once that something waits: the loop, while it has nothing to do. */
  private onFilled: (() => void) | undefined
  private readonly limits: MailboxLimits

  constructor(limits: MailboxLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.events.length
  }

  offerMessage(event: E): void {
    if (this.messages >= this.limits.maxMailboxMessages) {
      this.dropped++
      return
    }
    this.messages++
    this.put(event)
  }

  /** False where the limit is reached: nothing was put in. */
  offerRequest(event: E): boolean {
    if (this.events.length - this.messages >= this.limits.maxMailboxRequests) return false
    this.put(event)
    return true
  }

  /** For what was admitted before and goes in again. */
  put(event: E): void {
    this.events.push(event)
    this.onFilled?.()
    this.onPut?.(event)
  }

  /** Told of what comes until it is set to nothing again. */
  onPut: ((event: E) => void) | undefined

  /** Takes those messages of peers out that `chosen` says, in their order, and leaves the rest. */
  takeMessages(chosen: (event: E) => boolean): Array<E> {
    const taken: Array<E> = []
    const left: Array<E> = []
    for (const event of this.events) (chosen(event) ? taken : left).push(event)
    if (taken.length === 0) return taken
    this.events = left
    this.messages -= taken.length
    return taken
  }

  /** Puts what `takeMessages` gave in front of what waits. */
  putBack(messages: ReadonlyArray<E>): void {
    this.events = [...messages, ...this.events]
    this.messages += messages.length
    this.onFilled?.()
  }

  /** Everything that waits, perhaps nothing. */
  takeAll(): Array<E> {
    const events = this.events
    if (events.length > 0) {
      this.events = []
      this.messages = 0
    }
    return events
  }

  /** Returns when something waits, or when the alarm rings at `instant`. Without a fiber and a timer for each wait: the loop waits very often. */
  wait(instant: Instant, alarm: Alarm): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.events.length > 0) return resume(Effect.void)
      const end = (): void => {
        this.onFilled = undefined
        alarm.quiet()
      }
      const wake = (): void => {
        end()
        resume(Effect.void)
      }
      this.onFilled = wake
      alarm.set(instant, wake)
      return Effect.sync(end)
    })
  }
}
