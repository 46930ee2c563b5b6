/**
 * A replica for those who do not use Effect: promises, async iteration, `await using`. A promise rejects with the
 * same typed errors (`error._tag`, or `instanceof`).
 */
import { Effect, Exit, Layer, Logger, type LogLevel, References, Scope, Stream } from "effect"
import type { ReplicaStatus } from "../runtime/ReplicaStatus.ts"
import type { Change } from "./Changes.ts"
import type { EmbeddedReplica } from "./EmbeddedReplica.ts"
import type { MemoryCluster } from "./MemoryCluster.ts"

export interface PromiseReplica<S, C, R, Q, A> extends AsyncDisposable {
  /** Rejects with Unavailable, RequestTimeout, ResourceExhausted or InvalidCommand. */
  readonly propose: (command: C) => Promise<R>
  readonly query: (query: Q) => Promise<A>
  readonly queryLocal: (query: Q) => Promise<A>
  /** Subscribes each time it is iterated, and until then. Ends by throwing ChangesLost. */
  readonly changes: () => AsyncIterable<Change<S, C, R>>
  readonly status: () => ReplicaStatus
  /** Resolves when this replica is closed; rejects with the reason when it ends by itself. */
  readonly ended: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface PromiseCluster<S, C, R, Q, A> extends AsyncDisposable {
  readonly ids: ReadonlyArray<string>
  readonly running: () => ReadonlyArray<string>
  readonly replica: (id: string) => PromiseReplica<S, C, R, Q, A>
  readonly start: (id: string) => Promise<PromiseReplica<S, C, R, Q, A>>
  /** Ends it as a crash would. */
  readonly stop: (id: string) => Promise<void>
  /** Waits until one leads that a majority follows. */
  readonly leader: () => Promise<string>
  readonly close: () => Promise<void>
}

export interface LogOptions {
  /** What is written to standard error: from "Warn" on if nothing is said; "None" for nothing. */
  readonly logLevel?: LogLevel.LogLevel
}

const logging = ({ logLevel = "Warn" }: LogOptions): Layer.Layer<never> =>
  Layer.mergeAll(
    Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]),
    Layer.succeed(References.MinimumLogLevel, logLevel)
  )

/** Makes something in a scope of its own, which `close` closes. */
const open = async <T, E>(
  make: Effect.Effect<T, E, Scope.Scope>,
  options: LogOptions
): Promise<{ readonly made: T; readonly close: () => Promise<void> }> => {
  const scope = Scope.makeUnsafe()
  const close = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))
  const making = make.pipe(
    Scope.provide(scope),
    Effect.onError(() => Scope.close(scope, Exit.void)),
    Effect.provide(logging(options))
  )
  return { made: await Effect.runPromise(making), close }
}

export const start = async <S, C, R, Q, A, E>(
  make: Effect.Effect<EmbeddedReplica<S, C, R, Q, A>, E, Scope.Scope>,
  options: LogOptions
): Promise<PromiseReplica<S, C, R, Q, A>> => {
  const { made, close } = await open(make, options)
  return facade(made, close)
}

export const startCluster = async <S, C, R, Q, A, E>(
  make: Effect.Effect<MemoryCluster<S, C, R, Q, A>, E, Scope.Scope>,
  options: LogOptions
): Promise<PromiseCluster<S, C, R, Q, A>> => {
  const { made: cluster, close } = await open(make, options)
  const stop = (id: string): Promise<void> => Effect.runPromise(cluster.stop(id))
  const replica = (id: string): PromiseReplica<S, C, R, Q, A> => facade(cluster.replica(id), () => stop(id))
  return {
    ids: cluster.ids,
    running: () => cluster.running,
    replica,
    start: async (id) => {
      await Effect.runPromise(cluster.start(id).pipe(Effect.provide(logging(options))))
      return replica(id)
    },
    stop,
    leader: () => Effect.runPromise(cluster.leader),
    close,
    [Symbol.asyncDispose]: close
  }
}

const facade = <S, C, R, Q, A>(
  replica: EmbeddedReplica<S, C, R, Q, A>,
  close: () => Promise<void>
): PromiseReplica<S, C, R, Q, A> => ({
  propose: (command) => Effect.runPromise(replica.propose(command)),
  query: (query) => Effect.runPromise(replica.query(query)),
  queryLocal: (query) => Effect.runPromise(replica.queryLocal(query)),
  changes: () => Stream.toAsyncIterable(replica.changes),
  status: () => Effect.runSync(replica.status),
  ended: async () => {
    const exit = await Effect.runPromiseExit(replica.awaitFailure)
    if (Exit.isFailure(exit) && !Exit.hasInterrupts(exit)) await Effect.runPromise(exit)
  },
  close,
  [Symbol.asyncDispose]: close
})
