/**
 * Clients that watch, at any replica. They go when it dies, when they lose patience, or when the network between takes them
 * away, and go on at another, which may be behind, may have come by a snapshot to where it is, or may have compacted
 * what they need. Some read slowly, or not at all for a while.
 *
 * A replica tells what it has applied once that is on its disk: before a step's record is, where the record adds to it only.
 */
import type { KvState } from "../kv/KvState.ts"
import type { Audience, Serving, Watcher } from "./Audience.ts"
import { drawRequest, hit } from "./Audience.ts"
import type { Host } from "./Host.ts"
import * as Traces from "./Trace.ts"
import { require } from "./Violation.ts"
import type { WatchMessage, WatchRequest } from "./Watch.ts"
import * as Rules from "./WatchRules.ts"
import type { World } from "./World.ts"
import * as Worlds from "./World.ts"

/** Plans the first visit of each. */
export const begin = (world: World): void => {
  for (const { number } of world.audience?.watchers ?? [])
    Worlds.plan(world, number, { _tag: "Attend", watcher: number })
}

/** What a replica has applied is on its disk, or it has just started: from now on its watchers may hear of it. */
export const advance = (world: World, host: Host): void => {
  const { audience } = world
  if (audience === undefined || host.state === undefined) return
  const value = host.state.stateMachine.value as KvState
  const serving = audience.hubs[host.number]
  if (isDoubtful(world, host)) audience.hubs[host.number] = undefined
  else if (serving === undefined || serving.life !== host.life) {
    audience.hubs[host.number] = {
      hub: audience.hubOf(value),
      life: host.life,
      state: value,
      isInstalled: false
    }
  } else if (serving.state !== value) {
    serving.isInstalled ||= host.effects.some(({ _tag }) => _tag === "SnapshotInstalled")
    serving.state = value
    serving.hub.advance(value)
  }
}

/** Whose memory was changed may tell anything; and who differs from the others serves nobody. */
const isDoubtful = ({ oracle }: World, { number, state }: Host): boolean =>
  oracle.altered.has(number) || state?.diverged !== undefined

/** A watcher looks for a replica, or takes what there is; and comes again. */
export const attend = (world: World, number: number): void => {
  const audience = world.audience!
  const { random } = audience
  catchUp(world, audience)
  const watcher = audience.watchers[number]!
  const { electionTimeoutMillis } = world.plan.options
  const pause = electionTimeoutMillis * random.pick([0.05, 0.2, 0.2, 1, 4])
  Worlds.plan(world, world.now + random.wait(pause), { _tag: "Attend", watcher: number })
  if (isGone(world, watcher)) leave(watcher)
  if (watcher.at === undefined) {
    const host = random.pick(world.hosts)
    if (host.frozenUntil <= world.now) join(world, watcher, host)
    return
  }
  if (random.chance(0.08)) return leave(watcher)
  if (random.chance(0.03)) return renew(audience, watcher)
  if (random.chance(0.2)) watcher.at.watch.askProgress()
  const host = world.hosts[watcher.at.host]!
  if (host.frozenUntil <= world.now) take(world, watcher, random.pick([1, 1, 2, 5, 100]))
}

const isGone = ({ audience, hosts }: World, { at }: Watcher): boolean => {
  if (at === undefined || audience === undefined) return false
  if (hosts[at.host]!.life !== at.serving.life) hit(audience, "watches ended by a crash")
  return hosts[at.host]!.life !== at.serving.life || audience.hubs[at.host] !== at.serving
}

const leave = (watcher: Watcher): void => {
  if (watcher.at === undefined) return
  watcher.at.watch.close()
  watcher.last = watcher.at.host
  watcher.at = undefined
}

/** Another client comes in its place. */
const renew = (audience: Audience, watcher: Watcher): void => {
  leave(watcher)
  watcher.last = undefined
  watcher.seen = { request: drawRequest(audience), next: undefined }
}

const join = (world: World, watcher: Watcher, host: Host): void => {
  const audience = world.audience!
  const serving = audience.hubs[host.number]
  if (host.state === undefined || serving === undefined || serving.life !== host.life) return
  const { seen } = watcher
  const startRevision = seen.next ?? seen.request.startRevision
  noteBeginning(audience, watcher, serving.state, startRevision, host.number)
  if (startRevision > 0) seen.next = startRevision
  watcher.at = { host: host.number, serving, watch: serving.hub.watch({ ...seen.request, startRevision }) }
}

