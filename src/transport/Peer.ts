/**
 * One peer as this replica reaches it: where it is, and a connection for each lane, dialled again and
 * again until the peer is dropped. What happens to the two is told as of one, for mostly it does
 * happen to both.
 */
import { Clock, Effect, Latch, Random } from "effect"
import type * as Handshake from "../codec/Handshake.ts"
import type { ReplicaId } from "../raft/LogEntry.ts"
import type { Message } from "../raft/Message.ts"
import { type Address, noAddress, parseAddress } from "./Address.ts"
import type { ConnectionLog } from "./ConnectionLog.ts"
import * as Lane from "./Lane.ts"
import { type Ending, OutboundConnection } from "./OutboundConnection.ts"
import type { TcpLimits } from "./TcpLimits.ts"
import type { PeerConnection, Relation } from "./Transport.ts"

export interface PeerOptions {
  readonly id: ReplicaId
  readonly address: string
  readonly relation: Relation
  /** Of what was sent to it at its address before, how much. */
  readonly dropped: number
  /** Where it answers clients, as far as it has said so. */
  readonly clientAddress: string | undefined
  readonly hello: (to: ReplicaId, purpose: Lane.Lane) => Handshake.Hello
  readonly epoch: () => number | undefined
  readonly limits: TcpLimits
  readonly log: ConnectionLog
}

/** The connection of one lane, while there is one. */
interface Line {
  readonly lane: Lane.Lane
  connection: OutboundConnection | undefined
  open: boolean
  lastError: string | undefined
  /** Ends the pause between two attempts, while there is one. */
  wake: (() => void) | undefined
}

export class Peer {
  readonly id: ReplicaId
  readonly address: string
  relation: Relation
  dropped: number
  clientAddress: string | undefined
  private readonly options: PeerOptions
  private readonly lines: Readonly<Record<Lane.Lane, Line>> = { Control: newLine("Control"), Bulk: newLine("Bulk") }
  private readonly over = Latch.makeUnsafe(false)
  /** The last line in the log about it, which is not repeated. */
  private lastLine: string | undefined

  constructor(options: PeerOptions) {
    this.options = options
    this.id = options.id
    this.address = options.address
    this.relation = options.relation
    this.dropped = options.dropped
    this.clientAddress = options.clientAddress
  }

  /** Never waits: what cannot be sent now is dropped and counted. */
  send(messages: ReadonlyArray<Message<Uint8Array>>): void {
    const parts = Lane.split(messages)
    for (const lane of Lane.lanes) {
      const { connection } = this.lines[lane]
      const part = parts[lane]
      if (part.length > 0) this.dropped += connection === undefined ? part.length : connection.send(part)
    }
  }

  /** Called every `acknowledgeMillis`. */
  tick(): void {
    for (const lane of Lane.lanes) this.lines[lane].connection?.tick()
  }

  /** It may be in reach again: what waits before it tries again need not. */
  wake(): void {
    for (const lane of Lane.lanes) this.lines[lane].wake?.()
  }

  /** Closes its connections, and dials no more. */
  drop(): void {
    this.over.openUnsafe()
  }

  status(): PeerConnection {
    const { id, address, clientAddress, relation, dropped } = this
    const { Control, Bulk } = this.lines
    return {
      id,
      address,
      clientAddress,
      relation,
      connected: this.isConnected,
      lastError: Control.lastError ?? Bulk.lastError,
      dropped
    }
  }

  /** Runs until the peer is dropped. */
  get keepConnected(): Effect.Effect<void> {
    const address = parseAddress(this.address)
    if (address === undefined) return this.undialled
    const connections = Lane.lanes.map((lane) => this.keepOpen(this.lines[lane], address))
    return Effect.all(connections, { concurrency: "unbounded", discard: true }).pipe(
      Effect.raceFirst(this.over.await),
      Effect.asVoid
    )
  }

  private get isConnected(): boolean {
    return Lane.lanes.every((lane) => this.lines[lane].open)
  }

