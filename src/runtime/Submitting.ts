/** How a request gets into the mailbox, or why it does not: with an answer at once, and nothing done. */
import type { RequestId } from "../raft/LogEntry.ts"
import type { RaftEvent } from "../raft/RaftEvent.ts"
import type { DiskWatch } from "./DiskWatch.ts"
import { defaultLimits, type Mailbox, type MailboxLimits } from "./Mailbox.ts"
import { diskFull, diskStuck } from "./Refusals.ts"
import { type RequestError, ResourceExhausted, Unavailable } from "./RequestError.ts"
import { defaultWaitingLimits, type Requests, type Submission, type Waiter, type WaitingLimits } from "./Requests.ts"

export interface ReplicatedLimits extends MailboxLimits, WaitingLimits {
  /** A longer command is refused: it must fit into one message between replicas with room to spare. */
  readonly maxCommandBytes: number
}

export const defaultReplicatedLimits: ReplicatedLimits = {
  ...defaultLimits,
  ...defaultWaitingLimits,
  maxCommandBytes: 16 * 1024 * 1024
}

export interface SubmittingOptions<R, Q, A, S> {
  readonly requests: Requests<R, A>
  readonly mailbox: Mailbox<RaftEvent<Uint8Array, Q, S>>
  readonly disk: Pick<DiskWatch, "isFull" | "isStuck">
  readonly limits: ReplicatedLimits
  readonly now: () => RaftEvent<Uint8Array, Q, S>["at"]
  readonly hasEnded: () => boolean
}

/** A command's bytes or an amendment, or else a query. `undefined` where it is refused at once. */
export type Submit<R, Q, A> = (
  command: Submission | undefined,
  query: Q | undefined,
  waiter: Waiter<R, A>
) => RequestId | undefined

export const make =
  <R, Q, A, S>({ requests, mailbox, disk, limits, now, hasEnded }: SubmittingOptions<R, Q, A, S>): Submit<R, Q, A> =>
  (command, query, waiter) => {
    // Nobody takes out of the mailbox any more, and nobody looks for requests that are late.
    if (hasEnded()) return refuse(waiter, new Unavailable({ message: "this replica has ended", outcomeUnknown: false }))
    if (command instanceof Uint8Array && command.length > limits.maxCommandBytes) {
      return refuse(waiter, exhausted(`a command of ${command.length} bytes is longer than may be`, "maxCommandBytes"))
    }
    // The loop may be waiting for room just now, and could not refuse it.
    if (command === undefined && disk.isStuck()) return refuse(waiter, diskStuck())
    if (command !== undefined && disk.isFull()) return refuse(waiter, diskFull("this replica"))
    const full = requests.full(command)
    if (full !== undefined) return refuse(waiter, exhausted("too many requests wait for an answer; try later", full))
    const at = now()
    const request = requests.add(command, waiter, at)
    const event =
      command === undefined
        ? ({ _tag: "QuerySubmitted", at, request, query: query as Q } as const)
        : command instanceof Uint8Array
          ? ({ _tag: "CommandSubmitted", at, request, command } as const)
          : ({ _tag: "AmendmentSubmitted", at, request, amendment: command } as const)
    if (mailbox.offerRequest(event)) return request
    requests.remove(request)
    return refuse(waiter, exhausted("too many requests came at once; try later", "maxMailboxRequests"))
  }

const refuse = <R, A>(waiter: Waiter<R, A>, error: RequestError): undefined => {
  waiter.fail(error)
  return undefined
}

const exhausted = (message: string, limit: string): ResourceExhausted =>
  new ResourceExhausted({ message: `${message} (${limit})`, limit, outcomeUnknown: false })
