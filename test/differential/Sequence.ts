/** What is done to both servers, one step after the other, by nobody else meanwhile. */
import type { Template } from "./Template.ts"

export type Step = Call | Watch

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

/** Only the replica that answered last is sure to have what was done last, without asking the others. */
export const isLocal = ({ bodies }: Call): boolean =>
  bodies.some((body) => typeof body === "object" && body !== null && "serializable" in body)
