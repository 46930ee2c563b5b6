/**
 * How a request can fail. Each says whether a write may have been applied all the same:
 * a client that retries a write whose outcome is unknown may apply it twice.
 */
import { Schema } from "effect"

/** No majority of the cluster is in reach of this replica. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  message: Schema.String,
  /** True for a write that was under way: it may be applied later, or may have been already. */
  outcomeUnknown: Schema.Boolean
}) {}

/** The request took longer than it was given. */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>()("RequestTimeout", {
  message: Schema.String,
  timeoutMillis: Schema.Finite,
  outcomeUnknown: Schema.Boolean
}) {}

/** A named limit is reached, and trying later may help. */
export class ResourceExhausted extends Schema.TaggedError<ResourceExhausted>()("ResourceExhausted", {
  message: Schema.String,
  limit: Schema.String,
  /** Almost always false: nothing was done. True where a leader declined a write that the network may have doubled. */
  outcomeUnknown: Schema.Boolean
}) {}

/** A change of the cluster itself that cannot be made, or not now; nothing was done. */
export class AmendmentRefused extends Schema.TaggedError<AmendmentRefused>()("AmendmentRefused", {
  message: Schema.String,
  reason: Schema.String,
  outcomeUnknown: Schema.Literal(false)
}) {}

/** The cluster has not agreed on a version of its commands that has this one; nothing was done. */
export class NotUnderstood extends Schema.TaggedError<NotUnderstood>()("NotUnderstood", {
  message: Schema.String,
  /** On what it has agreed. */
  version: Schema.Finite,
  outcomeUnknown: Schema.Literal(false)
}) {}

export type RequestError = NotUnderstood | Unavailable | RequestTimeout | ResourceExhausted | AmendmentRefused
