/**
 * A cluster as its clients see it: endpoints in order of preference, over etcd's JSON
 * gateway. Reads go on to the next endpoint after any failure. A write goes on only when
 * it certainly was not carried out, or when a repetition does no harm; otherwise it could be applied twice.
 */
import { Effect } from "effect"
import type * as Http from "node:http"
import { type Attempt, type ClientError, OutcomeUnknown } from "./ClientError.ts"
import * as Failover from "./Failover.ts"
import { type Exchange, exchange } from "./HttpExchange.ts"
import { judge, type Verdict } from "./Verdict.ts"

export interface Cluster extends Failover.Endpoints {
  /** For a whole request, all endpoints together. */
  readonly timeoutMillis: number
  /** Keeps connections open between requests. */
  readonly agent?: Http.Agent | undefined
  /** With every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** All endpoints are Balsa's, which carries a put or a delete out once under its `Idempotency-Key`: those may be repeated. */
  readonly idempotencyKeys?: boolean | undefined
  /** A watch that is silent for so long asks whether its endpoint is still there; 10 s if nothing is said. */
  readonly quietMillis?: number | undefined
}

export interface GatewayRequest {
  readonly path: string
  readonly body: object
  readonly write: boolean
  /** A write that has the same effect when it is carried out twice, so that it may be sent again. */
  readonly repeatable?: boolean | undefined
  readonly idempotencyKey?: string | undefined
}

type Done = Extract<Verdict, { readonly _tag: "Done" }>

export const ask = (cluster: Cluster, request: GatewayRequest): Effect.Effect<Done, ClientError> =>
  Effect.suspend(() => {
    const limits = { write: request.write, totalMillis: cluster.timeoutMillis }
    return Failover.first(cluster, limits, tryOneWith(cluster, request))
  })

const tryOneWith = (cluster: Cluster, request: GatewayRequest): Failover.TryOne<Done, never> => {
  const body = JSON.stringify(request.body)
  const stopsUnanswered = request.write && request.repeatable !== true
  let open: Attempt | undefined
  return Effect.fnUntraced(function* (endpoint, { shareMillis, remainingMillis }) {
    const answer = yield* exchange({
      endpoint,
      method: "POST",
      path: request.path,
      body,
      agent: cluster.agent,
      headers: headersOf(cluster, request),
      connectMillis: shareMillis,
      // A write that was sent gets all that is left: leaving it early would lose its outcome.
      totalMillis: stopsUnanswered ? remainingMillis : shareMillis
    })
    const verdict = judge(endpoint, answer, stopsUnanswered)
    switch (verdict._tag) {
      case "Done":
        return { _tag: "Done", value: verdict }
      case "GoOn":
        if (verdict.isOpen) open = verdict.attempt
        return verdict
      case "Stop":
        // What is refused now may have been done under the same name before.
        if (request.idempotencyKey !== undefined && open !== undefined)
          return yield* new OutcomeUnknown({ attempt: open })
        return yield* verdict.error
    }
  })
}

const headersOf = ({ headers }: Cluster, { idempotencyKey }: GatewayRequest): Readonly<Record<string, string>> => ({
  ...headers,
  ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey })
})

/** How old an answer from one replica may be, as Balsa says itself. */
export interface Staleness {
  readonly appliedIndex: number
  /** `undefined` when it knows no leader: nobody can tell. */
  readonly leaderHeardMillis: number | undefined
}

type Headers = Extract<Exchange, { readonly _tag: "Answered" }>["headers"]

export const stalenessIn = (headers: Headers): Staleness | undefined => {
  const { "balsa-applied-index": appliedIndex, "balsa-leader-heard-millis": heard } = headers
  if (appliedIndex === undefined) return undefined
  return { appliedIndex: Number(appliedIndex), leaderHeardMillis: heard === undefined ? undefined : Number(heard) }
}
