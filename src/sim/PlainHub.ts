/** A hub without anything to make it fast: each watch is a place in the history. */
import * as History from "../kv/History.ts"
import { bounds } from "../kv/KeyValue.ts"
import { firstKept, type KvState } from "../kv/KvState.ts"
import type { Hub, WatchEvent, WatchMessage, WatchRequest } from "./Watch.ts"

export const make = (initial: KvState): Hub<KvState> => {
  let state = initial
  return {
    advance: (next) => {
      state = next
    },
    watch: (request) => {
      const { revision } = state
      let next = request.startRevision > 0 ? request.startRevision : revision + 1
      let isNew = true
      let isAsked = false
      let isOver = false
      const take = (credit: number): ReadonlyArray<WatchMessage> => {
        const messages: Array<WatchMessage> = []
        if (isNew) messages.push({ _tag: "Created", revision })
        isNew = false
        if (isOver) return messages
        if (next < firstKept(state)) {
          isOver = true
          return [...messages, { _tag: "Compacted", compacted: firstKept(state) }]
        }
        for (let left = credit; left > 0 && next <= state.revision; next++) {
          const events = eventsOf(state, request, next)
          if (events.length > 0) messages.push({ _tag: "Events", events })
          left -= events.length
        }
        if (isAsked && next > state.revision && next - 1 <= state.revision) {
          messages.push({ _tag: "Progress", revision: state.revision })
          isAsked = false
        }
        return messages
      }
      return {
        take,
        askProgress: () => {
          isAsked = true
        },
        close: () => {
          isOver = true
        }
      }
    }
  }
}

const eventsOf = (state: KvState, request: WatchRequest, revision: number): ReadonlyArray<WatchEvent> => {
  const [from, to] = bounds(request)
  return History.at(state.history, revision)!.changes.flatMap((change) => {
    const key = History.keyOf(change)
    const isLeftOut = change._tag === "Put" ? request.noPut : request.noDelete
    if (key < from || (to !== undefined && key >= to) || isLeftOut) return []
    const kv = change._tag === "Put" ? change.kv : undefined
    return [{ key, modRevision: revision, kv, prev: request.prevKv ? change.prev : undefined }]
  })
}
