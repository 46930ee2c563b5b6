/**
 * The key-value store as a pure `Machine`: etcd's data model. A store starts at revision 1; each command that
 * changes keys takes the next revision, whatever the number of keys.
 *
 * History, transactions and leases are of version 3 of the commands. Where the cluster has not agreed on that yet, only the present
 * is kept: snapshots of earlier versions hold nothing else.
 */
import { ClusterTime } from "../raft/LogEntry.ts"
import type { Context, Machine } from "../raft/Machine.ts"
import * as Compaction from "./Compaction.ts"
import { historySince, type KvCommand, type KvResult, type Rejection } from "./KvCommand.ts"
import { digest } from "./KvDigest.ts"
import type { KvAnswer, KvQuery, LeasesAnswer } from "./KvQuery.ts"
import { initial, type KvState } from "./KvState.ts"
import { sizeOf } from "./KvWeight.ts"
import * as LeaseCommands from "./LeaseCommands.ts"
import * as Leases from "./Leases.ts"
import * as Ranging from "./Ranging.ts"
import { deleteRange, merge, put, putProblem, rejected, txn, unreadable } from "./Txns.ts"
import * as Writing from "./Writing.ts"

const apply = (state: KvState, command: KvCommand, { time, version, batch }: Context): readonly [KvState, KvResult] => {
  if (command._tag === "Compact") return compact(state, command.revision)
  // Once a put has begun, nothing can keep it from being done; anything else may be given up in the middle.
  const writing = Writing.begin(state, time, command._tag === "Put" ? batch : undefined)
  const result = carryOut(writing, command)
  if (typeof result === "string") return [state, rejected(state, result)]
  const after = Writing.finish(writing)
  return [version < historySince ? Compaction.forget(after) : Compaction.trimAfter(after, writing.changed), result]
}

const carryOut = (writing: Writing.Writing, command: Exclude<KvCommand, { _tag: "Compact" }>): KvResult | Rejection => {
  switch (command._tag) {
    case "Put":
      return putProblem(writing.before, command, true) ?? put(writing, command)
    case "DeleteRange":
      return deleteRange(writing, command)
    case "Txn":
      return txn(writing, command)
    case "Merge":
      return merge(writing, command)
    default:
      return LeaseCommands.apply(writing, command)
  }
}

const compact = (state: KvState, revision: number): readonly [KvState, KvResult] => {
  if (revision <= state.compacted) return [state, rejected(state, "Compacted")]
  if (revision > state.revision) return [state, rejected(state, "FutureRevision")]
  return [Compaction.trim(Compaction.compact(state, revision)), { _tag: "Compact", revision: state.revision }]
}

const query = (state: KvState, query: KvQuery): KvAnswer => {
  switch (query._tag) {
    case "Range": {
      // Alone, as in etcd, a range of a revision below 0 is one of the present.
      const problem = query.revision > 0 ? unreadable(state, query.revision) : undefined
      return problem === undefined ? Ranging.range(state, query) : refused(state, problem)
    }
    case "Txn": {
      const answer = txn(Writing.begin(state, ClusterTime(0)), query)
      return typeof answer === "string" ? refused(state, answer) : answer
    }
    case "Leases":
      return leases(state)
  }
}

const refused = ({ revision, compacted }: KvState, reason: Rejection): KvAnswer =>
  reason === "FutureRevision" || reason === "TooMuchRead"
    ? { _tag: reason, revision }
    : { _tag: "Compacted", revision, compacted }

const leases = (state: KvState): LeasesAnswer => {
  const ids: Array<bigint> = []
  Leases.walk(state.leases, ({ id }) => ids.push(id) > 0)
  return { _tag: "Leases", revision: state.revision, ids }
}

/** What applying gives for bytes that are no command; the state stays as it is. */
export const unknownCommand = (state: KvState): KvResult => ({ _tag: "UnknownCommand", revision: state.revision })

export const KvMachine: Machine<KvState, KvCommand, KvResult, KvQuery, KvAnswer> = {
  initial,
  version: historySince,
  apply,
  // Snapshots of an earlier version hold pairs alone. A key keeps the name of its lease, which is nobody's.
  migrate: (state, version) => (version < historySince ? { ...Compaction.forget(state), leases: Leases.empty } : state),
  query,
  sizeOf,
  digest
}
