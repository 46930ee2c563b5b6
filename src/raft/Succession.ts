/**
 * The configurations in a replica's log, in order. The last one is in force, committed or not (§6): a
 * replica uses a configuration from the moment it is in its log, and goes back to the one before when it is
 * dropped from there. Kept from the one on that was in force at what is applied: a snapshot holds that.
 */
import * as Configurations from "./Configuration.ts"
import type { Configuration } from "./Configuration.ts"
import type { Index, LogEntry, ReplicaId, RequestId } from "./LogEntry.ts"

/** A configuration, from the entry at `index` on. */
export interface Standing {
  /** Where a snapshot, or the founding of the cluster, gave it: the position that it was given for. */
  readonly index: Index
  readonly configuration: Configuration
  readonly request: RequestId | undefined
}

/** Oldest first; never empty. */
export type Succession = ReadonlyArray<Standing>

export const begin = (configuration: Configuration, index: Index): Succession => [
  { index, configuration, request: undefined }
]

export const last = (succession: Succession): Standing => succession.at(-1)!

/** With what `entries` say, which have just been logged. */
export const append = <C>(succession: Succession, entries: ReadonlyArray<LogEntry<C>>): Succession => {
  let added: Array<Standing> | undefined
  for (const { index, payload } of entries) {
    if (payload._tag !== "Configuration") continue
    added ??= [...succession]
    added.push({ index, configuration: payload.configuration, request: payload.request })
  }
  return added ?? succession
}

/** The log has been cut: without what was said at `from` or later. */
export const truncate = (succession: Succession, from: Index): Succession => {
  if (last(succession).index < from) return succession
  const kept = succession.filter(({ index }) => index < from)
  // What is committed is not dropped, so the first one stays.
  return kept.length === 0 ? succession.slice(0, 1) : kept
}

/** Without those that have been followed by another at or before `applied`. */
export const prune = (succession: Succession, applied: Index): Succession => {
  if (succession.length === 1 || succession[1]!.index > applied) return succession
  let first = 1
  while (first + 1 < succession.length && succession[first + 1]!.index <= applied) first++
  return succession.slice(first)
}

/** A snapshot takes the place of the log up to `index`, whatever was in force here; `entries` follow it. */
export const restore = <C>(
  configuration: Configuration,
  index: Index,
  entries: ReadonlyArray<LogEntry<C>>
): Succession => append(begin(configuration, index), entries)

/** In force at `index`, which is not before the first. */
export const at = (succession: Succession, index: Index): Configuration => {
  let found = succession[0]!.configuration
  for (const standing of succession) if (standing.index <= index) found = standing.configuration
  return found
}

/**
 * Whether it votes in any that may be in force. One whose removal is not committed may be the only one that can
 * commit it, so it goes on as before until then (thesis §4.2.2).
 */
export const isVoter = (succession: Succession, id: ReplicaId): boolean =>
  succession.some(({ configuration }) => Configurations.isVoter(configuration, id))

/** Whoever votes in any of them, but this replica: nobody knows yet which will stay. */
export const otherVoters = (succession: Succession, self: ReplicaId): ReadonlyArray<ReplicaId> => {
  if (succession.length === 1) return Configurations.otherVoters(succession[0]!.configuration, self)
  const ids = new Set<ReplicaId>()
  for (const { configuration } of succession) for (const id of Configurations.allVoters(configuration)) ids.add(id)
  ids.delete(self)
  return [...ids]
}
