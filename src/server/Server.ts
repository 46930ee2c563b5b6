/**
 * One replica as a server: disk, network, replica and client port, wired together. The order of
 * building is the order of safety: the directory is locked before anything listens, and the
 * client port opens last. Ending is the other way round: who leads hands over, clients are no longer
 * let in and those that wait get their answers, and only then does the replica stop. Whatever fails while
 * it runs ends the whole.
 */
import { Context, Effect, Fiber, Layer, Scope } from "effect"
import { StoreCommandCodec, StoreStateCodec } from "../codec/StoreCodec.ts"
import type { KvState } from "../kv/KvState.ts"
import { WatchHub } from "../kv/WatchHub.ts"
import * as Configurations from "../raft/Configuration.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Options } from "../raft/Options.ts"
import { leaderOf } from "../raft/ServerState.ts"
import * as Membership from "../runtime/Membership.ts"
import * as Replicated from "../runtime/Replicated.ts"
import { StoreMachine, unknownCommand } from "../sessions/Store.ts"
import * as FileStorage from "../storage/FileStorage.ts"
import * as Identity from "../storage/Identity.ts"
import { Storage } from "../storage/Storage.ts"
import { type Address, formatAddress } from "../transport/Address.ts"
import { probe } from "../transport/Probe.ts"
import * as TcpTransport from "../transport/TcpTransport.ts"
import { Transport } from "../transport/Transport.ts"
import * as AutomaticCompaction from "./AutomaticCompaction.ts"
import * as ClientListener from "./ClientListener.ts"
import * as ClientUrls from "./ClientUrls.ts"
import * as Founding from "./Founding.ts"
import * as Gateway from "./Gateway.ts"
import * as Joining from "./Joining.ts"
import type { KvReplica } from "./KvReplica.ts"
import * as LeaseExpiry from "./LeaseExpiry.ts"
import * as Quota from "./Quota.ts"
import { ServerError } from "./ServerError.ts"
import { RespServer } from "./resp/RespServer.ts"
import * as ServerLog from "./ServerLog.ts"
import type { Member } from "./Status.ts"

export interface ServerOptions {
  readonly id: ReplicaId
  readonly cluster: string
  readonly listenClient: Address
  readonly listenPeer: Address
  readonly given?: Founding.FoundingOptions["given"]
  readonly peers: ReadonlyMap<ReplicaId, { readonly peer: Address }>
  /** It is new to a cluster that there is; see Joining. */
  readonly join?: Founding.Join | undefined
  readonly dataDir: string
  readonly heartbeatMillis: number
  readonly electionTimeoutMillis: number
  /** Reads that rest on a lease, with how much clocks may differ as a share of 1; see the core's Lease. */
  readonly lease?: { readonly maxClockDrift: number | undefined } | undefined
  /** A snapshot is taken after so many bytes of commands, or so many (see the core's options). */
  readonly snapshotLogBytes?: number | undefined
  readonly snapshotLogEntries?: number | undefined
  /** What keys and values may take until only deletions are let in; 0 is no quota. */
  readonly quotaBytes?: number | undefined
  /** For how long what was can be read and watched; 0 is for ever. */
  readonly historyRetentionMillis?: number | undefined
  /** See ListenOptions. */
  readonly maxConnections?: number | undefined
  readonly logFormat: "text" | "json"
  /** Balsa's own version, for `/version`. */
  readonly version?: string
}

/** Runs one replica until it is interrupted, or fails. */
export const serve = (options: ServerOptions): Effect.Effect<never, ServerError> =>
  Effect.scoped(start(options)).pipe(
    Effect.mapError(({ message }) => new ServerError({ message })),
    Effect.provide(ServerLog.layer(options.logFormat, options.id))
  )

const probeMillis = 2000

