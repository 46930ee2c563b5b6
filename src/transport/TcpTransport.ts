/**
 * The transport over TCP. Each replica dials every peer and sends over the two connections that
 * it dialled (see Lane); what a peer sends comes over those that the peer dialled. The listening
 * socket is bound when the layer is built; peers are dialled while `receive` runs.
 *
 * Lifecycle, backoff and supervision are Effects; per message there are plain calls only.
 * Nothing is encrypted, and knowing the cluster's name is all it takes to pose as a peer:
 * the listening address belongs in a network where only replicas are.
 */
import { Clock, Effect, FiberSet, Latch, Layer, type Scope } from "effect"
import * as Handshake from "../codec/Handshake.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import { type Address, formatAddress, parseAddress } from "./Address.ts"
import { ConnectionLog } from "./ConnectionLog.ts"
import { InboundConnections } from "./InboundConnections.ts"
import * as Lane from "./Lane.ts"
import { Membership } from "./Membership.ts"
import { Peer } from "./Peer.ts"
import * as PeerListener from "./PeerListener.ts"
import { defaultTcpLimits, type TcpLimits } from "./TcpLimits.ts"
import { Transport, type TransportError } from "./Transport.ts"

export interface TcpTransportOptions {
  /** Replicas of different clusters refuse each other. */
  readonly cluster: string
  readonly id: ReplicaId
  /** Where peers reach us. */
  readonly listen: Address
  /** The other members until `setMembers` says more; an entry for `id` itself is ignored. */
  readonly peers: ReadonlyMap<ReplicaId, Address>
  /** Names this start. */
  readonly incarnation: number
  /** Asked at every handshake and now and then: `undefined` until this replica is admitted. */
  readonly epoch: () => number | undefined
  /**
   * Asked likewise: while it is true, any replica of the cluster may connect, as one that has just been added must
   * allow since it knows no members, and one that has lost its leader should, since it may have missed that
   * members were added (§6). Never, unless given.
   */
  readonly joining?: () => boolean
  /** Where we answer clients, once that is known; peers tell it to theirs. */
  readonly clientAddress?: () => string | undefined
  readonly limits?: Partial<TcpLimits>
}

type Deliver = (from: ReplicaId, message: Message<Uint8Array>) => void

export const layer = (options: TcpTransportOptions): Layer.Layer<Transport, TransportError> =>
  Layer.effect(Transport, make(options))

export const make = Effect.fnUntraced(function* (
  options: TcpTransportOptions
): Effect.fn.Return<Transport["Service"], TransportError, Scope.Scope> {
  const { cluster, id, incarnation, epoch, joining = () => false, clientAddress = () => undefined } = options
  const limits: TcpLimits = { ...defaultTcpLimits, ...options.limits }
  const log = new ConnectionLog(yield* Effect.context<never>(), limits.repeatLogMillis)
  const clock = yield* Clock.Clock
  const nowMillis = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const initial = new Map(Array.from(options.peers, ([peer, address]) => [peer, formatAddress(address)]))
  const membership = new Membership({ id, joining, limits }, initial)
  /** Told to those that may not know it; one that stands for every address of a machine is none to dial. */
  let ownAddress = ["0.0.0.0", "::"].includes(options.listen.host) ? undefined : formatAddress(options.listen)
  const peers = new Map<ReplicaId, Peer>()
  /** Those that nobody dials yet. */
  const fresh = new Set<Peer>()
  const more = Latch.makeUnsafe(false)

  const hello = (to: ReplicaId, purpose: Lane.Lane): Handshake.Hello =>
    Handshake.hello({
      cluster,
      from: id,
      to,
      incarnation,
      epoch: epoch(),
      purpose,
      address: ownAddress,
      clientAddress: clientAddress()
    })

  const drop = (peer: Peer): void => {
    peer.drop()
    peers.delete(peer.id)
    fresh.delete(peer)
  }

  /** Makes `peers` of those that the membership knows. */
  const update = (): void => {
    const known = membership.known()
    for (const peer of peers.values()) {
      if (known.has(peer.id)) continue
      if (peer.relation === "Former") log.info(`peer ${peer.id} was removed, and is connected no more`)
      drop(peer)
    }
    for (const [peer, { address, relation }] of known) {
      const before = peers.get(peer)
      if (before?.address === address) {
        before.relation = relation
        continue
      }
      if (before !== undefined) drop(before)
      const kept = { dropped: before?.dropped ?? 0, clientAddress: before?.clientAddress }
      const now = new Peer({ id: peer, address, relation, ...kept, hello, epoch, limits, log })
      peers.set(peer, now)
      fresh.add(now)
    }
    more.openUnsafe()
  }
  update()

  let deliver: Deliver | undefined
  let onDefect: ((defect: unknown) => void) | undefined
  const inbound = new InboundConnections({
    cluster,
    id,
    incarnation,
    epoch,
    address: () => ownAddress,
    clientAddress,
    standingOf: (peer) => membership.standingOf(peer),
    limits,
    log,
    onAccepted: ({ from, address: said }) => {
      const address = said !== undefined && parseAddress(said) !== undefined ? said : undefined
      if (membership.welcome({ id: from, address, nowMillis: nowMillis() })) update()
      // A peer that has just come back dials us; that is the moment to dial it.
      peers.get(from)?.wake()
    },
    // A throw in a socket callback would end the process behind our back.
    onMessage: (from, message) => {
      try {
        deliver?.(from, message)
      } catch (defect) {
        onDefect?.(defect)
      }
    }
  })
  const maxConnections = (): number => Lane.lanes.length * membership.size + limits.maxStrangers
  yield* PeerListener.listen(options.listen, { inbound, log, maxConnections })

  const dial = Effect.gen(function* () {
    const dialled = yield* FiberSet.make<void, never>()
    const begin = Effect.gen(function* () {
      yield* more.await
      more.closeUnsafe()
      for (const peer of fresh) {
        fresh.delete(peer)
        yield* FiberSet.run(dialled, peer.keepConnected)
      }
    })
    return yield* Effect.raceFirst(FiberSet.join(dialled), Effect.forever(begin))
  }).pipe(Effect.scoped)

  const tick = Effect.sync(() => {
    if (membership.expire(nowMillis())) update()
    inbound.tick()
    for (const peer of peers.values()) peer.tick()
  })

  return Transport.of({
    send: (to, messages) => peers.get(to)?.send(messages),
    receive: (receiver) =>
      Effect.all(
        [
          Effect.callback<never>((resume) => {
            deliver = receiver
            onDefect = (defect) => resume(Effect.die(defect))
            return Effect.sync(() => {
              deliver = undefined
              onDefect = undefined
            })
          }),
          Effect.forever(Effect.delay(tick, limits.acknowledgeMillis)),
          dial
        ],
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.andThen(Effect.never)),
    setMembers: (members) => {
      ownAddress = members.get(id) ?? ownAddress
      if (membership.set(members, nowMillis())) update()
    },
    connections: () => Array.from(peers.values(), (peer) => peer.status())
  })
})
