/**
 * A replica's copy of the replicated machine: what is logged, what of it is committed,
 * what of that is applied, and the value that applying has produced. Immutable: a
 * snapshot is this reference, kept.
 */
import * as Chain from "./Chain.ts"
import type { Checkpoint } from "./Chain.ts"
import type { Configuration } from "./Configuration.ts"
import { ClusterTime, Index, type LogEntry, type ReplicaId, type RequestId } from "./LogEntry.ts"
import type { Log } from "./Log.ts"
import * as Logs from "./Log.ts"
import { type Context, type Machine, versionOf } from "./Machine.ts"
import type { Outcome, Superseded } from "./RaftEffect.ts"
import type { Image } from "./Snapshot.ts"

export interface StateMachine<S, C> {
  readonly log: Log<C>
  readonly commitIndex: Index
  readonly lastApplied: Index
  readonly value: S
  /**
   * For each replica the last request of its clients that was applied. A request that is
   * not later than it is skipped: so a command that was forwarded, logged or retransmitted
   * twice is applied once. Part of the replicated value, and as small as the cluster.
   */
  readonly applied: ReadonlyMap<ReplicaId, RequestId>
  /** Of the chain over all that is applied, and its latest checkpoints, oldest first (see Chain). */
  readonly hash: number
  readonly marks: ReadonlyArray<Checkpoint>
  /** How many times the cluster was begun anew from a backup. */
  readonly epoch: number
  /** The latest that was stamped on what is applied. */
  readonly time: ClusterTime
  /** What commands mean, and up to where leaders may raise that (see Versions). */
  readonly version: number
  readonly ceiling: number | undefined
  /** The version that the others have agreed on and this replica does not understand: it applies nothing any more. */
  readonly outdated: number | undefined
  /** What the commands weigh that were applied since the last snapshot was begun. */
  readonly appliedBytes: number
}

/** Nothing is committed of this log, as far as is known. */
export const begin = <S, C>(value: S, log: Log<C>): StateMachine<S, C> => ({
  log,
  commitIndex: Index(0),
  lastApplied: Index(0),
  value,
  applied: new Map(),
  hash: 0,
  marks: [],
  epoch: 0,
  time: ClusterTime(0),
  version: 1,
  ceiling: undefined,
  outdated: undefined,
  appliedBytes: 0
})

/** The same with these entries, which are consecutive from index 1. */
export const make = <S, C>(value: S, entries: ReadonlyArray<LogEntry<C>>): StateMachine<S, C> =>
  begin(value, Logs.of(entries))

/** As an image has it, with a log that goes on from there or from before. */
export const restore = <S, C>(image: Image<S>, log: Log<C>, understood: number): StateMachine<S, C> => ({
  log,
  commitIndex: image.last.index,
  lastApplied: image.last.index,
  value: image.value,
  applied: image.applied,
  hash: image.hash,
  marks: [],
  epoch: image.epoch,
  time: image.time,
  version: image.version,
  ceiling: image.ceiling,
  outdated: image.version > understood ? image.version : undefined,
  appliedBytes: 0
})

/** What stands for all that is applied: a few references. */
export const image = <S, C>(machine: StateMachine<S, C>, configuration: Configuration): Image<S> => ({
  last: { index: machine.lastApplied, term: Logs.termAt(machine.log, machine.lastApplied)! },
  configuration,
  applied: machine.applied,
  hash: machine.hash,
  epoch: machine.epoch,
  time: machine.time,
  version: machine.version,
  ceiling: machine.ceiling,
  value: machine.value
})

/** What there is to compare with others: the last checkpoint, and the last of all that is applied. */
export const checkpoints = (machine: StateMachine<unknown, unknown>): ReadonlyArray<Checkpoint> => {
  if (machine.lastApplied === 0) return []
  const tip: Checkpoint = { index: machine.lastApplied, hash: machine.hash }
  const mark = machine.marks.at(-1)
  return mark === undefined || mark.index === tip.index ? [tip] : [mark, tip]
}

/** The chain's hash after the entry at `index`, if it is still known. */
export const hashAt = (
  { marks, lastApplied, hash }: StateMachine<unknown, unknown>,
  index: Index
): number | undefined => Chain.hashAt({ marks, tip: { index: lastApplied, hash } }, index)