const start = Effect.fnUntraced(function* (options: ServerOptions) {
  const { cluster, id, peers } = options
  const founding = yield* Founding.find(options)
  const { owner, listenClient, listenPeer } = founding
  const disk = yield* Layer.build(FileStorage.layer({ ...owner, directory: options.dataDir }))
  const { incarnation } = Context.get(disk, Storage).recovered
  let epoch = (): number | undefined => undefined
  let joining = (): boolean => true
  let clientAddress = (): string | undefined => undefined
  const network = yield* Layer.build(
    TcpTransport.layer({
      cluster: Identity.clusterBetweenReplicas(owner),
      id,
      listen: listenPeer,
      incarnation,
      epoch: () => epoch(),
      joining: () => joining(),
      clientAddress: () => clientAddress(),
      peers: new Map([...peers].map(([peer, { peer: address }]) => [peer, address]))
    })
  )
  const addresses = addressesOf(options, listenPeer)
  const transport = Context.get(network, Transport)
  const founders = Configurations.of(owner.voters)
  // It knows whom to take, though --peers does not say it.
  if (options.join !== undefined && owner.joined === undefined)
    transport.setMembers(Membership.addressesOf(founders, addresses, transport))
  let tellWatchers = (_silence: string | undefined, _store: KvState): void => {}
  const { replicated, run, state, image, clusterTime } = yield* Replicated.make({
    machine: StoreMachine,
    codec: StoreCommandCodec,
    state: StoreStateCodec,
    unknownCommand,
    id,
    configuration: founders,
    raft: raftOptions(options),
    joined: owner.joined !== undefined,
    addresses,
    onCarriedOut: ({ after }) => tellWatchers(Replicated.silenceOf(after), after.stateMachine.value.value)
  }).pipe(Effect.provide(disk), Effect.provide(network))
  // A replica that has not caught up does not know yet of which epoch it is.
  epoch = () => (state().admitted ? state().stateMachine.epoch : undefined)
  // Without a leader it may be that it has missed who the members are.
  joining = () => leaderOf(state()) === undefined
  clientAddress = () => {
    const own = replicated.members().members.find((member) => member.id === id)
    return ClientUrls.ownAddress(listenClient, own?.address ?? addresses.get(id))
  }
  yield* Founding.checkPeers(options, founding, replicated.members())
  yield* Effect.addFinalizer(() => Effect.logInfo("stops"))
  // It ends after the client port, so that what is under way there can still be answered.
  const running = yield* Scope.fork(yield* Effect.scope)
  const store = (): KvState => image().value.value
  const hub = new WatchHub(store(), { schedule: (turn) => setImmediate(turn) })
  tellWatchers = (silence, store) => (silence === undefined ? hub.advance(store) : hub.end(silence))
  const gateway = Gateway.layer({
    replica: replicated,
    cluster,
    founding: { voters: owner.voters, recovery: owner.recovery },
    members: () => membersOf(replicated, ClientUrls.of(replicated, clientAddress())),
    probe: (to, address) =>
      Effect.map(
        probe({
          address,
          cluster: Identity.clusterBetweenReplicas(owner),
          from: id,
          to,
          incarnation,
          epoch: epoch(),
          timeoutMillis: probeMillis
        }),
        (result) => (result._tag === "Reachable" ? undefined : whyNot(address, result))
      ),
    store,
    hub,
    quotaBytes: options.quotaBytes,
    image: () => {
      const { value, ...rest } = image()
      return { ...rest, value: value.value }
    },
    version: options.version
  })
  const { quotaBytes, version, maxConnections } = options
  const quotaWarning = quotaBytes === undefined ? undefined : Quota.warning(quotaBytes, Quota.heapLimit())
  if (quotaWarning !== undefined) yield* Effect.logWarning(quotaWarning)
  const redis = new RespServer({ replica: replicated, store, quotaBytes, version, port: listenClient.port })
  yield* Layer.build(gateway.pipe(Layer.provide(ClientListener.layer({ ...listenClient, redis, maxConnections }))))
  yield* Effect.logInfo(
    `replica ${id} of cluster ${cluster} (${describe(replicated)}): clients at http://${formatAddress(listenClient)}, ` +
      `peers at ${formatAddress(listenPeer)}, data in ${options.dataDir}, Node ${process.version}`
  )
  const leading = { replica: replicated, store, clusterTime }
  const retentionMillis = options.historyRetentionMillis ?? AutomaticCompaction.defaultRetentionMillis
  // One that dies ends them all, and with them the server.
  const loops = [run, LeaseExpiry.run(leading), AutomaticCompaction.run({ ...leading, retentionMillis })]
  const all = Effect.andThen(Effect.all(loops, { concurrency: "unbounded", discard: true }), Effect.never)
  const fiber = yield* Effect.forkIn(all, running, { startImmediately: true })
  if (options.join !== undefined) {
    const isBehind = (): boolean => owner.joined !== undefined && replicated.status().lastIndex === 0
    let told = !isBehind() && replicated.members().index > 0
    const tell = (members: ReadonlyArray<Joining.KnownMember>): void => {
      for (const { id: member, address } of members) {
        if (address !== undefined && member !== id) addresses.set(member, address)
      }
      // Until it has heard who the members are it dials whoever dials it.
      if (isBehind()) return
      transport.setMembers(Membership.addressesOf(state().configuration, addresses, transport))
      told = true
    }
    const isComplete = (): boolean =>
      told && !isBehind() && replicated.members().members.every(({ address }) => address !== undefined)
    const asking = { id, cluster, join: options.join.members }
    yield* Effect.forkIn(join(options, options.join, founding, replicated), running)
    yield* Effect.forkIn(Joining.seek(asking, isComplete, tell), running)
  }
  return yield* Fiber.join(fiber).pipe(Effect.onInterrupt(() => handOver(replicated, options.electionTimeoutMillis)))
})

