/**
 * etcd's v3 JSON gateway over one replica: HTTP requests become
 * commands and queries, and what comes back becomes etcd's JSON. It keeps nothing between two
 * requests and binds no port; it needs an `HttpServer`, which `ClientListener` provides.
 */
import { Cause, Effect, Layer, Option } from "effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServer } from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as ClientListener from "./ClientListener.ts"
import { DirectPosts } from "./DirectPosts.ts"
import * as ElectionRoute from "./ElectionRoute.ts"
import * as GatewayError from "./GatewayError.ts"
import type { Header } from "./GatewayJson.ts"
import * as GatewayRequest from "./GatewayRequest.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import type { KvState } from "../kv/KvState.ts"
import type { WatchHub } from "../kv/WatchHub.ts"
import * as Health from "./Health.ts"
import { clusterIdOf, memberIdOf } from "./Ids.ts"
import * as JsonBody from "./JsonBody.ts"
import * as KvRoute from "./KvRoute.ts"
import type { KvReplica } from "./KvReplica.ts"
import * as LeaseRoute from "./LeaseRoute.ts"
import * as LockRoute from "./LockRoute.ts"
import * as MaintenanceRoute from "./MaintenanceRoute.ts"
import type { RequestId } from "../raft/LogEntry.ts"
import * as RequestBody from "./RequestBody.ts"
import * as MembersRoute from "./MembersRoute.ts"
import { type JsonObject, RequestFields } from "./RequestFields.ts"
import * as SnapshotRoute from "./SnapshotRoute.ts"
import * as Status from "./Status.ts"
import * as WatchRoute from "./WatchRoute.ts"
import * as Writes from "./Writes.ts"

export interface GatewayOptions {
  readonly replica: KvReplica
  /** The cluster's name, from which its id comes; the same on every replica. */
  readonly cluster: string
  /** Asked anew for each answer: addresses may be known later than the gateway. */
  readonly members: () => ReadonlyArray<Status.Member>
  /** With whom the cluster began. */
  readonly founding: MembersRoute.Founding
  readonly probe: MembersRoute.MembersRouteOptions["probe"]
  /** Balsa's own version, for `/version`. */
  readonly version?: string | undefined
  /** What the replica has applied and carried out of the store. */
  readonly store: () => KvState
  /** Tells who waits for changes of it. */
  readonly hub: WatchHub
  readonly watchLimits?: Partial<WatchRoute.WatchLimits> | undefined
  /** What keys and values may take; 0 is no quota. */
  readonly quotaBytes?: number | undefined
  /** For backups: what the replica has applied and carried out. */
  readonly image?: SnapshotRoute.SnapshotRouteOptions["image"]
  /** Key and value together. */
  readonly maxRequestBytes?: number | undefined
  /** A whole request body; by default what a permitted request takes in base64, generously. */
  readonly maxBodyBytes?: number | undefined
  /** All request bodies together that are being read. */
  readonly maxBufferedBytes?: number | undefined
  readonly healthTimeoutMillis?: number | undefined
}

export const defaultMaxBufferedBytes = 256 * 1024 * 1024

type Response = HttpServerResponse.HttpServerResponse
type Operation = (object: JsonObject, headers: HttpServerRequest["headers"]) => Effect.Effect<Response>
type TextOperation = (text: string, headers: HttpServerRequest["headers"]) => Effect.Effect<Response>
type Page = (parameters: URLSearchParams) => Effect.Effect<Response>

/** Serves until its scope closes. Those that watch are sent away first: to wait for them would be to wait for ever. */
export const layer = (options: GatewayOptions): Layer.Layer<never, never, HttpServer | ClientListener.Shortcuts> => {
  const posts = postsOf(options)
  const maxRequestBytes = options.maxRequestBytes ?? GatewayRequest.defaultMaxRequestBytes
  const body = RequestBody.make({
    maxBodyBytes: options.maxBodyBytes ?? 2 * maxRequestBytes + 64 * 1024,
    maxBufferedBytes: options.maxBufferedBytes ?? defaultMaxBufferedBytes
  })
  const served = HttpRouter.serve(routes(options, posts, body), {
    disableLogger: true,
    disableListenLog: true,
    // As etcd: a path is written in one way only.
    routerConfig: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false }
  })
  const farewell = Effect.addFinalizer(() => Effect.sync(() => options.hub.close("this replica is shutting down")))
  // It ends after the server, and tells those whose time is up.
  const direct = Layer.effectDiscard(serveDirectly(options, posts, body))
  return Layer.effectDiscard(farewell).pipe(Layer.provide(served), Layer.provide(direct))
}

