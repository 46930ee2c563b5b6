/**
 * The store's own hub (kv/WatchHub.ts) as replicas of the simulator have it. Its turns come when somebody reads, one at a time,
 * and are short, so that what is due is spread over many; and nobody takes anything before it is told to.
 */
import * as History from "../kv/History.ts"
import type { Change, Changes } from "../kv/History.ts"
import type { KvState } from "../kv/KvState.ts"
import * as Seen from "../kv/Watch.ts"
import { WatchHub, type WatchLimits } from "../kv/WatchHub.ts"
import type { Hub, Watch, WatchEvent, WatchMessage, WatchRequest } from "./Watch.ts"

const limits: Partial<WatchLimits> = { maxTurnUnits: 12, maxTakenRevisions: 3 }
/** About what one event weighs. */
const eventBytes = 160

export const make = (state: KvState): Hub<KvState> => {
  let due: (() => void) | undefined
  const hub = new WatchHub(state, {
    limits,
    schedule: (turn) => {
      due = turn
    }
  })
  const turn = (): void => {
    const next = due
    due = undefined
    next?.()
  }
  return { advance: (next) => hub.advance(next), watch: (request) => watch(hub, turn, request) }
}

const watch = (hub: WatchHub, turn: () => void, request: WatchRequest): Watch => {
  let isReady = false
  let isAsked = false
  let created: WatchMessage | undefined = { _tag: "Created", revision: hub.revision }
  const watcher = hub.watch(request, () => {
    isReady = true
  })
  const read = (credit: number): ReadonlyArray<WatchMessage> => {
    if (!isReady || credit <= 0) return []
    const taken = watcher.take(credit * eventBytes)
    if (taken._tag !== "Changes") {
      return taken._tag === "Compacted" ? [taken] : [{ _tag: "Ended", reason: taken.reason }]
    }
    const events = taken.revisions.flatMap((record) => eventsOf(request, record, taken.compacted))
    isReady = !taken.done
    const told: ReadonlyArray<WatchMessage> = events.length === 0 ? [] : [{ _tag: "Events", events }]
    const known: WatchMessage = { _tag: "Progress", revision: taken.upTo }
    // It may take without waiting: who has credit left does.
    return [...told, known, ...(events.length === 0 ? [] : read(credit - events.length))]
  }
  return {
    take: (credit) => {
      turn()
      const beginning = created === undefined ? [] : [created]
      created = undefined
      const told = read(credit)
      const progress = isAsked ? watcher.progress() : undefined
      if (progress === undefined) return [...beginning, ...told]
      isAsked = false
      return [...beginning, ...told, { _tag: "Progress", revision: progress }]
    },
    askProgress: () => {
      isAsked = true
    },
    close: () => watcher.close()
  }
}

const eventsOf = (
  request: WatchRequest,
  { revision, changes }: Changes,
  compacted: number
): ReadonlyArray<WatchEvent> =>
  changes.map((change: Change) => ({
    key: History.keyOf(change),
    modRevision: revision,
    kv: change._tag === "Put" ? change.kv : undefined,
    prev: Seen.previous(request, change, compacted)
  }))
