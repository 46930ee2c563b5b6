/**
 * A cluster as its clients see it: endpoints in order of preference, over etcd's JSON
 * gateway. Reads go on to the next endpoint after any failure. A write goes on only when
 * it certainly was not carried out, or when a repetition does no harm; otherwise it could be applied twice.
 */
import { Clock, Effect, Ref } from "effect"
import type * as Http from "node:http"
import * as Backoff from "./Backoff.ts"
import { type Attempt, type ClientError, ClusterUnavailable, OutcomeUnknown, ReadUnanswered } from "./ClientError.ts"
import { type Endpoint, equals } from "./Endpoint.ts"
import { type Exchange, exchange } from "./HttpExchange.ts"
import { judge, type Verdict } from "./Verdict.ts"

export interface Cluster {
  readonly endpoints: ReadonlyArray<Endpoint>
  /** For a whole request, all endpoints together. */
  readonly timeoutMillis: number
  /** Without one, every endpoint is tried once; with it, again and again until the time is up. */
  readonly backoff?: Backoff.Backoff | undefined
  /** Who answered last, and is asked first. */
  readonly preferred?: Ref.Ref<Endpoint | undefined> | undefined
  /** Keeps connections open between requests. */
  readonly agent?: Http.Agent | undefined
  /** With every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** All endpoints are Balsa's, which carries a put or a delete out once under its `Idempotency-Key`: those may be repeated. */
  readonly idempotencyKeys?: boolean | undefined
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

export const ask = Effect.fnUntraced(function* (
  cluster: Cluster,
  request: GatewayRequest
): Effect.fn.Return<Done, ClientError> {
  const deadline = (yield* Clock.currentTimeMillis) + cluster.timeoutMillis
  const body = JSON.stringify(request.body)
  let open: Attempt | undefined
  for (let round = 0; ; round++) {
    const result = yield* askEach(cluster, request, body, deadline)
    if (result._tag === "Done") return result
    open = result.open ?? open
    const pause = cluster.backoff && (yield* Backoff.pause(cluster.backoff, round))
    if (pause === undefined || (yield* Clock.currentTimeMillis) + pause >= deadline) {
      if (request.write && open !== undefined) return yield* new OutcomeUnknown({ attempt: open })
      return yield* exhausted(result.attempts, request.write)
    }
    yield* Effect.sleep(pause)
  }
})

interface Failed {
  readonly _tag: "Failed"
  readonly attempts: ReadonlyArray<Attempt>
  /** One after which a write may have been carried out. */
  readonly open: Attempt | undefined
}

/** One round. */
const askEach = Effect.fnUntraced(function* (
  cluster: Cluster,
  request: GatewayRequest,
  body: string,
  deadline: number
): Effect.fn.Return<Done | Failed, ClientError> {
  const attempts: Array<Attempt> = []
  let open: Attempt | undefined
  const endpoints = yield* inOrder(cluster)
  const stopsUnanswered = request.write && request.repeatable !== true
  for (const [at, endpoint] of endpoints.entries()) {
    const remaining = Math.max(1, deadline - (yield* Clock.currentTimeMillis))
    // An endpoint that hangs may use up its share, so that the others get theirs. A write
    // that was sent gets all that is left: leaving it early would lose its outcome.
    const share = remaining / (endpoints.length - at)
    const answer = yield* exchange({
      endpoint,
      method: "POST",
      path: request.path,
      body,
      agent: cluster.agent,
      headers: headersOf(cluster, request),
      connectMillis: share,
      totalMillis: stopsUnanswered ? remaining : share
    })
    const verdict = judge(endpoint, answer, stopsUnanswered)
    if (verdict._tag === "Done") {
      yield* prefer(cluster, endpoint)
      return verdict
    }
    if (verdict._tag === "Stop") return yield* verdict.error
    attempts.push(verdict.attempt)
    if (verdict.isOpen) open = verdict.attempt
  }
  return { _tag: "Failed", attempts, open }
})

const headersOf = ({ headers }: Cluster, { idempotencyKey }: GatewayRequest): Readonly<Record<string, string>> => ({
  ...headers,
  ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey })
})

/** Whoever answered last comes first: to ask one that is dead again each time would cost its timeout each time. */
export const inOrder = ({ endpoints, preferred }: Cluster): Effect.Effect<ReadonlyArray<Endpoint>> => {
  if (preferred === undefined) return Effect.succeed(endpoints)
  return Effect.map(Ref.get(preferred), (first) =>
    first === undefined ? endpoints : [first, ...endpoints.filter((endpoint) => !equals(endpoint, first))]
  )
}

export const prefer = ({ preferred }: Cluster, endpoint: Endpoint): Effect.Effect<void> =>
  preferred === undefined ? Effect.void : Ref.set(preferred, endpoint)

/** Every endpoint was asked, and none did it. */
export const exhausted = (attempts: ReadonlyArray<Attempt>, write: boolean): ClientError => {
  const unanswered = attempts.some(({ kind }) => kind === "TimedOut" || kind === "Broken")
  const refused = attempts.some(({ kind }) => kind === "NoQuorum")
  return unanswered && !refused ? new ReadUnanswered({ attempts }) : new ClusterUnavailable({ write, attempts })
}

/** How old an answer from one replica may be, as Balsa says itself. */
export interface Staleness {
  readonly appliedIndex: number
  /** `undefined` when it knows no leader: nobody can tell. */
  readonly leaderHeardMillis: number | undefined
}

export const stalenessIn = (
  headers: Extract<Exchange, { readonly _tag: "Answered" }>["headers"]
): Staleness | undefined => {
  const { "balsa-applied-index": appliedIndex, "balsa-leader-heard-millis": heard } = headers
  if (appliedIndex === undefined) return undefined
  return { appliedIndex: Number(appliedIndex), leaderHeardMillis: heard === undefined ? undefined : Number(heard) }
}
