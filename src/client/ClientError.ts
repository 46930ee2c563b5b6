/**
 * How a request to a cluster can fail. What a caller needs to know is whether a write may
 * have been applied all the same: only `OutcomeUnknown` leaves that open.
 */
import { Data, Effect } from "effect"
import { type Endpoint, show } from "./Endpoint.ts"
import { type Refusal, RequestRefused, type Unauthorized } from "./Refusal.ts"

/** What one endpoint had to say. */
export interface Attempt {
  readonly endpoint: Endpoint
  readonly kind: "NotSent" | "NoQuorum" | "TimedOut" | "Broken"
  readonly reason: string
}

const causes = (attempts: ReadonlyArray<Attempt>): string =>
  attempts.map(({ endpoint, reason }) => `${show(endpoint)} ${reason}`).join("; ")

/** Nobody could do it, and nothing was done: no endpoint in reach, or none with a majority. */
export class ClusterUnavailable extends Data.TaggedError("ClusterUnavailable")<{
  readonly write: boolean
  readonly attempts: ReadonlyArray<Attempt>
}> {
  override get message(): string {
    return `no endpoint could do it (${causes(this.attempts)})${this.write ? "; nothing was written" : ""}`
  }
}

/** A read got no answer. */
export class ReadUnanswered extends Data.TaggedError("ReadUnanswered")<{
  readonly attempts: ReadonlyArray<Attempt>
}> {
  override get message(): string {
    return `no answer in time (${causes(this.attempts)})`
  }
}

/** A write was sent and may be applied, now or later. It was tried again only where a repetition does no harm. */
export class OutcomeUnknown extends Data.TaggedError("OutcomeUnknown")<{
  readonly attempt: Attempt
}> {
  override get message(): string {
    return `sent, but without an answer (${causes([this.attempt])}): it may have been carried out, or may still be; look before you repeat it`
  }
}

/** The client was closed before it could be asked, or while it was about it; nothing was done by it. */
export class ClientClosed extends Data.TaggedError("ClientClosed")<{}> {
  override get message(): string {
    return "the client is closed; nothing was done. Make another one: it ends with its scope, or with close()"
  }
}

/** Something answered, but not as a gateway does. */
export class UnexpectedAnswer extends Data.TaggedError("UnexpectedAnswer")<{
  readonly endpoint: Endpoint
  readonly reason: string
}> {
  override get message(): string {
    return `${show(this.endpoint)} does not answer as a gateway does (${this.reason})`
  }
}

/** What any request can come to. */
export type RequestError =
  | ClusterUnavailable
  | ReadUnanswered
  | OutcomeUnknown
  | UnexpectedAnswer
  | ClientClosed
  | Unauthorized
  | RequestRefused

/** What one can come to before it is known which refusals its kind may meet. */
export type ClientError = RequestError | Refusal

type Expected<Tag extends Refusal["_tag"]> = RequestError | Extract<Refusal, { readonly _tag: Tag }>

const always: ReadonlySet<string> = new Set<RequestError["_tag"]>([
  "ClusterUnavailable",
  "ReadUnanswered",
  "OutcomeUnknown",
  "UnexpectedAnswer",
  "ClientClosed",
  "Unauthorized",
  "RequestRefused"
])

/** Leaves the refusals that a kind of request is known for, so that its type says which to expect. */
export const expecting =
  <Tag extends Refusal["_tag"] = never>(...tags: ReadonlyArray<Tag>) =>
  <A, R>(self: Effect.Effect<A, ClientError, R>): Effect.Effect<A, Expected<Tag>, R> =>
    Effect.mapError(self, (error) => {
      const isExpected = (one: ClientError): one is Expected<Tag> =>
        always.has(one._tag) || tags.some((tag) => tag === one._tag)
      if (isExpected(error)) return error
      const { endpoint, reason } = error as Refusal
      return new RequestRefused({ endpoint, reason, status: 400, kind: "Invalid" })
    })
