/**
 * A cluster as its clients see it: endpoints in order of preference, over etcd's JSON
 * gateway. Reads go on to the next endpoint after any failure. A write goes on only when
 * it certainly was not carried out; otherwise it could be applied twice.
 */
import { Clock, Effect } from "effect"
import {
  type Attempt,
  type ClientError,
  ClusterUnavailable,
  OutcomeUnknown,
  ReadUnanswered,
  RequestRefused,
  UnexpectedAnswer
} from "./ClientError.ts"
import type { Endpoint } from "./Endpoint.ts"
import * as Json from "./GatewayJson.ts"
import { type Exchange, exchange } from "./HttpExchange.ts"

export interface Cluster {
  readonly endpoints: ReadonlyArray<Endpoint>
  /** For a whole request, all endpoints together. */
  readonly timeoutMillis: number
}

type Answered = Extract<Exchange, { readonly _tag: "Answered" }>

interface GatewayRequest {
  readonly path: string
  readonly body: object
  readonly write: boolean
  readonly idempotencyKey?: string | undefined
}

/**
 * Under one `idempotencyKey` a Balsa cluster carries a put out once, however often it is sent. etcd does not know
 * the header, nor does a Balsa of before it, so nothing is sent again by itself.
 */
export const put = (
  cluster: Cluster,
  key: Uint8Array,
  value: Uint8Array,
  idempotencyKey?: string
): Effect.Effect<Json.PutAnswer, ClientError> =>
  Effect.map(
    ask(cluster, {
      path: "/v3/kv/put",
      body: { key: Json.toBase64(key), value: Json.toBase64(value) },
      write: true,
      idempotencyKey
    }),
    ({ body }) => ({ revision: Json.revisionOf(body) })
  )

export const range = (
  cluster: Cluster,
  keys: Json.KeyRange,
  options: { readonly limit: number; readonly stale: boolean }
): Effect.Effect<Json.RangeAnswer & { readonly staleness: Staleness | undefined }, ClientError> =>
  Effect.map(
    ask(cluster, {
      path: "/v3/kv/range",
      body: {
        ...Json.encodeRange(keys),
        ...(options.limit > 0 ? { limit: String(options.limit) } : {}),
        ...(options.stale ? { serializable: true } : {})
      },
      write: false
    }),
    ({ body, headers }) => ({ ...Json.decodeRange(body), staleness: stalenessIn(headers) })
  )

/** How old an answer from one replica may be, as it says itself. */
export interface Staleness {
  readonly appliedIndex: number
  /** `undefined` when it knows no leader: nobody can tell. */
  readonly leaderHeardMillis: number | undefined
}

const stalenessIn = (headers: Answered["headers"]): Staleness | undefined => {
  const { "balsa-applied-index": appliedIndex, "balsa-leader-heard-millis": heard } = headers
  if (appliedIndex === undefined) return undefined
  return { appliedIndex: Number(appliedIndex), leaderHeardMillis: heard === undefined ? undefined : Number(heard) }
}

export const deleteRange = (cluster: Cluster, keys: Json.KeyRange): Effect.Effect<Json.DeleteAnswer, ClientError> =>
  Effect.map(ask(cluster, { path: "/v3/kv/deleterange", body: Json.encodeRange(keys), write: true }), ({ body }) =>
    Json.decodeDelete(body)
  )

/** What one endpoint's answer means for the whole request. */
export type Verdict =
  | {
      readonly _tag: "Done"
      readonly body: NonNullable<ReturnType<typeof Json.parse>>
      readonly headers: Answered["headers"]
    }
  | { readonly _tag: "Stop"; readonly error: ClientError }
  | { readonly _tag: "GoOn"; readonly attempt: Attempt }

export const ask = Effect.fnUntraced(function* (cluster: Cluster, request: GatewayRequest) {
  const deadline = (yield* Clock.currentTimeMillis) + cluster.timeoutMillis
  const body = JSON.stringify(request.body)
  const attempts: Array<Attempt> = []
  for (const [at, endpoint] of cluster.endpoints.entries()) {
    const remaining = Math.max(1, deadline - (yield* Clock.currentTimeMillis))
    // An endpoint that hangs may use up its share, so that the others get theirs. A write
    // that was sent gets all that is left: leaving it early would lose its outcome.
    const share = remaining / (cluster.endpoints.length - at)
    const answer = yield* exchange({
      endpoint,
      method: "POST",
      path: request.path,
      body,
      ...(request.idempotencyKey === undefined ? {} : { headers: { "idempotency-key": request.idempotencyKey } }),
      connectMillis: share,
      totalMillis: request.write ? remaining : share
    })
    const verdict = judge(endpoint, answer, request.write)
    if (verdict._tag === "Done") return verdict
    if (verdict._tag === "Stop") return yield* verdict.error
    attempts.push(verdict.attempt)
  }
  return yield* exhausted(attempts, request.write)
})

