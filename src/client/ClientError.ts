/**
 * How a request to a cluster can fail. What a caller needs to know is whether a write may
 * have been applied all the same: only `OutcomeUnknown` leaves that open.
 */
import { Data } from "effect"
import type { Endpoint } from "./Endpoint.ts"

/** What one endpoint had to say. */
export interface Attempt {
  readonly endpoint: Endpoint
  readonly kind: "NotSent" | "NoQuorum" | "TimedOut" | "Broken"
  readonly reason: string
}

/** Nobody could do it, and nothing was done: no endpoint in reach, or none with a majority. */
export class ClusterUnavailable extends Data.TaggedError("ClusterUnavailable")<{
  readonly write: boolean
  readonly attempts: ReadonlyArray<Attempt>
}> {}

/** A read got no answer. */
export class ReadUnanswered extends Data.TaggedError("ReadUnanswered")<{
  readonly attempts: ReadonlyArray<Attempt>
}> {}

/** A write was sent and may be applied, now or later. It was not tried anywhere else. */
export class OutcomeUnknown extends Data.TaggedError("OutcomeUnknown")<{
  readonly attempt: Attempt
}> {}

/** A replica understood the request and declined it; nothing was done. */
export class RequestRefused extends Data.TaggedError("RequestRefused")<{
  readonly endpoint: Endpoint
  readonly status: number
  readonly reason: string
  readonly kind: "Invalid" | "Exhausted" | "Unauthorized" | "Other"
}> {}

/** Something answered, but not as a gateway does. */
export class UnexpectedAnswer extends Data.TaggedError("UnexpectedAnswer")<{
  readonly endpoint: Endpoint
  readonly reason: string
}> {}

export type ClientError = ClusterUnavailable | ReadUnanswered | OutcomeUnknown | RequestRefused | UnexpectedAnswer
