/**
 * Connections that others made to us. A peer has at most one for each lane: a second one means that it
 * gave up the first, even if we have not seen that end, so the second replaces the first
 * and nothing more is delivered from the first. Only an earlier start of a peer never replaces
 * a later one, on whichever lane: what it still says is void. Whoever breaks the protocol loses the connection
 * and changes nothing else.
 */
import type { Socket } from "node:net"
import * as Frame from "../codec/Frame.ts"
import * as Handshake from "../codec/Handshake.ts"
import * as MessageCodec from "../codec/MessageCodec.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import type { ConnectionLog } from "./ConnectionLog.ts"
import { type Lane, lanes } from "./Lane.ts"
import type { TcpLimits } from "./TcpLimits.ts"

/** Only that it arrives means something. Later versions may send more. */
const acknowledgement = Buffer.from([0x06])

export interface InboundOptions {
  readonly cluster: string
  readonly id: ReplicaId
  readonly incarnation: number
  readonly epoch: () => number | undefined
  /** What is said of us in answers, besides who we are. */
  readonly address: () => string | undefined
  readonly clientAddress: () => string | undefined
  readonly standingOf: (id: ReplicaId) => Handshake.Standing
  readonly limits: TcpLimits
  readonly log: ConnectionLog
  readonly onAccepted: (peer: Handshake.Hello) => void
  readonly onMessage: (from: ReplicaId, message: Message<Uint8Array>) => void
}

export class InboundConnections {
  readonly options: InboundOptions
  private readonly all = new Set<InboundConnection>()
  private readonly ofPeers: Readonly<Record<Lane, Map<ReplicaId, InboundConnection>>> = {
    Control: new Map(),
    Bulk: new Map()
  }

  constructor(options: InboundOptions) {
    this.options = options
  }

  /** Of whatever sort. */
  get size(): number {
    return this.all.size
  }

  /** A stranger has connected. */
  add(socket: Socket): void {
    this.all.add(new InboundConnection(socket, this))
  }

  /** Whether a later start of the peer is connected. */
  isOutlived({ from, incarnation }: Handshake.Hello): boolean {
    return this.of(from).some((connection) => incarnation < connection.incarnation)
  }

  accepted(hello: Handshake.Hello, lane: Lane, connection: InboundConnection): void {
    const peer = hello.from
    this.ofPeers[lane].get(peer)?.close()
    for (const other of this.of(peer)) if (other.incarnation < connection.incarnation) other.close()
    this.ofPeers[lane].set(peer, connection)
    this.options.onAccepted(hello)
  }

  /** Its socket is gone. */
  forget(connection: InboundConnection): void {
    this.all.delete(connection)
  }

  /** Nothing more is delivered from it. */
  ended(connection: InboundConnection): void {
    const { peer } = connection
    if (peer === undefined) return
    for (const lane of lanes) if (this.ofPeers[lane].get(peer) === connection) this.ofPeers[lane].delete(peer)
  }

  /** Called every `acknowledgeMillis`. */
  tick(): void {
    const epoch = this.options.epoch()
    for (const lane of lanes) {
      for (const connection of this.ofPeers[lane].values()) {
        connection.checkEpoch(epoch)
        connection.checkStanding()
        connection.acknowledge()
      }
    }
  }

  closeAll(): void {
    for (const connection of this.all) connection.close()
  }

  private of(peer: ReplicaId): ReadonlyArray<InboundConnection> {
    return lanes.flatMap((lane) => this.ofPeers[lane].get(peer) ?? [])
  }
}

class InboundConnection {
  /** Who is there, once the handshake has been accepted. */
  private hello: Handshake.Hello | undefined
  private readonly socket: Socket
  private readonly owner: InboundConnections
  private readonly decoder = new Frame.FrameDecoder(Handshake.maxHandshakeBytes)
  private readonly timer: NodeJS.Timeout
  /** Kept, because a closed socket no longer knows. */
  private readonly address: string
  private heard = false
  private open = true

  constructor(socket: Socket, owner: InboundConnections) {
    this.socket = socket
    this.owner = owner
    this.address = socket.remoteAddress ?? "an unknown address"
    const { handshakeTimeoutMillis } = owner.options.limits
    this.timer = setTimeout(
      () => this.reject("HandshakeTimeout", `it said nothing for ${handshakeTimeoutMillis} ms`),
      handshakeTimeoutMillis
    )
    socket.on("data", (chunk: Buffer) => this.onData(chunk))
    // What broke it does not matter: "close" follows, and the peer will dial again.
    socket.on("error", () => {})
    socket.on("end", () => this.close())
    socket.on("close", () => {
      this.close()
      owner.forget(this)
    })
  }