/** Moves the commit index; never back, and never beyond the log. */
export const commitTo = <S, C>(machine: StateMachine<S, C>, index: Index): StateMachine<S, C> =>
  index > machine.commitIndex
    ? { ...machine, commitIndex: Index(Math.min(index, Logs.lastIndex(machine.log))) }
    : machine

/** Told of each request, in order, what became of it. */
export type OnApplied<R> = (
  request: RequestId,
  outcome: Exclude<Outcome<R, never>, { readonly reason: unknown }>
) => void

/**
 * Applies what is committed and not applied yet, in order (§5.3), at most `limit` entries of it. Stops for good
 * before a version that `machine` does not understand: what follows may mean what it cannot know.
 */
export const apply = <S, C, R>(
  stateMachine: StateMachine<S, C>,
  machine: Pick<Machine<S, C, R, never, unknown>, "apply" | "digest" | "migrate" | "sizeOf" | "version">,
  onApplied: OnApplied<R>,
  limit = Number.POSITIVE_INFINITY
): StateMachine<S, C> => {
  const { commitIndex, lastApplied, log } = stateMachine
  if (commitIndex === lastApplied || stateMachine.outdated !== undefined) return stateMachine
  let end = Index(Math.min(commitIndex, lastApplied + limit))
  let { value, hash, marks, appliedBytes, time, version, ceiling } = stateMachine
  let outdated: number | undefined
  let applied: Map<ReplicaId, RequestId> | undefined
  const batch = {}
  let context: Context = { time, version, batch }
  for (let index = lastApplied + 1; index <= end; index++) {
    const entry = Logs.get(log, Index(index))!
    const { payload } = entry
    let digest = 0
    switch (payload._tag) {
      case "Command": {
        const { request, command } = payload
        appliedBytes += machine.sizeOf(command)
        // Leaders stamp what never falls; that it does not is not left to them.
        if (payload.time > time) time = payload.time
        if (isLater(request, (applied ?? stateMachine.applied).get(request.replica))) {
          if (context.time !== time || context.version !== version) context = { time, version, batch }
          const [next, result] = machine.apply(value, command, context)
          value = next
          digest = machine.digest(command, result)
          applied ??= new Map(stateMachine.applied)
          applied.set(request.replica, request)
          onApplied(request, { _tag: "Applied", result })
        } else onApplied(request, superseded)
        break
      }
      case "Configuration":
        if (payload.request !== undefined && !goesOn(payload.configuration)) onApplied(payload.request, amended)
        break
      case "Version":
        if (payload.version > versionOf(machine)) {
          outdated = payload.version
          end = Index(index - 1)
          continue
        }
        if (payload.version !== version) value = machine.migrate?.(value, payload.version) ?? value
        // A snapshot is due at once: an earlier program starts from it, and not from the log with what it cannot know.
        if (payload.version < version) appliedBytes = Number.MAX_SAFE_INTEGER
        version = payload.version
        ceiling = payload.ceiling
        if (payload.request !== undefined) onApplied(payload.request, amended)
        break
      case "NoOp":
        break
    }
    hash = Chain.extend(hash, entry.index, entry.term, digest)
    marks = Chain.mark(marks, entry.index, hash)
  }
  return {
    ...stateMachine,
    lastApplied: end,
    value,
    applied: applied ?? stateMachine.applied,
    hash,
    marks,
    time,
    version,
    ceiling,
    outdated,
    appliedBytes
  }
}

/** Whoever asked for it hears when the configuration that it led to is committed. */
const goesOn = ({ outgoing, autoLeave }: Configuration): boolean => outgoing.length > 0 && autoLeave

const amended = { _tag: "Amended" } as const
const superseded: Superseded = { _tag: "Superseded" }

/** Whether `request` comes after `other`, both of the same replica. */
const isLater = (request: RequestId, other: RequestId | undefined): boolean =>
  other === undefined ||
  request.incarnation > other.incarnation ||
  (request.incarnation === other.incarnation && request.sequence > other.sequence)
