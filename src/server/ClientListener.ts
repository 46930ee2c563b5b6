/**
 * The port at which clients call, with its limits: how long a client may take to say what it
 * wants, how many may be connected, and how long the end may take. The first bytes tell one protocol
 * from another; what is served there is somebody else's.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer, Schema } from "effect"
import { HttpServer } from "effect/http/HttpServer"
import { type IncomingMessage, Server, type ServerOptions, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import * as Connections from "./Connections.ts"
import * as FirstBytes from "./FirstBytes.ts"

export interface ListenOptions {
  readonly host: string
  /** 0 takes any free port; `HttpServer.address` tells which. */
  readonly port: number
  /** A client that has not sent its whole request by then is answered 408 and cut off. */
  readonly requestTimeoutMillis?: number | undefined
  /** A client that neither reads its answer nor sends anything for so long is cut off. */
  readonly stallTimeoutMillis?: number | undefined
  /** How long a connection is kept open between two requests. */
  readonly keepAliveMillis?: number | undefined
  readonly maxHeaderBytes?: number | undefined
  /** Whoever comes beyond it is turned away. Fewer are taken where the process may not open so many files. */
  readonly maxConnections?: number | undefined
  /** Who serves those that speak Redis' protocol; without it all are taken for HTTP. */
  readonly redis?: RedisServer | undefined
  /** How long requests under way may take to be answered when the server stops. */
  readonly shutdownMillis?: number | undefined
}

/** May serve a request before `HttpServer` hears of it; false leaves it to that. */
export type Shortcut = (request: IncomingMessage, response: ServerResponse) => boolean

export class Shortcuts extends Context.Service<Shortcuts, { readonly open: (shortcut: Shortcut) => void }>()(
  "balsa/server/Shortcuts"
) {}

export interface RedisServer {
  readonly accept: (socket: Socket) => void
  /** What is under way is answered, and then connections end. */
  readonly close: () => void
  /** At once. */
  readonly destroy: () => void
}

export const defaultRequestTimeoutMillis = 10_000
export const defaultStallTimeoutMillis = 60_000
/** Longer than load balancers and client pools keep theirs, so that they close first and nobody writes into a closing one. */
export const defaultKeepAliveMillis = 75_000
export const defaultMaxHeaderBytes = 16 * 1024
export const defaultShutdownMillis = 1_000

/** The address cannot be listened at. The message says which, why, and what to change. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  message: Schema.String,
  address: Schema.String,
  /** The system's word, such as EADDRINUSE. */
  code: Schema.String
}) {}

const keepAliveProbeMillis = 15_000

/**
 * Connections that the system may keep until they are taken, where it lets us (net.core.somaxconn). Of thousands that come at once those beyond
 * it are dropped without a word; Node's own number is 511.
 */
const mostWaiting = 4096

/**
 * A request that may rightly wait for a long time is not cut off for its silence. Whether its client is still there is asked below
 * HTTP, where nobody has to read; the next request on the connection is as any other.
 */
export const waitFor = (request: IncomingMessage): void => {
  const { socket } = request
  socket.setTimeout(0)
  socket.setKeepAlive(true, keepAliveProbeMillis)
  if (request.complete) return
  openEnded.add(socket)
  request.once("close", () => openEnded.delete(socket))
}

/** Connections with a request whose body may rightly come bit by bit, for as long as it is answered. */
const openEnded = new WeakSet<object>()

export const layer = (options: ListenOptions): Layer.Layer<HttpServer | Shortcuts, ListenError> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const logWarning = Effect.runForkWith(yield* Effect.context<never>())
      const connections = connectionsOf(options, (message) => logWarning(Effect.logWarning(message)))
      const server = nodeServerOf(options, connections)
      const http = yield* NodeHttpServer.make(() => server, {
        host: options.host,
        port: options.port,
        backlog: mostWaiting,
        gracefulShutdownTimeout: options.shutdownMillis ?? defaultShutdownMillis
      }).pipe(Effect.mapError((error) => listenErrorOf(options, error.cause)))
      // Without a listener, a failing accept (no file descriptors left, say) would end the process.
      server.on("error", (error) => logWarning(Effect.logWarning("a client could not be accepted", error)))
      // Runs when requests have been answered or given up; a half-sent request must not hold up the end.
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          server.closeAllConnections()
          options.redis?.destroy()
        })
      )
      const open = (shortcut: Shortcut): void => {
        server.shortcut = shortcut
      }
      return Context.make(HttpServer, http).pipe(Context.add(Shortcuts, { open }))
    })
  )

