/**
 * The library: a machine of your own, replicated. `Replicated.Service` is where to begin; the README
 * and the folder `examples` show how.
 *
 * What is exported here and in `raft.ts` and `simulator.ts` is what others may rely on; everything else is
 * the inside of the house.
 */
export * as Replicated from "./embed/Replicated.ts"
export { type Change, type ChangesLimits, ChangesLost } from "./embed/Changes.ts"
export { type Codec, define, type Definition } from "./embed/Definition.ts"
export type { EmbeddedReplica, Limits, ReplicaFailure, Tuning } from "./embed/EmbeddedReplica.ts"
export { InvalidCommand, InvalidQuery } from "./embed/InvalidInput.ts"
export { type ClusterOptions, MemoryCluster } from "./embed/MemoryCluster.ts"
export { InvalidOptions } from "./embed/Options.ts"
export type { HostAndPort, ReplicaOptions } from "./embed/Production.ts"
export type { LogOptions, PromiseCluster, PromiseReplica } from "./embed/PromiseReplica.ts"
export type { ServiceClass } from "./embed/Service.ts"
export type { Options as RaftOptions } from "./raft/Options.ts"
export type { ReplicaStatus } from "./runtime/ReplicaStatus.ts"
export {
  NotUnderstood,
  type RequestError,
  RequestTimeout,
  ResourceExhausted,
  Unavailable
} from "./runtime/RequestError.ts"
export type { InFlight, MemoryDisk } from "./storage/MemoryStorage.ts"
export { StorageError } from "./storage/Storage.ts"
export { type LinkFaults, MemoryNetwork } from "./transport/MemoryTransport.ts"
export { TransportError } from "./transport/Transport.ts"