const serveDirectly = Effect.fnUntraced(function* (
  { replica }: GatewayOptions,
  { direct }: Routes,
  body: RequestBody.BodyReader
) {
  const log = Effect.runForkWith(yield* Effect.context<never>())
  const posts = new DirectPosts({
    operations: direct,
    body,
    forget: replica.direct.forget,
    onBug: (path, error) => log(Effect.logError(`a bug met POST ${path}`, error))
  })
  const shortcuts = yield* ClientListener.Shortcuts
  shortcuts.open(posts.serve)
  yield* Effect.addFinalizer(() => Effect.sync(() => posts.stop()))
})

const routes = (
  options: GatewayOptions,
  { direct, operations, waits, texts, watch }: Routes,
  body: RequestBody.BodyReader
) => {
  const { forget } = options.replica.direct
  const posts = [
    ...Object.entries(direct).map(([path, operation]) => ({
      path,
      operation: onObject(awaited(operation, forget)),
      waits: false
    })),
    ...Object.entries(texts).map(([path, operation]) => ({ path, operation, waits: false })),
    ...Object.entries(operations).map(([path, operation]) => ({ path, operation: onObject(operation), waits: false })),
    ...Object.entries(waits).map(([path, operation]) => ({ path, operation: onObject(operation), waits: true }))
  ]
  const pages = Object.entries(pagesOf(options))
  const allowed = new Map<string, string>([
    ...[...posts, { path: watchPath }].map(({ path }) => [path, "POST"] as const),
    ...pages.map(([path]) => [path, "GET, HEAD"] as const)
  ])
  return HttpRouter.use((router) =>
    Effect.gen(function* () {
      for (const route of posts) yield* router.add("POST", route.path as `/${string}`, post(body, route))
      yield* router.add("POST", watchPath, watch)
      for (const [path, page] of pages) yield* router.add("GET", path as `/${string}`, get(page))
      yield* router.addGlobalMiddleware((app) => Effect.catchCause(app, (cause) => onFailure(cause, allowed)))
    })
  )
}

const watchPath = "/v3/watch"

interface Routes {
  /** Those that very many ask for, and that get by without Effect. */
  readonly direct: { readonly [path: string]: KvRoute.KvOperation }
  readonly operations: { readonly [path: string]: Operation }
  /** Those that may wait for others, for as long as their clients do. */
  readonly waits: { readonly [path: string]: Operation }
  /** Those whose body is not one JSON object. */
  readonly texts: { readonly [path: string]: TextOperation }
  readonly watch: (request: HttpServerRequest) => Effect.Effect<Response>
}

const postsOf = (options: GatewayOptions): Routes => {
  const { replica, cluster, store } = options
  const maxRequestBytes = options.maxRequestBytes ?? GatewayRequest.defaultMaxRequestBytes
  const quotaBytes = options.quotaBytes ?? Writes.defaultQuotaBytes
  const clusterId = clusterIdOf(cluster)
  const memberId = memberIdOf(cluster, replica.status().id)
  const headerAt = (revision: number): Header => ({
    clusterId,
    memberId,
    revision,
    raftTerm: replica.direct.currentTerm()
  })
  const writes = Writes.make({ replica, store, quotaBytes })
  const leases = { replica, writes, headerAt, revision: () => store().revision }
  const operations = {
    ...LeaseRoute.make(leases),
    ...MaintenanceRoute.make({ replica, cluster, store, headerAt, quotaBytes }),
    "/v3/maintenance/snapshot": SnapshotRoute.make({
      replica,
      image: options.image,
      headerAt,
      version: options.version
    }),
    ...MembersRoute.make({ ...options, headerAt }),
    "/v3/auth/authenticate": authenticate
  }
  const contention = { replica, writes, headerAt, store, hub: options.hub, maxRequestBytes }
  return {
    direct: KvRoute.make({ replica, writes, headerAt, maxRequestBytes }),
    operations,
    waits: { ...LockRoute.make(contention), ...ElectionRoute.make(contention) },
    texts: { "/v3/lease/keepalive": LeaseRoute.keepAlive(leases) },
    watch: WatchRoute.make({
      hub: options.hub,
      headerAt,
      hasLeader: () => replica.status().leader !== undefined,
      limits: options.watchLimits
    })
  }
}