const noteBeginning = (audience: Audience, watcher: Watcher, state: KvState, from: number, host: number): void => {
  if (from === 0) hit(audience, "watches begun at the present")
  else if (from > state.revision + 1) {
    const isResumed = watcher.last !== undefined
    hit(audience, isResumed ? "watches resumed where their past is to come yet" : "watches begun in the future")
  } else if (from <= state.revision) hit(audience, "watches begun in the past")
  if (from > 0 && from === state.compacted) hit(audience, "watches begun at the revision of a compaction")
  if (watcher.last !== undefined && watcher.last !== host) hit(audience, "watches resumed at another replica")
}

/** Reads what there is, about so many events at most. */
const take = (world: World, watcher: Watcher, credit: number): void => {
  const audience = world.audience!
  const { past } = audience
  const { host, watch, serving } = watcher.at!
  const about = (): string => {
    const { id } = world.hosts[host]!
    return `watcher ${watcher.number} of ${inShort(watcher.seen.request)} at ${id}, whose store is at ${serving.state.revision}`
  }
  let taken = 0
  for (const message of watch.take(credit)) {
    taken += note(audience, message, serving)
    Rules.onMessage(past, watcher.seen, message, about)
    Traces.fold(world.trace, watcher.seen.next ?? -1)
    if (message._tag === "Compacted" || message._tag === "Ended") leave(watcher)
  }
  if (taken >= credit && (watcher.seen.next ?? 0) <= serving.state.revision) {
    hit(audience, "watchers with more to read than they take")
  }
}

const inShort = ({ key, rangeEnd, noPut, noDelete }: WatchRequest): string =>
  `[${JSON.stringify(key)}, ${JSON.stringify(rangeEnd)})${noPut ? " without puts" : ""}${noDelete ? " without deletes" : ""}`

const note = (audience: Audience, message: WatchMessage, { state, isInstalled }: Serving): number => {
  if (message._tag === "Progress") hit(audience, "progress told")
  if (message._tag === "Compacted") hit(audience, "watches ended by compaction")
  if (message._tag !== "Events") return 0
  if (isInstalled) hit(audience, "watches carried over an installed snapshot")
  const { events } = message
  const last = events.at(-1)!
  if (events.filter(({ modRevision }) => modRevision === last.modRevision).length > 1) {
    hit(audience, "revisions of several changes told")
  }
  if (events.some(({ kv, modRevision }) => kv === undefined && modRevision === state.compacted)) {
    hit(audience, "deletions told at the revision of a compaction")
  }
  return events.length
}

/** Takes in what was committed meanwhile. */
const catchUp = ({ oracle: { canon } }: World, audience: Audience): void => {
  for (; audience.known + 1 < canon.entries.length; audience.known++) {
    const [before, after] = [canon.entries[audience.known]!, canon.entries[audience.known + 1]!]
    Rules.extend(audience.past, before.value as KvState, after.value as KvState)
  }
}

/**
 * In the end everybody hears all that is missing, at whichever replica: a watch that is merely never wrong would pass by
 * keeping silent.
 */
export const conclude = (world: World): void => {
  const { audience } = world
  if (audience === undefined) return
  catchUp(world, audience)
  for (const watcher of audience.watchers) for (const host of world.hosts) visit(world, watcher, host)
}

const visit = (world: World, watcher: Watcher, host: Host): void => {
  const audience = world.audience!
  leave(watcher)
  join(world, watcher, host)
  const { hubs, past } = audience
  // From the future nothing can be expected, and from one that lags no more than it has.
  const upTo = Math.min(hubs[host.number]?.state.revision ?? 0, past.revision)
  const isDone = (): boolean => {
    const { next, request } = watcher.seen
    for (let at = next ?? upTo + 1; at <= upTo; at++) if (Rules.wanted(past, request, at).length > 0) return false
    return true
  }
  for (let turns = 0; watcher.at !== undefined && (turns === 0 || !isDone()); turns++) {
    require(turns <= past.revision + 2, "a watcher hears of everything in the end (I18, I20)", () =>
      `${inShort(watcher.seen.request)} at ${host.id} knows all before ${watcher.seen.next} of ${upTo}`)
    take(world, watcher, 3)
    if (watcher.at === undefined) join(world, watcher, host)
  }
}
