/**
 * A replica as it runs for real: a directory, and TCP between replicas. The order of building is the order of
 * safety, as in the server: the directory is locked before anything listens.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { ReplicaId } from "../raft/LogEntry.ts"
import * as FileStorage from "../storage/FileStorage.ts"
import { Storage } from "../storage/Storage.ts"
import * as TcpTransport from "../transport/TcpTransport.ts"
import type { Definition } from "./Definition.ts"
import * as EmbeddedReplica from "./EmbeddedReplica.ts"
import { type Address, addressOf, check, clusterOf, type InvalidOptions, nameOf } from "./Options.ts"

/** Where to reach a replica: "10.0.0.2:7501", "[::1]:7501", "db-2.internal:7501". */
export type HostAndPort = string

export interface ReplicaOptions extends EmbeddedReplica.Tuning {
  /** This replica's name, as the others have it among their peers. */
  readonly id: string
  /** The other replicas, by name; without any, this one is the whole cluster. */
  readonly peers: Readonly<Record<string, HostAndPort>>
  /** Of this replica alone. It is made if it is not there, and must be kept: it holds what was promised. */
  readonly dataDir: string
  /** Where the peers reach this replica. Nothing is encrypted: bind it to a network where only replicas are. */
  readonly listenPeer: HostAndPort
  /** Replicas of different clusters refuse each other. The machine's name, if nothing is said. */
  readonly cluster?: string
}

/** Runs it in the scope; closing that ends it, and gives the directory free. */
export const make = Effect.fnUntraced(function* <S, C, R, Q, A>(
  definition: Definition<S, C, R, Q, A>,
  options: ReplicaOptions
): Effect.fn.Return<
  EmbeddedReplica.EmbeddedReplica<S, C, R, Q, A>,
  EmbeddedReplica.ReplicaFailure | InvalidOptions,
  Scope.Scope
> {
  const { dataDir } = options
  yield* check(options)
  const cluster = yield* clusterOf(options.cluster ?? definition.name)
  const id = ReplicaId(yield* nameOf("id", options.id))
  const listen = yield* addressOf("listenPeer", options.listenPeer)
  const peers = new Map<ReplicaId, Address>()
  for (const [peer, address] of Object.entries(options.peers)) {
    if (peer !== id) peers.set(ReplicaId(yield* nameOf("peers", peer)), yield* addressOf(`peers.${peer}`, address))
  }
  const voters = [id, ...peers.keys()].toSorted()
  const disk = yield* Layer.build(FileStorage.layer({ directory: dataDir, cluster, replica: id, voters }))
  const { incarnation } = Context.get(disk, Storage).recovered
  let epoch = (): number | undefined => undefined
  const network = yield* Layer.build(
    TcpTransport.layer({
      // Whoever counts other voters counts other majorities: it is of another cluster.
      cluster: `${cluster} (${voters.join(", ")})`,
      id,
      listen,
      incarnation,
      epoch: () => epoch(),
      peers
    })
  )
  const place = { ...options, id, voters }
  const made = yield* EmbeddedReplica.make(definition, place).pipe(Effect.provide(disk), Effect.provide(network))
  // A replica that has not caught up does not know yet of which epoch it is.
  epoch = made.epoch
  return made.replica
})