/** There are no users; clients that are configured with one go on when they hear so. */
const authenticate: Operation = (object) => {
  const fields = new RequestFields(object)
  fields.string("name")
  fields.string("password")
  return Effect.succeed(GatewayResponse.ofError(fields.problem ?? GatewayError.authNotEnabled))
}

const pagesOf = ({
  replica,
  version,
  healthTimeoutMillis,
  store,
  quotaBytes = Writes.defaultQuotaBytes
}: GatewayOptions): { readonly [path: string]: Page } => ({
  "/version": () => Effect.succeed(GatewayResponse.json(Status.version(version))),
  "/health": (parameters) =>
    Health.health(replica, {
      timeoutMillis: healthTimeoutMillis ?? Health.defaultHealthTimeoutMillis,
      exclude: parameters.getAll("exclude"),
      quotaUsedUp: Writes.isFull({ store, quotaBytes })
    }),
  "/livez": (parameters) =>
    Effect.map(Health.live(replica), (checks) => Health.report("livez", checks, parameters.has("verbose"))),
  "/readyz": (parameters) =>
    Effect.map(Health.ready(replica), (checks) => Health.report("readyz", checks, parameters.has("verbose")))
})

interface PostRoute {
  readonly operation: TextOperation
  readonly waits: boolean
}

const post =
  (body: RequestBody.BodyReader, { operation, waits }: PostRoute) =>
  (request: HttpServerRequest) => {
    const incoming = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
    return Effect.matchEffect(body.read(incoming, NodeHttpServerRequest.toServerResponse(request) as ServerResponse), {
      onSuccess: (text) => {
        if (waits) ClientListener.waitFor(incoming)
        return operation(text, request.headers)
      },
      // The rest of the body is not read, so nothing can follow it on this connection.
      onFailure: (error) =>
        Effect.succeed(HttpServerResponse.setHeader(GatewayResponse.ofError(error), "connection", "close"))
    })
  }

const onObject =
  (operation: Operation): TextOperation =>
  (text, headers) => {
    const json = JsonBody.parse(text)
    return GatewayError.isGatewayError(json)
      ? Effect.succeed(GatewayResponse.ofError(json))
      : operation(json.object, headers)
  }

/** For those that the router finds: the path is written in another way, say, or the body is long. */
const awaited =
  (operation: KvRoute.KvOperation, forget: (request: RequestId) => void): Operation =>
  (object, headers) =>
    Effect.callback((resume) => {
      const pending = operation(object, headers, (answer) => resume(Effect.sync(() => GatewayResponse.of(answer()))))
      return pending === undefined ? undefined : Effect.sync(() => forget(pending))
    })

const get = (page: Page) => (request: HttpServerRequest) => {
  const at = request.url.indexOf("?")
  return page(new URLSearchParams(at < 0 ? "" : request.url.slice(at + 1)))
}

/** No such route, a bug, or the end of this replica. A bug must not look like an answer, nor pass unseen. */
const onFailure = <E>(
  cause: Cause.Cause<E>,
  allowed: ReadonlyMap<string, string>
): Effect.Effect<Response, E, HttpServerRequest> =>
  Effect.gen(function* () {
    if (Cause.hasInterruptsOnly(cause)) return GatewayResponse.ofError(GatewayError.serverStopped)
    const request = yield* HttpServerRequest
    if (isRouteNotFound(cause)) return notServed(allowed.get(request.url.replace(/\?.*$/s, "")))
    yield* Effect.logError(`a bug met ${request.method} ${request.url}`, cause)
    return GatewayResponse.ofError(GatewayError.internal)
  })

const isRouteNotFound = (cause: Cause.Cause<unknown>): boolean =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => false,
    onSome: (error) => (error as { readonly reason?: { readonly _tag?: string } }).reason?._tag === "RouteNotFound"
  })

const notServed = (allow: string | undefined): Response =>
  allow === undefined
    ? HttpServerResponse.text("Not Found\n", { status: 404, contentType: plainText })
    : HttpServerResponse.text("Method Not Allowed\n", { status: 405, contentType: plainText, headers: { allow } })

const plainText = "text/plain; charset=utf-8"
