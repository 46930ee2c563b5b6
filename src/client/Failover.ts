/**
 * One thing to do at whichever endpoint can: each in turn, and all again after a pause while there is time. Whoever answered
 * last comes first.
 */
import { Effect, Ref } from "effect"
import * as Backoff from "./Backoff.ts"
import {
  type Attempt,
  ClientClosed,
  type ClientError,
  ClusterUnavailable,
  OutcomeUnknown,
  ReadUnanswered
} from "./ClientError.ts"
import { type Endpoint, equals } from "./Endpoint.ts"
import { nowMillis } from "./MonotonicTime.ts"

export interface Endpoints {
  readonly endpoints: ReadonlyArray<Endpoint>
  /** Without one, every endpoint is tried once; with it, again and again until the time is up. */
  readonly backoff?: Backoff.Backoff | undefined
  /** Who answered last. */
  readonly preferred?: Ref.Ref<Endpoint | undefined> | undefined
  /** Nobody is asked any more. */
  readonly isClosed?: (() => boolean) | undefined
}

/** What came of one endpoint. */
export type Tried<A> =
  | { readonly _tag: "Done"; readonly value: A }
  | {
      readonly _tag: "GoOn"
      readonly attempt: Attempt
      /** A write may have been carried out. */
      readonly isOpen: boolean
    }

export interface Time {
  /** This endpoint's, so that the others get theirs if it hangs. */
  readonly shareMillis: number
  /** All that is left. */
  readonly remainingMillis: number
}

export type TryOne<A, R> = (endpoint: Endpoint, time: Time) => Effect.Effect<Tried<A>, ClientError, R>

export interface Limits {
  readonly write: boolean
  /** For everything; with `Infinity` it goes on until it is done or fails for good. */
  readonly totalMillis: number
  /** Of one endpoint, where `totalMillis` is without end. */
  readonly maxShareMillis?: number
  /** Who comes last. */
  readonly avoid?: Endpoint | undefined
}

export const first = Effect.fnUntraced(function* <A, R>(
  cluster: Endpoints,
  limits: Limits,
  tryOne: TryOne<A, R>
): Effect.fn.Return<A, ClientError, R> {
  const deadline = (yield* nowMillis) + limits.totalMillis
  let open: Attempt | undefined
  for (let round = 0; ; round++) {
    const result = yield* tryEach(cluster, limits, deadline, tryOne)
    if (result._tag === "Done") return result.value
    open = result.open ?? open
    if (cluster.isClosed?.() === true) {
      return yield* limits.write && open !== undefined ? new OutcomeUnknown({ attempt: open }) : new ClientClosed()
    }
    const pause = cluster.backoff && (yield* Backoff.pause(cluster.backoff, round))
    if (pause === undefined || (yield* nowMillis) + pause + minTryMillis >= deadline) {
      if (limits.write && open !== undefined) return yield* new OutcomeUnknown({ attempt: open })
      return yield* exhausted(result.attempts, limits.write)
    }
    yield* Effect.sleep(pause)
  }
})

/** With less than this left another round would only hide what the last one has found out. */
const minTryMillis = 20

interface Failed {
  readonly _tag: "Failed"
  readonly attempts: ReadonlyArray<Attempt>
  /** One after which a write may have been carried out. */
  readonly open: Attempt | undefined
}

/** One round. */
const tryEach = Effect.fnUntraced(function* <A, R>(
  cluster: Endpoints,
  { avoid, maxShareMillis = Number.POSITIVE_INFINITY }: Limits,
  deadline: number,
  tryOne: TryOne<A, R>
): Effect.fn.Return<Extract<Tried<A>, { readonly _tag: "Done" }> | Failed, ClientError, R> {
  const attempts: Array<Attempt> = []
  let open: Attempt | undefined
  const endpoints = yield* inOrder(cluster, avoid)
  for (const [at, endpoint] of endpoints.entries()) {
    if (cluster.isClosed?.() === true) break
    const remainingMillis = Math.max(1, deadline - (yield* nowMillis))
    const shareMillis = Math.min(maxShareMillis, remainingMillis / (endpoints.length - at))
    const tried = yield* tryOne(endpoint, { shareMillis, remainingMillis })
    if (tried._tag === "Done") {
      if (cluster.preferred !== undefined) yield* Ref.set(cluster.preferred, endpoint)
      return tried
    }
    attempts.push(tried.attempt)
    if (tried.isOpen) open = tried.attempt
  }
  return { _tag: "Failed", attempts, open }
})

/** To ask one that is dead first each time would cost its timeout each time. */
const inOrder = Effect.fnUntraced(function* (
  { endpoints, preferred }: Endpoints,
  avoid: Endpoint | undefined
): Effect.fn.Return<ReadonlyArray<Endpoint>> {
  const last = preferred === undefined ? undefined : yield* Ref.get(preferred)
  const rank = (endpoint: Endpoint): number => {
    if (avoid !== undefined && equals(endpoint, avoid)) return 2
    return last !== undefined && equals(endpoint, last) ? 0 : 1
  }
  return [...endpoints].sort((a, b) => rank(a) - rank(b))
})

/** Every endpoint was asked, and none did it. */
export const exhausted = (attempts: ReadonlyArray<Attempt>, write: boolean): ClientError => {
  const unanswered = attempts.some(({ kind }) => kind === "TimedOut" || kind === "Broken")
  const refused = attempts.some(({ kind }) => kind === "NoQuorum")
  return unanswered && !refused ? new ReadUnanswered({ attempts }) : new ClusterUnavailable({ write, attempts })
}