  /** It is a member, and may dial us; but we cannot reach it. */
  private get undialled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const reason = noAddress(this.address)
      for (const lane of Lane.lanes) this.lines[lane].lastError = reason
      this.warn(`peer ${this.id} cannot be dialled: ${reason}`)
      return this.over.await
    })
  }

  private readonly keepOpen = Effect.fnUntraced(
    { self: this },
    function* (this: Peer, line: Line, address: Address): Effect.fn.Return<never> {
      const { minBackoffMillis, maxBackoffMillis } = this.options.limits
      let backoff = minBackoffMillis
      while (true) {
        const before = yield* Clock.monotonicTimeNanos
        const ending = yield* this.session(line, address)
        // Only a connection that stood for a while ends the backing off: one that is accepted
        // and dropped again and again must not be dialled in a tight loop.
        const stoodMillis = Number((yield* Clock.monotonicTimeNanos) - before) / 1e6
        if (ending._tag === "Disconnected" && stoodMillis > maxBackoffMillis) backoff = minBackoffMillis
        const woken = yield* pause(line, backoff * (yield* Random.nextBetween(0.5, 1)))
        backoff = woken ? minBackoffMillis : Math.min(backoff * 2, maxBackoffMillis)
      }
    }
  )

  /** Connects, if it can, and comes back when the connection is over. */
  private session(line: Line, address: Address): Effect.Effect<Ending> {
    const { id, options } = this
    const { hello, epoch, limits, log } = options
    return Effect.callback((resume) => {
      const connection = new OutboundConnection({
        address,
        hello: hello(id, line.lane),
        epoch,
        limits,
        onOpen: (peer) => this.onOpen(line, peer),
        onEnd: (ending) => {
          this.onEnd(line, ending)
          resume(Effect.succeed(ending))
        },
        onTooLong: (bytes) => {
          const text = `messages to peer ${id} dropped: ${bytes} bytes, and a frame holds ${limits.maxFrameBytes}`
          log.complain("MessageTooLong", id, text)
        }
      })
      line.connection = connection
      return Effect.sync(() => {
        line.open = false
        line.connection = undefined
        connection.dispose()
      })
    })
  }

  private onOpen(line: Line, { clientAddress }: Handshake.Hello): void {
    // What a peer says goes out to clients: nothing that is no address, and nothing that a later one left unsaid.
    if (clientAddress !== undefined && parseAddress(clientAddress) !== undefined) this.clientAddress = clientAddress
    line.open = true
    line.lastError = undefined
    if (!this.isConnected) return
    this.lastLine = undefined
    this.options.log.info(`peer ${this.id} at ${this.address} connected`)
  }

  private onEnd(line: Line, ending: Ending): void {
    const wasConnected = this.isConnected
    line.open = false
    line.connection = undefined
    line.lastError = ending.reason
    // The other connection of a peer that went away ends just after; that is no news.
    if (ending._tag !== "Disconnected" || wasConnected) this.warn(endingLine(this, ending))
  }

  private warn(text: string): void {
    if (text !== this.lastLine) this.options.log.warn(text)
    this.lastLine = text
  }
}

const newLine = (lane: Lane.Lane): Line => ({
  lane,
  connection: undefined,
  open: false,
  lastError: undefined,
  wake: undefined
})

const pause = (line: Line, millis: number): Effect.Effect<boolean> =>
  Effect.callback<void>((resume) => {
    line.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      line.wake = undefined
    })
  }).pipe(
    Effect.timeoutOption(millis),
    Effect.map((woken) => woken._tag === "Some")
  )

const endingLine = ({ id, address }: Peer, ending: Ending): string => {
  switch (ending._tag) {
    case "Unreachable":
      return `peer ${id} at ${address} is not reachable: ${ending.reason}`
    case "Refused":
      return `peer ${id} at ${address} refused us: ${ending.reason}`
    case "Disconnected":
      return `peer ${id} at ${address} disconnected: ${ending.reason}`
  }
}
