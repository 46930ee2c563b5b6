/** One connection of a watch: to whichever endpoint takes it, until it ends. */
import { Effect, Exit, Scope } from "effect"
import { type ClientError, UnexpectedAnswer } from "./ClientError.ts"
import type { Endpoint } from "./Endpoint.ts"
import * as Failover from "./Failover.ts"
import type { Cluster } from "./Gateway.ts"
import * as HttpLines from "./HttpLines.ts"
import type { Keys } from "./KeyRange.ts"
import * as Liveness from "./Liveness.ts"
import { encodeKeys, flag, integer } from "./RangeRequest.ts"
import { judge } from "./Verdict.ts"
import * as Ending from "./WatchEnding.ts"
import { parse, type WatchResponse } from "./WatchResponse.ts"

export interface WatchOptions {
  /** The first revision to be seen; if nothing is said, the one after that of the store when the watch begins. */
  readonly startRevision?: number | undefined
  /** Events have what was there before. */
  readonly previous?: boolean | undefined
  /** Only events of one kind. */
  readonly only?: "puts" | "deletes" | undefined
  /** Bookmarks come when nothing happens, as often as the server is set to (etcd: every ten minutes). */
  readonly progress?: boolean | undefined
  /** The server may send what is large in parts; true if nothing is said. They are put together again. */
  readonly fragment?: boolean | undefined
  /** How long it may be without a connection before it fails; for ever if nothing is said. The first has the client's timeout. */
  readonly reconnectMillis?: number | undefined
  /** Told of connections that end and of those that take their place, for whoever wants to know; the events are complete without. */
  readonly notice?: ((notice: WatchNotice) => Effect.Effect<void>) | undefined
}

export type WatchNotice =
  | { readonly _tag: "Broken"; readonly endpoint: Endpoint; readonly reason: string }
  /** `nextRevision` is the first that it may bring. */
  | { readonly _tag: "Resumed"; readonly endpoint: Endpoint; readonly nextRevision: number }

export interface WatchRequest {
  readonly keys: Keys
  readonly options: WatchOptions
  readonly nextRevision: number | undefined
  readonly isFirst: boolean
  readonly avoid: Endpoint | undefined
}

type Passed = Exclude<WatchResponse, { readonly _tag: "Canceled" | "Failed" | "Unreadable" }>

export type Received =
  | {
      readonly _tag: "Received"
      readonly responses: ReadonlyArray<Passed>
      /** Why there will be no more: on this connection, or on any. */
      readonly ended: Ending.Broken | ClientError | undefined
    }
  | Ending.Broken

export interface WatchConnection {
  readonly endpoint: Endpoint
  readonly next: Effect.Effect<Received, ClientError>
  readonly close: Effect.Effect<void>
}

/** Lasts until it is closed, or the scope is. */
export const connect = (
  cluster: Cluster,
  scope: Scope.Scope,
  request: WatchRequest
): Effect.Effect<WatchConnection, ClientError> => {
  const { isFirst, options, avoid } = request
  const body = JSON.stringify({ create_request: encode(request) })
  const totalMillis = isFirst ? cluster.timeoutMillis : (options.reconnectMillis ?? Number.POSITIVE_INFINITY)
  const limits = { write: false, totalMillis, maxShareMillis: cluster.timeoutMillis, avoid }
  const connecting = isFirst ? cluster : { ...cluster, backoff: cluster.backoff ?? patience }
  return Failover.first(connecting, limits, (endpoint, { shareMillis }) =>
    open(cluster, scope, { endpoint, body, isFirst, timeoutMillis: shareMillis })
  )
}

/** A watch that has begun does not give up after one round. */
const patience = { firstMillis: 50, maxMillis: 1000 }

const encode = ({ keys, options, nextRevision }: WatchRequest) => ({
  ...encodeKeys(keys),
  ...integer("start_revision", nextRevision),
  ...flag("prev_kv", options.previous),
  ...flag("progress_notify", options.progress),
  ...flag("fragment", options.fragment ?? true),
  ...(options.only === undefined ? {} : { filters: [options.only === "puts" ? "NODELETE" : "NOPUT"] })
})

interface Opening {
  readonly endpoint: Endpoint
  readonly body: string
  readonly isFirst: boolean
  readonly timeoutMillis: number
}

