/**
 * One replica that replicates nothing: the real machine, applied to at once and in order.
 * Tests change its status, and say how its next requests end.
 */
import type { DirectWaiter } from "../../src/runtime/Direct.ts"
import { Cause, Effect, Exit, type Fiber } from "effect"
import * as Amendments from "../../src/raft/Amendment.ts"
import type { Amendment } from "../../src/raft/Amendment.ts"
import * as Configurations from "../../src/raft/Configuration.ts"
import type { Configuration } from "../../src/raft/Configuration.ts"
import type { KvAnswer, KvQuery } from "../../src/kv/KvQuery.ts"
import type { KvState } from "../../src/kv/KvState.ts"
import { WatchHub } from "../../src/kv/WatchHub.ts"
import { ClusterTime, Index, ReplicaId, type RequestId, Term } from "../../src/raft/LogEntry.ts"
import type { Strength } from "../../src/runtime/Amendments.ts"
import type { MembersStatus } from "../../src/runtime/Membership.ts"
import type { ReplicaStatus } from "../../src/runtime/ReplicaStatus.ts"
import { AmendmentRefused, type RequestError, Unavailable } from "../../src/runtime/RequestError.ts"
import type { KvReplica } from "../../src/server/KvReplica.ts"
import { type StoreCommand, StoreMachine, type StoreResult } from "../../src/sessions/Store.ts"

export interface FakeReplica extends KvReplica {
  /** What proposals and linearizable queries do instead of succeeding. */
  instead: Effect.Effect<never, RequestError> | undefined
  /** Linearizable queries take as long as this. */
  takes: Effect.Effect<void>
  /** Parts of the status that differ from a healthy leader's. */
  differing: Partial<ReplicaStatus>
  /** Who the members are; amendments change it at once. */
  configuration: Configuration
  /** What was asked for, in order. */
  readonly amendments: Array<Amendment>
  /** What the last linearizable query asked. */
  lastQuery: KvQuery | undefined
  /** All that is applied. */
  readonly store: () => KvState
  readonly hub: WatchHub
  /** The cluster's time, in milliseconds. */
  time: number
  /** On which version of commands the cluster has agreed. */
  version: number
  /** How often each door was used. */
  readonly calls: { propose: number; query: number; queryLocal: number }
}

export const make = (): FakeReplica => {
  let state = StoreMachine.initial
  const hub = new WatchHub(state.value, { schedule: (turn) => setImmediate(turn) })

  const apply = (command: StoreCommand): StoreResult => {
    const [next, result] = StoreMachine.apply(state, command, { time: ClusterTime(fake.time), version: fake.version })
    state = next
    hub.advance(state.value)
    return result
  }
  const answer = (query: KvQuery): KvAnswer => StoreMachine.query(state, query)

  const underWay = new Map<number, Fiber.Fiber<unknown>>()
  let sequence = 0
  /** A bug is thrown at whoever asks, as the real one does. */
  const answerDirectly = <A>(
    effect: Effect.Effect<A, RequestError>,
    waiter: DirectWaiter<A>
  ): RequestId | undefined => {
    const fiber = Effect.runFork(Effect.match(effect, { onSuccess: waiter.succeed, onFailure: waiter.fail }))
    const exit = fiber.pollUnsafe()
    if (exit !== undefined && Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    if (exit !== undefined) return undefined
    underWay.set(++sequence, fiber)
    return { replica: ReplicaId("A"), incarnation: 1, sequence }
  }

  const fake: FakeReplica = {
    instead: undefined,
    takes: Effect.void,
    differing: {},
    configuration: Configurations.of([ReplicaId("A")], [{ id: ReplicaId("A"), address: "10.0.0.1:7501" }]),
    amendments: [],
    lastQuery: undefined,
    store: () => state.value,
    hub,
    time: 0,
    version: 3,
    calls: { propose: 0, query: 0, queryLocal: 0 },
    propose: (command) =>
      Effect.suspend(() => {
        fake.calls.propose += 1
        return fake.instead ?? Effect.succeed(apply(command))
      }),
    direct: {
      propose: (command, waiter) => answerDirectly(fake.propose(command), waiter),
      query: (query, waiter) => answerDirectly(fake.query(query), waiter),
      queryLocal: (query) => {
        fake.calls.queryLocal += 1
        return fake.differing.divergedAt === undefined
          ? answer(query)
          : new Unavailable({ message: "differs from the others", outcomeUnknown: false })
      },
      forget: ({ sequence }) => underWay.get(sequence)?.interruptUnsafe(),
      currentTerm: () => fake.status().term
    },
    query: (query) =>
      Effect.suspend(() => {
        fake.calls.query += 1
        fake.lastQuery = query
        return Effect.andThen(fake.takes, fake.instead ?? Effect.succeed(answer(query)))
      }),
    queryLocal: (query) =>
      Effect.suspend(() => {
        const answered = fake.direct.queryLocal(query)
        return answered instanceof Unavailable ? Effect.fail(answered) : Effect.succeed(answered)
      }),
    staleness: () => ({ heardLeaderMillisAgo: 12, appliedIndex: Index(22), commitIndex: Index(22) }),
    status: () => ({ ...healthyLeader, ...fake.differing }),
    members: () => membersOf(fake.configuration),
    amend: (amendment) =>
      Effect.suspend(() => {
        fake.amendments.push(amendment)
        if (fake.instead !== undefined) return fake.instead
        if (amendment._tag !== "Members") return Effect.void
        const amended = Amendments.amend(fake.configuration, amendment)
        if (amended._tag === "Objection") {
          const refused = { reason: amended.objection, message: amended.objection, outcomeUnknown: false } as const
          return Effect.fail(new AmendmentRefused(refused))
        }
        fake.configuration = Amendments.leave(amended.configuration)
        return Effect.void
      }),
    plan: ({ changes }) =>
      fake.instead ??
      Effect.succeed({ before: strength, after: { ...strength, tolerates: changes.length }, refusal: undefined }),
    transferLeadership: (to) => fake.instead ?? Effect.succeed(to ?? ReplicaId("A"))
  }
  return fake
}

const strength: Strength = {
  voters: [ReplicaId("A")],
  learners: [],
  quorum: 1,
  tolerates: 0,
  inReach: [ReplicaId("A")]
}

const membersOf = (configuration: Configuration): MembersStatus => ({
  index: Index(3),
  committed: true,
  joint: false,
  members: Configurations.members(configuration)
    .toSorted()
    .map((id) => ({
      id,
      role: Configurations.isLearner(configuration, id) ? "learner" : "voter",
      promote: configuration.learners.some((learner) => learner.id === id && learner.promote),
      address: Configurations.addressOf(configuration, id),
      progress: undefined
    }))
})

const healthyLeader: ReplicaStatus = {
  outside: false,
  handingOverTo: undefined,
  id: ReplicaId("A"),
  role: "Leader",
  term: Term(2),
  leader: ReplicaId("A"),
  available: true,
  admitted: true,
  divergedAt: undefined,
  commandVersion: 3,
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
