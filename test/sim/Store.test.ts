/**
 * The whole store in clusters from a seed, with clients that watch it; and bugs in what watchers are told, each of which the
 * same seeds must notice. (Bugs in the store itself: test/mutants/StoreMutants.ts.)
 */
import { describe, expect, it } from "vitest"
import { KvMachine } from "../../src/kv/KvMachine.ts"
import { firstKept, type KvState } from "../../src/kv/KvState.ts"
import * as Audience from "../../src/sim/Audience.ts"
import * as Simulation from "../../src/sim/Simulation.ts"
import * as Store from "../../src/sim/Store.ts"
import { erase } from "../../src/sim/Subject.ts"
import type { Hub, Watch, WatchMessage, WatchRequest } from "../../src/sim/Watch.ts"

type HubOf = (state: KvState) => Hub<KvState>

const hubOf = Store.subject.hub!

const run = (seed: number, hub: HubOf = hubOf): Simulation.Outcome =>
  Simulation.run({ seed, subject: erase(Store.over(KvMachine, hub)) })

const seeds = 60

const count = (tally: Map<string, number>, what: string, times = 1): void => {
  tally.set(what, (tally.get(what) ?? 0) + times)
}

describe("the store in a cluster", () => {
  const heard = new Map<string, number>()
  const watched = new Map<string, number>()

  it(`keeps its rules, seeds 1 to ${seeds}`, () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const outcome = run(seed)
      expect(outcome.failure && `seed ${seed}: ${outcome.failure.rule}\n${outcome.failure.detail}`).toBeUndefined()
      for (const [mark, times] of outcome.watched) count(watched, mark, times)
      for (const { ending, kind } of outcome.history) {
        if (ending?._tag !== "Done" || kind === "Amendment") continue
        const { _tag, reason, expired } = ending.output as { _tag: string; reason?: string; expired?: boolean }
        count(heard, `${kind} ${reason ?? _tag}${expired === true ? " over" : ""}`)
      }
    }
  })

  it("and everything was asked for", () => {
    const commands = ["Put", "DeleteRange", "Txn", "Compact", "LeaseGrant", "LeaseRevoke", "LeaseKeepAlive"]
    const others = ["LeaseExpire", "LeaseExpire over", "LeaseTimeToLive"]
    const refusals = ["KeyNotFound", "LeaseNotFound", "LeaseExists", "Compacted", "FutureRevision"]
    const queries = ["Range", "Txn", "Leases", "Compacted", "FutureRevision"]
    const all = [
      ...[...commands, ...others, ...refusals].map((what) => `Command ${what}`),
      ...queries.map((what) => `Query ${what}`)
    ]
    expect(all.filter((what) => (heard.get(what) ?? 0) < 5)).toEqual([])
  })

  it("and everything befell those who watch", () => {
    expect(Audience.marks.filter((mark) => (watched.get(mark) ?? 0) < 3)).toEqual([])
  })
})

/** A hub whose watches are changed on their way to the client. */
const watching =
  (change: (watch: (request: WatchRequest) => Watch, request: WatchRequest, state: () => KvState) => Watch): HubOf =>
  (initial) => {
    const hub = hubOf(initial)
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

const bugs: Readonly<Record<string, HubOf>> = {
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
    return { ...one, take: (credit) => one.take(100).slice(0, credit) }
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
    const hub = hubOf(initial)
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
}

describe("a bug in what watchers are told is noticed:", () => {
  for (const [name, bug] of Object.entries(bugs)) {
    it(name, () => {
      let seed = 1
      while (seed <= seeds && run(seed, bug).failure === undefined) seed++
      expect(seed).toBeLessThanOrEqual(seeds)
    })
  }
})