  get peer(): ReplicaId | undefined {
    return this.hello?.from
  }

  /** Which start of it. */
  get incarnation(): number {
    return this.hello?.incarnation ?? 0
  }

  /** Ours may have become known after the handshake; and then the peer may be of another one. */
  checkEpoch(ours: number | undefined): void {
    const theirs = this.hello?.epoch
    if (!Handshake.epochsFit(theirs, ours)) this.reject("WrongEpoch", Handshake.describeEpochs(theirs, ours))
  }

  /** It may have been removed since it was accepted; the answer to its next hello will tell it. */
  checkStanding(): void {
    if (!this.open || this.hello === undefined) return
    const standing = this.owner.options.standingOf(this.hello.from)
    if (standing !== "Accepted") this.reject(standing, Handshake.complaint(standing, this.hello, this.hello))
  }

  /** Tells the peer that we are alive, if it has said anything since we last did. */
  acknowledge(): void {
    if (!this.heard || !this.open) return
    this.heard = false
    // A peer that does not read what we write is not sent more of it.
    if (this.socket.writableLength === 0) this.socket.write(acknowledgement)
  }

  close(): void {
    this.ended()
    this.socket.destroy()
  }

  private ended(): void {
    if (!this.open) return
    this.open = false
    clearTimeout(this.timer)
    this.owner.ended(this)
  }

  private onData(chunk: Buffer): void {
    if (!this.open) return
    this.heard = true
    this.decoder.push(chunk)
    while (this.open) {
      const payload = this.decoder.next()
      if (payload === undefined) return
      if (!Buffer.isBuffer(payload)) return this.reject(payload._tag, `it sent ${Frame.describe(payload)}`)
      if (this.hello === undefined) this.greet(payload)
      else this.receive(this.hello.from, payload)
    }
  }

  private receive(peer: ReplicaId, payload: Buffer): void {
    const decoded = MessageCodec.decode(payload)
    if (decoded._tag !== "Decoded") return this.reject(decoded._tag, `it sent ${MessageCodec.describe(decoded)}`)
    for (const message of decoded.messages) {
      // Receiving may have closed us; then the rest is lost with the connection.
      if (this.open) this.owner.options.onMessage(peer, message)
    }
  }

  private greet(payload: Buffer): void {
    const theirs = Handshake.decodeHello(payload)
    if (theirs === undefined) return this.reject("NoHello", "it sent a frame that is no hello")
    const { options } = this.owner
    const { cluster, id, incarnation, standingOf } = options
    const epoch = options.epoch()
    const judged = Handshake.judge(theirs, { cluster, id, standingOf, epoch })
    const verdict = judged === "Accepted" && this.owner.isOutlived(theirs) ? "OldIncarnation" : judged
    const { from, purpose } = theirs
    const ours = Handshake.hello({
      cluster,
      from: id,
      to: from,
      incarnation,
      epoch,
      purpose,
      address: options.address(),
      clientAddress: options.clientAddress()
    })
    const answer = Handshake.encodeAnswer({ verdict, hello: ours })
    if (verdict !== "Accepted") {
      this.complain(verdict, `replica ${Handshake.quote(from)}`, Handshake.complaint(verdict, theirs, ours))
      return this.leave(answer)
    }
    // It wanted to know no more than this.
    if (purpose === "Probe") return this.leave(answer)
    clearTimeout(this.timer)
    this.decoder.maxFrameBytes = options.limits.maxFrameBytes
    this.socket.setKeepAlive(true, options.limits.silenceMillis)
    this.socket.write(answer)
    this.hello = theirs
    this.owner.accepted(theirs, purpose, this)
  }

  /** Says a last word before closing, so that the other side's operator can read it there. */
  private leave(answer: Buffer): void {
    this.ended()
    this.socket.end(answer)
    const timer = setTimeout(() => this.socket.destroy(), this.owner.options.limits.handshakeTimeoutMillis)
    this.socket.on("close", () => clearTimeout(timer))
  }

  private reject(kind: string, reason: string): void {
    this.complain(kind, this.peer === undefined ? "a stranger" : `peer ${this.peer}`, reason)
    this.close()
  }

  private complain(kind: string, who: string, reason: string): void {
    this.owner.options.log.complain(kind, this.address, `closed the connection of ${who} at ${this.address}: ${reason}`)
  }
}
