/**
 * Transports over loopback sockets, what they received and logged, and bare sockets that
 * play a peer which does as a test wants. Waiting is for a condition, with an end.
 */
import { connect, createServer, type Server, type Socket } from "node:net"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import * as Frame from "../../src/codec/Frame.ts"
import * as Handshake from "../../src/codec/Handshake.ts"
import * as MessageCodec from "../../src/codec/MessageCodec.ts"
import { Index, ReplicaId, Term } from "../../src/raft/LogEntry.ts"
import type { Message } from "../../src/raft/Message.ts"
import type { Address } from "../../src/transport/Address.ts"
import * as TcpTransport from "../../src/transport/TcpTransport.ts"
import { Transport, type TransportError } from "../../src/transport/Transport.ts"

export const [A, B, C] = [ReplicaId("A"), ReplicaId("B"), ReplicaId("C")]

export const ping = (number: number): Message<Uint8Array> => ({
  _tag: "ReadIndexReply",
  term: Term(1),
  number,
  index: Index(1)
})

/** A message of about `bytes`. */
export const bulk = (number: number, bytes: number): Message<Uint8Array> => ({
  _tag: "Forward",
  term: Term(1),
  requests: [{ request: { replica: A, incarnation: 1, sequence: number }, command: Buffer.alloc(bytes, number) }]
})

export const frameOf = (messages: ReadonlyArray<Message<Uint8Array>>): Buffer => {
  const writer = Frame.open(64)
  MessageCodec.write(writer, messages)
  return Frame.seal(writer)
}

export interface Running {
  readonly transport: Transport["Service"]
  readonly received: Array<readonly [from: ReplicaId, number: number]>
  readonly lines: Array<string>
  readonly exit: () => Exit.Exit<never, TransportError> | undefined
  readonly connectedTo: (id: ReplicaId) => boolean
  readonly stop: Effect.Effect<void>
}

interface Options extends Omit<TcpTransport.TcpTransportOptions, "incarnation" | "epoch"> {
  /** 1 unless it matters. */
  readonly incarnation?: number
  /** None unless it matters. */
  readonly epoch?: () => number | undefined
  /** What is said of members before it runs. */
  readonly members?: ReadonlyMap<ReplicaId, string>
  readonly onMessage?: (message: Message<Uint8Array>) => void
}

/** A transport that runs until it is stopped or the test ends. */
export const start = Effect.fnUntraced(function* (options: Options) {
  const lines: Array<string> = []
  const received: Array<readonly [ReplicaId, number]> = []
  const scope = yield* Scope.fork(yield* Effect.scope)
  const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
  const layer = TcpTransport.layer({ incarnation: 1, epoch: () => undefined, ...options })
  const transport = yield* Transport.pipe(
    Effect.provideContext(yield* Layer.buildWithScope(layer, scope).pipe(Effect.provide(logger)))
  )
  if (options.members !== undefined) transport.setMembers(options.members)
  const deliver = (from: ReplicaId, message: Message<Uint8Array>) => {
    options.onMessage?.(message)
    received.push([from, numberOf(message)])
  }
  let ended: Exit.Exit<never, TransportError> | undefined
  yield* transport.receive(deliver).pipe(
    Effect.onExit((exit) =>
      Effect.sync(() => {
        ended = exit
      })
    ),
    Effect.exit,
    Effect.forkIn(scope)
  )
  const running: Running = {
    transport,
    received,
    lines,
    exit: () => ended,
    connectedTo: (id) => transport.connections().some((peer) => peer.id === id && peer.connected),
    stop: Scope.close(scope, Exit.void)
  }
  return running
})

const numberOf = (message: Message<Uint8Array>): number => {
  if (message._tag === "ReadIndexReply") return message.number
  return message._tag === "Forward" ? (message.requests[0]?.request.sequence ?? -1) : -1
}

/** Looks until it is so; gives up after ten seconds, saying what it waited for. */
export const until = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let i = 0; i < 2000; i++) {
      if (condition()) return
      yield* Effect.sleep(5)
    }
    return yield* Effect.die(new Error(`waited in vain: ${what}`))
  })

/** Addresses on which nobody listens; all are held while they are chosen, so they differ. */
export const freeAddresses = Effect.fnUntraced(function* (count: number) {
  const servers: Array<Server> = []
  for (let i = 0; i < count; i++) servers.push(yield* listening(createServer(), 0))
  const addresses = servers.map((server): Address => ({ host: "127.0.0.1", port: portOf(server) }))
  for (const server of servers) yield* Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  return addresses
})

const listening = (server: Server, port: number): Effect.Effect<Server> =>
  Effect.callback((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server))))

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** A bare socket to `address`, with all that came back and whether it was closed. */
export interface BareSocket {
  readonly socket: Socket
  readonly bytes: () => Buffer
  readonly closed: () => boolean
  readonly answer: () => Handshake.Answer | undefined
}

export const dial = ({ host, port }: Address): Effect.Effect<BareSocket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = connect({ host, port })
      const chunks: Array<Buffer> = []
      let closed = false
      socket.on("data", (chunk) => void chunks.push(chunk))
      socket.on("error", () => {})
      socket.on("close", () => {
        closed = true
      })
      const bytes = () => Buffer.concat(chunks)
      return { socket, bytes, closed: () => closed, answer: () => answerIn(bytes()) }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** The hello at the beginning of what a dialler sent, once it is whole. */
export const helloIn = (bytes: Buffer): Handshake.Hello | undefined => {
  const decoder = new Frame.FrameDecoder(4096)
  decoder.push(bytes)
  const payload = decoder.next()
  return Buffer.isBuffer(payload) ? Handshake.decodeHello(payload) : undefined
}

const answerIn = (bytes: Buffer): Handshake.Answer | undefined => {
  const decoder = new Frame.FrameDecoder(4096)
  decoder.push(bytes)
  const payload = decoder.next()
  return Buffer.isBuffer(payload) ? Handshake.decodeAnswer(payload) : undefined
}

/** A bare socket whose hello was answered. */
export const greeted = Effect.fnUntraced(function* (address: Address, hello: Handshake.Hello) {
  const bare = yield* dial(address)
  bare.socket.write(Handshake.encodeHello(hello))
  yield* until("an answer to the hello", () => bare.answer() !== undefined)
  return bare
})

/** A bare peer at `port` that accepts whoever says hello; `onHello` may do with the socket as it likes. */
export const serveAs = (
  id: ReplicaId,
  port: number,
  onHello: (hello: Handshake.Hello, socket: Socket) => void = () => {}
): Effect.Effect<Server, never, Scope.Scope> =>
  serve(port, (socket) =>
    socket.once("data", (bytes) => {
      const hello = helloIn(bytes)
      if (hello === undefined) return
      const own = { cluster: hello.cluster, incarnation: 1, epoch: undefined, address: undefined }
      const ours = Handshake.hello({ ...own, from: id, to: hello.from, purpose: hello.purpose })
      socket.write(Handshake.encodeAnswer({ verdict: "Accepted", hello: ours }))
      onHello(hello, socket)
    })
  )

/** A bare server on `port` that hands each connection to `onSocket`. */
export const serve = (port: number, onSocket: (socket: Socket) => void): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      onSocket(socket)
    })
    return Effect.acquireRelease(listening(server, port), () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
    )
  })
