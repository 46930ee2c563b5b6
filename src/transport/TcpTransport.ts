/**
 * The transport over TCP. Each replica dials every peer and sends over the connection that
 * it dialled; what a peer sends comes over the one that the peer dialled. The listening
 * socket is bound when the layer is built; peers are dialled while `receive` runs.
 *
 * Lifecycle, backoff and supervision are Effects; per message there are plain calls only.
 * Nothing is encrypted, and knowing the cluster's name is all it takes to pose as a peer:
 * the listening address belongs in a network where only replicas are.
 */
import { createServer, type Server } from "node:net"
import { Clock, Effect, Layer, Random, type Scope } from "effect"
import * as Handshake from "../codec/Handshake.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import { ConnectionLog } from "./ConnectionLog.ts"
import { InboundConnections } from "./InboundConnections.ts"
import { type Address, type Ending, formatAddress, OutboundConnection } from "./OutboundConnection.ts"
import { defaultTcpLimits, type TcpLimits } from "./TcpLimits.ts"
import { type PeerConnection, Transport, TransportError } from "./Transport.ts"

export interface TcpTransportOptions {
  /** Replicas of different clusters refuse each other. */
  readonly cluster: string
  readonly id: ReplicaId
  /** Where peers reach us. */
  readonly listen: Address
  /** The other members; an entry for `id` itself is ignored. */
  readonly peers: ReadonlyMap<ReplicaId, Address>
  /** Names this start. */
  readonly incarnation: number
  /** Asked at every handshake and now and then: `undefined` until this replica is admitted. */
  readonly epoch: () => number | undefined
  readonly limits?: Partial<TcpLimits>
}

/** What is known about one peer, and the connection to it while there is one. */
interface Peer {
  readonly id: ReplicaId
  readonly target: Address
  readonly address: string
  connection: OutboundConnection | undefined
  connected: boolean
  lastError: string | undefined
  dropped: number
  /** The last line in the log about it, which is not repeated. */
  lastLine: string | undefined
  /** Ends the pause between two attempts, while there is one. */
  wake: (() => void) | undefined
}

type Deliver = (from: ReplicaId, message: Message<Uint8Array>) => void

export const layer = (options: TcpTransportOptions): Layer.Layer<Transport, TransportError> =>
  Layer.effect(Transport, make(options))

export const make = Effect.fnUntraced(function* (
  options: TcpTransportOptions
): Effect.fn.Return<Transport["Service"], TransportError, Scope.Scope> {
  const limits: TcpLimits = { ...defaultTcpLimits, ...options.limits }
  const log = new ConnectionLog(yield* Effect.context<never>(), limits.repeatLogMillis)
  const peers = new Map<ReplicaId, Peer>()
  for (const [id, target] of options.peers) if (id !== options.id) peers.set(id, newPeer(id, target))

  let deliver: Deliver | undefined
  let onDefect: ((defect: unknown) => void) | undefined
  const inbound = new InboundConnections({
    cluster: options.cluster,
    id: options.id,
    incarnation: options.incarnation,
    epoch: options.epoch,
    isPeer: (id) => peers.has(id),
    limits,
    log,
    // A peer that has just come back dials us; that is the moment to dial it.
    onAccepted: (id) => peers.get(id)?.wake?.(),
    // A throw in a socket callback would end the process behind our back.
    onMessage: (from, message) => {
      try {
        deliver?.(from, message)
      } catch (defect) {
        onDefect?.(defect)
      }
    }
  })
  yield* listen(options.listen, { inbound, log, maxConnections: peers.size + limits.maxStrangers })

  /** Connects, if it can, and comes back when the connection is over. */
  const session = (peer: Peer): Effect.Effect<Ending> =>
    Effect.callback((resume) => {
      const connection = new OutboundConnection({
        address: peer.target,
        hello: Handshake.hello({
          cluster: options.cluster,
          from: options.id,
          to: peer.id,
          incarnation: options.incarnation,
          epoch: options.epoch()
        }),
        epoch: options.epoch,
        limits,
        log,
        onOpen: () => {
          peer.connected = true
          peer.lastError = undefined
          peer.lastLine = undefined
          log.info(`peer ${peer.id} at ${peer.address} connected`)
        },
        onEnd: (ending) => {
          peer.connected = false
          peer.connection = undefined
          peer.lastError = ending.reason
          const line = endingLine(peer, ending)
          if (line !== peer.lastLine) log.warn(line)
          peer.lastLine = line
          resume(Effect.succeed(ending))
        }
      })
      peer.connection = connection
      return Effect.sync(() => {
        peer.connected = false
        peer.connection = undefined
        connection.dispose()
      })
    })

  const pause = (peer: Peer, millis: number): Effect.Effect<boolean> =>
    Effect.callback<void>((resume) => {
      peer.wake = () => resume(Effect.void)
      return Effect.sync(() => {
        peer.wake = undefined
      })
    }).pipe(
      Effect.timeoutOption(millis),
      Effect.map((woken) => woken._tag === "Some")
    )

  const keepConnected = Effect.fnUntraced(function* (peer: Peer): Effect.fn.Return<never> {
    const { minBackoffMillis, maxBackoffMillis } = limits
    let backoff = minBackoffMillis
    while (true) {
      const before = yield* Clock.monotonicTimeNanos
      const ending = yield* session(peer)
      // Only a connection that stood for a while ends the backing off: one that is accepted
      // and dropped again and again must not be dialled in a tight loop.
      const stoodMillis = Number((yield* Clock.monotonicTimeNanos) - before) / 1e6
      if (ending._tag === "Disconnected" && stoodMillis > maxBackoffMillis) backoff = minBackoffMillis
      const woken = yield* pause(peer, backoff * (yield* Random.nextBetween(0.5, 1)))
      backoff = woken ? minBackoffMillis : Math.min(backoff * 2, maxBackoffMillis)
    }
  })

  const tick = Effect.sync(() => {
    inbound.tick()
    for (const peer of peers.values()) peer.connection?.tick()
  })

  return Transport.of({
    send: (to, messages) => {
      const peer = peers.get(to)
      if (peer === undefined) return
      peer.dropped += peer.connection === undefined ? messages.length : peer.connection.send(messages)
    },
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
          ...Array.from(peers.values(), keepConnected)
        ],
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.andThen(Effect.never)),
    connections: () => Array.from(peers.values(), status)
  })
})

