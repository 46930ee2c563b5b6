/**
 * How far a watch has come, as a value. What is handed on are whole revisions: those that a fragment may have cut wait for
 * the rest, and are forgotten when the connection ends, since the next one begins with them again. So whoever
 * watches sees every revision once, over however many connections.
 */
import type { WatchEvent, WatchResponse } from "./WatchResponse.ts"

export type WatchBatch =
  | {
      /** The watch is there: it sees everything after `revision`. Comes once, first. */
      readonly _tag: "Started"
      readonly revision: number
    }
  | {
      /** One or more whole revisions in order; `revision` is the last of them. */
      readonly _tag: "Events"
      readonly revision: number
      readonly events: ReadonlyArray<WatchEvent>
    }
  | {
      /** A bookmark: there is nothing more up to `revision`, so a later watch may start after it. */
      readonly _tag: "Progress"
      readonly revision: number
    }

export interface WatchCursor {
  readonly isStarted: boolean
  /** The first revision that has not been handed on; `undefined` is the one after the start. */
  readonly nextRevision: number | undefined
  /** Of the last revision of a fragment. */
  readonly held: ReadonlyArray<WatchEvent>
}

export const begin = (startRevision: number | undefined): WatchCursor => ({
  isStarted: false,
  nextRevision: startRevision === 0 ? undefined : startRevision,
  held: []
})

type Passed = Extract<WatchResponse, { readonly _tag: "Created" | "Events" | "Progress" }>

export type Step = readonly [cursor: WatchCursor, batch: WatchBatch | undefined]

export const step = (cursor: WatchCursor, response: Passed): Step => {
  switch (response._tag) {
    case "Created":
      return onCreated(cursor, response.revision)
    case "Events":
      return response.isFragment ? onFragment(cursor, response.events) : onWhole(cursor, response.events)
    case "Progress":
      return onProgress(cursor, response.revision)
  }
}

/** Nobody knows whether what is held is whole. */
export const disconnected = (cursor: WatchCursor): WatchCursor =>
  cursor.held.length === 0 ? cursor : { ...cursor, held: [] }

const onCreated = (cursor: WatchCursor, revision: number): Step => {
  const nextRevision = cursor.nextRevision ?? revision + 1
  if (cursor.isStarted) return [{ ...cursor, nextRevision }, undefined]
  return [
    { ...cursor, isStarted: true, nextRevision },
    { _tag: "Started", revision: nextRevision - 1 }
  ]
}

const onWhole = (cursor: WatchCursor, events: ReadonlyArray<WatchEvent>): Step =>
  handOn({ ...cursor, held: [] }, [...cursor.held, ...events])

const onFragment = (cursor: WatchCursor, events: ReadonlyArray<WatchEvent>): Step => {
  const all = [...cursor.held, ...events]
  const last = all.at(-1)?.kv.modRevision ?? 0
  const cut = all.findIndex(({ kv }) => kv.modRevision === last)
  return handOn({ ...cursor, held: all.slice(cut) }, all.slice(0, cut))
}

const handOn = (cursor: WatchCursor, events: ReadonlyArray<WatchEvent>): Step => {
  const { nextRevision = 0 } = cursor
  // A server that begins too early would repeat what was seen.
  const fresh = events.filter(({ kv }) => kv.modRevision >= nextRevision)
  const revision = fresh.at(-1)?.kv.modRevision
  if (revision === undefined) return [cursor, undefined]
  return [
    { ...cursor, nextRevision: revision + 1 },
    { _tag: "Events", revision, events: fresh }
  ]
}

const onProgress = (cursor: WatchCursor, revision: number): Step => {
  const { nextRevision = 0, held } = cursor
  // In the midst of a revision there is no bookmark, and behind what was handed on it says nothing.
  if (held.length > 0 || revision < nextRevision - 1) return [cursor, undefined]
  return [
    { ...cursor, nextRevision: revision + 1 },
    { _tag: "Progress", revision }
  ]
}
