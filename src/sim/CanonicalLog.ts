/**
 * What the cluster has committed, seen from above: one sequence of entries, kept for ever,
 * with the machine replayed over it. Every replica's committed entries, applied values and
 * answers are compared with it.
 *
 * The term of a commit is the term of the leader that committed, which may be later than
 * the one its entry carries: Leader Completeness is about the former (§5.4).
 */
import * as Chain from "../raft/Chain.ts"
import { ClusterTime, type LogEntry, type ReplicaId, type RequestId, Term } from "../raft/LogEntry.ts"
import type { AnySubject } from "./Subject.ts"
import { require } from "./Violation.ts"

export interface CanonicalLog {
  readonly subject: AnySubject
  /** By index; place 0 is before the first entry. */
  readonly entries: Array<Committed>
  /** The place of each operation that took effect. */
  readonly effects: Map<number, number>
  /** Commands are objects that nobody else makes: each stands for one operation. */
  readonly operations: Map<unknown, number>
  /** Operations whose clients were told that nothing was done. */
  readonly refused: Set<number>
}

export interface Committed {
  /** Of the log up to here. */
  readonly chain: number
  readonly term: Term
  /** The term of the leader that was the first to commit it. */
  readonly committedIn: number
  /** The machine once this is applied. */
  readonly value: unknown
  readonly digest: number
  readonly result: unknown
  /** The chain over all that was applied, as replicas compare it. */
  readonly hash: number
  /** The last request of each replica that took effect. */
  readonly applied: ReadonlyMap<ReplicaId, RequestId>
  /** The cluster's, as commands see them. */
  readonly time: ClusterTime
  readonly version: number
  /** Which replicas have it on disk, a bit each (see Holders on disks that were lost). */
  holders: number
}

export const empty = (subject: AnySubject): CanonicalLog => {
  const { initial } = subject.machine
  const beginning: Committed = {
    chain: 0,
    term: Term(0),
    committedIn: 0,
    value: initial,
    digest: subject.digest(initial),
    result: undefined,
    hash: 0,
    applied: new Map(),
    time: ClusterTime(0),
    version: 1,
    holders: -1
  }
  return {
    subject,
    entries: [beginning],
    effects: new Map(),
    operations: new Map(),
    refused: new Set()
  }
}

export const lastIndex = (canon: CanonicalLog): number => canon.entries.length - 1

/** What the machine holds once all of it is applied. */
export const latest = ({ entries }: CanonicalLog): unknown => entries[entries.length - 1]!.value

/** A leader has committed one entry more than anybody before. */
export const commit = (
  canon: CanonicalLog,
  entry: LogEntry<unknown>,
  at: { readonly chain: number; readonly committedIn: number; readonly holders: number }
): void => {
  const { subject } = canon
  const before = canon.entries[canon.entries.length - 1]!
  const { payload } = entry
  const time = payload._tag === "Command" ? payload.time : before.time
  const version = payload._tag === "Version" ? payload.version : before.version
  require(time >= before.time, "the cluster's time never falls", () =>
    `${time} at ${entry.index}, ${before.time} before`)
  let { value, digest, applied } = before
  let result: unknown
  let said = 0
  if (payload._tag === "Command" && isNew(applied, payload.request)) {
    const { command, request } = payload
    const done = subject.machine.apply(value, command, { time, version })
    const broken = subject.rule?.(value, done[0], command, done[1], { time, version })
    require(broken === undefined, "the machine keeps its own rules", () => `at index ${entry.index}: ${broken}`)
    value = done[0]
    result = done[1]
    digest = subject.digest(value)
    said = subject.machine.digest(command, result)
    applied = new Map(applied).set(request.replica, request)
    tookEffect(canon, command, canon.entries.length)
  }
  if (version !== before.version && subject.machine.migrate !== undefined) {
    value = subject.machine.migrate(value, version)
    digest = subject.digest(value)
  }
  const hash = Chain.extend(before.hash, entry.index, entry.term, said)
  canon.entries.push({ ...at, term: entry.term, value, digest, result, hash, applied, time, version })
}

/** The rule of exactly once, told again: a replica's requests take effect in the order of their names. */
const isNew = (applied: Committed["applied"], request: RequestId): boolean => {
  const last = applied.get(request.replica)
  if (last === undefined || request.incarnation > last.incarnation) return true
  return request.incarnation === last.incarnation && request.sequence > last.sequence
}

const tookEffect = (canon: CanonicalLog, command: unknown, index: number): void => {
  const operation = canon.operations.get(command)
  require(operation !== undefined, "only what a client asked for is applied", () => `at index ${index}`)
  const first = canon.effects.get(operation!)
  require(first === undefined, "a request is applied once", () => `operation ${operation} at ${first} and ${index}`)
  require(!canon.refused.has(operation!), "what was refused never happens", () => `operation ${operation} at ${index}`)
  canon.effects.set(operation!, index)
}
