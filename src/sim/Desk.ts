/**
 * Where a replica's clients wait, as its runtime keeps them: requests by sequence. It
 * submits again when a leader is known or an answer is overdue, under the same name;
 * after `Superseded` under a new one; and gives up when no majority is in reach.
 * A restart forgets it all.
 */
import type { Amendment } from "../raft/Amendment.ts"
import type { ReplicaId, RequestId } from "../raft/LogEntry.ts"
import type { Operation } from "./Operation.ts"
import type { AnyEffect } from "./Subject.ts"

export interface Desk {
  readonly replica: ReplicaId
  readonly incarnation: number
  sequence: number
  /** In the order of their sequence numbers. */
  readonly waiting: Map<number, Waiting>
}

export interface Waiting {
  readonly operation: Operation
  readonly request: RequestId
  /** When it was last submitted, on the replica's clock. */
  since: number
  /** How long it then waits for an answer: longer each time. */
  patience: number
  /** More than once means that an earlier copy may be in a log somewhere. */
  submissions: number
  /** Once because another leader was known. */
  moved: boolean
}

/** An event for the replica, before it is known when it will be reduced. */
export type Submission =
  | { readonly _tag: "CommandSubmitted"; readonly request: RequestId; readonly command: unknown }
  | { readonly _tag: "QuerySubmitted"; readonly request: RequestId; readonly query: unknown }
  | { readonly _tag: "AmendmentSubmitted"; readonly request: RequestId; readonly amendment: Amendment }

export type Resolve = (operation: Operation, ending: "Done" | "Refused" | "Unknown", detail: unknown) => void

export const open = (replica: ReplicaId, incarnation: number): Desk => ({
  replica,
  incarnation,
  sequence: 0,
  waiting: new Map()
})

export const submit = (desk: Desk, operation: Operation, at: number): Submission => {
  const request = { replica: desk.replica, incarnation: desk.incarnation, sequence: ++desk.sequence }
  const waiting: Waiting = { operation, request, since: at, patience: 1, submissions: 1, moved: false }
  desk.waiting.set(request.sequence, waiting)
  return submission(waiting)
}

export const submission = ({
  operation: { kind, input },
  request
}: Pick<Waiting, "operation" | "request">): Submission => {
  switch (kind) {
    case "Command":
      return { _tag: "CommandSubmitted", request, command: input }
    case "Query":
      return { _tag: "QuerySubmitted", request, query: input }
    case "Amendment":
      return { _tag: "AmendmentSubmitted", request, amendment: input as Amendment }
  }
}

/** Commands and amendments that have waited for longer than their patience, which begins with `patience`: whatever carried them may be lost. */
export const overdue = (desk: Desk, at: number, patience: number): ReadonlyArray<Submission> => {
  const again: Array<Submission> = []
  for (const waiting of desk.waiting.values()) {
    if (waiting.operation.kind !== "Query" && at - waiting.since >= patience * waiting.patience)
      again.push(resubmit(waiting, at))
  }
  return again
}

const resubmit = (waiting: Waiting, at: number): Submission => {
  waiting.since = at
  waiting.submissions++
  waiting.patience *= 2
  return submission(waiting)
}

/** What an effect means for those who wait; gives what to submit because of it. */
export const take = (desk: Desk, effect: AnyEffect, at: number, resolve: Resolve): ReadonlyArray<Submission> => {
  switch (effect._tag) {
    case "Persist":
    case "Send":
    case "TakeSnapshot":
    case "SendChunk":
    case "StoreChunk":
      return []
    case "SnapshotInstalled":
      installed(desk, effect.upTo, resolve)
      return []
    case "LeaderChanged":
      return [...desk.waiting.values()]
        .filter((waiting) => waiting.operation.kind !== "Query")
        .map((waiting) => {
          waiting.moved = true
          return resubmit(waiting, at)
        })
    case "QuorumLost":
    case "DivergenceFound": {
      for (const { operation } of desk.waiting.values()) resolve(operation, "Unknown", effect._tag)
      desk.waiting.clear()
      return []
    }
    case "Reply":
      return reply(desk, effect, at, resolve)
  }
}

/** Up to this request some were carried out, perhaps all; their results nobody has kept. */
const installed = (desk: Desk, upTo: RequestId | undefined, resolve: Resolve): void => {
  if (upTo === undefined || upTo.incarnation !== desk.incarnation) return
  for (const [sequence, { operation }] of desk.waiting) {
    if (operation.kind !== "Command" || sequence > upTo.sequence) continue
    resolve(operation, "Unknown", "SnapshotInstalled")
    desk.waiting.delete(sequence)
  }
}

const reply = (
  desk: Desk,
  { request, outcome }: AnyEffect & { readonly _tag: "Reply" },
  at: number,
  resolve: Resolve
): ReadonlyArray<Submission> => {
  const waiting = request.incarnation === desk.incarnation ? desk.waiting.get(request.sequence) : undefined
  if (waiting === undefined) return []
  desk.waiting.delete(request.sequence)
  switch (outcome._tag) {
    case "Applied":
      resolve(waiting.operation, "Done", outcome.result)
      return []
    case "Answered":
      resolve(waiting.operation, "Done", outcome.answer)
      return []
    case "Amended":
      resolve(waiting.operation, "Done", undefined)
      return []
    case "Superseded":
      return [submit(desk, waiting.operation, at)]
    case "Declined":
      resolve(waiting.operation, "Unknown", outcome.reason)
      return []
    case "Refused":
      return refused(desk, waiting, outcome.reason, resolve)
  }
}

/** Whoever says so will not say otherwise soon. */
const final: ReadonlyArray<string> = ["NoQuorum", "Diverged", "Removed", "Outdated"]

/**
 * A copy that was submitted before may be logged and applied: then a refusal says nothing. Where
 * only a limit is reached, its answer is waited for; without a majority, or at a replica that serves
 * nobody any more, nobody can tell.
 */
const refused = (desk: Desk, waiting: Waiting, reason: string, resolve: Resolve): ReadonlyArray<Submission> => {
  if (waiting.submissions === 1) resolve(waiting.operation, "Refused", reason)
  else if (final.includes(reason) || waiting.operation.kind === "Amendment")
    resolve(waiting.operation, "Unknown", reason)
  else restore(desk, waiting)
  return []
}

/** Back among those who wait, in order. What is refused lengthens no log, so it is asked for again as soon as at first. */
const restore = (desk: Desk, waiting: Waiting): void => {
  waiting.patience = 1
  const all = [...desk.waiting, [waiting.request.sequence, waiting] as const].sort(([one], [other]) => one - other)
  desk.waiting.clear()
  for (const [sequence, one] of all) desk.waiting.set(sequence, one)
}

/** The replica is gone, and with it what it knew of its clients. */
export const close = (desk: Desk, resolve: Resolve): void => {
  for (const { operation } of desk.waiting.values()) resolve(operation, "Unknown", "Crashed")
  desk.waiting.clear()
}

export const forget = (desk: Desk, operation: Operation): void => {
  for (const [sequence, waiting] of desk.waiting) if (waiting.operation === operation) desk.waiting.delete(sequence)
}