const newPeer = (id: ReplicaId, target: Address): Peer => ({
  id,
  target,
  address: formatAddress(target),
  connection: undefined,
  connected: false,
  lastError: undefined,
  dropped: 0,
  lastLine: undefined,
  wake: undefined
})

const status = ({ id, address, connected, lastError, dropped }: Peer): PeerConnection => ({
  id,
  address,
  connected,
  lastError,
  dropped
})

const endingLine = (peer: Peer, ending: Ending): string => {
  switch (ending._tag) {
    case "Unreachable":
      return `peer ${peer.id} at ${peer.address} is not reachable: ${ending.reason}`
    case "Refused":
      return `peer ${peer.id} at ${peer.address} refused us: ${ending.reason}`
    case "Disconnected":
      return `peer ${peer.id} at ${peer.address} disconnected: ${ending.reason}`
  }
}

interface Listener {
  readonly inbound: InboundConnections
  readonly log: ConnectionLog
  readonly maxConnections: number
}

/** Binds, or fails with what to do about it; closes everything with the scope. */
const listen = (
  address: Address,
  { inbound, log, maxConnections }: Listener
): Effect.Effect<Server, TransportError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server, TransportError>((resume) => {
      const server = createServer({ noDelay: true, keepAlive: true }, (socket) => inbound.add(socket))
      server.maxConnections = maxConnections
      server.once("error", (error) =>
        resume(Effect.fail(new TransportError({ message: cannotListen(address, error) })))
      )
      server.listen({ host: address.host, port: address.port, exclusive: true }, () => {
        server.removeAllListeners("error")
        // Accepting can fail later, for want of file descriptors; peers will try again.
        server.on("error", (error) => log.complain("AcceptFailed", "", `cannot accept connections: ${error.message}`))
        server.on("drop", (dropped) => {
          const from = dropped?.remoteAddress ?? "an unknown address"
          log.complain(
            "TooManyConnections",
            from,
            `refused a connection from ${from}: ${maxConnections} are open already`
          )
        })
        resume(Effect.succeed(server))
      })
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        inbound.closeAll()
      })
  )

const cannotListen = (address: Address, error: Error & { readonly code?: string }): string => {
  const subject = `cannot listen for peers on ${formatAddress(address)}`
  switch (error.code) {
    case "EADDRINUSE":
      return `${subject}: another process listens there; stop it, or choose another address with --listen-peer`
    case "EACCES":
      return `${subject}: not permitted; choose a port above 1023 with --listen-peer`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${subject}: this machine has no such address; choose one that it has with --listen-peer`
    default:
      return `${subject}: ${error.message}; choose another address with --listen-peer`
  }
}
