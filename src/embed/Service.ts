/**
 * A replicated machine as a service of Effect, and as promises: one class that has both.
 *
 *     class Counter extends Replicated.Service<Counter>()("Counter", definition) {}
 *
 *     Counter.layer({ id: "A", peers: { ... }, dataDir: "...", listenPeer: "..." })    // in a program of Effect
 *     await using counter = await Counter.start({ id: "A", ... })                     // anywhere else
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { StorageError } from "../storage/Storage.ts"
import type { Definition } from "./Definition.ts"
import type { EmbeddedReplica, ReplicaFailure, Tuning } from "./EmbeddedReplica.ts"
import * as MemoryCluster from "./MemoryCluster.ts"
import type { InvalidOptions } from "./Options.ts"
import * as Production from "./Production.ts"
import * as Promises from "./PromiseReplica.ts"

export interface ServiceClass<Self, Key extends string, S, C, R, Q, A>
  extends Context.ServiceClass<Self, Key, EmbeddedReplica<S, C, R, Q, A>> {
  readonly definition: Definition<S, C, R, Q, A>
  /** One replica of the cluster, with its directory and its connections. */
  readonly layer: (options: Production.ReplicaOptions) => Layer.Layer<Self, ReplicaFailure | InvalidOptions>
  /** The only replica of a cluster in memory: for tests of what uses the service. */
  readonly layerMemory: (tuning?: Tuning) => Layer.Layer<Self, StorageError | InvalidOptions>
  /** A whole cluster in memory, whose replicas can be stopped and started. */
  readonly cluster: (
    options?: MemoryCluster.ClusterOptions
  ) => Effect.Effect<MemoryCluster.MemoryCluster<S, C, R, Q, A>, StorageError | InvalidOptions, Scope.Scope>
  /** As `layer`, for those who do not use Effect. */
  readonly start: (
    options: Production.ReplicaOptions & Promises.LogOptions
  ) => Promise<Promises.PromiseReplica<S, C, R, Q, A>>
  readonly startMemory: (options?: Tuning & Promises.LogOptions) => Promise<Promises.PromiseReplica<S, C, R, Q, A>>
  readonly startCluster: (
    options?: MemoryCluster.ClusterOptions & Promises.LogOptions
  ) => Promise<Promises.PromiseCluster<S, C, R, Q, A>>
}

export const Service =
  <Self>() =>
  <const Key extends string, S, C, R, Q, A>(
    key: Key,
    definition: Definition<S, C, R, Q, A>
  ): ServiceClass<Self, Key, S, C, R, Q, A> => {
    const service = Context.Service<Self, EmbeddedReplica<S, C, R, Q, A>>()(key)
    const alone = (tuning: Tuning = {}) =>
      Effect.map(MemoryCluster.make(definition, { ...tuning, replicas: 1 }), (cluster) => cluster.replica("A"))
    return Object.assign(service, {
      definition,
      layer: (options: Production.ReplicaOptions) => Layer.effect(service, Production.make(definition, options)),
      layerMemory: (tuning?: Tuning) => Layer.effect(service, alone(tuning)),
      cluster: (options?: MemoryCluster.ClusterOptions) => MemoryCluster.make(definition, options),
      start: (options: Production.ReplicaOptions & Promises.LogOptions) =>
        Promises.start(Production.make(definition, options), options),
      startMemory: (options: Tuning & Promises.LogOptions = {}) => Promises.start(alone(options), options),
      startCluster: (options: MemoryCluster.ClusterOptions & Promises.LogOptions = {}) =>
        Promises.startCluster(MemoryCluster.make(definition, options), options)
    })
  }