const open = Effect.fnUntraced(function* (
  cluster: Cluster,
  parent: Scope.Scope,
  { endpoint, body, isFirst, timeoutMillis }: Opening
): Effect.fn.Return<Failover.Tried<WatchConnection>, ClientError> {
  const scope = yield* Scope.fork(parent)
  const close = Scope.close(scope, Exit.void)
  // A member that loses its leader ends the watch, instead of being silent for as long as it is cut off.
  const headers = { ...cluster.headers, "grpc-metadata-hasleader": "true" }
  const request = { endpoint, path: "/v3/watch", body, headers, timeoutMillis }
  const opened = yield* Scope.provide(HttpLines.open(request), scope)
  if (opened._tag !== "Opened") {
    yield* close
    const verdict = judge(endpoint, opened, false)
    if (verdict._tag === "Stop") {
      const { error } = verdict
      // Where one server is gone, all who watched there come to the others at once.
      if (isFirst || error._tag !== "RequestRefused" || error.kind !== "Exhausted") return yield* error
      return { _tag: "GoOn", attempt: { endpoint, kind: "NoQuorum", reason: error.reason }, isOpen: false }
    }
    if (verdict._tag === "GoOn") return verdict
    return yield* new UnexpectedAnswer({ endpoint, reason: "a watch was asked for" })
  }
  const next = nextOf(endpoint, opened)
  const reason = `no watch within ${timeoutMillis / 1000} s`
  const silent = Effect.succeed<Received>({ _tag: "Broken", reason })
  const created = yield* Effect.timeoutOrElse(next, { duration: timeoutMillis, orElse: () => silent })
  if (created._tag === "Broken") {
    yield* close
    if (isFirst && created.refusal !== undefined) return yield* created.refusal
    const kind = created.reason === reason ? "TimedOut" : "Broken"
    return { _tag: "GoOn", attempt: { endpoint, kind, reason: created.reason }, isOpen: false }
  }
  const living = orLeft(next, Liveness.untilDead(cluster, endpoint))
  return { _tag: "Done", value: { endpoint, close, next: beginningWith(created, living) } }
})

/** Only while somebody waits for more: who is slow is not told that the server is. */
const orLeft = (next: WatchConnection["next"], dead: Effect.Effect<string>): WatchConnection["next"] =>
  Effect.raceFirst(
    next,
    Effect.map(dead, (reason): Received => ({ _tag: "Broken", reason }))
  )

const beginningWith = (first: Received, next: WatchConnection["next"]): WatchConnection["next"] => {
  let waiting: Received | undefined = first
  return Effect.suspend(() => {
    const received = waiting
    waiting = undefined
    return received === undefined ? next : Effect.succeed(received)
  })
}

const nextOf = (endpoint: Endpoint, opened: HttpLines.Opened): WatchConnection["next"] =>
  Effect.matchEffect(opened.next, {
    onSuccess: (lines): Effect.Effect<Received> =>
      Effect.succeed(
        lines === undefined ? { _tag: "Broken", reason: "the server ended it" } : receive(endpoint, lines)
      ),
    onFailure: ({ reason, isTooLong }): Effect.Effect<Received, ClientError> =>
      isTooLong
        ? Effect.fail(new UnexpectedAnswer({ endpoint, reason: `${reason}; watch with fragment, or fewer keys` }))
        : Effect.succeed({ _tag: "Broken", reason })
  })

/** Up to what ends it. */
const receive = (endpoint: Endpoint, lines: ReadonlyArray<string>): Received => {
  const responses: Array<Passed> = []
  for (const line of lines) {
    const response = parse(line)
    switch (response._tag) {
      case "Created":
      case "Events":
      case "Progress":
        responses.push(response)
        break
      case "Canceled":
      case "Failed": {
        const ended =
          response._tag === "Failed" ? Ending.ofFailure(endpoint, response) : Ending.ofCancellation(endpoint, response)
        return ended._tag === "Broken" && responses.length === 0 ? ended : { _tag: "Received", responses, ended }
      }
      case "Unreadable": {
        const reason = `a line of a watch that is none: ${response.line}`
        return { _tag: "Received", responses, ended: new UnexpectedAnswer({ endpoint, reason }) }
      }
    }
  }
  return { _tag: "Received", responses, ended: undefined }
}
