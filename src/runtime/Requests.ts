/**
 * The requests of this replica's clients that have no answer yet. They live here, outside
 * the replicated state, which knows them by name only.
 *
 * A command is submitted again when a new leader is known, or when it has waited long for
 * an answer: a request that is logged twice is applied once. If a later request was
 * applied before it, it never will be under its old name, and gets a new one.
 */
import type { Amendment } from "../raft/Amendment.ts"
import type { ReplicaId, RequestId } from "../raft/LogEntry.ts"
import type { Outcome } from "../raft/RaftEffect.ts"
import { refusal, saysNothing } from "./Refusals.ts"
import { type RequestError, RequestTimeout, Unavailable } from "./RequestError.ts"

/** What a client waits for: the value, or why there is none. */
export interface Waiter<R, A> {
  readonly succeed: (value: R | A | undefined) => void
  readonly fail: (error: RequestError) => void
}

export type Submission = Uint8Array | Amendment

/** What is to be submitted again, perhaps under a new name. */
export interface Resubmission {
  readonly request: RequestId
  readonly command: Submission
}

interface Waiting<R, A> {
  /** What may be logged: a command's bytes, or an amendment. `undefined` for a query, which the core asks again by itself. */
  readonly command: Submission | undefined
  readonly waiter: Waiter<R, A>
  readonly deadline: number
  /** In the mailbox, and not reduced yet. It is there once at most. */
  queued: boolean
  /** Whether a leader has been given it: from then on its outcome may be unknown. */
  mayBeLogged: boolean
  resubmitAt: number
  patienceMillis: number
}

export interface WaitingLimits {
  /** Beyond so many requests without an answer, and bytes of commands among them, further ones are refused. */
  readonly maxWaitingRequests: number
  readonly maxWaitingBytes: number
}

export const defaultWaitingLimits: WaitingLimits = {
  maxWaitingRequests: 65_536,
  maxWaitingBytes: 256 * 1024 * 1024
}

export interface RequestsOptions {
  readonly replica: ReplicaId
  readonly incarnation: number
  readonly timeoutMillis: number
  /** How long a command waits before it is first submitted again to the same leader. */
  readonly patienceMillis: number
  readonly limits: WaitingLimits
}

export class Requests<R, A> {
  /** By sequence number, oldest first: a `Map` keeps the order of insertion. */
  private readonly waiting = new Map<number, Waiting<R, A>>()
  private sequence = 0
  private bytes = 0
  private readonly options: RequestsOptions

  constructor(options: RequestsOptions) {
    this.options = options
  }

  get size(): number {
    return this.waiting.size
  }

  /** Which limit keeps another request from waiting, if one does. */
  full(command: Submission | undefined): keyof WaitingLimits | undefined {
    const { maxWaitingRequests, maxWaitingBytes } = this.options.limits
    if (this.waiting.size >= maxWaitingRequests) return "maxWaitingRequests"
    return this.bytes + sizeOf(command) > maxWaitingBytes ? "maxWaitingBytes" : undefined
  }

  add(command: Submission | undefined, waiter: Waiter<R, A>, now: number): RequestId {
    const { timeoutMillis, patienceMillis } = this.options
    return this.put({
      command,
      waiter,
      deadline: now + timeoutMillis,
      queued: true,
      mayBeLogged: false,
      resubmitAt: now + patienceMillis,
      patienceMillis
    })
  }

  private put(request: Waiting<R, A>): RequestId {
    const { replica, incarnation } = this.options
    this.waiting.set(++this.sequence, request)
    this.bytes += sizeOf(request.command)
    return { replica, incarnation, sequence: this.sequence }
  }

  /** It is out of the mailbox, to be reduced; false where nobody waits for it any more. */
  take(request: RequestId): boolean {
    const waiting = this.waiting.get(request.sequence)
    if (waiting !== undefined) waiting.queued = false
    return waiting !== undefined
  }

  /** The client is gone, or was never taken on. */
  remove(request: RequestId): void {
    this.delete(request.sequence)
  }

  private delete(sequence: number): void {
    this.bytes -= sizeOf(this.waiting.get(sequence)?.command)
    this.waiting.delete(sequence)
  }

  /** A leader has been given the command, or is about to be. */
  onSubmitted(request: RequestId): void {
    const waiting = this.waiting.get(request.sequence)
    if (waiting !== undefined) waiting.mayBeLogged = true
  }

