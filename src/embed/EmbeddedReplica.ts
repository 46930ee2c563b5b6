/**
 * One replica of a user's machine, on whatever disk and network it is given. Its loop runs in the scope that
 * it was made in, and is watched: when it ends, callers are told so, the log says why, and
 * `awaitFailure` fails.
 */
import * as Configurations from "../raft/Configuration.ts"
import { Cause, Effect, Fiber, Result, type Scope, type Stream } from "effect"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import type { ReplicaStatus } from "../runtime/ReplicaStatus.ts"
import * as Replicated from "../runtime/Replicated.ts"
import type { ReplicatedLimits } from "../runtime/Submitting.ts"
import type { RequestError, Unavailable } from "../runtime/RequestError.ts"
import type { Storage, StorageError } from "../storage/Storage.ts"
import type { Transport, TransportError } from "../transport/Transport.ts"
import { type Change, Changes, type ChangesLimits, type ChangesLost, defaultChangesLimits } from "./Changes.ts"
import type { Definition } from "./Definition.ts"
import type { InvalidCommand, InvalidQuery } from "./InvalidInput.ts"
import * as SchemaMachine from "./SchemaMachine.ts"

/** Why a replica could not start, or has ended. */
export type ReplicaFailure = StorageError | TransportError

export interface Limits extends ReplicatedLimits, ChangesLimits {}

/** What may be set of any replica; all members of a cluster should be given the same. */
export interface Tuning {
  /** Times and limits of the algorithm, the election timeout among them. */
  readonly raft?: Partial<Options>
  readonly limits?: Partial<Limits>
  /** How long a request may take before its caller is told that it took too long: 5 seconds if nothing is said. */
  readonly requestTimeoutMillis?: number
}

/** What a replica is to those who use it. Any replica takes commands and queries; who leads is not their business. */
export interface EmbeddedReplica<S, C, R, Q, A> {
  /** Applies a command on all replicas; succeeds once it is durable on a majority and applied here. */
  readonly propose: (command: C) => Effect.Effect<R, RequestError | InvalidCommand>
  /** A linearizable answer: it sees every command that was acknowledged before it was asked. */
  readonly query: (query: Q) => Effect.Effect<A, RequestError | InvalidQuery>
  /** Answers from what this replica has applied so far, at once, perhaps stale. */
  readonly queryLocal: (query: Q) => Effect.Effect<A, Unavailable | InvalidQuery>
  /** The state as this replica has it, then each command that it applies, in the order of the log. */
  readonly changes: Stream.Stream<Change<S, C, R>, ChangesLost>
  readonly status: Effect.Effect<ReplicaStatus>
  /** Never returns, and fails when the replica ends by itself: race it with what needs the replica. */
  readonly awaitFailure: Effect.Effect<never, ReplicaFailure>
}

export interface Place extends Tuning {
  readonly id: ReplicaId
  readonly voters: ReadonlyArray<ReplicaId>
}

/** What the wiring of a real replica needs besides. */
export interface Made<S, C, R, Q, A> {
  readonly replica: EmbeddedReplica<S, C, R, Q, A>
  /** Of which epoch it is, once it knows. */
  readonly epoch: () => number | undefined
}

export const make = Effect.fnUntraced(function* <S, C, R, Q, A>(
  definition: Definition<S, C, R, Q, A>,
  { id, voters, raft, limits, requestTimeoutMillis }: Place
): Effect.fn.Return<Made<S, C, R, Q, A>, StorageError, Storage | Transport | Scope.Scope> {
  const machine = SchemaMachine.make(definition)
  const { name, prepare, check } = machine
  const changes = new Changes<S, C, R>(machine, { ...defaultChangesLimits, ...limits })
  const { replicated, run, state, image } = yield* Replicated.make({
    machine: machine.machine,
    codec: machine.codec,
    state: machine.state,
    unknownCommand: machine.unknownCommand,
    id,
    configuration: Configurations.of(voters.toSorted()),
    ...(raft === undefined ? {} : { raft }),
    ...(limits === undefined ? {} : { limits }),
    ...(requestTimeoutMillis === undefined ? {} : { requestTimeoutMillis }),
    onCarriedOut: (step) => changes.onCarriedOut(step)
  })
  const watched = run.pipe(
    Effect.onError((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logError(`replica ${id} of "${name}" has ended, and this process serves no more of it`, cause)
    ),
    Effect.ensuring(Effect.sync(() => changes.end()))
  )
  // At once: a run that is interrupted before it begins could tell nobody that it ended.
  const loop = yield* Effect.forkScoped(watched, { startImmediately: true })

  const propose = (command: C) =>
    Effect.suspend((): Effect.Effect<R, RequestError | InvalidCommand> => {
      const prepared = prepare(command)
      if (Result.isFailure(prepared)) return Effect.fail(prepared.failure)
      return Effect.filterOrElse(
        replicated.propose(prepared.success),
        (result) => !SchemaMachine.isUnknown(result),
        () => Effect.die(new Error(`a command of "${name}" cannot be decoded from what its schema encoded`))
      )
    })

  const checked =
    <E>(ask: (query: Q) => Effect.Effect<A, E>) =>
    (query: Q) =>
      Effect.suspend((): Effect.Effect<A, E | InvalidQuery> => {
        const valid = check(query)
        return Result.isFailure(valid) ? Effect.fail(valid.failure) : ask(valid.success)
      })

  const replica: EmbeddedReplica<S, C, R, Q, A> = {
    propose,
    query: checked(replicated.query),
    queryLocal: checked(replicated.queryLocal),
    changes: changes.stream(image),
    status: Effect.sync(replicated.status),
    awaitFailure: Fiber.join(loop)
  }
  return { replica, epoch: () => (state().admitted ? state().stateMachine.epoch : undefined) }
})
