/**
 * etcd's v3 JSON gateway, the subset that Balsa has, over one replica: HTTP requests become
 * commands and queries, and what comes back becomes etcd's JSON. It keeps nothing between two
 * requests and binds no port; it needs an `HttpServer`, which `ClientListener` provides.
 */
import { Cause, Effect, type Layer, Option } from "effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServer } from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as GatewayError from "./GatewayError.ts"
import type { Header } from "./GatewayJson.ts"
import * as GatewayRequest from "./GatewayRequest.ts"
import * as GatewayResponse from "./GatewayResponse.ts"
import * as Health from "./Health.ts"
import { clusterIdOf, memberIdOf } from "./Ids.ts"
import * as JsonBody from "./JsonBody.ts"
import type { KvReplica } from "./KvReplica.ts"
import * as RequestBody from "./RequestBody.ts"
import * as MembersRoute from "./MembersRoute.ts"
import type { JsonObject } from "./RequestFields.ts"
import * as SnapshotRoute from "./SnapshotRoute.ts"
import * as Status from "./Status.ts"

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
  readonly dbSizeBytes?: (() => number) | undefined
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
type Page = (parameters: URLSearchParams) => Effect.Effect<Response>

/** Serves until its scope closes. */
export const layer = (options: GatewayOptions): Layer.Layer<never, never, HttpServer> =>
  HttpRouter.serve(routes(options), {
    disableLogger: true,
    disableListenLog: true,
    // As etcd: a path is written in one way only.
    routerConfig: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false }
  })

const routes = (options: GatewayOptions) => {
  const operations = Object.entries(operationsOf(options))
  const pages = Object.entries(pagesOf(options))
  const allowed = new Map<string, string>([
    ...operations.map(([path]) => [path, "POST"] as const),
    ...pages.map(([path]) => [path, "GET, HEAD"] as const)
  ])
  const maxRequestBytes = options.maxRequestBytes ?? GatewayRequest.defaultMaxRequestBytes
  const body = RequestBody.make({
    maxBodyBytes: options.maxBodyBytes ?? 2 * maxRequestBytes + 64 * 1024,
    maxBufferedBytes: options.maxBufferedBytes ?? defaultMaxBufferedBytes
  })
  return HttpRouter.use((router) =>
    Effect.gen(function* () {
      for (const [path, operation] of operations) yield* router.add("POST", path as `/${string}`, post(body, operation))
      for (const [path, page] of pages) yield* router.add("GET", path as `/${string}`, get(page))
      yield* router.addGlobalMiddleware((app) => Effect.catchCause(app, (cause) => onFailure(cause, allowed)))
    })
  )
}

const operationsOf = (options: GatewayOptions): { readonly [path: string]: Operation } => {
  const { replica, cluster } = options
  const maxRequestBytes = options.maxRequestBytes ?? GatewayRequest.defaultMaxRequestBytes
  const clusterId = clusterIdOf(cluster)
  const memberId = memberIdOf(cluster, replica.status().id)
  const headerAt = (revision: number): Header => ({ clusterId, memberId, revision, raftTerm: replica.status().term })

  const write = (asked: ReturnType<typeof GatewayRequest.put>, key: string | undefined): Effect.Effect<Response> => {
    const command = GatewayRequest.named(asked, key)
    if (GatewayError.isGatewayError(command)) return Effect.succeed(GatewayResponse.ofError(command))
    return Effect.match(replica.propose(command), {
      onSuccess: (result) => GatewayResponse.ofStoreResult(result, headerAt),
      onFailure: (error) => GatewayResponse.ofError(GatewayError.ofRequestError(error))
    })
  }

  const read = (request: ReturnType<typeof GatewayRequest.range>): Effect.Effect<Response> => {
    if (GatewayError.isGatewayError(request)) return Effect.succeed(GatewayResponse.ofError(request))
    const { serializable } = request
    const answer = serializable ? replica.queryLocal(request.query) : replica.query(request.query)
    return Effect.match(answer, {
      onSuccess: (answer) => {
        const response = GatewayResponse.ofAnswer(answer, headerAt)
        return serializable ? GatewayResponse.withStaleness(response, replica.staleness()) : response
      },
      onFailure: (error) => GatewayResponse.ofError(GatewayError.ofRequestError(error))
    })
  }

  return {
    "/v3/kv/put": (object, headers) => write(GatewayRequest.put(object, maxRequestBytes), headers["idempotency-key"]),
    "/v3/kv/deleterange": (object, headers) =>
      write(GatewayRequest.deleteRange(object, maxRequestBytes), headers["idempotency-key"]),
    "/v3/kv/range": (object) => read(GatewayRequest.range(object, maxRequestBytes)),
    "/v3/maintenance/status": () =>
      Effect.map(Status.status(replica, cluster, options.dbSizeBytes?.() ?? 0, headerAt), (text) =>
        GatewayResponse.json(text)
      ),
    "/v3/maintenance/snapshot": SnapshotRoute.make({
      replica,
      image: options.image,
      headerAt,
      version: options.version
    }),
    ...MembersRoute.make({ ...options, headerAt })
  }
}

const pagesOf = ({ replica, version, healthTimeoutMillis }: GatewayOptions): { readonly [path: string]: Page } => ({
  "/version": () => Effect.succeed(GatewayResponse.json(Status.version(version))),
  "/health": (parameters) =>
    Health.health(replica, {
      timeoutMillis: healthTimeoutMillis ?? Health.defaultHealthTimeoutMillis,
      exclude: parameters.getAll("exclude")
    }),
  "/livez": (parameters) =>
    Effect.map(Health.live(replica), (checks) => Health.report("livez", checks, parameters.has("verbose"))),
  "/readyz": (parameters) =>
    Effect.map(Health.ready(replica), (checks) => Health.report("readyz", checks, parameters.has("verbose")))
})

const post = (body: RequestBody.BodyReader, operation: Operation) => (request: HttpServerRequest) =>
  Effect.matchEffect(
    body.read(
      NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage,
      NodeHttpServerRequest.toServerResponse(request) as ServerResponse
    ),
    {
      onSuccess: (text) => {
        const json = JsonBody.parse(text)
        return GatewayError.isGatewayError(json)
          ? Effect.succeed(GatewayResponse.ofError(json))
          : operation(json.object, request.headers)
      },
      // The rest of the body is not read, so nothing can follow it on this connection.
      onFailure: (error) =>
        Effect.succeed(HttpServerResponse.setHeader(GatewayResponse.ofError(error), "connection", "close"))
    }
  )

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
    ? HttpServerResponse.text("Not Found\n", { status: 404 })
    : HttpServerResponse.text("Method Not Allowed\n", { status: 405, headers: { allow } })