/** A leader that is told to stop: whoever is best placed leads at once, instead of when its silence is noticed. */
const handOver = Effect.fnUntraced(function* (replica: KvReplica, electionTimeoutMillis: number) {
  const { id, leader } = replica.status()
  if (leader !== id || replica.members().members.filter(({ role }) => role === "voter").length < 2) return
  yield* replica.transferLeadership().pipe(
    Effect.timeoutOrElse({
      duration: electionTimeoutMillis,
      orElse: () => Effect.fail({ message: `nobody took over within ${electionTimeoutMillis} ms` })
    }),
    Effect.matchEffect({
      onSuccess: (next) => Effect.logInfo(`${next} leads, so this replica can stop`),
      onFailure: ({ message }) => Effect.logWarning(`stops as the leader: ${message}`)
    })
  )
})

/** A replica whose log holds anything asks for nothing: it is a member, or was removed. */
const join = (
  { id, cluster }: ServerOptions,
  { members, learner }: Founding.Join,
  { listenPeer }: Founding.Founding,
  replica: KvReplica
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (replica.status().lastIndex > 0) return Effect.void
    const isMember = (): boolean =>
      replica.status().lastIndex > 0 && replica.members().members.some((member) => member.id === id)
    return Joining.enter({
      id,
      cluster,
      join: members,
      address: formatAddress(listenPeer),
      promote: !learner,
      isMember
    })
  })

const whyNot = (
  address: string,
  result: Exclude<Effect.Success<ReturnType<typeof probe>>, { readonly _tag: "Reachable" }>
): string =>
  result._tag === "Refused"
    ? `the replica at ${address} says: ${result.explanation}`
    : `nobody can be reached at ${address} (${result.reason}); start it there with --join first, or insist with --force`

const raftOptions = (options: ServerOptions): Partial<Options> => ({
  heartbeatMillis: options.heartbeatMillis,
  electionTimeoutMillis: options.electionTimeoutMillis,
  appliesLater: true,
  ...(options.snapshotLogBytes === undefined ? {} : { snapshotLogBytes: options.snapshotLogBytes }),
  ...(options.snapshotLogEntries === undefined ? {} : { snapshotLogEntries: options.snapshotLogEntries }),
  ...(options.lease === undefined ? {} : { leaseReads: true }),
  ...(options.lease?.maxClockDrift === undefined ? {} : { maxClockDrift: options.lease.maxClockDrift })
})

const addressesOf = ({ id, peers }: ServerOptions, listenPeer: Address): Map<ReplicaId, string> => {
  const others = [...peers].map(([peer, { peer: address }]) => [peer, formatAddress(address)] as const)
  return new Map(ClientUrls.isAny(listenPeer) ? others : [[id, formatAddress(listenPeer)], ...others])
}

const describe = (replica: KvReplica): string => {
  const { members } = replica.members()
  const voters = members.filter(({ role }) => role !== "learner").length
  const learners = members.length - voters
  const outside = members.some(({ id }) => id === replica.status().id) ? "" : ", not yet one of them"
  return `${voters} ${voters === 1 ? "voter" : "voters"}${learners === 0 ? "" : `, ${learners} learners`}${outside}`
}

const membersOf = (replica: KvReplica, clientUrls: (id: ReplicaId) => ReadonlyArray<string>): ReadonlyArray<Member> =>
  replica.members().members.map(({ id, role, address }) => ({
    name: id,
    peerUrls: address === undefined ? [] : [`http://${address}`],
    clientUrls: clientUrls(id),
    isLearner: role === "learner"
  }))