  /** An answer. Gives the command to submit under a new name, if that is what it comes to. */
  onReply(request: RequestId, outcome: Outcome<R, A>): Resubmission | undefined {
    const waiting = this.waiting.get(request.sequence)
    if (waiting === undefined) return undefined
    if (saysNothing(outcome, waiting.mayBeLogged)) return undefined
    this.delete(request.sequence)
    switch (outcome._tag) {
      case "Applied":
        waiting.waiter.succeed(outcome.result)
        return undefined
      case "Answered":
        waiting.waiter.succeed(outcome.answer)
        return undefined
      case "Amended":
        waiting.waiter.succeed(undefined)
        return undefined
      case "Superseded":
        return waiting.command === undefined
          ? undefined
          : { request: this.put({ ...waiting, queued: true, mayBeLogged: false }), command: waiting.command }
      case "Refused":
        waiting.waiter.fail(refusal(outcome.reason, waiting.mayBeLogged))
        return undefined
      case "Declined":
        waiting.waiter.fail(refusal(outcome.reason, true))
        return undefined
    }
  }

  /** All commands that wait, oldest first, for a leader that has just become known. */
  commands(now: number): Array<Resubmission> {
    return this.resubmit(() => true, now)
  }

  /** Commands that have waited too long for an answer: perhaps the message was lost. */
  overdue(now: number): Array<Resubmission> {
    return this.resubmit((waiting) => waiting.resubmitAt <= now, now)
  }

  private resubmit(when: (waiting: Waiting<R, A>) => boolean, now: number): Array<Resubmission> {
    const { replica, incarnation } = this.options
    const again: Array<Resubmission> = []
    for (const [sequence, waiting] of this.waiting) {
      // Of two copies in one batch a leader could log the first and refuse the second, which says that nothing was done.
      if (waiting.command === undefined || waiting.queued || !when(waiting)) continue
      waiting.queued = true
      waiting.patienceMillis *= 2
      waiting.resubmitAt = now + waiting.patienceMillis
      again.push({ request: { replica, incarnation, sequence }, command: waiting.command })
    }
    return again
  }

  /** Fails what has waited longer than it was given. Gives how many. */
  expire(now: number): number {
    let expired = 0
    for (const [sequence, waiting] of this.waiting) {
      if (waiting.deadline > now) continue
      this.delete(sequence)
      const outcomeUnknown = waiting.command !== undefined && waiting.mayBeLogged
      const { timeoutMillis } = this.options
      const message = `no answer within ${timeoutMillis} ms${outcomeUnknown ? "; the write may still be applied" : ""}`
      waiting.waiter.fail(new RequestTimeout({ message, timeoutMillis, outcomeUnknown }))
      expired++
    }
    return expired
  }

  /**
   * A snapshot has been installed that was made after this replica's request `upTo` was applied. What a leader
   * was given up to there may be in it or not, and nothing will ever tell. What no leader was given is
   * submitted all the same, to hear that its name has been passed over.
   */
  onInstalled(upTo: RequestId | undefined): void {
    if (upTo === undefined) return
    const { replica, incarnation } = this.options
    if (upTo.replica !== replica || upTo.incarnation !== incarnation) return
    for (const [sequence, { command, mayBeLogged, waiter }] of this.waiting) {
      if (sequence > upTo.sequence || command === undefined || !mayBeLogged) continue
      this.delete(sequence)
      waiter.fail(
        new Unavailable({
          message:
            "this replica was behind and took over the leader's snapshot, which does not tell what became of the write; " +
            "it may have been applied",
          outcomeUnknown: true
        })
      )
    }
  }

  /** No outcome will be known here: no majority is in reach, or the replica ends. */
  abandon(why: string): void {
    const all = [...this.waiting.values()]
    this.waiting.clear()
    this.bytes = 0
    for (const { command, mayBeLogged, waiter } of all) {
      const outcomeUnknown = command !== undefined && mayBeLogged
      waiter.fail(
        new Unavailable({ message: why + (outcomeUnknown ? "; the write may still be applied" : ""), outcomeUnknown })
      )
    }
  }
}

const sizeOf = (command: Submission | undefined): number => (command instanceof Uint8Array ? command.length : 0)