const connectionsOf = (
  { maxConnections = Connections.defaultMost }: ListenOptions,
  warn: (message: string) => void
) => {
  const openFiles = Connections.openFilesAllowed()
  const most = Connections.most(maxConnections, openFiles)
  if (most < maxConnections) {
    warn(
      `takes ${most} client connections, not ${maxConnections}, because only ${openFiles} files may be open: raise the limit (ulimit -n)`
    )
  }
  return new Connections.Connections(most, {
    onFull: () => warn(`clients are turned away: there are ${most} connections, and no more are taken`),
    onRoom: (turnedAway) => warn(`clients are taken again; ${turnedAway} were turned away`)
  })
}

const nodeServerOf = (options: ListenOptions, connections: Connections.Connections): ClientServer => {
  const requestTimeout = options.requestTimeoutMillis ?? defaultRequestTimeoutMillis
  const server = new ClientServer(connections, options.redis, {
    requestTimeout,
    headersTimeout: requestTimeout,
    connectionsCheckingInterval: Math.ceil(requestTimeout / 10),
    keepAliveTimeout: options.keepAliveMillis ?? defaultKeepAliveMillis,
    maxHeaderSize: options.maxHeaderBytes ?? defaultMaxHeaderBytes,
    noDelay: true
  })
  server.timeout = options.stallTimeoutMillis ?? defaultStallTimeoutMillis
  server.maxConnections = connections.most + Connections.turningAway
  return server
}

/**
 * Node's server, but for three habits. It closes idle connections once, when closing begins; those
 * that fall idle later, after the answer to a request that was under way, it would keep alive
 * until the time for closing is up. And where somebody listens for upgrades, as Effect's HTTP
 * server does, a request that offers one (`Upgrade: h2c` of curl and Java) loses its body: no
 * protocol is upgraded to here, so the offer is ignored and the request is a request. And it knows one time limit for all
 * requests; those that are waited for have none.
 */
class ClientServer extends Server {
  shortcut: Shortcut | undefined
  private readonly redis: RedisServer | undefined

  constructor(connections: Connections.Connections, redis: RedisServer | undefined, options: ServerOptions) {
    super(options)
    this.redis = redis
    const http = this.listeners("connection")
    this.removeAllListeners("connection")
    const serveHttp = (socket: Socket): void => {
      for (const listener of http) listener.call(this, socket)
    }
    const timeoutMillis = options.requestTimeout ?? defaultRequestTimeoutMillis
    super.on("connection", (socket: Socket) => {
      if (!connections.admit(socket)) return
      if (redis === undefined) serveHttp(socket)
      else FirstBytes.sort(socket, timeoutMillis, serveHttp, redis.accept)
    })
  }

  override on(event: string, listener: (...args: Array<never>) => void): this {
    return event === "upgrade" ? this : super.on(event, listener as (...args: Array<unknown>) => void)
  }

  override emit(event: string, ...values: Array<unknown>): boolean {
    if (event === "request" && this.shortcut?.(values[0] as IncomingMessage, values[1] as ServerResponse) === true)
      return true
    const isLate = event === "clientError" && (values[0] as NodeJS.ErrnoException).code === "ERR_HTTP_REQUEST_TIMEOUT"
    return (isLate && openEnded.has(values[1] as object)) || super.emit(event, ...values)
  }

  override close(callback?: (error?: Error) => void): this {
    const sweep = setInterval(() => this.closeIdleConnections(), sweepMillis)
    this.once("close", () => clearInterval(sweep))
    this.redis?.close()
    return super.close(callback)
  }
}

const sweepMillis = 10

const reasons: { readonly [code: string]: string } = {
  EADDRINUSE: "the address is already in use",
  EACCES: "this user may not listen there",
  EADDRNOTAVAIL: "this machine does not have that address",
  ENOTFOUND: "no such host is known"
}

const listenErrorOf = ({ host, port }: ListenOptions, cause: unknown): ListenError => {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
  const error = cause as NodeJS.ErrnoException
  const code = error.code ?? "UNKNOWN"
  return new ListenError({
    address,
    code,
    message: `cannot listen for clients on ${address}: ${reasons[code] ?? error.message} (${code}); choose another with --listen-client HOST:PORT`
  })
}
