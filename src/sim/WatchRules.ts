/**
 * What clients that watch are promised (I18), held against what the cluster has committed. All that a watcher has seen is one
 * number: it knows everything before it. So a revision is told once, in order, whole, and none in between is left out, on
 * whichever replica the watcher was meanwhile.
 */
import { bounds, type KeyValue } from "../kv/KeyValue.ts"
import type { KvState } from "../kv/KvState.ts"
import { firstKept } from "../kv/KvState.ts"
import { type Difference, difference } from "./StoreRules.ts"
import { inWords } from "./Subject.ts"
import { require } from "./Violation.ts"
import type { WatchEvent, WatchMessage, WatchRequest } from "./Watch.ts"

/** What the cluster has committed so far. */
export interface Past {
  /** By revision. */
  readonly changes: Map<number, ReadonlyArray<Difference>>
  revision: number
  compacted: number
  /** The first revision that can still be watched. */
  firstKept: number
}

export const nothing = (): Past => ({ changes: new Map(), revision: 1, compacted: 0, firstKept: 0 })

/** One command more is committed. */
export const extend = (past: Past, before: KvState, after: KvState): void => {
  if (after.revision > before.revision) past.changes.set(after.revision, difference(before, after))
  past.revision = after.revision
  past.compacted = after.compacted
  past.firstKept = Math.max(past.firstKept, firstKept(after))
}

export interface Seen {
  readonly request: WatchRequest
  /** It knows all before this revision; `undefined` as long as it has not heard where it begins. */
  next: number | undefined
}

/** A watcher is told something; `who` says who and where. */
export const onMessage = (past: Past, seen: Seen, message: WatchMessage, who: () => string): void => {
  const about = (): string => `${who()}, which knows all before ${seen.next}, is told ${inWords(message)}`
  switch (message._tag) {
    case "Created":
      require(message.revision <= past.revision, "what is watched is committed (I18)", about)
      seen.next ??= message.revision + 1
      return
    case "Events":
      for (const events of byRevision(message.events)) onRevision(past, seen, events, about)
      return
    case "Progress":
      require(seen.next !== undefined && message.revision >= seen.next - 1, "a watch never goes back (I18)", about)
      require(message.revision <= past.revision, "what is watched is committed (I18)", about)
      passOver(past, seen, message.revision, "progress is not ahead of events (I18)", about)
      return
    case "Compacted":
      require(seen.next !== undefined && seen.next < message.compacted, "a watch ends for a reason (I18)", about)
      require(message.compacted <= past.firstKept, "what is called compacted is compacted (I18)", about)
      seen.next = message.compacted
      return
    case "Ended":
  }
}

const byRevision = (events: ReadonlyArray<WatchEvent>): ReadonlyArray<ReadonlyArray<WatchEvent>> => {
  const groups: Array<Array<WatchEvent>> = []
  for (const event of events) {
    const last = groups.at(-1)
    if (last?.[0]?.modRevision === event.modRevision) last.push(event)
    else groups.push([event])
  }
  return groups
}

const onRevision = (past: Past, seen: Seen, events: ReadonlyArray<WatchEvent>, about: () => string): void => {
  const { modRevision } = events[0]!
  require(seen.next !== undefined && modRevision >= seen.next, "a watch never goes back (I18)", about)
  require(modRevision <= past.revision, "what is watched is committed (I18)", about)
  passOver(past, seen, modRevision - 1, "a watch leaves nothing out (I18)", about)
  const expected = wanted(past, seen.request, modRevision)
  const told = events.toSorted((one, other) => (one.key < other.key ? -1 : 1))
  const isWhole = told.length === expected.length && told.every(({ key }, at) => key === expected[at]!.key)
  require(isWhole, "a revision is told whole, and nothing else (I18)", () => `${about()}; it is ${inWords(expected)}`)
  for (const [at, { kv, prev }] of expected.entries()) {
    require(isPair(told[at]!.kv, kv), "a watch tells what was put (I18)", () => `${about()}; it is ${inWords(kv)}`)
    const before = seen.request.prevKv ? prev : undefined
    // As in etcd, nothing of what is compacted.
    const isGone = told[at]!.prev === undefined && modRevision <= past.compacted
    require(isGone || isPair(told[at]!.prev, before), "a watch tells what was there before (I18)", () =>
      `${about()}; it is ${inWords(before)}`)
  }
  seen.next = modRevision + 1
}

const isPair = (one: KeyValue | undefined, other: KeyValue | undefined): boolean =>
  one === other || (one !== undefined && other !== undefined && inWords(one) === inWords(other))

/** There is nothing for it up to and including `revision`. */
const passOver = (past: Past, seen: Seen, revision: number, rule: string, about: () => string): void => {
  for (let at = seen.next!; at <= revision; at++) {
    require(wanted(past, seen.request, at).length === 0, rule, () => `${about()}, and there is revision ${at}`)
  }
  seen.next = Math.max(seen.next!, revision + 1)
}

/** What a watcher must hear of a revision, in the order of keys. */
export const wanted = (
  { changes }: Past,
  { noPut, noDelete, ...range }: WatchRequest,
  revision: number
): ReadonlyArray<Difference> => {
  const [from, to] = bounds(range)
  return (changes.get(revision) ?? []).filter(
    ({ key, kv }) => key >= from && (to === undefined || key < to) && !(kv === undefined ? noDelete : noPut)
  )
}
