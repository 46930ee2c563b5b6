/**
 * One replica that replicates nothing: the real machine, applied to at once and in order.
 * Tests change its status, and say how its next requests end.
 */
import { Effect } from "effect"
import type { KvAnswer, KvQuery } from "../../src/kv/KvQuery.ts"
import { ClusterTime, Index, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { ReplicaStatus } from "../../src/runtime/ReplicaStatus.ts"
import { type RequestError, Unavailable } from "../../src/runtime/RequestError.ts"
import type { KvReplica } from "../../src/server/KvReplica.ts"
import { type StoreCommand, StoreMachine, type StoreResult } from "../../src/sessions/Store.ts"

export interface FakeReplica extends KvReplica {
  /** What proposals and linearizable queries do instead of succeeding. */
  instead: Effect.Effect<never, RequestError> | undefined
  /** Linearizable queries take as long as this. */
  takes: Effect.Effect<void>
  /** Parts of the status that differ from a healthy leader's. */
  differing: Partial<ReplicaStatus>
  /** What the last linearizable query asked. */
  lastQuery: KvQuery | undefined
  /** The cluster's time, in milliseconds. */
  time: number
  /** How often each door was used. */
  readonly calls: { propose: number; query: number; queryLocal: number }
}

export const make = (): FakeReplica => {
  let state = StoreMachine.initial

  const apply = (command: StoreCommand): StoreResult => {
    const [next, result] = StoreMachine.apply(state, command, { time: ClusterTime(fake.time), version: 2 })
    state = next
    return result
  }
  const answer = (query: KvQuery): KvAnswer => StoreMachine.query(state, query)

  const fake: FakeReplica = {
    instead: undefined,
    takes: Effect.void,
    differing: {},
    lastQuery: undefined,
    time: 0,
    calls: { propose: 0, query: 0, queryLocal: 0 },
    propose: (command) =>
      Effect.suspend(() => {
        fake.calls.propose += 1
        return fake.instead ?? Effect.succeed(apply(command))
      }),
    query: (query) =>
      Effect.suspend(() => {
        fake.calls.query += 1
        fake.lastQuery = query
        return Effect.andThen(fake.takes, fake.instead ?? Effect.succeed(answer(query)))
      }),
    queryLocal: (query) =>
      Effect.suspend(() => {
        fake.calls.queryLocal += 1
        return fake.differing.divergedAt === undefined
          ? Effect.succeed(answer(query))
          : Effect.fail(new Unavailable({ message: "differs from the others", outcomeUnknown: false }))
      }),
    status: () => ({ ...healthyLeader, ...fake.differing })
  }
  return fake
}

const healthyLeader: ReplicaStatus = {
  id: ReplicaId("A"),
  role: "Leader",
  term: Term(2),
  leader: ReplicaId("A"),
  available: true,
  admitted: true,
  divergedAt: undefined,
  commandVersion: 2,
  outdatedBy: undefined,
  diskFull: false,
  diskStuck: false,
  lastIndex: Index(22),
  commitIndex: Index(22),
  lastApplied: Index(22),
  snapshot: undefined,
  receivingPercent: undefined,
  log: { firstIndex: Index(1), bytes: 1000 },
  voters: [ReplicaId("A")],
  waiting: 0,
  connections: []
}
