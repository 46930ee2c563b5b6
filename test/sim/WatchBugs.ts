/** Bugs in what watchers are told, put around the store's own hub: whoever checks watches must notice each. */
import { firstKept, type KvState } from "../../src/kv/KvState.ts"
import * as StoreHub from "../../src/sim/StoreHub.ts"
import type { Hub, Watch, WatchMessage, WatchRequest } from "../../src/sim/Watch.ts"

export type HubOf = (state: KvState) => Hub<KvState>

/** A hub whose watches are changed on their way to the client. */
const watching =
  (change: (watch: (request: WatchRequest) => Watch, request: WatchRequest, state: () => KvState) => Watch): HubOf =>
  (initial) => {
    const hub = StoreHub.make(initial)
    let state = initial
    return {
      advance: (next) => {
        state = next
        hub.advance(next)
      },
      watch: (request) => change(hub.watch, request, () => state)
    }
  }

/** What is told is changed message by message. */
const telling = (
  change: (message: WatchMessage, state: KvState, request: WatchRequest) => ReadonlyArray<WatchMessage>
): HubOf =>
  watching((watch, request, state) => {
    const one = watch(request)
    return { ...one, take: (credit) => one.take(credit).flatMap((message) => change(message, state(), request)) }
  })

type Events = Extract<WatchMessage, { readonly _tag: "Events" }>

const events = (
  change: (message: Events, state: KvState, request: WatchRequest) => ReadonlyArray<WatchMessage>
): HubOf =>
  telling((message, state, request) => (message._tag === "Events" ? change(message, state, request) : [message]))

const startingAt = (start: (request: WatchRequest, state: KvState) => number): HubOf =>
  watching((watch, request, state) => watch({ ...request, startRevision: start(request, state()) }))

export const bugs = {
  "a watch that resumes is off by one, too late": startingAt(({ startRevision }) =>
    startRevision === 0 ? 0 : startRevision + 1
  ),
  "a watch that resumes is off by one, too early": startingAt(({ startRevision }) => Math.max(0, startRevision - 1)),
  "progress is told ahead of the events (etcd 15220)": watching((watch, request, state) => {
    const one = watch(request)
    let isAsked = false
    return {
      ...one,
      askProgress: () => {
        isAsked = true
      },
      take: (credit) => {
        const told = isAsked ? [{ _tag: "Progress" as const, revision: state().revision }] : []
        isAsked = false
        return [...one.take(0), ...told, ...one.take(credit)]
      }
    }
  }),
  "a watch goes back when it comes to a replica that lags (etcd 15271)": startingAt(({ startRevision }, { revision }) =>
    Math.min(startRevision, revision + 1)
  ),
  "a watch of the future is told its progress (etcd 20221)": watching((watch, request, state) => {
    const one = watch(request)
    const isFuture = request.startRevision > state().revision + 1
    return {
      ...one,
      take: (credit) => [
        ...one.take(credit),
        ...(isFuture ? [{ _tag: "Progress" as const, revision: state().revision }] : [])
      ]
    }
  }),
  "an event is told twice (etcd 17247)": events((message) => [
    { ...message, events: message.events.flatMap((event) => (event.kv?.version === 2 ? [event, event] : [event])) }
  ]),
  "events are lost where a client reads slowly (etcd 17529)": watching((watch, request) => {
    const one = watch(request)
    return { ...one, take: (credit) => one.take(100).slice(0, Math.min(credit, 2)) }
  }),
  "a revision is told in two parts": events((message) =>
    message.events.map((event) => ({ _tag: "Events", events: [event] }))
  ),
  "of a revision only the first event is told": events((message) => {
    const last = message.events.at(-1)!.modRevision
    const [first, ...rest] = message.events.filter(({ modRevision }) => modRevision === last)
    const kept = rest.length === 0 ? message.events : message.events.filter((event) => !rest.includes(event))
    return [first === undefined ? message : { ...message, events: kept }]
  }),
  "a deletion at the revision of a compaction is left out (etcd 19179)": events((message, { compacted }) => {
    const kept = message.events.filter(({ kv, modRevision }) => kv !== undefined || modRevision !== compacted)
    return kept.length === 0 ? [] : [{ ...message, events: kept }]
  }),
  "what is compacted is passed over in silence": startingAt(({ startRevision }, state) =>
    startRevision === 0 ? 0 : Math.max(startRevision, firstKept(state))
  ),
  "a watch at the revision of a compaction is called compacted": watching((watch, request, state) => {
    const one = watch(request)
    const { compacted } = state()
    if (request.startRevision !== compacted || compacted === 0) return one
    return { ...one, take: () => [{ _tag: "Compacted", compacted }] }
  }),
  "a snapshot that is installed leaves watches where they were": (initial) => {
    const hub = StoreHub.make(initial)
    let state = initial
    let behind: KvState | undefined
    return {
      ...hub,
      advance: (next) => {
        // More than one command at a time: only what the last one did is noticed.
        if (next.revision > state.revision + 3) behind = next
        else if (behind === undefined) hub.advance(next)
        state = next
      }
    }
  },
  "filters are ignored": watching((watch, request) => watch({ ...request, noPut: false, noDelete: false })),
  "filters are mixed up": watching((watch, request) =>
    watch({ ...request, noPut: request.noDelete, noDelete: request.noPut })
  ),
  "what was there before is what is there now": events((message) => [
    {
      ...message,
      events: message.events.map((event) => (event.prev === undefined ? event : { ...event, prev: event.kv }))
    }
  ]),
  "what was there before is told to everybody": watching((watch, request) => watch({ ...request, prevKv: true })),
  "a range includes its end": watching((watch, request) =>
    watch(request.rangeEnd === "c" ? { ...request, rangeEnd: "c\0" } : request)
  ),
  "nothing is told while progress is asked for again and again": watching((watch, request) => {
    const one = watch(request)
    return { ...one, take: (credit) => (credit > 50 ? one.take(credit) : []) }
  })
} satisfies Readonly<Record<string, HubOf>>
