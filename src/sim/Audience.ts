/** Clients that watch, and what is known of them: where each is, and what it has seen (see Attendance on what they do). */
import type { KvState } from "../kv/KvState.ts"
import * as StoreChoice from "./StoreChoice.ts"
import { type Random, stream } from "./Random.ts"
import type { Hub, Watch, WatchRequest } from "./Watch.ts"
import * as Rules from "./WatchRules.ts"

export interface Audience {
  readonly hubOf: (state: KvState) => Hub<KvState>
  readonly watchers: Array<Watcher>
  /** By the number of the host. */
  readonly hubs: Array<Serving | undefined>
  readonly random: Random
  readonly past: Rules.Past
  /** The entries that are in `past`. */
  known: number
  /** What has happened to watchers, and how often. */
  readonly marks: Map<Mark, number>
}

export interface Serving {
  readonly hub: Hub<KvState>
  readonly life: number
  state: KvState
  /** It has been brought to where it is by a snapshot since it began. */
  isInstalled: boolean
}

export interface Watcher {
  readonly number: number
  seen: Rules.Seen
  at: Place | undefined
  /** Where it was before. */
  last: number | undefined
}

export interface Place {
  readonly host: number
  readonly serving: Serving
  readonly watch: Watch
}

export const marks = [
  "watches begun at the present",
  "watches begun in the past",
  "watches begun in the future",
  "watches begun at the revision of a compaction",
  "watches resumed at another replica",
  "watches resumed where their past is to come yet",
  "watches carried over an installed snapshot",
  "watches ended by compaction",
  "watches ended by a crash",
  "deletions told at the revision of a compaction",
  "revisions of several changes told",
  "progress told",
  "watchers with more to read than they take"
] as const
export type Mark = (typeof marks)[number]

export const hit = ({ marks }: Audience, mark: Mark): void => {
  marks.set(mark, (marks.get(mark) ?? 0) + 1)
}

export const make = (seed: number, hosts: number, hubOf: Audience["hubOf"]): Audience => {
  const random = stream(seed, "audience")
  const audience: Audience = {
    hubOf,
    watchers: [],
    hubs: Array.from({ length: hosts }, () => undefined),
    random,
    past: Rules.nothing(),
    known: 0,
    marks: new Map()
  }
  for (let number = 0; number < 2 + random.below(3); number++) {
    audience.watchers.push({
      number,
      seen: { request: drawRequest(audience), next: undefined },
      at: undefined,
      last: undefined
    })
  }
  return audience
}

/** What a new one wants to see. */
export const drawRequest = ({ random, past }: Audience): WatchRequest => {
  const { revision, firstKept } = past
  const startRevision = random.pick([
    0,
    1,
    firstKept,
    Math.max(1, firstKept - 1),
    Math.max(1, firstKept) + random.below(Math.max(1, revision - firstKept)),
    revision + 1 + random.below(4)
  ])
  const filter = random.below(6)
  const wide = { key: "\0", rangeEnd: "\0" }
  return {
    ...(random.chance(0.5) ? wide : StoreChoice.keyRange(random)),
    startRevision,
    prevKv: random.chance(0.5),
    noPut: filter === 0,
    noDelete: filter === 1
  }
}
