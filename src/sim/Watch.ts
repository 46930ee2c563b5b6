/**
 * What a replica offers to clients that watch, as the simulator sees it: the store's own hub stands behind it, or one with a
 * bug in it.
 */
import type { Key, KeyRange, KeyValue } from "../kv/KeyValue.ts"

export interface WatchRequest extends KeyRange {
  /** The first revision that is wanted; 0 is whatever comes next. */
  readonly startRevision: number
  readonly prevKv: boolean
  readonly noPut: boolean
  readonly noDelete: boolean
}

export interface WatchEvent {
  readonly key: Key
  readonly modRevision: number
  /** `undefined` where the key was deleted. */
  readonly kv: KeyValue | undefined
  /** What there was before, if that was asked for. */
  readonly prev: KeyValue | undefined
}

export type WatchMessage =
  /** It begins; this is the store's revision there. */
  | { readonly _tag: "Created"; readonly revision: number }
  /** Whole revisions, the earliest first. */
  | { readonly _tag: "Events"; readonly events: ReadonlyArray<WatchEvent> }
  /** Nothing is missing up to this revision. */
  | { readonly _tag: "Progress"; readonly revision: number }
  /** The watch ends: what it needs next is gone, and this is the first revision from which another one may go on. */
  | { readonly _tag: "Compacted"; readonly compacted: number }

  /** The replica ends it; elsewhere it may go on. */
  | { readonly _tag: "Ended"; readonly reason: string }

/** One replica's, for as long as it lives. */
export interface Hub<S> {
  /** What it has applied, and may tell of. */
  readonly advance: (state: S) => void
  readonly watch: (request: WatchRequest) => Watch
}

export interface Watch {
  /** What there is, for a client that takes about so many events just now. */
  readonly take: (credit: number) => ReadonlyArray<WatchMessage>
  /** The client wants to know how far it has come. */
  readonly askProgress: () => void
  readonly close: () => void
}
