/**
 * A replica with everything around it: disk, peers, clients. This is the only place where
 * the parts are put together.
 *
 * The order of building is the order of safety: the data directory is locked before
 * anything listens, and clients are let in last. What ends any part ends the whole.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { StoreCommandCodec, StoreStateCodec } from "../codec/StoreCodec.ts"
import * as Configurations from "../raft/Configuration.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import * as Replicated from "../runtime/Replicated.ts"
import { StoreMachine, unknownCommand } from "../sessions/Store.ts"
import * as FileStorage from "../storage/FileStorage.ts"
import { Storage } from "../storage/Storage.ts"
import { type Address, formatAddress } from "../transport/Address.ts"
import * as TcpTransport from "../transport/TcpTransport.ts"
import * as ClientListener from "./ClientListener.ts"
import * as Gateway from "./Gateway.ts"
import * as ServerLog from "./ServerLog.ts"
import type { Member } from "./Status.ts"

export interface ServerOptions {
  readonly id: ReplicaId
  readonly cluster: string
  readonly listenClient: Address
  readonly listenPeer: Address
  readonly peers: ReadonlyMap<ReplicaId, { readonly peer: Address }>
  readonly dataDir: string
  readonly heartbeatMillis: number
  readonly electionTimeoutMillis: number
  /** A snapshot is taken after so many bytes of commands, or so many (see the core's options). */
  readonly snapshotLogBytes?: number | undefined
  readonly snapshotLogEntries?: number | undefined
  readonly logFormat: "text" | "json"
  /** Balsa's own version, for `/version`. */
  readonly version?: string
}

/** Why a replica could not start, or had to stop; the message says what to do. */
export class ServerError extends Schema.TaggedError<ServerError>()("ServerError", { message: Schema.String }) {}

/** Runs one replica until it is interrupted, or fails. */
export const serve = (options: ServerOptions): Effect.Effect<never, ServerError> =>
  Effect.scoped(start(options)).pipe(
    Effect.mapError(({ message }) => new ServerError({ message })),
    Effect.provide(ServerLog.layer(options.logFormat, options.id))
  )

const start = Effect.fnUntraced(function* (options: ServerOptions) {
  const { cluster, id, listenClient, listenPeer, peers } = options
  const voters = [id, ...peers.keys()].toSorted()
  const disk = yield* Layer.build(FileStorage.layer({ directory: options.dataDir, cluster, replica: id, voters }))
  const { incarnation } = Context.get(disk, Storage).recovered
  let epoch = (): number | undefined => undefined
  const network = yield* Layer.build(
    TcpTransport.layer({
      // Whoever counts other voters counts other majorities: it is of another cluster.
      cluster: `${cluster} (${voters.join(", ")})`,
      id,
      listen: listenPeer,
      incarnation,
      epoch: () => epoch(),
      peers: new Map([...peers].map(([peer, { peer: address }]) => [peer, address]))
    })
  )
  const { replicated, run, state, image } = yield* Replicated.make({
    machine: StoreMachine,
    codec: StoreCommandCodec,
    state: StoreStateCodec,
    unknownCommand,
    id,
    configuration: Configurations.of(voters),
    raft: raftOptions(options)
  }).pipe(Effect.provide(disk), Effect.provide(network))
  // A replica that has not caught up does not know yet of which epoch it is.
  epoch = () => (state().admitted ? state().stateMachine.epoch : undefined)
  const gateway = Gateway.layer({
    replica: replicated,
    cluster,
    members: () => membersOf(options),
    dbSizeBytes: () => {
      const { log, snapshot } = replicated.status()
      return log.bytes + (snapshot?.bytes ?? 0)
    },
    image: () => {
      const { value, ...rest } = image()
      return { ...rest, value: value.value }
    },
    version: options.version
  })
  yield* Layer.build(gateway.pipe(Layer.provide(ClientListener.layer(listenClient))))
  yield* Effect.logInfo(
    `replica ${id} of cluster ${cluster} (${peers.size + 1} voters): clients at http://${formatAddress(listenClient)}, ` +
      `peers at ${formatAddress(listenPeer)}, data in ${options.dataDir}, Node ${process.version}`
  )
  yield* Effect.addFinalizer(() => Effect.logInfo("stops"))
  return yield* run
})

const raftOptions = (options: ServerOptions): Partial<Options> => ({
  heartbeatMillis: options.heartbeatMillis,
  electionTimeoutMillis: options.electionTimeoutMillis,
  ...(options.snapshotLogBytes === undefined ? {} : { snapshotLogBytes: options.snapshotLogBytes }),
  ...(options.snapshotLogEntries === undefined ? {} : { snapshotLogEntries: options.snapshotLogEntries })
})

/** A replica knows its own address for clients only; the others tell theirs themselves. */
const membersOf = ({ id, listenClient, listenPeer, peers }: ServerOptions): ReadonlyArray<Member> =>
  [
    {
      name: id,
      peerUrls: [`http://${formatAddress(listenPeer)}`],
      clientUrls: [`http://${formatAddress(listenClient)}`]
    },
    ...[...peers].map(([peer, { peer: address }]) => ({
      name: peer,
      peerUrls: [`http://${formatAddress(address)}`],
      clientUrls: []
    }))
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1))