/** Every endpoint was asked, and none did it. */
export const exhausted = (attempts: ReadonlyArray<Attempt>, write: boolean): ClientError => {
  const unanswered = attempts.some(({ kind }) => kind === "TimedOut" || kind === "Broken")
  const refused = attempts.some(({ kind }) => kind === "NoQuorum")
  return unanswered && !refused ? new ReadUnanswered({ attempts }) : new ClusterUnavailable({ write, attempts })
}

export const judge = (endpoint: Endpoint, answer: Exchange, write: boolean): Verdict => {
  switch (answer._tag) {
    case "NotSent":
      return { _tag: "GoOn", attempt: { endpoint, kind: "NotSent", reason: answer.reason } }
    case "Unanswered": {
      const attempt: Attempt = { endpoint, kind: answer.timedOut ? "TimedOut" : "Broken", reason: answer.reason }
      return write ? { _tag: "Stop", error: new OutcomeUnknown({ attempt }) } : { _tag: "GoOn", attempt }
    }
    case "Answered": {
      const body = Json.parse(answer.body)
      if (answer.status === 200 && body !== undefined) return { _tag: "Done", body, headers: answer.headers }
      return judgeRefusal(endpoint, answer.status, body, write)
    }
  }
}

/** google.rpc.Code, as the gateway's errors carry it. */
const Code = { DeadlineExceeded: 4, PermissionDenied: 7, ResourceExhausted: 8, Unavailable: 14, Unauthenticated: 16 }

const codeOf = (status: number, body: ReturnType<typeof Json.parse>): number | undefined => {
  if (typeof body?.["code"] === "number") return body["code"]
  if (status === 503) return Code.Unavailable
  if (status === 504) return Code.DeadlineExceeded
  if (status === 429) return Code.ResourceExhausted
  if (status === 401) return Code.Unauthenticated
  return status === 403 ? Code.PermissionDenied : undefined
}

const judgeRefusal = (
  endpoint: Endpoint,
  status: number,
  body: ReturnType<typeof Json.parse>,
  write: boolean
): Verdict => {
  const code = codeOf(status, body)
  const message = Json.text(body?.["message"] ?? body?.["error"], `HTTP status ${status}`)
  const reason = typeof body?.["reason"] === "string" ? body["reason"] : message
  const timedOut = code === Code.DeadlineExceeded || message.includes("timed out")
  const attempt: Attempt = { endpoint, kind: timedOut ? "TimedOut" : "NoQuorum", reason }
  if (write && body?.["outcome_unknown"] === true) return { _tag: "Stop", error: new OutcomeUnknown({ attempt }) }
  const refused = (kind: RequestRefused["kind"]): Verdict => ({
    _tag: "Stop",
    error: new RequestRefused({ endpoint, status, reason, kind })
  })
  switch (code) {
    case Code.Unavailable:
    case Code.DeadlineExceeded:
      return write && !certainlyNotApplied(body, message)
        ? { _tag: "Stop", error: new OutcomeUnknown({ attempt }) }
        : { _tag: "GoOn", attempt }
    case Code.ResourceExhausted:
      // Too large is too large: no later time is better.
      return refused(status === 413 ? "Invalid" : "Exhausted")
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return refused("Unauthorized")
    default:
      return typeof body?.["message"] === "string"
        ? refused(status < 500 ? "Invalid" : "Other")
        : {
            _tag: "Stop",
            error: new UnexpectedAnswer({ endpoint, reason: `HTTP status ${status}, and not a gateway's answer` })
          }
  }
}

/**
 * A Balsa replica gives its reason, and says so when the outcome is open. From anything else
 * (etcd, a proxy in between) only "no leader" is proof that a write was not carried out.
 */
const certainlyNotApplied = (body: ReturnType<typeof Json.parse>, message: string): boolean =>
  typeof body?.["reason"] === "string" || message.includes("no leader")
