/** What is done to both servers, one step after the other, by nobody else meanwhile. */
import type { Template } from "./Template.ts"

export type Step = Call | Watch | Expire

export interface Call {
  readonly kind: "call"
  readonly route: string
  /** Several stand one after the other in one request, where a route takes a stream. */
  readonly bodies: ReadonlyArray<Template>
  /** The lease with this number is the one that this grants. */
  readonly grants?: number
  /** Which of several is asked, if it makes no difference. */
  readonly replica: number
}

/** Opens a stream that stays open until the end of the sequence. */
export interface Watch {
  readonly kind: "watch"
  readonly requests: ReadonlyArray<WatchRequest>
  readonly replica: number
}

export type WatchRequest = Create | { readonly kind: "cancel" | "progress"; readonly body: Template }

export interface Create {
  readonly kind: "create"
  readonly body: Template
  /** A key that is watched: changing it tells how far the watch has come. */
  readonly touched: Template
  /** It is told of puts alone. */
  readonly noDelete: boolean
  /** The number of the first revision that is watched, in changes of the sequence; 0 is from now on. */
  readonly from: number
}

/** Waits until the lease with this number has ended by itself, on both. */
export interface Expire {
  readonly kind: "expire"
  readonly lease: number
}

export interface Sequence {
  readonly seed: number
  readonly steps: ReadonlyArray<Step>
}

export const call = (route: string, ...bodies: ReadonlyArray<Template>): Call => ({
  kind: "call",
  route,
  bodies,
  replica: 0
})

/** Before these a watch must have been told all that happened, or it is chance what it still gets. */
export const forgets = ({ route }: Call): boolean => route === "/v3/kv/compaction"

/**
 * What a replica answers without asking the others, in etcd as in Balsa: it may be behind, so the one is asked that
 * answered last. That is what says so of itself, a transaction that only reads what may be behind, even one that reads
 * nothing, and the revision that comes with a lease, if only with one that is none.
 */
export const isLocal = ({ route, bodies }: Call): boolean => {
  if (/lease\/(keepalive|timetolive)$/.test(route)) return true
  if (route === "/v3/kv/range") return bodies.some(isSerializable)
  return route === "/v3/kv/txn" && bodies.every((body) => operationsOf(body).every(isSerializable))
}

const isSerializable = (range: Template): boolean => (range as JsonObject)["serializable"] === true

/** What a transaction does, nested ones included; everything but ranges counts as one that asks the others. */
const operationsOf = (txn: Template): ReadonlyArray<Template> =>
  ["success", "failure"]
    .flatMap((branch) => ((txn as JsonObject)[branch] ?? []) as ReadonlyArray<JsonObject>)
    .flatMap((operation) => {
      const nested = operation["request_txn"] ?? operation["requestTxn"]
      return nested === undefined
        ? Object.entries(operation).map(([name, request]) =>
            /range$/i.test(name) && !/del/i.test(name) ? request : {}
          )
        : operationsOf(nested)
    })

interface JsonObject {
  readonly [name: string]: Template
}
